"""The suppression lists of accounts, as commands and campaigns work on them. Nobody needs a lease for that.

What is added here is held from the next claim on, whoever sends: no row is claimed for a contact once `add` has
returned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dispatcher.clock import now_ms
from dispatcher.ledger import suppressed
from dispatcher.ledger.db import Db, Work, WorkFor
from dispatcher.ledger.records import Account
from dispatcher.ledger.suppressed import Suppression, SuppressionChange, SuppressionList
from dispatcher.model import ListKind


class Lists:
    """See `protocol.Ledger.lists`. Contacts as `model.contact_of` gives them. Raises: LedgerError."""

    def __init__(self, do: WorkFor, read: Work) -> None:
        """`do`: a transaction alone on an account, on disk when it returns; `read`: one that only reads."""
        self._do, self._read = do, read

    async def all(self, account: Account) -> list[SuppressionList]:
        """The account's lists."""
        return await self._read(lambda db: suppressed.lists(db, account.account_id))

    # --- a file's list ---

    async def begin(self, account: Account, kind: ListKind, source: str) -> int:
        """Begin to read a file; `load` and `finish` with the number returned. Until then nothing has changed."""
        return await self._do(account.account_id, lambda db: suppressed.begin(db, account.account_id, kind, source))

    async def load(self, account: Account, list_id: int, contacts: Collection[str]) -> None:
        """Some of the file's contacts, of a hashed list their digests (`model.hashed_contact`)."""
        await self._do(account.account_id, lambda db: suppressed.load(db, account.account_id, list_id, contacts))

    async def finish(self, account: Account, list_id: int, *, read_as: str, unreadable: int) -> None:
        """The file is read whole: the list takes the place of its last reading, and is in the log."""

        def work(db: Db) -> None:
            suppressed.finish(db, account.account_id, list_id, read_as=read_as, unreadable=unreadable, now_ms=now_ms())

        await self._do(account.account_id, work)

    # --- by hand ---

    async def add(self, account: Account, contacts: Iterable[str], *, actor: str, reason: str) -> int:
        """Put contacts on the account's list of those suppressed by hand. Returns how many were not on it."""
        wanted = list(contacts)

        def work(db: Db) -> int:
            return suppressed.add(db, account.account_id, wanted, actor=actor, reason=reason, now_ms=now_ms())

        return await self._do(account.account_id, work)

    async def remove(self, account: Account, contacts: Collection[str], *, actor: str, reason: str) -> set[str]:
        """Take contacts off the account's own lists (by hand, opted out). Returns those who were on one."""

        def work(db: Db) -> set[str]:
            return suppressed.remove(db, account.account_id, contacts, actor=actor, reason=reason, now_ms=now_ms())

        return await self._do(account.account_id, work)

    # --- looking ---

    async def held(self, account: Account, contacts: Sequence[str]) -> list[Suppression]:
        """On which lists of the account these contacts are, digests included."""
        return await self._read(lambda db: suppressed.held(db, account.account_id, contacts))

    async def history(self, account: Account, contact: str) -> list[SuppressionChange]:
        """What the log says of a contact, oldest first."""
        return await self._read(lambda db: suppressed.history(db, account.account_id, contact))

    async def log(self, account: Account, *, after: int, limit: int) -> list[tuple[int, SuppressionChange]]:
        """The log behind an entry's number (0: from its start), oldest first, each with its number."""
        return await self._read(lambda db: suppressed.log(db, account.account_id, after=after, limit=limit))

    async def page(self, account: Account, *, after: Suppression | None, limit: int) -> list[Suppression]:
        """All that are suppressed, in the order of contacts; digests stand as such."""
        behind = after or Suppression("", 0)
        return await self._read(lambda db: suppressed.page(db, account.account_id, behind, limit))

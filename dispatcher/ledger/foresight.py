"""What people ask of a ledger before they send: which row would go first, and whom the account has reached lately.

Nothing of it changes anything, and no promise rests on it: a claim looks for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from dispatcher.ledger import attempts, pseudonyms, runs
from dispatcher.ledger.chunks import ChunkReader, id_range
from dispatcher.ledger.contacted import ROWS_PER_READ
from dispatcher.ledger.db import Db, Work, WorkFor
from dispatcher.ledger.records import Account, CampaignRecord, GrantedRow
from dispatcher.model import contact_of
from dispatcher.rules.gate import OPEN


class Reached(NamedTuple):
    """An attempt for somebody: it created an execution, may have, or is on its way."""

    #: Which of the contacts that were asked for.
    place: int
    #: The campaign's number, and its name.
    campaign_id: int
    campaign: str
    begun_at_ms: int


class Foresight:
    """See `protocol.Ledger.foresight`. Raises: LedgerError."""

    def __init__(self, do: WorkFor, read: Work, chunks: ChunkReader) -> None:
        """`do`: a transaction alone on an account, on disk when it returns; `read`: one that only reads."""
        self._do, self._read, self._chunks = do, read, chunks

    async def first_row(
        self, campaign: CampaignRecord, *, now_ms: int, input_id: int | None, list_ids: Collection[int] = ()
    ) -> GrantedRow | None:
        """The row that a run would be granted first, claimed and given back at once; None: none."""

        def work(db: Db) -> GrantedRow | None:
            with db.undone():
                run = runs.start(db, campaign, window_limit=1, now_ms=now_ms)
                rows = attempts.begin(
                    db,
                    self._chunks,
                    run,
                    1,
                    now_ms=now_ms,
                    input_id=input_id,
                    dispatch_id=None,
                    repeat_after_ms=0,
                    list_ids=list_ids,
                    gate=OPEN,
                    reached={},
                )
                return rows[0] if rows else None

        return await self._do(campaign.account.account_id, work)

    async def planned(self, input_id: int, *, after: int = 0) -> tuple[list[str], int | None]:
        """Where planned rows of a file go, those behind row id `after`, and the last one's; None: there are no more."""
        ids = id_range(input_id)
        after = max(after, ids["first"] - 1)
        rows = await self._read(
            lambda db: db.rows("planned_addresses", after=after, last=ids["last"], limit=ROWS_PER_READ)
        )
        return [address for _, address in rows], rows[-1][0] if rows else None

    async def reached(self, account: Account, addresses: Sequence[str], since_ms: int) -> list[Reached]:
        """Whom of these the account has begun to reach after that moment, by whatever campaign and flow.

        A contact may come several times: once for each campaign and row. Asks for each contact by its key.
        """
        contacts = [contact_of(address) for address in addresses]

        def work(db: Db) -> list[Reached]:
            found = db.rows(
                "contacted_lately",
                contacts=pseudonyms.asked(db, contacts),
                account_id=account.account_id,
                since_ms=since_ms,
            )
            return [Reached(place % len(contacts), *rest) for place, *rest in found]

        return await self._read(work) if contacts else []

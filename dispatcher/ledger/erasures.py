"""The months after, as commands work on them: campaigns by age and size, people and campaigns that are forgotten.

Whoever forgets or prunes holds the lease of every account of the ledger: a process that sends has rows in its memory
and would write of them again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from dispatcher.clock import now_ms
from dispatcher.errors import AccountLocked, LedgerKeyLost
from dispatcher.ledger import erasing, pseudonyms
from dispatcher.ledger.db import Db, Work, WorkForAll
from dispatcher.ledger.erasing import Progress, Traces
from dispatcher.ledger.records import CampaignRecord
from dispatcher.ledger.striking import Person
from dispatcher.remedies import Advice, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What the log says of a person or a campaign that was forgotten."""

    at_ms: int
    #: forgotten (a person) or pruned (a campaign).
    action: str
    #: What stands for the person; None: a campaign.
    contact: str | None
    campaign: str | None
    rows: int
    actor: str
    #: When the file was written anew without what was freed; None: not yet.
    cleaned_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old and how large a campaign is."""

    created_at_ms: int
    first_run_at_ms: int | None
    #: When its last run stopped, or was seen last.
    last_run_at_ms: int | None
    #: When it was made, fed or sent last.
    active_at_ms: int
    #: Of its cells.
    size_bytes: int
    #: No row of it waits, is on the wire or unknown.
    is_over: bool
    #: Since then nothing happened to it.
    is_pruned: bool


class Erasures:
    """See `protocol.Ledger.erasures`. Raises: LedgerError; LedgerKeyLost where people cannot be told any more."""

    def __init__(
        self, do: WorkForAll, read: Work, *, make_key: Callable[[], None], forgotten: Callable[[], None]
    ) -> None:
        """`do`: a transaction alone on these accounts, on disk when it returns; `read`: one that only reads.

        `make_key`: the key is there from then on, on disk; `forgotten`: cells that are kept in memory are not true now.
        """
        self._do, self._read = do, read
        self._make_key, self._forgotten = make_key, forgotten

    async def ages(self) -> dict[int, Age]:
        """Of every campaign, by its number."""

        def work(db: Db) -> dict[int, Age]:
            return {
                campaign_id: Age(
                    created_at_ms=created_ms,
                    first_run_at_ms=first_ms,
                    last_run_at_ms=last_ms,
                    active_at_ms=active_ms,
                    size_bytes=size,
                    is_over=erasing.is_over(db, campaign_id),
                    is_pruned=bool(is_pruned),
                )
                for campaign_id, created_ms, first_ms, last_ms, active_ms, size, is_pruned in db.rows("archive")
            }

        return await self._read(work)

    async def look(self, person: Person, progress: Progress) -> Traces:
        """Find a person. `progress` is called on the ledger's thread."""
        return await self._read(lambda db: erasing.look(db, person, progress))

    async def forget(
        self, person: Person, progress: Progress, *, suppress: bool, actor: str, held: Collection[int] | None = None
    ) -> Traces:
        """Take a person out of every campaign, all or nothing; nothing where the traces returned name obstacles.

        `suppress`: and keep them out of what is planned from now on, by all accounts. `held`: the numbers of the
        accounts whose lease the caller holds; None: nobody else is at work. Raises: AccountLocked: another was made.
        """

        def work(db: Db) -> Traces:
            _check_held(db, held)
            _check_key(db)
            return erasing.forget(db, person, progress, suppress=suppress, actor=actor, now_ms=now_ms())

        await self._prepared()
        traces = await self._do(held or (), work)
        self._forgotten()
        return traces

    async def prune(self, campaign: CampaignRecord, *, actor: str, held: Collection[int] | None = None) -> int:
        """Take the cells and addresses out of a campaign that is over; returns of how many rows. All or nothing.

        `held`: as above. Raises: AccountLocked.
        """

        def work(db: Db) -> int:
            _check_held(db, held)
            _check_key(db)
            return erasing.prune(db, campaign, actor=actor, now_ms=now_ms())

        await self._prepared()
        rows = await self._do(held or (), work)
        self._forgotten()
        return rows

    async def log(self) -> list[Erasure]:
        """Everything that was forgotten, oldest first."""
        found = await self._read(lambda db: db.rows("erasures_all"))
        return [
            Erasure(
                at_ms=at_ms,
                action=action,
                contact=contact,
                campaign=campaign,
                rows=rows,
                actor=actor,
                cleaned_at_ms=cleaned_ms,
            )
            for at_ms, action, contact, campaign, rows, actor, cleaned_ms in found
        ]

    async def cleaned(self) -> None:
        """The file was written anew: nothing is left of what was forgotten until now."""
        await self._do((), lambda db: db.run("erasures_cleaned", now_ms=now_ms()))

    async def _prepared(self) -> None:
        # Never a new key where people were forgotten by another: they would be strangers.
        await self._read(pseudonyms.in_use)
        await asyncio.to_thread(self._make_key)


def _check_held(db: Db, held: Collection[int] | None) -> None:
    """Raises: AccountLocked: a file may be loading for an account, and half of it would be taken for cut short."""
    if held is not None and not {account_id for _, _, account_id, *_ in db.rows("campaign_list")}.issubset(held):
        raise AccountLocked("a process begins to plan for another account of this ledger", fix=Option("wait"))


def _check_key(db: Db) -> None:
    """Raises: LedgerKeyLost."""
    if not pseudonyms.in_use(db) and db.one("erasure_check")[0] is None:
        raise LedgerKeyLost(
            "the key that is to tell forgotten people cannot be read",
            found="forgotten.key beside the ledger",
            fix=Advice("remove the file, if it was never used; put it back from a copy otherwise"),
        )

"""Rows that wait for their hours: where their contacts may be, when they may go, and those that never will."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from dispatcher.ledger import attempts, cooling, places, runs, senders
from dispatcher.ledger.db import Db, Work, WorkFor
from dispatcher.ledger.records import Account, CampaignRecord, Run
from dispatcher.rules.cooloff import CoolOffs
from dispatcher.rules.gate import Due, Schedule
from dispatcher.rules.places import Place


class PlacesOfRows:
    """See `protocol.Ledger.places`. `input_id` None: all inputs of the campaign. Raises: LedgerError."""

    def __init__(self, do: Work, do_for: WorkFor, read: Work) -> None:
        """`do`: a transaction, on disk when it returns; `do_for`: alone on an account; `read`: one that only reads."""
        self._do, self._do_for, self._read = do, do_for, read

    async def all(self) -> dict[int, Place | None]:
        """Every place by its number; None: no hours hold there."""
        return await self._read(places.all_places)

    async def are_kept(self, input_id: int) -> bool:
        """Whether it was looked up where the contacts of an input are."""
        return await self._read(lambda db: places.are_kept(db, input_id))

    async def unplaced(self, input_id: int, *, after: int) -> list[tuple[int, str]]:
        """Some planned rows behind a row (0: from the first) whose places were not looked up, with their addresses."""
        return await self._read(lambda db: places.unplaced(db, input_id, after))

    async def place(self, found: Mapping[int, Place | None]) -> None:
        """Keep where the contacts of rows may be."""
        await self._do(lambda db: places.place_rows(db, found))

    async def due(self, campaign: CampaignRecord, input_id: int | None) -> list[Due]:
        """The places that have rows which wait, each with when the first of them may be sent, by itself."""
        return await self._read(lambda db: places.due(db, _inputs(db, campaign, input_id)))

    async def begun_ms(self, campaign: CampaignRecord, start_ms: int) -> int | None:
        """When the campaign has begun with a start, on the wall; None: it has not."""
        return await self._read(lambda db: places.begun_ms(db, campaign.campaign_id, start_ms))

    async def begin(self, run: Run, start_ms: int, now_ms: int) -> int:
        """Keep that the campaign begins now with that start, unless it has before; when it has. Raises: LeaseLost."""

        def work(db: Db) -> int:
            attempts.check_lease(db, run)
            return places.begin(db, run.campaign.campaign_id, start_ms, now_ms)

        return await self._do_for(run.campaign.account.account_id, work, fenced=True)

    async def waiting(self, campaign: CampaignRecord, input_id: int | None) -> list[tuple[Due, int]]:
        """Rows that wait, by place and by when they may be sent by themselves, and how many of each."""
        return await self._read(lambda db: places.waiting(db, _inputs(db, campaign, input_id)))

    async def first_due_ms(self, campaign: CampaignRecord, input_id: int | None) -> int | None:
        """When the first planned row may be sent by itself (0: at once), whatever its place; None: none is planned."""
        return await self._read(lambda db: attempts.first_due_ms(db, campaign, input_id))

    async def waiting_for_a_time(
        self, campaign: CampaignRecord, input_id: int | None, now_ms: int
    ) -> list[tuple[int, int]]:
        """Rows that may be sent only later than now, by themselves: when, and how many."""
        return await self._read(lambda db: places.waiting_for_a_time(db, _inputs(db, campaign, input_id), now_ms))

    async def cooling(
        self, campaign: CampaignRecord, input_id: int | None, cooloffs: CoolOffs, at_ms: int
    ) -> Counter[tuple[Due, int]]:
        """Of the rows that wait, those whose contacts were reached as often as they may be: see `cooling.held`."""
        return await self._read(lambda db: cooling.held(db, campaign, _inputs(db, campaign, input_id), cooloffs, at_ms))

    async def sweep(self, run: Run, input_id: int | None, schedule: Schedule, now_ms: int) -> int:
        """Leave out rows that can never be sent any more: their time is over before their place opens.

        Some thousands a transaction; returns how many. Raises: LeaseLost.
        """
        return await self._swept(run, input_id, lambda db, ids: places.sweep(db, ids, schedule, now_ms))

    async def miss(self, run: Run, input_id: int | None) -> int:
        """Leave out all rows that wait, as the campaign's start was missed; as `sweep`."""
        return await self._swept(run, input_id, places.miss)

    async def expire(self, run: Run, input_id: int | None, now_ms: int) -> int:
        """Leave out rows whose own time is over, whatever the hours are; as `sweep`."""
        return await self._swept(run, input_id, lambda db, ids: places.expire(db, ids, 0, now_ms))

    async def _swept(self, run: Run, input_id: int | None, some: Callable[[Db, list[int]], int]) -> int:
        """Leave out `some` again and again, until there are none."""
        total = 0

        def work(db: Db) -> int:
            attempts.check_lease(db, run)
            return some(db, _inputs(db, run.campaign, input_id))

        while n := await self._do_for(run.campaign.account.account_id, work, fenced=True):
            total += n
        return total


class SendersOfRows:
    """See `protocol.Ledger.senders`. `input_id` None: all inputs of the campaign. Raises: LedgerError."""

    def __init__(self, read: Work) -> None:
        """`read`: a transaction that only reads."""
        self._read = read

    async def begun_since(self, account: Account, since_ms: int) -> dict[str, int]:
        """How many executions each sender of the account has begun since then; counted as by `Ledger.begun_since`."""
        return await self._read(lambda db: runs.begun_by_sender(db, account, since_ms))

    async def due(self, campaign: CampaignRecord, input_id: int | None, *, placed: bool) -> list[senders.DueOf]:
        """Of each sender (and place, with `placed`) when the first of the rows that wait may be sent, by itself."""
        return await self._read(lambda db: senders.due(db, _inputs(db, campaign, input_id), placed=placed))

    async def waiting(self, campaign: CampaignRecord, input_id: int | None, *, placed: bool) -> list[senders.DueOf]:
        """The same, counted, and by when they may be sent by themselves."""
        return await self._read(lambda db: senders.waiting(db, _inputs(db, campaign, input_id), placed=placed))


def _inputs(db: Db, campaign: CampaignRecord, input_id: int | None) -> list[int]:
    return [input_id] if input_id is not None else attempts.inputs_planned(db, campaign)

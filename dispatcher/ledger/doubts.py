"""Rows of which it is not known whether they were sent, and what Studio shows that may have come of them.

`Doubts` is that part of `protocol.Ledger`; `DoubtsStore` is it over any database.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from dispatcher.ledger import attempts, planning, unresolved, witnessed
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import (
    AttemptEnd,
    CampaignRecord,
    ForeignExecution,
    LastCreated,
    Look,
    Run,
    SentExecution,
    UnknownRow,
)
from dispatcher.ledger.transactions import Transactions
from dispatcher.model import RowState


class Doubts(Protocol):
    """What a ledger knows of unknown rows, and of executions that it has not begun."""

    async def unknown_rows(self, campaign: CampaignRecord) -> list[UnknownRow]:
        """The unknown rows of all the campaign's inputs."""

    async def note_unknown(self, notes: Sequence[tuple[int, str]]) -> None:
        """Keep the evidence why attempts stay unknown: (attempt_id, sentence)."""

    async def sent_executions(self, sids: Collection[str], *, after: int) -> dict[str, SentExecution]:
        """Of these executions, those that attempts numbered above `after` have created, test sends included.

        Looks through those attempts: an execution whose answer was lost is not among them.
        """

    async def last_created(self, campaign: CampaignRecord, *, after: int) -> LastCreated | None:
        """The newest execution on the campaign's flow that an attempt numbered above `after` has created."""

    async def last_look(self, campaign: CampaignRecord) -> Look | None:
        """The last look for others' executions on the campaign's flow, by any campaign of its account."""

    async def keep_look(self, run: Run, look: Look, executions: Sequence[ForeignExecution]) -> None:
        """Keep what a run's look has found; those that are too old to matter are forgotten. Raises: LeaseLost."""

    async def foreign_executions(self, campaign: CampaignRecord, *, since_ms: int) -> list[ForeignExecution]:
        """Those kept of the campaign's flow that were created since then and whose contact has a planned row in it."""

    async def risk_rows(self, campaign: CampaignRecord, *, count_only: bool = False) -> int:
        """Plan the campaign's unknown rows again, though nothing proves that nothing was created; returns how many.

        `count_only` changes nothing. Their evidence is kept in their attempts. Rows that were taken out meanwhile stay
        as they are.
        """

    async def resolve_rows(self, run: Run, ends: Sequence[AttemptEnd]) -> None:
        """Move `unknown` rows by what reconcile has proved (created, busy, not_sent).

        Raises: LeaseLost where another run has taken the account over: what was proved may be out of date.
        """


class DoubtsStore(Transactions):
    """See `Doubts`."""

    async def unknown_rows(self, campaign: CampaignRecord) -> list[UnknownRow]:
        return await self._read(
            lambda db: unresolved.rows(db, [r.input_id for r in planning.inputs(db, campaign.campaign_id)])
        )

    async def note_unknown(self, notes: Sequence[tuple[int, str]]) -> None:
        await self._do(lambda db: unresolved.note(db, notes))

    async def sent_executions(self, sids: Collection[str], *, after: int) -> dict[str, SentExecution]:
        return await self._read(lambda db: unresolved.sent_executions(db, sids, after))

    async def last_created(self, campaign: CampaignRecord, *, after: int) -> LastCreated | None:
        return await self._read(lambda db: unresolved.last_created(db, campaign, after))

    async def last_look(self, campaign: CampaignRecord) -> Look | None:
        return await self._read(lambda db: witnessed.last_look(db, campaign))

    async def keep_look(self, run: Run, look: Look, executions: Sequence[ForeignExecution]) -> None:
        def work(db: Db) -> None:
            attempts.check_lease(db, run)
            witnessed.keep_look(db, run, look, executions)

        await self._do_for(run.campaign.account.account_id, work, fenced=True)

    async def foreign_executions(self, campaign: CampaignRecord, *, since_ms: int) -> list[ForeignExecution]:
        return await self._read(
            lambda db: witnessed.of_planned(db, campaign, attempts.inputs_planned(db, campaign), since_ms)
        )

    async def risk_rows(self, campaign: CampaignRecord, *, count_only: bool = False) -> int:
        def work(db: Db) -> int:
            input_ids = [record.input_id for record in planning.inputs(db, campaign.campaign_id)]
            return unresolved.count_risks(db, input_ids) if count_only else unresolved.risk(db, campaign, input_ids)

        return await (self._read(work) if count_only else self._do_for(campaign.account.account_id, work))

    async def resolve_rows(self, run: Run, ends: Sequence[AttemptEnd]) -> None:
        def work(db: Db) -> None:
            attempts.check_lease(db, run)
            attempts.end(db, ends, RowState.unknown)
            unresolved.keep_absence(db, ends)

        def carefully(db: Db) -> None:
            attempts.check_lease(db, run)
            attempts.end_one_by_one(db, ends, (RowState.unknown,))
            unresolved.keep_absence(db, ends)

        try:
            await self._do_for(run.campaign.account.account_id, work, fenced=True, few=True)
        except attempts.RowsMoved:
            await self._do_for(run.campaign.account.account_id, carefully, fenced=True, few=True)

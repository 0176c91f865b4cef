"""The protocol's methods over any database: each is one transaction of named queries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from dispatcher.clock import now_ms as clock_ms
from dispatcher.ledger import attempts, contacted, planning, reading, runs, test_sends, tracking
from dispatcher.ledger.chunks import ChunkReader
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import (
    Account,
    AttemptEnd,
    CampaignRecord,
    CampaignStatus,
    CreatedExecution,
    ExecutionCounts,
    GrantedRow,
    GrantedRows,
    InputRecord,
    NewInput,
    PlanCounts,
    RowBatch,
    Run,
    RunTotals,
    TestAttempt,
    TrackedExecution,
    UnknownRow,
)
from dispatcher.model import Outcome, RowState

T = TypeVar("T")


class Store(ABC):
    """See `protocol.Ledger`; a database adds its transactions, its lease, its snapshot and its place."""

    def __init__(self) -> None:
        self._chunks = ChunkReader()

    @abstractmethod
    async def _do(self, work: Callable[[Db], T]) -> T:
        """Run `work` in a transaction; when this returns, it is on disk. It may be run again."""

    @abstractmethod
    async def _read(self, work: Callable[[Db], T]) -> T:
        """Run `work`, which only reads."""

    @abstractmethod
    def _check_place(self) -> None:
        """Raises: LedgerGone where what is written now would not be found again."""

    @property
    @abstractmethod
    def location(self) -> str:
        """See `protocol.Ledger`."""

    @abstractmethod
    async def is_leased(self, account: Account) -> bool:
        """See `protocol.Ledger`."""

    # --- accounts and campaigns ---

    async def account(self, account_sid: str, base_url: str) -> Account:
        return await self._do(lambda db: reading.account(db, account_sid, base_url))

    async def open_campaign(self, name: str, account: Account, flow_sid: str) -> CampaignRecord:
        return await self._do(lambda db: reading.open_campaign(db, name, account, flow_sid, clock_ms()))

    async def find_campaign(self, name: str, account: Account | None = None) -> CampaignRecord:
        return await self._read(lambda db: reading.find_campaign(db, name, account))

    async def campaigns(self) -> list[CampaignRecord]:
        return await self._read(reading.campaigns)

    async def inputs(self, campaign: CampaignRecord) -> list[InputRecord]:
        return await self._read(lambda db: planning.inputs(db, campaign.campaign_id))

    async def input_files(self) -> list[tuple[str, str]]:
        found = await self._read(lambda db: db.rows("input_files"))
        return [(folder, source) for folder, source in found]

    async def set_report_path(self, campaign: CampaignRecord, path: str) -> None:
        await self._do(lambda db: db.run("campaign_set_report", campaign_id=campaign.campaign_id, path=path))

    async def status(self, campaign: CampaignRecord) -> CampaignStatus:
        leased = await self.is_leased(campaign.account)
        return await self._read(lambda db: reading.status(db, campaign, location=self.location, leased=leased))

    # --- planning ---

    async def begin_input(self, campaign: CampaignRecord, new: NewInput) -> InputRecord:
        return await self._do(lambda db: planning.begin(db, campaign, new, clock_ms()))

    async def load_rows(self, input_id: int, batch: RowBatch) -> None:
        await self._do(lambda db: planning.load(db, input_id, batch))

    async def finish_input(self, input_id: int, sha256: str) -> PlanCounts:
        return await self._do(lambda db: planning.finish(db, input_id, sha256, clock_ms()))

    async def retry_rows(
        self,
        campaign: CampaignRecord,
        *,
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        cancelled: bool = False,
        count_only: bool = False,
    ) -> int:
        def retry(db: Db) -> int:
            return planning.retry(db, campaign, codes=codes, all_rejected=all_rejected, busy=busy, cancelled=cancelled)

        def count(db: Db) -> int:
            with db.undone():
                return retry(db)

        return await self._do(count if count_only else retry)

    async def cancel_rows(self, campaign: CampaignRecord, reason: str) -> int:
        return await self._do(lambda db: planning.cancel(db, campaign, reason))

    # --- sending ---

    async def start_run(self, campaign: CampaignRecord, *, window_limit: int, now_ms: int) -> Run:
        return await self._do(lambda db: runs.start(db, campaign, window_limit=window_limit, now_ms=now_ms))

    async def stop_run(self, run: Run, *, now_ms: int, reason: str | None, totals: RunTotals) -> None:
        await self._do(lambda db: runs.stop(db, run, now_ms, reason, totals))

    async def begin_rows(
        self,
        run: Run,
        limit: int,
        *,
        now_ms: int,
        input_id: int | None,
        dispatch_id: Callable[[str], str] | None = None,
        repeat_after_ms: int = 0,
    ) -> GrantedRows:
        def work(db: Db) -> GrantedRows:
            self._check_place()
            return attempts.begin(
                db,
                self._chunks,
                run,
                limit,
                now_ms=now_ms,
                input_id=input_id,
                dispatch_id=dispatch_id,
                repeat_after_ms=repeat_after_ms,
            )

        return await self._do(work)

    async def end_rows(self, run: Run, ends: Sequence[AttemptEnd], *, now_ms: int, totals: RunTotals) -> None:
        def work(db: Db) -> None:
            attempts.end(db, ends, RowState.sending)
            runs.update(db, run, now_ms, totals)

        def carefully(db: Db) -> None:
            # A row that another run has made unknown meanwhile takes the proof all the same.
            attempts.end_one_by_one(db, ends, (RowState.sending, RowState.unknown))
            runs.update(db, run, now_ms, totals)

        try:
            await self._do(work)
        except attempts.RowsMoved:
            await self._do(carefully)

    async def known_executions(self, account: Account, executions: Mapping[str, str]) -> set[str]:
        return await self._read(lambda db: contacted.known_executions(db, account, executions))

    async def own_execution(self, run: Run, row: GrantedRow, execution_sid: str) -> bool:
        return await self._read(lambda db: contacted.own_execution(db, run, row, execution_sid))

    async def skip_contacts(self, run: Run, sentences: Mapping[str, str]) -> int:
        def work(db: Db) -> int:
            attempts.check_lease(db, run)
            return contacted.skip_contacts(db, attempts.inputs_planned(db, run.campaign), sentences)

        return await self._do(work)

    async def next_due_ms(self, campaign: CampaignRecord, input_id: int | None) -> int | None:
        return await self._read(lambda db: attempts.next_due_ms(db, campaign, input_id))

    async def departures(self, account: Account, *, since_ms: int, now_ms: int, unresolved: bool = True) -> list[int]:
        return await self._read(
            lambda db: runs.departures(db, account, since_ms=since_ms, now_ms=now_ms, unresolved=unresolved)
        )

    async def begin_test(self, account: Account, *, to_address: str, now_ms: int) -> TestAttempt:
        def work(db: Db) -> TestAttempt:
            self._check_place()
            return test_sends.begin(db, account, to_address=to_address, now_ms=now_ms)

        return await self._do(work)

    async def end_test(
        self,
        attempt: TestAttempt,
        *,
        outcome: Outcome,
        sent_at_ms: int | None,
        ended_at_ms: int,
        execution_sid: str | None = None,
        http_status: int | None = None,
        error_code: int | None = None,
        error_message: str | None = None,
        request_id: str | None = None,
    ) -> None:
        await self._do(
            lambda db: test_sends.end(
                db,
                attempt,
                outcome,
                sent_at_ms=sent_at_ms,
                ended_at_ms=ended_at_ms,
                execution_sid=execution_sid,
                http_status=http_status,
                error_code=error_code,
                error_message=error_message,
                request_id=request_id,
            )
        )

    # --- unknown rows ---

    async def unknown_rows(self, campaign: CampaignRecord) -> list[UnknownRow]:
        return await self._read(
            lambda db: attempts.unknown(db, [r.input_id for r in planning.inputs(db, campaign.campaign_id)])
        )

    async def note_unknown(self, notes: Sequence[tuple[int, str]]) -> None:
        await self._do(lambda db: attempts.note_unknown(db, notes))

    async def resolve_rows(self, run: Run, ends: Sequence[AttemptEnd]) -> None:
        def work(db: Db) -> None:
            attempts.check_lease(db, run)
            attempts.end(db, ends, RowState.unknown)

        def carefully(db: Db) -> None:
            attempts.check_lease(db, run)
            attempts.end_one_by_one(db, ends, (RowState.unknown,))

        try:
            await self._do(work)
        except attempts.RowsMoved:
            await self._do(carefully)

    # --- afterwards ---

    async def executions_to_track(
        self, campaign: CampaignRecord, *, read_as: str | None, after: int, limit: int
    ) -> list[CreatedExecution]:
        return await self._read(lambda db: tracking.to_track(db, campaign, read_as=read_as, after=after, limit=limit))

    async def save_executions(self, executions: Sequence[TrackedExecution]) -> None:
        await self._do(lambda db: tracking.save(db, executions))

    async def execution_counts(self, campaign: CampaignRecord) -> ExecutionCounts:
        return await self._read(lambda db: tracking.counts(db, campaign))

    async def is_tracked(self, campaign: CampaignRecord) -> bool:
        return await self._read(lambda db: tracking.is_tracked(db, campaign))

"""The protocol's methods over any database: each is one transaction of named queries."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from dispatcher.clock import now_ms as clock_ms
from dispatcher.ledger import (
    attempts,
    contacted,
    planning,
    reading,
    removing,
    runs,
    suppressed,
    test_sends,
    tracking,
    wishes,
)
from dispatcher.ledger.canaries import Canaries
from dispatcher.ledger.chunks import ChunkReader
from dispatcher.ledger.db import Db
from dispatcher.ledger.doubts import DoubtsStore
from dispatcher.ledger.erasures import Erasures
from dispatcher.ledger.executions import CreatedExecution, ExecutionCounts, TrackedExecution
from dispatcher.ledger.foresight import Foresight
from dispatcher.ledger.lists import Lists
from dispatcher.ledger.notices import Announce, Notices
from dispatcher.ledger.records import (
    Account,
    AccountLimits,
    AttemptEnd,
    CampaignRecord,
    CampaignStatus,
    EarlierRows,
    GrantedRow,
    GrantedRows,
    InputRecord,
    NewInput,
    PlanCounts,
    RowBatch,
    Run,
    RunTotals,
    TestAttempt,
)
from dispatcher.ledger.suppressed import LeftOut
from dispatcher.ledger.waiting import PlacesOfRows, SendersOfRows
from dispatcher.model import Outcome, Pause, Reason, RowState
from dispatcher.rules.gate import OPEN, Gate

T = TypeVar("T")


class Store(DoubtsStore):
    """See `protocol.Ledger`; a database adds its transactions, its lease, its snapshot and its place."""

    def __init__(self) -> None:
        self._chunks = ChunkReader()
        self._reached: attempts.Reached = {}
        self.lists = Lists(self._do_for, self._read)
        self.places = PlacesOfRows(self._do, self._do_for, self._read)
        self.senders = SendersOfRows(self._read)
        self.foresight = Foresight(self._do_for, self._read, self._chunks)
        self.wishes = wishes.Wishes(self._do_for, self._read)
        self.canaries = Canaries(self._do_for, self._read, settled=self._reached.clear)
        self.notices = Notices(self._do, self._read)
        self.erasures = Erasures(self._do_for_all, self._read, make_key=self._make_key, forgotten=self._chunks.clear)

    @abstractmethod
    def _make_key(self) -> None:
        """Make the key that tells forgotten people where there is none; on disk when this returns. Blocking."""

    @abstractmethod
    def _check_place(self) -> None:
        """Raises: LedgerGone where what is written now would not be found again."""

    @property
    @abstractmethod
    def location(self) -> str:
        """See `protocol.Ledger`."""

    @property
    @abstractmethod
    def is_shared(self) -> bool:
        """See `protocol.Ledger`."""

    async def _planned(self, counts: PlanCounts) -> None:
        """What a database does for itself once a file is in it."""

    async def _do_for_all(self, account_ids: Collection[int], work: Callable[[Db], T]) -> T:
        """As `_do_for` with `fenced`, for several accounts at once, however long it takes. Raises: LeaseLost."""
        return await self._do(work)

    @abstractmethod
    async def is_leased(self, account: Account) -> bool:
        """See `protocol.Ledger`."""

    # --- accounts and campaigns ---

    async def account(self, account_sid: str, base_url: str) -> Account:
        return await self._do(lambda db: reading.account(db, account_sid, base_url))

    async def open_campaign(self, name: str, account: Account, flow_sid: str) -> CampaignRecord:
        named = await self._read(lambda db: reading.campaigns_named(db, name))
        # A run that has not stopped and whose account nobody holds is dead.
        leased = any([await self.is_leased(record.account) for record in named])
        is_shared = self.is_shared

        def work(db: Db) -> CampaignRecord:
            return reading.open_campaign(db, name, account, flow_sid, clock_ms(), leased=leased, is_shared=is_shared)

        return await self._do(work)

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
        return await self._read(
            lambda db: reading.status(db, campaign, location=self.location, leased=leased, is_shared=self.is_shared)
        )

    # --- planning ---

    async def begin_input(self, campaign: CampaignRecord, new: NewInput) -> InputRecord:
        return await self._do(lambda db: planning.begin(db, campaign, new, clock_ms()))

    async def load_rows(self, input_id: int, batch: RowBatch) -> None:
        await self._do(lambda db: planning.load(db, input_id, batch))

    async def finish_input(
        self,
        input_id: int,
        sha256: str,
        *,
        repeat_after_ms: int = 0,
        skip_repeats: bool = True,
        earlier: EarlierRows = EarlierRows.left,
        remove_share_max: float | None = None,
        list_ids: Collection[int] = (),
    ) -> PlanCounts:
        def work(db: Db) -> PlanCounts:
            return planning.finish(
                db,
                input_id,
                sha256,
                clock_ms(),
                repeat_after_ms=repeat_after_ms,
                skip_repeats=skip_repeats,
                earlier=earlier,
                remove_share_max=remove_share_max,
                list_ids=list_ids,
            )

        account_id = await self._read(lambda db: planning.account_of(db, input_id))
        counts = await self._do_for(account_id, work, fenced=True)
        await self._planned(counts)
        return counts

    async def rows_to_remove(self, campaign: CampaignRecord) -> int:
        return await self._read(lambda db: removing.pending(db, campaign))

    async def remove_rows(self, campaign: CampaignRecord) -> int:
        return await self._do_for(campaign.account.account_id, lambda db: removing.remove(db, campaign))

    async def reasons(self, campaign: CampaignRecord, *, whole_campaign: bool = False) -> dict[str, int]:
        return await self._read(lambda db: reading.reasons(db, campaign, whole_campaign=whole_campaign))

    async def campaigns_of_file(self, account: Account, flow_sid: str, sha256: str) -> list[str]:
        return await self._read(lambda db: reading.campaigns_of_file(db, account, flow_sid, sha256))

    async def retry_rows(
        self,
        campaign: CampaignRecord,
        *,
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        skipped: Sequence[Reason] = (),
        count_only: bool = False,
        most: int | None = None,
    ) -> int:
        def retry(db: Db) -> int:
            return planning.retry(
                db, campaign, codes=codes, all_rejected=all_rejected, busy=busy, skipped=skipped, most=most
            )

        def count(db: Db) -> int:
            with db.undone():
                return retry(db)

        return await self._do_for(campaign.account.account_id, count if count_only else retry)

    async def count_left_out(
        self,
        campaign: CampaignRecord,
        *,
        repeat_after_ms: int = 0,
        list_ids: Collection[int] = (),
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        skipped: Sequence[Reason] = (),
    ) -> LeftOut:
        def work(db: Db) -> LeftOut:
            with db.undone():
                planning.retry(db, campaign, codes=codes, all_rejected=all_rejected, busy=busy, skipped=skipped)
                account_id, planned = campaign.account.account_id, attempts.inputs_planned(db, campaign)
                applying = suppressed.applying(db, account_id, list_ids)
                named = suppressed.planned(db, account_id, planned, applying)
                since_ms = clock_ms() - repeat_after_ms
                repeats = contacted.count_repeats(db, campaign, planned, since_ms, but=named) if repeat_after_ms else 0
                return LeftOut(suppressed=len(named), contacted=repeats)

        return await self._do_for(campaign.account.account_id, work)

    async def cancel_rows(self, campaign: CampaignRecord, reason: str) -> int:
        return await self._do_for(campaign.account.account_id, lambda db: planning.cancel(db, campaign, reason))

    # --- sending ---

    async def start_run(
        self, campaign: CampaignRecord, *, window_limit: int, now_ms: int, announce: Announce | None = None
    ) -> Run:
        def work(db: Db) -> Run:
            return runs.start(
                db, campaign, window_limit=window_limit, now_ms=now_ms, announce=announce, location=self.location
            )

        return await self._do_for(campaign.account.account_id, work, fenced=True)

    async def stop_run(
        self, run: Run, *, now_ms: int, reason: str | None, totals: RunTotals, announce: Announce | None = None
    ) -> None:
        def work(db: Db) -> None:
            runs.stop(db, run, now_ms, reason, totals, announce=announce, location=self.location)

        await self._do_for(run.campaign.account.account_id, work)

    async def begin_rows(
        self,
        run: Run,
        limit: int,
        *,
        now_ms: int,
        input_id: int | None,
        dispatch_id: Callable[[str], str] | None = None,
        repeat_after_ms: int = 0,
        list_ids: Collection[int] = (),
        gate: Gate = OPEN,
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
                list_ids=list_ids,
                gate=gate,
                reached=self._reached,
            )

        return await self._do_for(run.campaign.account.account_id, work, fenced=True, few=True)

    async def end_rows(
        self,
        run: Run,
        ends: Sequence[AttemptEnd],
        *,
        now_ms: int,
        totals: RunTotals,
        pause: Pause | None = None,
    ) -> None:
        def finish(db: Db) -> None:
            runs.update(db, run, now_ms, totals)
            if pause is not None:
                wishes.pause(db, run.campaign.campaign_id, pause)

        def work(db: Db) -> None:
            attempts.end(db, ends, RowState.sending)
            finish(db)

        def carefully(db: Db) -> None:
            # A row that another run has made unknown meanwhile takes the proof all the same.
            attempts.end_one_by_one(db, ends, (RowState.sending, RowState.unknown))
            finish(db)

        try:
            await self._do_for(run.campaign.account.account_id, work, few=True)
        except attempts.RowsMoved:
            await self._do_for(run.campaign.account.account_id, carefully, few=True)

    async def known_executions(self, account: Account, executions: Mapping[str, str]) -> set[str]:
        return await self._read(lambda db: contacted.known_executions(db, account, executions))

    async def own_execution(self, run: Run, row: GrantedRow, execution_sid: str) -> bool:
        return await self._read(lambda db: contacted.own_execution(db, run, row, execution_sid))

    async def skip_contacts(self, run: Run, sentences: Mapping[str, str]) -> int:
        def work(db: Db) -> int:
            attempts.check_lease(db, run)
            return contacted.skip_contacts(db, attempts.inputs_planned(db, run.campaign), sentences)

        return await self._do_for(run.campaign.account.account_id, work, fenced=True)

    async def next_due_ms(self, campaign: CampaignRecord, input_id: int | None) -> int | None:
        return await self._read(lambda db: attempts.next_due_ms(db, campaign, input_id))

    async def departures(self, account: Account, *, since_ms: int, now_ms: int, unresolved: bool = True) -> list[int]:
        return await self._read(
            lambda db: runs.departures(db, account, since_ms=since_ms, now_ms=now_ms, unresolved=unresolved)
        )

    async def account_limits(self, account: Account) -> AccountLimits:
        return await self._read(lambda db: runs.limits(db, account))

    async def set_account_rate(self, account: Account, per_second: float | None) -> None:
        account_id = account.account_id
        await self._do_for(
            account_id, lambda db: db.run("account_set_rate", account_id=account_id, per_second=per_second)
        )

    async def has_sent(self, account: Account) -> bool:
        return await self._read(lambda db: runs.has_sent(db, account))

    async def begun_since(self, account: Account, since_ms: int) -> int:
        return await self._read(lambda db: runs.begun_since(db, account, since_ms))

    async def begin_test(
        self,
        account: Account,
        *,
        to_address: str,
        from_address: str | None = None,
        now_ms: int,
        list_ids: Collection[int] = (),
    ) -> TestAttempt:
        def work(db: Db) -> TestAttempt:
            self._check_place()
            return test_sends.begin(
                db, account, to_address=to_address, from_address=from_address, now_ms=now_ms, list_ids=list_ids
            )

        return await self._do_for(account.account_id, work, fenced=True)

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

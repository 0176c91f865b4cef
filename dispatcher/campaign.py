"""The composition root: plan → send → reconcile → report. What the command line, a page and the Python API call.

    async with open_campaign("spring", settings, credentials) as campaign:
        counts = await campaign.plan("contacts.csv")
        result = await campaign.send()
        await campaign.report(Path("spring-report.csv"))

Everything that a command does to a campaign is here; nothing of it lives in the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.errors import (
    AccountLocked,
    CampaignNotFound,
    DispatcherError,
    ExitCode,
    Interrupted,
    LedgerError,
    SettingsError,
    StudioError,
    UsageError,
)
from dispatcher.events import (
    EventBus,
    Planned,
    PlanProgress,
    ReportWritten,
    RunStarted,
    RunStopped,
    Waiting,
)
from dispatcher.intake import IntakeOptions, OpenedInput, open_input, parameters_of
from dispatcher.ledger import AccountLock, SqliteLedger
from dispatcher.ledger.copy import copy_ledger
from dispatcher.model import (
    CampaignRecord,
    CampaignStatus,
    GrantedRow,
    InputRecord,
    PlanCounts,
    ReportRow,
    RowBatch,
    RowState,
    Run,
    RunTotals,
    dispatch_id,
)
from dispatcher.settings import Credentials, Settings

if TYPE_CHECKING:
    from dispatcher.results.selection import Selection
    from dispatcher.sending.hold import Hold
    from dispatcher.sending.limiter import Limiter
    from dispatcher.sending.reconcile import Reconciled
    from dispatcher.sending.workers import Sender
    from dispatcher.studio.client import Gate, Studio
    from dispatcher.studio.outcomes import Verdict

#: How often unknown → not created → sent → unknown may go round before a run ends with rows in doubt.
ROUNDS_MAX = 20
PLAN_PROGRESS_S = 0.1
#: Stand in where a check is done without credentials or flow.
NO_ACCOUNT = "AC" + "0" * 32
NO_FLOW = "FW" + "0" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run came to."""

    status: CampaignStatus
    #: Why it ended before every row had its answer; None: it did not.
    error: DispatcherError | None
    #: Rows in doubt that reconcile settled in this run.
    found_by_reconcile: int = 0
    #: Why rows in doubt could not be settled.
    reconcile_error: DispatcherError | None = None
    #: Planned rows that this run was to send and did not.
    left: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the contract."""
        rows = self.status.rows
        if self.error is not None:
            return self.error.exit_code
        if self.left:
            return ExitCode.STOPPED
        if rows[RowState.unknown] or self.status.earlier_rows.get(RowState.unknown, 0):
            return ExitCode.SOME_UNKNOWN
        if rows[RowState.rejected] or rows[RowState.invalid] or rows[RowState.busy]:
            return ExitCode.SOME_REFUSED
        return ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """A create request as it would leave."""

    row_number: int
    to: str
    sender: str
    parameters: dict[str, str]


@dataclass(slots=True)
class _Stop:
    """A request to stop, from a signal or a page: `hard` gives up what is in flight, too."""

    error: DispatcherError | None = None
    hard: bool = False
    event: asyncio.Event = field(default_factory=asyncio.Event)


class Campaign:
    """A campaign with its ledger open. Made by `open_campaign`; one task at a time may plan or send."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        credentials: Credentials | None,
        ledger: SqliteLedger,
        bus: EventBus,
        *,
        scratch: bool = False,
    ) -> None:
        self.name = name
        self.settings = settings
        self.bus = bus
        self.record: CampaignRecord | None = None
        self._credentials = credentials
        self._ledger = ledger
        self._inputs: dict[int, InputRecord] = {}
        self._scratch = scratch
        self._stop = _Stop()
        self._sender: Sender | None = None

    # --- planning ---

    async def plan(self, source: str | Path) -> PlanCounts:
        """Read a file whole, check it, and put it into the campaign. Nothing is sent.

        Raises: InputError, ColumnError, SettingsError, CampaignMismatch, LedgerError, Interrupted.
        """
        record = await self._own_record()
        with await asyncio.to_thread(open_input, source, self._intake_options()) as opened:
            input_record = await self._ledger.begin_input(record, opened.new_input)
            await self._load(opened, input_record)
            counts = await self._ledger.finish_input(input_record.input_id, opened.sha256)
        self.record = await self._ledger.find_campaign(self.name)
        self.bus.progress.rows = dict(counts.rows)
        self.bus.emit(Planned(counts=counts))
        return counts

    async def _load(self, opened: OpenedInput, input_record: InputRecord) -> None:
        batches = opened.batches()
        rows, told_s = 0, 0.0
        following = asyncio.create_task(asyncio.to_thread(_next_batch, batches))
        try:
            while (batch := await following) is not None:
                # The next batch is read while this one is stored.
                following = asyncio.create_task(asyncio.to_thread(_next_batch, batches))
                await self._ledger.load_rows(input_record.input_id, batch)
                rows += len(batch.row_numbers)
                if self._stop.error is not None:
                    raise self._stop.error
                if time.monotonic() - told_s > PLAN_PROGRESS_S:
                    told_s = time.monotonic()
                    self.bus.emit(PlanProgress(rows=rows, done_bytes=opened.done_bytes, total_bytes=opened.total_bytes))
        finally:
            # The file may be closed only when no thread reads it any more.
            with contextlib.suppress(Exception):
                await following

    async def _own_record(self) -> CampaignRecord:
        if self.record is None:
            flow = self.settings.campaign.flow
            if self._scratch and (flow is None or self._credentials is None):
                # Checking a file needs neither: a campaign of that name, if there is one, else one that nobody sees.
                known = {record.name: record for record in await self._ledger.campaigns()}
                if self.name in known:
                    self.record = known[self.name]
                else:
                    account = await self._ledger.account(NO_ACCOUNT, self.settings.studio_url)
                    self.record = await self._ledger.open_campaign(self.name, account, flow or NO_FLOW)
                return self.record
            if flow is None:
                raise SettingsError("the flow is not set", fix="--flow FW…, or [campaign] flow in config.toml")
            credentials = self._own_credentials()
            account = await self._ledger.account(credentials.account_sid, self.settings.studio_url)
            self.record = await self._ledger.open_campaign(self.name, account, flow)
        return self.record

    def _own_credentials(self) -> Credentials:
        if self._credentials is None:
            raise SettingsError("this needs credentials", fix="pass credentials to open_campaign")
        return self._credentials

    def _intake_options(self) -> IntakeOptions:
        settings = self.settings
        return IntakeOptions(
            to=settings.columns.to,
            region=settings.columns.region,
            parameters=settings.columns.parameters,
            constants=settings.columns.constants,
            key=tuple(settings.columns.key),
            from_address=settings.campaign.from_,
            from_column=settings.campaign.from_column,
            id_parameter=settings.campaign.id_parameter,
            sheet=settings.input.sheet,
            delimiter=settings.input.delimiter,
            encoding=settings.input.encoding,
            parameters_max_bytes=settings.input.parameters_max_bytes,
            cell_max_bytes=settings.input.cell_max_bytes,
        )

    # --- sending ---

    def stop(self, error: DispatcherError | None = None, *, hard: bool = False) -> None:
        """Stop at the next possible moment: what is in flight is finished, or with `hard` given up as unknown."""
        stop = self._stop
        stop.error = stop.error or error or Interrupted(fix=f"dispatcher resume {self.name}")
        stop.hard = stop.hard or hard
        stop.event.set()
        if self._sender is not None:
            self._sender.stop(stop.error)
            if hard:
                self._sender.leave()

    async def send(self, *, whole_campaign: bool = False, limit: int | None = None) -> RunResult:
        """Send the planned rows of the latest file, or of the whole campaign, and settle rows in doubt.

        Returns when every row has its answer or something stopped the run: see `RunResult.error`.
        Raises: only what is a bug or a ledger that cannot be written.
        """
        from dispatcher.sending.hold import Hold

        record = await self._own_record()
        input_id = None if whole_campaign else record.input_id
        bus, settings = self.bus, self.settings
        self._inputs = {item.input_id: item for item in await self._ledger.inputs(record)}
        run = await self._ledger.start_run(record, window_limit=settings.window_limit, now_ms=_now_ms())
        hold = Hold(settings.retry, bus, stop=self.stop)
        limiter = await self._limiter(record)
        hold.limiter = limiter
        await self._begin_progress(record, run, limiter, input_id, limit)
        found = 0
        reconcile_error: DispatcherError | None = None
        totals = RunTotals(window_limit=limiter.window_limit)
        async with self._studio(hold) as studio:
            try:
                found += (await self._reconcile(studio, run)).created
                sent = 0
                for _ in range(ROUNDS_MAX):
                    left = None if limit is None else limit - sent
                    if left is not None and left <= 0:
                        break
                    totals = await self._send_round(studio, run, hold, limiter, input_id, left, totals)
                    sent = totals.requests - totals.throttled
                    if self._stop.error is not None:
                        break
                    if settings.reconcile.at_end:
                        try:
                            found += (await self._settle(studio, run)).created
                        except StudioError as error:
                            # What could be sent is sent; only the rows in doubt could not be asked for.
                            reconcile_error = error
                            break
                    if not await self._planned(record, input_id):
                        break
            except DispatcherError as error:
                self._stop.error = self._stop.error or error
        stopped = self._stop.error
        reason = stopped.message if stopped else None
        with contextlib.suppress(LedgerError):
            await self._ledger.stop_run(run, now_ms=_now_ms(), reason=reason, totals=totals)
        bus.progress.phase = "finished"
        bus.emit(RunStopped(campaign=self.name, reason=reason))
        status = await self._ledger.status(record)
        left = await self._planned(record, input_id) if limit is None else 0
        return RunResult(
            status=status, error=stopped, found_by_reconcile=found, reconcile_error=reconcile_error, left=left
        )

    async def _planned(self, record: CampaignRecord, input_id: int | None) -> int:
        """Rows that wait to be sent, of one input or of the whole campaign."""
        status = await self._ledger.status(record)
        earlier = 0 if input_id is not None else status.earlier_rows.get(RowState.planned, 0)
        return status.rows[RowState.planned] + earlier

    async def _send_round(
        self,
        studio: Studio,
        run: Run,
        hold: Hold,
        limiter: Limiter,
        input_id: int | None,
        limit: int | None,
        totals: RunTotals,
    ) -> RunTotals:
        from dispatcher.sending.busy import BusyPolicy
        from dispatcher.sending.workers import Sender, SendPlan

        settings, record = self.settings, run.campaign
        busy = BusyPolicy(
            studio,
            flow_sid=record.flow_sid,
            policy=settings.campaign.on_busy,
            wait_s=settings.campaign.busy_wait_s,
            give_up_s=settings.campaign.busy_give_up_s,
            id_parameter=settings.campaign.id_parameter,
            dispatch_id=lambda row: self._dispatch_id(row.row_key),
        )
        plan = SendPlan(
            flow_sid=record.flow_sid,
            api_version=settings.account.api_version,
            form=self._form,
            in_flight=settings.rate.in_flight,
            stop_s=settings.timeouts.stop_s,
            input_id=input_id,
            limit=limit,
            # With a key of the user's own two rows may share a contact, and v1 answers with the first's execution.
            always_check=bool(settings.columns.key),
        )
        sender = Sender(
            plan,
            ledger=self._ledger,
            run=run,
            studio=studio,
            limiter=limiter,
            hold=hold,
            busy=busy,
            bus=self.bus,
            totals=totals,
        )
        self._sender = sender
        if self._stop.error is not None:
            sender.stop(self._stop.error)
        self.bus.progress.phase = "sending"
        try:
            await sender.send()
        finally:
            self._sender = None
            self._stop.error = self._stop.error or sender.error
        return sender.totals()

    async def _settle(self, studio: Studio, run: Run) -> Reconciled:
        """Settle rows in doubt at the end of a round, waiting until the list has had its time."""
        while True:
            result = await self._reconcile(studio, run)
            if result.waiting_until_s is None or self._stop.error is not None:
                return result
            wait_s = max(0.0, result.waiting_until_s - time.time()) + 0.05
            loop = asyncio.get_running_loop()
            reason = f"{result.waiting} rows are in doubt; the list of executions may need until then to show them"
            self.bus.progress.waiting, self.bus.progress.waiting_until_s = reason, loop.time() + wait_s
            self.bus.emit(Waiting(reason=reason, until_s=loop.time() + wait_s))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stop.event.wait()
            self.bus.progress.waiting = None
            if result.planned:
                return result

    async def _reconcile(self, studio: Studio, run: Run | None) -> Reconciled:
        from dispatcher.sending.reconcile import reconcile

        record = await self._own_record()
        self.bus.progress.phase = "reconciling"
        result = await reconcile(
            record,
            ledger=self._ledger,
            studio=studio,
            run=run,
            settings=self.settings.reconcile,
            dispatch_id=self._dispatch_id,
            id_parameter=self.settings.campaign.id_parameter,
            bus=self.bus,
        )
        if result.created or result.planned:
            self.bus.progress.rows = dict((await self._ledger.status(record)).rows)
        return result

    async def reconcile(self) -> tuple[Reconciled, CampaignStatus]:
        """Settle rows in doubt, without sending. Rows left in `sending` by a run that died become unknown first."""
        from dispatcher.sending.hold import Hold

        record = await self._own_record()
        run = await self._ledger.start_run(record, window_limit=self.settings.window_limit, now_ms=_now_ms())
        hold = Hold(self.settings.retry, self.bus, stop=self.stop)
        try:
            async with self._studio(hold) as studio:
                total = await self._settle(studio, run)
        finally:
            reason = self._stop.error.message if self._stop.error else None
            await self._ledger.stop_run(run, now_ms=_now_ms(), reason=reason, totals=RunTotals())
        return total, await self._ledger.status(record)

    def _studio(self, hold: Hold | None = None) -> Studio:
        return studio_client(self.settings, self._own_credentials(), gate=hold)

    async def _limiter(self, record: CampaignRecord, ledger: SqliteLedger | None = None) -> Limiter:
        """A limiter that remembers what left before this run."""
        from dispatcher.sending.limiter import Limiter

        rate = self.settings.rate
        now_ms = _now_ms()
        since_ms = now_ms - int(rate.window_s * 1000)
        if ledger is not None:  # the real one, where this campaign's is a throw-away copy
            account = await ledger.account(record.account.account_sid, record.account.base_url)
        else:
            ledger, account = self._ledger, record.account
        past_ms = await ledger.departures(account, since_ms=since_ms, now_ms=now_ms)
        now_s = asyncio.get_running_loop().time()
        return Limiter(
            per_second=rate.per_second,
            window_s=rate.window_s,
            headroom=rate.headroom,
            pace=rate.pace,
            past_s=[now_s - (now_ms - at_ms) / 1000 for at_ms in past_ms],
        )

    async def _begin_progress(
        self, record: CampaignRecord, run: Run, limiter: Limiter, input_id: int | None, limit: int | None
    ) -> None:
        status = await self._ledger.status(record)
        progress = self.bus.progress
        progress.campaign = self.name
        progress.rows = dict(status.rows)
        planned = await self._planned(record, input_id)
        progress.to_send = planned if limit is None else min(planned, limit)
        progress.done = 0
        progress.rate_limit_per_s = self.settings.rate.per_second
        progress.rate_allowed_per_s = limiter.rate_per_s
        progress.window_limit = limiter.window_limit
        progress.started_at_s = asyncio.get_running_loop().time()
        self.bus.emit(RunStarted(campaign=self.name, to_send=progress.to_send, recovered=run.recovered))

    def _dispatch_id(self, row_key: str) -> str:
        assert self.record is not None
        return dispatch_id(self.record.account.account_sid, self.record.flow_sid, self.name, row_key)

    def _form(self, row: GrantedRow) -> bytes:
        from dispatcher.studio.forms import create_form

        return create_form(row.to_address, self._sender_of(row), self._parameters(row))

    def _parameters(self, row: GrantedRow) -> dict[str, str]:
        parameters = parameters_of(row.cells, self._inputs[row.input_id])
        if self.settings.campaign.id_parameter:
            parameters[self.settings.campaign.id_parameter] = self._dispatch_id(row.row_key)
        return parameters

    def _sender_of(self, row: GrantedRow) -> str:
        sender = row.from_address or self._inputs[row.input_id].from_address
        assert sender is not None, "intake plans no row without a sender"
        return sender

    # --- rehearsing ---

    async def first_request(self) -> PlannedRequest | None:
        """What would be sent first; None: nothing. Only for a campaign that was opened as `scratch`."""
        assert self._scratch, "claiming a row is for a throw-away ledger"
        record = await self._own_record()
        self._inputs = {item.input_id: item for item in await self._ledger.inputs(record)}
        now_ms = _now_ms()
        run = await self._ledger.start_run(record, window_limit=self.settings.window_limit, now_ms=now_ms)
        rows = await self._ledger.begin_rows(run, 1, now_ms=now_ms, input_id=record.input_id)
        if not rows:
            return None
        row = rows[0]
        return PlannedRequest(
            row_number=row.row_number, to=row.to_address, sender=self._sender_of(row), parameters=self._parameters(row)
        )

    async def test_send(self, to: str, *, wait: bool = False) -> tuple[PlannedRequest, Verdict]:
        """Send one create to a number of the user's own, with the first planned row's values; once, whatever comes.

        Only for a campaign that was opened as `scratch`: no row changes. The account is locked meanwhile, and the limit
        kept. Raises: UsageError: no row is planned, or `to` is no number; AccountLocked, LedgerError.
        """
        from dispatcher.intake.phones import Addresses, Refusal
        from dispatcher.studio.forms import create_form
        from dispatcher.studio.outcomes import classify

        address = Addresses(self.settings.columns.region).read(to)
        if isinstance(address, Refusal):
            raise UsageError(f"the test's number: {address.sentence}", fix="--test-to +1…")
        first = await self.first_request()
        if first is None:
            raise UsageError(
                "no row is planned: there are no values to test with", fix=f"dispatcher status {self.name}"
            )
        record = await self._own_record()
        # An id of its own: reconcile must not take the test for a row of the campaign with the same number.
        parameters = dict(first.parameters)
        if self.settings.campaign.id_parameter:
            parameters[self.settings.campaign.id_parameter] = dispatch_id(
                record.account.account_sid, record.flow_sid, f"{self.name} test", f"{address} {_now_ms()}"
            )
        request = replace(first, to=address, parameters=parameters)
        state_dir = Path(self.settings.state.dir)
        ledger = await asyncio.to_thread(SqliteLedger.open, state_dir)
        account_lock = AccountLock(state_dir, record.account)
        try:
            await _acquire(account_lock, self, wait=wait)
            limiter = await self._limiter(record, ledger)
            async with self._studio() as studio:
                await limiter.acquire(1)
                form = create_form(request.to, request.sender, request.parameters)
                answer = await studio.create(record.flow_sid, form)
        finally:
            account_lock.release()
            await ledger.close()
        return request, classify(answer, api_version=self.settings.account.api_version)

    # --- the user's word ---

    async def retry(
        self,
        *,
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        cancelled: bool = False,
        count_only: bool = False,
    ) -> int:
        """Plan refused rows again; `send` then sends them. Returns how many; `count_only` changes nothing."""
        record = await self._ledger.find_campaign(self.name)
        return await self._ledger.retry_rows(
            record, codes=codes, all_rejected=all_rejected, busy=busy, cancelled=cancelled, count_only=count_only
        )

    async def cancel(self, reason: str) -> int:
        """Take the rows that are not sent yet out of the campaign. Returns how many."""
        record = await self._ledger.find_campaign(self.name)
        return await self._ledger.cancel_rows(record, reason)

    # --- reading ---

    async def status(self) -> CampaignStatus:
        """Counts, from the ledger."""
        return await self._ledger.status(await self._ledger.find_campaign(self.name))

    async def inputs(self) -> list[InputRecord]:
        """The campaign's files, oldest first."""
        return await self._ledger.inputs(await self._ledger.find_campaign(self.name))

    async def rows(self, *, only: Selection | None = None) -> AsyncIterator[list[ReportRow]]:
        """The latest file's rows in file order, some hundred at a time. Raises: CampaignNotFound, LedgerError."""
        record = await self._ledger.find_campaign(self.name)
        if record.input_id is None:
            return
        batches = self._ledger.report_rows(record, record.input_id)
        # The reader's connection belongs to the thread that opened it.
        with ThreadPoolExecutor(1) as thread:
            loop = asyncio.get_running_loop()
            try:
                while (batch := await loop.run_in_executor(thread, next, batches, None)) is not None:
                    wanted = batch if only is None else [row for row in batch if row.state in only.states]
                    if wanted:
                        yield wanted
            finally:
                if isinstance(batches, Generator):
                    await loop.run_in_executor(thread, batches.close)

    async def report(self, path: str | Path, *, only: Selection | None = None) -> int:
        """Write the report of the latest file; returns its rows. Raises: ReportError, CampaignNotFound."""
        from dispatcher.results.report import write_report

        record = await self._ledger.find_campaign(self.name)
        inputs = {item.input_id: item for item in await self._ledger.inputs(record)}
        if record.input_id is None:
            raise CampaignNotFound(f"campaign {self.name!r} has no rows yet", fix="dispatcher run FILE")
        latest = inputs[record.input_id]
        rows = self._ledger.report_rows(record, latest.input_id)
        count = await asyncio.to_thread(write_report, Path(path), latest.header, rows, only=only)
        await self._ledger.set_report_path(record, str(path))
        self.bus.emit(ReportWritten(path=str(path), rows=count))
        return count


@contextlib.asynccontextmanager
async def open_campaign(
    name: str,
    settings: Settings,
    credentials: Credentials | None = None,
    *,
    bus: EventBus | None = None,
    create: bool = True,
    lock: bool = True,
    wait: bool = False,
    scratch: bool = False,
) -> AsyncIterator[Campaign]:
    """Open the ledger and, with `lock`, take the account: whoever plans or sends holds it. `wait` for it if need be.

    `create` off: the ledger and the campaign must be there. `scratch`: work on a throw-away copy of the ledger, for
    `check` and dry runs. Reading (status, report) needs neither lock nor credentials.

    Raises: LedgerError, AccountLocked, CampaignNotFound, CampaignMismatch.
    """
    bus = bus or EventBus()
    with contextlib.ExitStack() as stack:
        state_dir = Path(settings.state.dir)
        if scratch:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-"))
            await asyncio.to_thread(copy_ledger, state_dir, Path(folder))
            state_dir, lock = Path(folder), False
        ledger = await asyncio.to_thread(SqliteLedger.open, state_dir, create=create)
        try:
            campaign = Campaign(name, settings, credentials, ledger, bus, scratch=scratch)
            if not create:
                found = await ledger.find_campaign(name)
                if credentials is not None:
                    # The flow is the ledger's where the settings name none; the credentials must be the account's.
                    account = await ledger.account(credentials.account_sid, settings.studio_url)
                    found = await ledger.open_campaign(name, account, settings.campaign.flow or found.flow_sid)
                campaign.record = found
            if lock:
                owner = campaign.record or await campaign._own_record()
                account_lock = AccountLock(state_dir, owner.account)
                await _acquire(account_lock, campaign, wait=wait)
                stack.callback(account_lock.release)
            yield campaign
        finally:
            await ledger.close()


async def _acquire(lock: AccountLock, campaign: Campaign, *, wait: bool) -> None:
    given_up = threading.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        reason = "another process is sending for this account"
        loop.call_soon_threadsafe(campaign.bus.emit, Waiting(reason=reason, until_s=None))

    taking = asyncio.create_task(
        asyncio.to_thread(lock.acquire, wait=wait, waiting=tell, stop=lambda: given_up.is_set())
    )
    stopping = asyncio.create_task(campaign._stop.event.wait())
    try:
        await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        given_up.set()
        stopping.cancel()
    if not await taking:
        raise campaign._stop.error or AccountLocked()


def studio_client(settings: Settings, credentials: Credentials, *, gate: Gate | None = None) -> Studio:
    """Studio as the settings say, its reads tried again; an async context manager."""
    from dispatcher.sending.retry import reads
    from dispatcher.studio.client import Studio

    return Studio(
        credentials,
        base_url=settings.studio_url,
        api_version=settings.account.api_version,
        connect_s=settings.timeouts.connect_s,
        answer_s=settings.timeouts.answer_s,
        gate=gate,
        retrying=reads(
            settings.retry.read_attempts, base_s=settings.retry.backoff_base_s, max_s=settings.retry.backoff_max_s
        ),
    )


async def campaign_statuses(state_dir: Path) -> list[CampaignStatus]:
    """Every campaign of a ledger, oldest first; none where there is no ledger. Raises: LedgerError."""
    try:
        ledger = await asyncio.to_thread(SqliteLedger.open, state_dir, create=False)
    except CampaignNotFound:
        return []
    try:
        return [await ledger.status(record) for record in await ledger.campaigns()]
    finally:
        await ledger.close()


def _next_batch(batches: Iterator[RowBatch]) -> RowBatch | None:
    return next(batches, None)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""A campaign with its ledger open: every thing that can be done to it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.campaign.requests import Requests
from dispatcher.campaign.run import CampaignRun, RunResult
from dispatcher.campaign.stop import Stop
from dispatcher.campaign.wiring import intake_options
from dispatcher.errors import CampaignNotFound, DispatcherError, Interrupted, SettingsError
from dispatcher.events import EventBus, Planned, PlanProgress, ReportWritten
from dispatcher.intake import OpenedInput, open_input
from dispatcher.ledger import SqliteLedger
from dispatcher.ledger.records import (
    CampaignRecord,
    CampaignStatus,
    ExecutionCounts,
    InputRecord,
    PlanCounts,
    ReportRow,
    RowBatch,
)
from dispatcher.settings import Credentials, Settings

if TYPE_CHECKING:
    from dispatcher.campaign.rehearsal import PlannedRequest
    from dispatcher.campaign.tracking import RecallResult, TrackResult
    from dispatcher.reporting.selection import Selection
    from dispatcher.reporting.summary import Summary
    from dispatcher.sending.account import OpenAccount
    from dispatcher.sending.reconcile import Reconciled
    from dispatcher.studio.outcomes import Verdict
    from dispatcher.studio.preflight import Finding

PLAN_PROGRESS_S = 0.1
#: Stand in where a check is done without credentials or flow.
NO_ACCOUNT = "AC" + "0" * 32
NO_FLOW = "FW" + "0" * 32


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
        self.stopping = Stop()
        #: Borrowed by `open_campaign` for whoever plans and sends.
        self.account: OpenAccount | None = None
        self._credentials = credentials
        self._ledger = ledger
        self._scratch = scratch

    # --- planning ---

    async def plan(self, source: str | Path) -> PlanCounts:
        """Read a file whole, check it, and put it into the campaign. Nothing is sent.

        Raises: InputError, ColumnError, SettingsError, CampaignMismatch, LedgerError, Interrupted.
        """
        record = await self.own_record()
        with await asyncio.to_thread(open_input, source, intake_options(self.settings)) as opened:
            input_record = await self._ledger.begin_input(record, opened.new_input)
            await self._load(opened, input_record)
            counts = await self._ledger.finish_input(input_record.input_id, opened.sha256)
            notes = opened.notes
        self.record = await self._ledger.find_campaign(self.name)
        self.bus.progress.rows = dict(counts.rows)
        self.bus.emit(Planned(total=counts.total, rows=counts.rows, notes=notes))
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
                if self.stopping.error is not None:
                    raise self.stopping.error
                if time.monotonic() - told_s > PLAN_PROGRESS_S:
                    told_s = time.monotonic()
                    self.bus.emit(PlanProgress(rows=rows, done_bytes=opened.done_bytes, total_bytes=opened.total_bytes))
        finally:
            # The file may be closed only when no thread reads it any more.
            with contextlib.suppress(Exception):
                await following

    async def own_record(self) -> CampaignRecord:
        """The campaign as the ledger has it, made where it is new. Raises: SettingsError, CampaignMismatch."""
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
            self._check_answers_can_be_told()
            credentials = self.own_credentials()
            account = await self._ledger.account(credentials.account_sid, self.settings.studio_url)
            self.record = await self._ledger.open_campaign(self.name, account, flow)
        return self.record

    def _check_answers_can_be_told(self) -> None:
        """v1 answers a second row of a contact with the first's execution: only the id tells them apart."""
        settings = self.settings
        if settings.account.api_version == "v1" and settings.columns.key and not settings.campaign.id_parameter:
            raise SettingsError(
                "on v1, rows with a key of their own need an id in Parameters",
                found='[campaign] id_parameter = ""',
                fix='--api-version v2, or [campaign] id_parameter = "dispatch_id"',
            )

    def own_credentials(self) -> Credentials:
        """Raises: SettingsError where the campaign was opened without."""
        if self._credentials is None:
            raise SettingsError("this needs credentials", fix="pass credentials to open_campaign")
        return self._credentials

    async def preflight(self) -> list[Finding]:
        """Whether the flow can do what the planned rows want of it: errors first, then warnings and notes.

        Asks Studio for the flow and its published revision (two reads; on v1 one), and sends nothing. `refuse` of
        `dispatcher.studio.preflight` turns errors into PreflightFailed.
        Raises: AuthenticationError, PermissionRefused, FlowNotFound, StudioError, SettingsError.
        """
        from dispatcher.campaign.preflight import preflight

        return await preflight(self)

    # --- sending ---

    def stop(self, error: DispatcherError | None = None, *, hard: bool = False) -> None:
        """Stop at the next possible moment: what is in flight is finished, or with `hard` given up as unknown."""
        self.stopping.request(error or Interrupted(fix=f"dispatcher resume {self.name}"), hard=hard)

    async def send(self, *, whole_campaign: bool = False, limit: int | None = None) -> RunResult:
        """Send the planned rows of the latest file, or of the whole campaign, and settle rows in doubt.

        Returns when every row has its answer or something stopped the run: see `RunResult.error`.
        Raises: only what is a bug or a ledger that cannot be written.
        """
        run = await self._run()
        return await run.send(whole_campaign=whole_campaign, limit=limit)

    async def reconcile(self) -> tuple[Reconciled, CampaignStatus]:
        """Settle rows in doubt, without sending. Rows left in `sending` by a run that died become unknown first."""
        run = await self._run()
        return await run.reconcile()

    async def requests(self) -> Requests:
        """How this campaign's rows become create requests."""
        record = await self.own_record()
        return Requests(record, await self._ledger.inputs(record), id_parameter=self.settings.campaign.id_parameter)

    async def _run(self) -> CampaignRun:
        assert self.account is not None, "who sends holds the account's lease"
        return CampaignRun(
            await self.own_record(),
            requests=await self.requests(),
            settings=self.settings,
            credentials=self.own_credentials(),
            ledger=self._ledger,
            account=self.account,
            bus=self.bus,
            stop=self.stopping,
        )

    # --- rehearsing ---

    async def first_request(self) -> PlannedRequest | None:
        """What would be sent first; None: nothing. Only for a campaign that was opened as `scratch`."""
        from dispatcher.campaign.rehearsal import first_request

        assert self._scratch, "claiming a row is for a throw-away ledger"
        return await first_request(self, self._ledger)

    async def test_send(self, to: str, *, wait: bool = False) -> tuple[PlannedRequest, Verdict]:
        """Send one create to a number of the user's own, with the first planned row's values; once, whatever comes.

        Only for a campaign that was opened as `scratch`: no row changes. The account is locked meanwhile, and the limit
        kept. Raises: UsageError: no row is planned, or `to` is no number; AccountLocked, LedgerError.
        """
        from dispatcher.campaign.rehearsal import send_test

        return await send_test(self, to, wait=wait)

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

    # --- afterwards ---

    async def track(self, *, details: bool = True, follow: bool = False) -> TrackResult:
        """Read what became of the executions and keep it in the ledger: status, path, errors, chosen values.

        Reads only what is not known yet: about one read per execution that has ended, a list page per thousand for the
        status. Without `details` only the status. `follow`: look again every `[tracking] every_s` until none is active.
        May be stopped (`stop`) and gone on with. Needs no lock.
        Raises: AuthenticationError, FlowNotFound, StudioError, LedgerError; what ends it later is in the result.
        """
        from dispatcher.campaign.tracking import track

        return await track(self, self._ledger, details=details, follow=follow)

    async def recall(self) -> RecallResult:
        """End the executions of this campaign that are still active, those that the ledger has created and no others.

        `track(details=False)` before tells how many there are. May be stopped and gone on with. Under the account's
        lock. Raises: AuthenticationError, FlowNotFound, StudioError, LedgerError; what ends it later is in the result.
        """
        from dispatcher.campaign.tracking import recall

        return await recall(self, self._ledger)

    async def executions(self) -> ExecutionCounts:
        """What became of the executions, counted, as far as they were tracked."""
        return await self._ledger.execution_counts(await self._ledger.find_campaign(self.name))

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
        from dispatcher.reporting.outcome_columns import OutcomeColumns
        from dispatcher.reporting.report import write_report

        record = await self._ledger.find_campaign(self.name)
        inputs = {item.input_id: item for item in await self._ledger.inputs(record)}
        if record.input_id is None:
            raise CampaignNotFound(f"campaign {self.name!r} has no rows yet", fix="dispatcher run FILE")
        latest = inputs[record.input_id]
        rows = self._ledger.report_rows(record, latest.input_id)
        tracked = await self._ledger.is_tracked(record)

        def write() -> int:
            if not tracked:
                return write_report(Path(path), latest.header, rows, only=only)
            with self._ledger.executions_of_rows() as look:
                columns = OutcomeColumns(look, self.settings.tracking.named_variables)
                return write_report(Path(path), latest.header, rows, only=only, extra=columns)

        count = await asyncio.to_thread(write)
        if only is None:
            await self._ledger.set_report_path(record, str(path))
        self.bus.emit(ReportWritten(path=str(path), rows=count))
        return count

    async def summary(self) -> Summary:
        """The campaign in numbers: rows by state, and why rows were refused. Raises: CampaignNotFound, LedgerError."""
        from dispatcher.reporting.summary import summarize

        status = await self.status()
        record = status.campaign
        rows = self._ledger.report_rows(record, record.input_id) if record.input_id is not None else iter(())
        return await asyncio.to_thread(summarize, status, rows)

    async def page(self, path: str | Path) -> int:
        """Write the page of the campaign's numbers (HTML); returns its rows. Raises: ReportError, CampaignNotFound."""
        from dispatcher.reporting.html import write_page

        status = await self.status()
        record = status.campaign
        rows = self._ledger.report_rows(record, record.input_id) if record.input_id is not None else iter(())
        executions = await self.executions() if await self._ledger.is_tracked(record) else None
        window_s = self.settings.rate.window_s
        return await asyncio.to_thread(write_page, Path(path), status, rows, executions=executions, window_s=window_s)


def _next_batch(batches: Iterator[RowBatch]) -> RowBatch | None:
    return next(batches, None)

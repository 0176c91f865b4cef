"""One run: rows in doubt are settled, planned rows sent, and what is in doubt then settled again."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.campaign.requests import Requests
from dispatcher.campaign.stop import Stop
from dispatcher.campaign.wiring import studio_client
from dispatcher.clock import now_ms, now_s
from dispatcher.errors import DispatcherError, ExitCode, LedgerError, StudioError
from dispatcher.events import EventBus, RunStarted, RunStopped, WaitKind
from dispatcher.ledger import SqliteLedger
from dispatcher.ledger.records import CampaignRecord, CampaignStatus, Run, RunTotals
from dispatcher.model import RowState
from dispatcher.settings import Credentials, Settings

if TYPE_CHECKING:
    from dispatcher.sending.account import OpenAccount
    from dispatcher.sending.limiter import Limiter
    from dispatcher.sending.reconcile import Reconciled
    from dispatcher.sending.sender import Sender
    from dispatcher.studio.client import Studio

#: How often unknown → not created → sent → unknown may go round before a run ends with rows in doubt.
ROUNDS_MAX = 20


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


class CampaignRun:
    """Sends a campaign's rows, or settles those in doubt; one object for one run, under the account's lock."""

    def __init__(
        self,
        record: CampaignRecord,
        *,
        requests: Requests,
        settings: Settings,
        credentials: Credentials,
        ledger: SqliteLedger,
        account: OpenAccount,
        bus: EventBus,
        stop: Stop,
    ) -> None:
        self._record = record
        self._requests = requests
        self._settings = settings
        self._credentials = credentials
        self._ledger = ledger
        self._account = account
        self._bus = bus
        self._stop = stop
        self._seen_in_doubt_s: dict[int, float] = {}

    async def send(self, *, whole_campaign: bool = False, limit: int | None = None) -> RunResult:
        """Send the planned rows of the latest file, or of the whole campaign, and settle rows in doubt.

        Returns when every row has its answer or something stopped the run: see `RunResult.error`.
        Raises: only what is a bug or a ledger that cannot be written.
        """
        record, bus, settings = self._record, self._bus, self._settings
        input_id = None if whole_campaign else record.input_id
        run = await self._ledger.start_run(record, window_limit=settings.window_limit, now_ms=now_ms())
        limiter = await self._account.limiter()
        await self._begin_progress(record, run, limiter, input_id, limit)
        found = 0
        reconcile_error: DispatcherError | None = None
        totals = RunTotals(window_limit=limiter.window_limit)
        async with studio_client(settings, self._credentials, gate=self._account.gate()) as studio:
            sender = self._sender(studio, run, limiter, input_id)
            try:
                try:
                    found += (await self._reconcile(studio, run)).created
                except StudioError as error:
                    reconcile_error = error  # not a reason to leave the others waiting
                sent = 0
                for _ in range(ROUNDS_MAX):
                    left = None if limit is None else limit - sent
                    if left is not None and left <= 0:
                        break
                    await self._send_round(sender, left)
                    totals = sender.totals()
                    sent = totals.requests - totals.throttled
                    if self._stop.error is not None:
                        break
                    if settings.reconcile.at_end:
                        try:
                            found += (await self._settle(studio, run, until_sure=False)).created
                            reconcile_error = None
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
            await self._ledger.stop_run(run, now_ms=now_ms(), reason=reason, totals=totals)
        bus.progress.phase = "finished"
        bus.emit(RunStopped(campaign=self._record.name, reason=reason))
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

    def _sender(self, studio: Studio, run: Run, limiter: Limiter, input_id: int | None) -> Sender:
        from dispatcher.sending.busy import BusyPolicy
        from dispatcher.sending.plan import SendPlan
        from dispatcher.sending.sender import Sender

        settings, record = self._settings, run.campaign
        busy = BusyPolicy(
            studio,
            flow_sid=record.flow_sid,
            policy=settings.campaign.on_busy,
            wait_s=settings.campaign.busy_wait_s,
            give_up_s=settings.campaign.busy_give_up_s,
            id_parameter=settings.campaign.id_parameter,
            dispatch_id=lambda row: self._requests.dispatch_id(row.row_key),
        )
        plan = SendPlan(
            flow_sid=record.flow_sid,
            api_version=settings.account.api_version,
            form=self._requests.form,
            in_flight=settings.rate.in_flight,
            stop_s=settings.timeouts.stop_s,
            input_id=input_id,
            # With a key of the user's own two rows may share a contact, and v1 answers with the first's execution.
            always_check=bool(settings.columns.key),
        )
        return Sender(
            plan,
            ledger=self._ledger,
            run=run,
            studio=studio,
            account=self._account,
            limiter=limiter,
            busy=busy,
            bus=self._bus,
        )

    async def _send_round(self, sender: Sender, limit: int | None) -> None:
        self._stop.watch(sender)
        self._bus.progress.phase = "sending"
        try:
            await sender.send(limit=limit)
        finally:
            self._stop.watch(None)
            self._stop.error = self._stop.error or sender.error

    async def _settle(self, studio: Studio, run: Run, *, until_sure: bool) -> Reconciled:
        """Settle rows in doubt, waiting until the list has had its time.

        Without `until_sure` it returns as soon as some rows can be sent again; the others go on waiting meanwhile.
        """
        from dispatcher.sending.reconcile import Reconciled

        total = Reconciled()
        while True:
            result = await self._reconcile(studio, run)
            total.add(result)
            if result.waiting_until_s is None or (total.planned and not until_sure):
                return total
            wait_s = max(0.0, result.waiting_until_s - now_s()) + 0.05
            loop = asyncio.get_running_loop()
            reason = f"{result.waiting} rows are in doubt; the list of executions may need until then to show them"
            self._bus.progress.waiting, self._bus.progress.waiting_until_s = reason, loop.time() + wait_s
            self._bus.wait(WaitKind.list_lag, reason, wait_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stop.event.wait()
            self._bus.progress.waiting = None
            self._bus.resume(WaitKind.list_lag)
            if self._stop.error is not None:
                return total

    async def _reconcile(self, studio: Studio, run: Run) -> Reconciled:
        """One pass. Raises: StudioError; the wish to stop, where it comes meanwhile."""
        from dispatcher.sending.reconcile import reconcile

        record = self._record
        self._bus.progress.phase = "reconciling"
        passing = asyncio.create_task(
            reconcile(
                record,
                ledger=self._ledger,
                studio=studio,
                run=run,
                settings=self._settings.reconcile,
                dispatch_id=self._requests.dispatch_id,
                id_parameter=self._settings.campaign.id_parameter,
                bus=self._bus,
                seen_s=self._seen_in_doubt_s,
            )
        )
        stopping = asyncio.create_task(self._stop.event.wait())
        try:
            await asyncio.wait([passing, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Its reads may be waiting for a long time; what it has proved so far is proved again next time.
            for task in (passing, stopping):
                task.cancel()
            await asyncio.wait([passing, stopping])
        if passing.cancelled():
            assert self._stop.error is not None
            raise self._stop.error
        result = passing.result()
        if result.created or result.planned:
            self._bus.progress.rows = dict((await self._ledger.status(record)).rows)
        return result

    async def reconcile(self) -> tuple[Reconciled, CampaignStatus]:
        """Settle rows in doubt, without sending. Rows left in `sending` by a run that died become unknown first."""
        record, settings = self._record, self._settings
        run = await self._ledger.start_run(record, window_limit=settings.window_limit, now_ms=now_ms())
        try:
            async with studio_client(settings, self._credentials, gate=self._account.gate()) as studio:
                total = await self._settle(studio, run, until_sure=True)
        finally:
            reason = self._stop.error.message if self._stop.error else None
            await self._ledger.stop_run(run, now_ms=now_ms(), reason=reason, totals=RunTotals())
        return total, await self._ledger.status(record)

    async def _begin_progress(
        self, record: CampaignRecord, run: Run, limiter: Limiter, input_id: int | None, limit: int | None
    ) -> None:
        status = await self._ledger.status(record)
        progress = self._bus.progress
        progress.campaign = self._record.name
        progress.rows = dict(status.rows)
        planned = await self._planned(record, input_id)
        progress.to_send = planned if limit is None else min(planned, limit)
        progress.done = 0
        progress.rate_limit_per_s = self._settings.rate.per_second
        progress.rate_allowed_per_s = limiter.rate_per_s
        progress.window_limit = limiter.window_limit
        progress.started_at_s = asyncio.get_running_loop().time()
        self._bus.emit(
            RunStarted(
                campaign=self._record.name,
                rows=status.rows,
                to_send=progress.to_send,
                recovered=run.recovered,
                rate_limit_per_s=self._settings.rate.per_second,
                window_limit=limiter.window_limit,
                window_s=self._settings.rate.window_s,
            )
        )

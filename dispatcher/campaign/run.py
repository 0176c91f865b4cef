"""One run: rows left unknown are looked up, planned rows sent, and what is unknown then looked up again."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.campaign.announcement import announcing
from dispatcher.campaign.canary import CanaryOfRun, Rounds
from dispatcher.campaign.caps import cap_of, sender_cap_of
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.preflight import check_account, learn_clock
from dispatcher.campaign.requests import Requests
from dispatcher.campaign.restraint import cooloffs_of
from dispatcher.campaign.result import RunCounts, RunResult
from dispatcher.campaign.stop import StopRequest
from dispatcher.campaign.suppression import list_ids
from dispatcher.campaign.timing import Waiting, WaitsFor, keep_start, schedule_of, waiting_rows
from dispatcher.campaign.watching import opt_outs_watched
from dispatcher.campaign.wiring import studio_client
from dispatcher.campaign.witness import look_back
from dispatcher.clock import now_ms, now_s
from dispatcher.errors import DispatcherError, LedgerError, StudioError
from dispatcher.events import AttemptsEnded, Event, Phase, PhaseChanged, RowsCounted, RunStarted, RunStopped, WaitKind
from dispatcher.ledger.records import CampaignRecord, CampaignStatus, Run, RunTotals
from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.sending.account import OpenAccount
from dispatcher.sending.busy import BusyPolicy
from dispatcher.sending.plan import SendPlan
from dispatcher.sending.pulse import pulse
from dispatcher.sending.reconcile import Reconciled, reconcile
from dispatcher.sending.sender import Sender
from dispatcher.sending.timing import Timing

if TYPE_CHECKING:
    from dispatcher.sending.limiter import Limiter
    from dispatcher.studio.client import Studio

#: How often unknown → not created → sent → unknown may go round before a run ends with rows left unknown.
ROUNDS_MAX = 20
#: A run that has nothing to do for longer than this ends, and gives the account back.
WAITED_FOR_S = 60.0


class CampaignRun:
    """Sends a campaign's rows, or looks up those left unknown; one object for one run, under the account's lease."""

    def __init__(self, context: CampaignContext, stop: StopRequest, requests: Requests) -> None:
        assert context.account is not None, "a run needs the account's lease"
        self._account: OpenAccount = context.account
        self._context = context
        self._ledger = context.ledger
        self._settings = context.settings
        self._bus = context.bus
        self._stop = stop
        self._requests = requests
        #: attempt_id → when this run first saw it unknown.
        self._seen_unknown_s: dict[int, float] = {}

    async def send(
        self,
        *,
        whole_campaign: bool = False,
        limit: int | None = None,
        again: bool = False,
        may_look_short: bool = False,
        report: Path | None = None,
    ) -> RunResult:
        """Send the planned rows of the latest file, or of the whole campaign, and resolve rows left unknown.

        `again`: also to contacts who were reached a short time ago. `may_look_short`: see `witness.look_back`.
        `report`: where the report will be, for the notices.

        Returns when every row has its answer or something stopped the run: see `RunResult.error`.
        Raises: SuppressionError: nothing is sent; what is a bug or a ledger that cannot be written.
        """
        record, settings = await self._context.current(), self._settings
        input_id = None if whole_campaign else record.input_id
        lists = await list_ids(self._context)
        schedule = await schedule_of(self._context)
        cooloffs = cooloffs_of(settings, schedule)
        started_at_ms, run = now_ms(), await self._start(record)
        limiter = await self._account.limiter()
        had_work = await self._tell_start(run, input_id, limit)
        ended = Counter[RowState]()
        untold = self._bus.subscribe(lambda event: _count(ended, event))
        found = 0
        reconcile_error: DispatcherError | None = None
        credentials = self._context.required_credentials()
        async with (
            studio_client(settings, credentials, gate=self._account.gate()) as studio,
            opt_outs_watched(self._context, self._stop),
            contextlib.AsyncExitStack() as told,
        ):
            timing = Timing(
                self._ledger,
                run,
                input_id,
                schedule,
                clock_skew_s=lambda: studio.clock_skew_s,
                cooloffs=cooloffs,
                cap=cap_of(settings),
                sender_cap=sender_cap_of(settings),
                sender=self._requests.sender,
            )
            sender = self._sender(studio, run, limiter, input_id, lists, timing, again=again)
            await told.enter_async_context(pulse(self._ledger, run, sender.totals))
            canary = CanaryOfRun(self._context, self._stop, run, timing, input_id, wait_max_s=self._wait_max_s)

            def remaining() -> int | None:
                totals = sender.totals()
                return None if limit is None else max(0, limit - (totals.requests - totals.throttled))

            async def one_round(most: int | None, *, may_wait: bool = True) -> bool:
                """Whether the run goes on."""
                await self._send_round(sender, most, may_wait=may_wait)
                return self._stop.error is None and await resolve()

            async def resolve() -> bool:
                """As that."""
                nonlocal found, reconcile_error
                if settings.reconcile.at_end:
                    try:
                        found += (await self._resolve(studio, run, input_id, until_sure=False)).created
                        reconcile_error = None
                    except StudioError as error:
                        # What could be sent is sent; only the rows left unknown could not be asked for.
                        reconcile_error = error
                        return False
                return True

            try:
                await self._stop.race(check_account(studio, self._account, record.flow_sid))
                if settings.rows_may_wait or settings.columns.not_after is not None:
                    # Before the first claim: a wrong clock here must not say that it is day there, or that it is time.
                    await self._stop.race(learn_clock(studio, record.flow_sid))
                if schedule is not None:
                    await keep_start(self._context, run, input_id, schedule, timing.now_ms())
                await timing.sweep()
                try:
                    found += (await self._pass(studio, run, input_id)).created
                except StudioError as error:
                    reconcile_error = error  # not a reason to leave the others waiting
                if not again and settings.repeat_after_ms and await self._planned(record, input_id):
                    look = look_back(self._context, studio, run, may_be_short=may_look_short)
                    await self._stop.race(look)
                if not await canary.let_go(
                    lambda: self._planned(record, input_id),
                    Rounds(send=lambda most: one_round(most, may_wait=False), resolve=resolve, remaining=remaining),
                ):
                    sender.next_at_ms = canary.next_at_ms
                else:
                    for _ in range(ROUNDS_MAX):
                        if remaining() == 0 or not await one_round(remaining()):
                            break
                        if not await self._planned(record, input_id):
                            break
                        if sender.next_at_ms is not None and not await timing.has_room_again():
                            break
            except DispatcherError as error:
                self._stop.request(error)
        untold()
        stopped = self._stop.error
        reason = stopped.message if stopped else None

        totals = sender.totals()
        waiting: list[Waiting] = []
        if stopped is None and sender.next_at_ms is not None:
            waiting = await waiting_rows(self._context, schedule, input_id, timing.now_ms(), timing.capped())
            if not waiting:
                rows = await self._planned(record, input_id)
                waiting = [Waiting(rows=rows, until_ms=sender.next_at_ms, zone=None, why=WaitsFor.row)]

        counts = RunCounts(
            run_id=run.run_id,
            started_at_ms=started_at_ms,
            finished_at_ms=now_ms(),
            created=ended[RowState.created] + found,
            rejected=ended[RowState.rejected],
            unknown=0,
            requests=totals.requests,
            throttled=totals.throttled,
        )

        def result(status: CampaignStatus) -> RunResult:
            unknown = status.rows[RowState.unknown] + status.earlier_rows.get(RowState.unknown, 0)
            return RunResult(
                run=replace(counts, unknown=unknown),
                status=status,
                error=stopped,
                found_by_reconcile=found,
                reconcile_error=reconcile_error,
                remaining=_planned_rows(status, input_id) if limit is None and not waiting else 0,
                waiting=tuple(waiting),
                begun=totals.requests - totals.throttled,
                clock_ahead_ms=timing.ahead_ms,
            )

        announce = announcing(settings, result, report=report, had_work=had_work)
        next_at_ms = waiting[0].until_ms if waiting else None
        with contextlib.suppress(LedgerError):
            await self._ledger.wishes.wait(run, next_at_ms)
            if stopped is None and reconcile_error is None:
                await self._ledger.wishes.fulfil(run)
            await self._ledger.stop_run(run, now_ms=now_ms(), reason=reason, totals=totals, announce=announce)
        self._bus.emit(RunStopped(campaign=record.name, reason=reason, waits=bool(waiting)))
        return result(await self._ledger.status(record))

    async def _start(self, record: CampaignRecord) -> Run:
        """Begin a run; what is to be told of runs that were killed is written with it."""
        return await self._ledger.start_run(
            record,
            window_limit=self._settings.window_limit,
            now_ms=now_ms(),
            announce=announcing(self._settings),
        )

    @property
    def _wait_max_s(self) -> float:
        """A busy contact is waited for, as ever; hours, a start and rows' own times only where they are near."""
        settings = self._settings
        return max(WAITED_FOR_S, settings.campaign.busy_wait_s) if settings.rows_may_wait else math.inf

    async def _planned(self, record: CampaignRecord, input_id: int | None) -> int:
        """Rows that wait to be sent, of one input or of the whole campaign."""
        return _planned_rows(await self._ledger.status(record), input_id)

    def _sender(
        self,
        studio: Studio,
        run: Run,
        limiter: Limiter,
        input_id: int | None,
        lists: Sequence[int],
        timing: Timing,
        *,
        again: bool,
    ) -> Sender:
        settings, flow_sid = self._settings, run.campaign.flow_sid
        busy = BusyPolicy(
            studio,
            flow_sid=flow_sid,
            policy=settings.campaign.on_busy,
            wait_s=settings.campaign.busy_wait_s,
            give_up_s=settings.campaign.busy_give_up_s,
            id_parameter=settings.campaign.id_parameter,
            dispatch_id=lambda row: self._requests.dispatch_id(row.row_key),
            is_campaigns=lambda row, sid: self._ledger.own_execution(run, row, sid),
        )
        plan = SendPlan(
            flow_sid=flow_sid,
            api_version=settings.account.api_version,
            form=self._requests.form,
            in_flight=settings.rate.in_flight,
            stop_s=settings.timeouts.stop_s,
            input_id=input_id,
            dispatch_id=self._requests.dispatch_id if settings.campaign.id_parameter else None,
            repeat_after_ms=0 if again else settings.repeat_after_ms,
            list_ids=lists,
            wait_max_s=self._wait_max_s,
            # With a key of the user's own two rows may share a contact, and v1 answers with the first's execution.
            always_check=bool(settings.columns.key),
            guard_rows=settings.guard.window_rows,
            max_rejected=settings.guard.max_rejected,
        )
        return Sender(
            plan,
            ledger=self._ledger,
            run=run,
            studio=studio,
            account=self._account,
            limiter=limiter,
            busy=busy,
            timing=timing,
            bus=self._bus,
        )

    async def _send_round(self, sender: Sender, limit: int | None, *, may_wait: bool) -> None:
        self._bus.emit(PhaseChanged(phase=Phase.sending))
        with self._stop.attach(sender):
            await sender.send(limit=limit, may_wait=may_wait)

    async def look_back(self, *, may_be_short: bool = False) -> int:
        """Leave out planned rows whose contacts others have started a short time ago, without sending; how many.

        Raises: LookCutShort; StudioError; why it was stopped.
        """
        record, settings = await self._context.current(), self._settings
        if not settings.repeat_after_ms or not await self._planned(record, None):
            return 0
        next_at_ms = (await self._ledger.status(record)).next_at_ms
        run = await self._start(record)
        credentials = self._context.required_credentials()
        try:
            async with studio_client(settings, credentials, gate=self._account.gate()) as studio:
                look = look_back(self._context, studio, run, may_be_short=may_be_short)
                return await self._stop.race(look)
        finally:
            await self._ledger.wishes.wait(run, next_at_ms)
            await self._ledger.stop_run(run, now_ms=now_ms(), reason=None, totals=RunTotals())

    # --- rows left unknown ---

    async def reconcile(self) -> tuple[Reconciled, CampaignStatus]:
        """Look up rows left unknown, without sending. Rows in flight of a run that died become unknown first."""
        record, settings = await self._context.current(), self._settings
        next_at_ms = (await self._ledger.status(record)).next_at_ms
        run = await self._start(record)
        credentials = self._context.required_credentials()
        self._bus.emit(RowsCounted(campaign=record.name, rows=(await self._ledger.status(record)).rows))
        try:
            async with studio_client(settings, credentials, gate=self._account.gate()) as studio:
                total = await self._resolve(studio, run, None, until_sure=True)
                if not total.planned:
                    # No row is to be sent that was not before: the others wait as they did.
                    await self._ledger.wishes.wait(run, next_at_ms)
        finally:
            reason = self._stop.error.message if self._stop.error else None
            await self._ledger.stop_run(run, now_ms=now_ms(), reason=reason, totals=RunTotals())
        self._stop.raise_if_requested()
        return total, await self._ledger.status(record)

    async def _resolve(self, studio: Studio, run: Run, input_id: int | None, *, until_sure: bool) -> Reconciled:
        """Look up rows left unknown, waiting until the list has had its time.

        Without `until_sure` it returns as soon as some rows can be sent again; the others go on waiting meanwhile.
        """
        total = Reconciled()
        while True:
            result = await self._pass(studio, run, input_id)
            total.add(result)
            if result.waiting_until_s is None or (total.planned and not until_sure):
                return total
            wait_s = max(0.0, result.waiting_until_s - now_s()) + 0.05
            are = counted(result.waiting, "row is", "rows are")
            reason = f"{are} unknown; the list of executions may need until then to show them"
            self._bus.wait(WaitKind.list_lag, reason, wait_s)
            try:
                if await self._stop.sleep(wait_s):
                    return total
            finally:
                self._bus.resume(WaitKind.list_lag)

    async def _pass(self, studio: Studio, run: Run, input_id: int | None) -> Reconciled:
        """One pass over them, in a run that sends this input's rows. Raises: StudioError; why it was stopped."""
        self._bus.emit(PhaseChanged(phase=Phase.reconciling))
        # Its reads may be waiting for a long time; what a pass that is stopped has proved is proved again next time.
        result = await self._stop.race(
            reconcile(
                run.campaign,
                ledger=self._ledger,
                studio=studio,
                run=run,
                settings=self._settings.reconcile,
                dispatch_id=self._requests.dispatch_id,
                id_parameter=self._settings.campaign.id_parameter,
                bus=self._bus,
                seen_s=self._seen_unknown_s,
                # While rows wait to be sent, their executions will show how far the list is up to date.
                may_assume=not await self._planned(run.campaign, input_id),
            )
        )
        if result.created or result.planned:
            status = await self._ledger.status(run.campaign)
            self._bus.emit(RowsCounted(campaign=run.campaign.name, rows=status.rows))
        return result

    async def _tell_start(self, run: Run, input_id: int | None, limit: int | None) -> bool:
        """Tell what is ahead; returns whether anything is: rows to send, or left unknown."""
        status = await self._ledger.status(run.campaign)
        planned = _planned_rows(status, input_id)
        self._bus.emit(
            RunStarted(
                campaign=run.campaign.name,
                rows=status.rows,
                to_send=planned if limit is None else min(planned, limit),
                recovered=run.recovered,
                rate_limit_per_s=self._settings.rate.per_second,
                window_limit=self._settings.window_limit,
                window_s=self._settings.rate.window_s,
            )
        )
        return bool(planned or status.rows[RowState.unknown] or status.earlier_rows.get(RowState.unknown))


def _count(ended: Counter[RowState], event: Event) -> None:
    if isinstance(event, AttemptsEnded):
        ended.update(event.rows)


def _planned_rows(status: CampaignStatus, input_id: int | None) -> int:
    earlier = 0 if input_id is not None else status.earlier_rows.get(RowState.planned, 0)
    return status.rows[RowState.planned] + earlier

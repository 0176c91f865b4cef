"""Entrusting a campaign to the workers of a cluster: the order, and looking on until it is done.

    launch ── confirmed ──► order, with the settings ──► the lease is given back ──► hint ──► look on, once a second
    a worker ── lease ──► the same launch in this one's place ──► the ledger, which is all that is looked at

Nothing rests on whoever looks on, or on the hint: both may be lost, and the campaign is sent all the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.campaign.next_steps import rows_of_all_files
from dispatcher.campaign.observed import UNSERVED_S, Came, Course, Pace, Seen, came, requests_of, wait_of
from dispatcher.campaign.ordering import order
from dispatcher.campaign.result import RunCounts, RunResult
from dispatcher.campaign.timing import Waiting, WaitsFor
from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError, Interrupted, LedgerError, LedgerUnreachable, StoppedEarly
from dispatcher.events import Phase, PhaseChanged, RunStopped, WaitKind
from dispatcher.ledger.wishes import refusal
from dispatcher.model import RowState
from dispatcher.remedies import Command, Remedy

if TYPE_CHECKING:
    from dispatcher.campaign.context import CampaignContext
    from dispatcher.campaign.stop import StopRequest
    from dispatcher.ledger.records import CampaignRecord, CampaignStatus
    from dispatcher.settings import Settings

POLL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrusting:
    """How a front end has a campaign sent by workers."""

    #: Tells the workers, the sooner to begin. Whatever it raises is passed over: they look for themselves.
    hint: Callable[[CampaignRecord], Awaitable[object]]
    #: A sentence for people while it is looked on, and what to do about it.
    tell: Callable[[str, Remedy | None], None]
    #: Also look on while nothing is left but rows that wait for their time.
    until_done: bool = False
    #: How often the ledger is looked at.
    poll_s: float = POLL_S


class Entrusted:
    """A campaign that workers send; made under its account's lease, which `give_back` ends."""

    def __init__(self, context: CampaignContext, stop: StopRequest, entrusting: Entrusting) -> None:
        self._context = context
        self._stop = stop
        self._entrusting = entrusting
        self._bus = context.bus
        self._wait: Seen | None = None
        self._idle_since_s = time.monotonic()
        self._is_told = False

    async def send(self, settings: Settings, give_back: Callable[[], Awaitable[None]]) -> RunResult:
        """Order it, with these settings, and look on until nothing of it is left to send.

        Raises: what is a bug, or a ledger that cannot be used; SettingsError.
        """
        await self._context.ledger.remove_rows(await self._context.current())
        first, ordered_ms = await self._status(), now_ms()
        own = (await self._context.ledger.account_limits(self._context.record.account)).per_second
        pace = Pace(per_second=own or settings.rate.per_second, window_s=settings.rate.window_s)
        course = Course(first, pace)
        last, waiting = first, list[Waiting]()
        error: DispatcherError | None = None
        rows = rows_of_all_files(first)
        is_work = any(rows[state] for state in (RowState.planned, RowState.sending, RowState.unknown))
        if is_work:
            error = self._stop.error or await order(self._context, settings, ordered_ms)
        self._bus.emit(course.begin())
        await give_back()
        if is_work and error is None:
            self._bus.emit(PhaseChanged(phase=Phase.watching))
            with contextlib.suppress(Exception):
                await self._entrusting.hint(self._context.record)
            last, error, waiting = await self._look_on(course, first)
        reason = None if error is None else error.message
        self._bus.emit(RunStopped(campaign=self._context.name, reason=reason, waits=bool(waiting)))
        return self._result(first, last, ordered_ms, error, waiting)

    # --- looking on ---

    async def _look_on(
        self, course: Course, first: CampaignStatus
    ) -> tuple[CampaignStatus, DispatcherError | None, list[Waiting]]:
        """How it stands in the end, why before its end, and what waits."""
        status = first
        believed: Came | None = None
        while True:
            if await self._stop.sleep(0.0 if believed is not None else self._entrusting.poll_s):
                with contextlib.suppress(LedgerError):
                    status = await self._status()
                return status, self._left(), []
            try:
                status = await self._status()
                is_held = await self._context.ledger.is_leased(self._context.record.account)
            except LedgerUnreachable as error:
                # Whether anybody is there is not known meanwhile.
                self._idle_since_s = time.monotonic()
                self._show(Seen(WaitKind.ledger, error.message, None))
                continue
            for event in course.changes(status, time.monotonic()):
                self._bus.emit(event)
            found = came(status, now_ms())
            if found is Came.withdrawn and is_held:
                # Whoever plans another file into it has not ordered it anew yet.
                found = Came.going
            self._tell_wait(status, is_held)
            if found is Came.going or (found is Came.waiting and self._entrusting.until_done):
                believed = None
            elif found is not believed:
                believed = found
            else:
                self._show(None)
                return status, self._error_of(found, status), await self._waiting(found, status)

    def _tell_wait(self, status: CampaignStatus, is_held: bool) -> None:
        now_s = time.monotonic()
        wait = wait_of(status, is_held=is_held, idle_s=now_s - self._idle_since_s, now_ms=now_ms())
        if is_held or status.running or (wait is not None and wait.kind is not WaitKind.worker):
            self._idle_since_s, self._is_told = now_s, False
        elif now_s - self._idle_since_s >= UNSERVED_S and not self._is_told:
            self._is_told = True
            account = self._context.record.account
            self._entrusting.tell(
                f"no worker has taken the account for {UNSERVED_S:.0f} seconds; it is sent as soon as one does",
                Command("worker", does=f"with the credentials of {account.account_sid}, on any machine of this ledger"),
            )
        self._show(wait)

    def _show(self, wait: Seen | None) -> None:
        """What nothing leaves for, told once for each."""
        if wait == self._wait:
            return
        if self._wait is not None and (wait is None or wait.kind is not self._wait.kind):
            self._bus.resume(self._wait.kind)
        self._wait = wait
        if wait is not None:
            for_s = None if wait.until_ms is None else max(0.0, (wait.until_ms - now_ms()) / 1000)
            self._bus.wait(wait.kind, wait.reason, for_s)

    async def _status(self) -> CampaignStatus:
        return await self._context.ledger.status(await self._context.current())

    # --- what it has come to ---

    def _left(self) -> DispatcherError:
        """Whoever looked on has gone."""
        name, error = self._context.name, self._stop.error
        self._show(None)
        if error is not None and not isinstance(error, Interrupted):
            return error
        return Interrupted(
            "stopped looking on: the workers go on sending the campaign",
            fix=Command("pause", (name,), does="has them stop"),
        )

    def _error_of(self, found: Came, status: CampaignStatus) -> DispatcherError | None:
        if found is Came.paused and status.paused is not None:
            return refusal(status.campaign.name, status.paused)
        if found is Came.withdrawn:
            return StoppedEarly(
                "nobody is to send the campaign any more: the order was taken back",
                fix=Command("resume", (status.campaign.name,)),
            )
        return None

    async def _waiting(self, found: Came, status: CampaignStatus) -> list[Waiting]:
        from dispatcher.campaign.forecast import waiting_now

        if found is not Came.waiting:
            return []
        at_ms = now_ms()
        waiting = [one for one in await waiting_now(self._context, None) if one.until_ms > at_ms]
        until_ms = status.next_at_ms or status.due_ms
        if not waiting and until_ms is not None:
            rows = rows_of_all_files(status)[RowState.planned]
            waiting = [Waiting(rows=rows, until_ms=until_ms, zone=None, why=WaitsFor.row)]
        return waiting

    def _result(
        self,
        first: CampaignStatus,
        last: CampaignStatus,
        ordered_ms: int,
        error: DispatcherError | None,
        waiting: list[Waiting],
    ) -> RunResult:
        """As of a run that was sent from here: all runs since the order together."""
        before, now = rows_of_all_files(first), rows_of_all_files(last)
        earlier = 0 if first.run is None else first.run.run_id
        run = last.run if last.run is not None and last.run.run_id > earlier else None
        counts = (
            None
            if run is None
            else RunCounts(
                run_id=run.run_id,
                started_at_ms=ordered_ms,
                finished_at_ms=now_ms(),
                created=max(0, now[RowState.created] - before[RowState.created]),
                rejected=max(0, now[RowState.rejected] - before[RowState.rejected]),
                unknown=now[RowState.unknown],
                requests=requests_of(last) - requests_of(first),
                throttled=last.throttled - first.throttled,
            )
        )
        return RunResult(
            run=counts, status=last, error=error, waiting=tuple(waiting), begun=last.attempts - first.attempts
        )

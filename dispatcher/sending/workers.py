"""One run's sending: a feeder that lets rows go at the permitted rate, and workers that send them.

    claim (ledger: intent on disk) → permit (limiter) → asyncio.Queue → worker → answer → outcome → recorder (ledger)

A row has left the ledger's `planned` before its permit is taken, and its permit is taken only when a worker is free: so
what the limiter counts is what leaves, and at most a lot and what is in flight is in doubt after a crash.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError, LedgerError
from dispatcher.events import EventBus, Stopping
from dispatcher.ledger.protocol import Ledger
from dispatcher.model import (
    STATE_AFTER,
    AttemptEnd,
    FoundBy,
    GrantedRow,
    Outcome,
    RowState,
    Run,
    RunTotals,
)
from dispatcher.sending.busy import BusyPolicy
from dispatcher.sending.hold import Hold
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.recorder import Recorder
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Verdict, classify

#: A permit is for now. A row that got one and could not leave (the process was suspended) needs another.
PERMIT_STALE_S = 0.5
#: How often the feeder looks whether waiting rows have become due, at the least.
DUE_POLL_S = 5.0
#: Refusals with one code in a row, from a run's start, that stop it: the sender or the flow is wrong, not the rows.
REJECTED_IN_A_ROW_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPlan:
    """What a sender needs to know of its campaign."""

    flow_sid: str
    api_version: str
    #: A row → the create request's body.
    form: Callable[[GrantedRow], bytes]
    in_flight: int
    #: How long requests in flight may take after a stop.
    stop_s: float
    #: The input whose rows are sent; None: all of the campaign.
    input_id: int | None = None
    #: At most so many rows; None: all.
    limit: int | None = None
    #: On v1: confirm every answer by its Context.
    always_check: bool = False


class Sender:
    """Sends the planned rows of one run. `send` returns when none is left or it was stopped; `error` says why."""

    def __init__(
        self,
        plan: SendPlan,
        *,
        ledger: Ledger,
        run: Run,
        studio: Studio,
        limiter: Limiter,
        hold: Hold,
        busy: BusyPolicy,
        bus: EventBus,
        totals: RunTotals | None = None,
    ) -> None:
        self.error: DispatcherError | None = None
        self._plan = plan
        self._ledger = ledger
        self._run = run
        self._studio = studio
        self._limiter = limiter
        self._hold = hold
        self._busy = busy
        self._bus = bus
        self._progress = bus.progress
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[GrantedRow, float]] = asyncio.Queue()
        self._claimed: deque[GrantedRow] = deque()
        self._claiming: asyncio.Task[list[GrantedRow]] | None = None
        self._claimed_in_all = 0
        self._stopping = False
        self._in_flight = 0
        self._free = asyncio.Event()
        self._feeder: asyncio.Task[None] | None = None
        self._workers: list[asyncio.Task[None]] = []
        start = totals or RunTotals()
        self._requests, self._throttled = start.requests, start.throttled
        self._worst_window = start.worst_window
        self._rejections: tuple[int | None, int] = (None, 0)
        self._recorder = Recorder(ledger, run, now_ms=now_ms, totals=self.totals, trouble=self._ledger_trouble)

    def totals(self) -> RunTotals:
        """What the run has done so far."""
        return RunTotals(
            requests=self._requests,
            throttled=self._throttled,
            worst_window=max(self._worst_window, self._limiter.worst_window),
            window_limit=self._limiter.window_limit,
        )

    def stop(self, error: DispatcherError) -> None:
        """Send nothing more; what is in flight is finished. The first reason stays."""
        if self.error is None:
            self.error = error
            self._bus.emit(Stopping(reason=error.message))
        if not self._stopping:
            self._stopping = True
            if self._feeder is not None:
                self._feeder.cancel()

    def leave(self) -> None:
        """Give up what is in flight, too: its rows are unknown."""
        for worker in self._workers:
            worker.cancel()

    async def send(self) -> None:
        """Send until no planned row is left, or `stop`. Every row claimed has its outcome in the ledger afterwards.

        Raises: LedgerError where outcomes could not be written.
        """
        self._workers = [
            asyncio.create_task(self._work(), name=f"worker-{number}") for number in range(self._plan.in_flight)
        ]
        if not self._stopping:
            self._feeder = asyncio.create_task(self._feed(), name="feeder")
            await asyncio.wait([self._feeder, *self._workers], return_when=asyncio.FIRST_COMPLETED)
            crashed = [worker for worker in self._workers if worker.done() and not worker.cancelled()]
            if crashed:
                self._stopping = True
                self._feeder.cancel()
            await asyncio.wait([self._feeder])
        await self._release_claimed()
        await self._drain()
        for worker in self._workers:
            worker.cancel()
        results = await asyncio.gather(*self._workers, return_exceptions=True)
        await self._recorder.close()
        if self._feeder is not None and not self._feeder.cancelled():
            self._feeder.result()
        for result in results:
            if isinstance(result, Exception):
                raise result

    # --- feeding ---

    async def _feed(self) -> None:
        plan = self._plan
        while True:
            await self._hold.wait()
            in_flight_max = 1 if self._hold.probing else plan.in_flight
            if self._in_flight >= in_flight_max:
                await self._someone_is_free()
                continue
            if not self._claimed and not await self._claim():
                if self._in_flight:
                    # A row in flight may come back planned (429).
                    await self._someone_is_free()
                    continue
                if await self._recorder.flush():
                    continue  # a row that came back (429) is planned only once that is on disk
                if not await self._wait_until_due():
                    return
                continue
            if len(self._claimed) < self._limiter.lot() // 2:
                self._start_claiming()
            ready_ms = self._claimed[0].may_leave_ms - now_ms()
            if ready_ms > 0:
                await asyncio.sleep(ready_ms / 1000)
            permits = await self._limiter.acquire(min(len(self._claimed), in_flight_max - self._in_flight))
            if self._hold.held:
                continue  # what came meanwhile says wait; the permits are lost, which errs on the slow side
            now_s = self._loop.time()
            for _ in range(permits):
                self._queue.put_nowait((self._claimed.popleft(), now_s))
            self._in_flight += permits
            self._progress.in_flight = self._in_flight

    async def _someone_is_free(self) -> None:
        self._free.clear()
        await self._free.wait()

    def _start_claiming(self) -> None:
        if self._claiming is None:
            lot = self._limiter.lot()
            if self._plan.limit is not None:
                lot = min(lot, self._plan.limit - self._claimed_in_all)
            if lot > 0:
                # A task of its own: a stop that cancels the feeder must not lose rows that the ledger has granted.
                self._claiming = asyncio.create_task(
                    self._ledger.begin_rows(self._run, lot, now_ms=now_ms(), input_id=self._plan.input_id)
                )

    async def _claim(self) -> bool:
        """Have some rows claimed. False: none is planned now."""
        self._start_claiming()
        if self._claiming is None:
            return False
        rows = await asyncio.shield(self._claiming)
        self._claiming = None
        self._claimed.extend(rows)
        self._claimed_in_all += len(rows)
        return bool(rows)

    async def _wait_until_due(self) -> bool:
        """Wait for rows that may be sent later. False: there are none."""
        if self._plan.limit is not None and self._claimed_in_all >= self._plan.limit:
            return False
        due_ms = await self._ledger.next_due_ms(self._run.campaign, self._plan.input_id)
        if due_ms is None:
            return False
        left_s = (due_ms - now_ms()) / 1000
        if left_s > 0:
            self._progress.waiting = (
                f"{self._busy.waiting} busy contacts are asked again later"
                if self._busy.waiting
                else ("the next row may be sent later")
            )
            self._progress.waiting_until_s = self._loop.time() + left_s
            await asyncio.sleep(min(left_s, DUE_POLL_S))
            self._progress.waiting = None
        return True

    async def _release_claimed(self) -> None:
        """Rows claimed and not sent go back to planned: it is certain that nothing left."""
        if self._claiming is not None:
            try:
                self._claimed.extend(await self._claiming)
            except DispatcherError as error:
                self.stop(error)
            self._claiming = None
        for row in self._claimed:
            self._record(row, AttemptEnd(row.row_id, row.attempt_id, row.input_id, Outcome.not_sent, None, now_ms()))
        self._claimed.clear()

    async def _drain(self) -> None:
        """Wait for what is in flight, at most stop_s."""
        end_s = self._loop.time() + self._plan.stop_s
        while self._in_flight and any(not worker.done() for worker in self._workers):
            left_s = end_s - self._loop.time()
            if left_s <= 0:
                return
            self._free.clear()
            try:
                async with asyncio.timeout(min(left_s, 0.5)):
                    await self._free.wait()
            except TimeoutError:
                continue

    # --- sending ---

    async def _work(self) -> None:
        while True:
            row, permitted_s = await self._queue.get()
            try:
                await self._send_one(row, permitted_s)
            finally:
                self._in_flight -= 1
                self._progress.in_flight = self._in_flight
                self._free.set()

    async def _send_one(self, row: GrantedRow, permitted_s: float) -> None:
        form = self._plan.form(row)
        if self._loop.time() - permitted_s > PERMIT_STALE_S:
            await self._limiter.acquire(1)
        left_s, left_ms = self._loop.time(), now_ms()
        self._requests += 1
        self._progress.requests += 1
        try:
            answer = await self._studio.create(self._plan.flow_sid, form)
            verdict = classify(answer, api_version=self._plan.api_version, always_check=self._plan.always_check)
            found_by = FoundBy.answer
            not_before_ms: int | None = None
            if verdict.outcome is Outcome.busy:
                verdict, found_by, not_before_ms = await self._busy.resolve(row, verdict)
        except asyncio.CancelledError:
            self._record(
                row,
                AttemptEnd(
                    row.row_id,
                    row.attempt_id,
                    row.input_id,
                    Outcome.unknown,
                    left_ms,
                    now_ms(),
                    error_message="stopped before the answer was known",
                ),
            )
            raise
        end = AttemptEnd(
            row.row_id,
            row.attempt_id,
            row.input_id,
            verdict.outcome,
            left_ms if not (verdict.trouble and verdict.outcome is Outcome.not_sent) else None,
            now_ms(),
            verdict.execution_sid,
            verdict.http_status,
            verdict.error_code,
            verdict.message,
            answer.request_id,
            found_by if verdict.outcome is Outcome.created else None,
            not_before_ms,
        )
        self._record(row, end)
        self._learn(verdict, left_s)

    def _record(self, row: GrantedRow, end: AttemptEnd) -> None:
        self._recorder.add(end)
        progress = self._progress
        state = RowState.planned if end.not_before_ms is not None else STATE_AFTER[end.outcome]
        if state is RowState.planned:
            self._claimed_in_all -= 1
        else:
            progress.rows[RowState.planned] -= 1
            progress.rows[state] += 1
            progress.done += 1

    def _learn(self, verdict: Verdict, left_s: float) -> None:
        """What an answer means for the rows after it."""
        self._progress.worst_window = self._limiter.worst_window
        self._progress.window_now = self._limiter.window_now()
        if verdict.outcome is Outcome.throttled:
            self._throttled += 1
            self._progress.throttled += 1
            self._hold.throttled(verdict.retry_after_s, left_s)
        elif verdict.trouble:
            connected = verdict.outcome is not Outcome.not_sent
            self._hold.failed(verdict.message or "no answer", connected=connected)
        else:
            self._hold.answered(left_s)
        if verdict.stop is not None:
            self.stop(verdict.stop)
        self._watch_rejections(verdict)

    def _watch_rejections(self, verdict: Verdict) -> None:
        """Where the first rows of a run are all refused for one reason, the fault is not theirs."""
        code, n = self._rejections
        if n < 0:
            return
        if verdict.outcome is Outcome.rejected and (n == 0 or verdict.error_code == code):
            self._rejections = (verdict.error_code, n + 1)
            if n + 1 >= REJECTED_IN_A_ROW_MAX:
                self.stop(_all_rejected(verdict, n + 1))
        elif verdict.outcome in (Outcome.created, Outcome.rejected):
            self._rejections = (None, -1)

    def _ledger_trouble(self, error: LedgerError) -> None:
        self.stop(error)


def _all_rejected(verdict: Verdict, n: int) -> DispatcherError:
    from dispatcher.errors import BreakerOpen

    shown = f"{verdict.http_status}/{verdict.error_code} {verdict.message}"
    return BreakerOpen(
        f"Studio refused the first {n} rows for the same reason",
        found=shown,
        fix="correct the sender or the flow, then dispatcher retry CAMPAIGN --all-rejected and resume",
    )

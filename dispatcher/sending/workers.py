"""One run's sending: a feeder that lets rows go at the permitted rate, and workers that send them.

    claim (ledger: intent on disk) → permit (limiter) → asyncio.Queue → worker → answer → outcome → recorder (ledger)

A row has left the ledger's `planned` before its permit is taken, and permits are taken for rows that a worker takes up
at once or next: so at most a lot and what is in flight is in doubt after a crash. Whatever happens to a permit's
request on its way, the limiter counts it when it leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError, LedgerError
from dispatcher.events import EventBus, Stopping
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import AttemptEnd, GrantedRow, Run, RunTotals
from dispatcher.model import STATE_AFTER, FoundBy, Outcome, RowState
from dispatcher.sending.busy import BusyPolicy
from dispatcher.sending.hold import Hold
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.recorder import Recorder
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Answer, Verdict, classify

#: How often the feeder looks whether waiting rows have become due, at the least.
DUE_POLL_S = 5.0
#: So long after the ledger has said that the account is ours a request may leave; much less than the time that the list
#: of executions gets, after which another holder of the account may send the row again.
CONFIRMED_FOR_S = 5.0
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


class NotNow(Exception):
    """A pause has begun, or the ledger must first say again that the account is ours: the request must not leave."""


class Lane:
    """One worker's place: whether the request that it sends now has left."""

    __slots__ = ("_leaves", "_loop", "left_ms", "left_s", "task")

    def __init__(self, leaves: Callable[[], None]) -> None:
        self._leaves = leaves
        self._loop = asyncio.get_running_loop()
        self.task: asyncio.Task[None] | None = None
        #: When the present request left, on the loop's clock and on the wall's; None: it has not, or there is none.
        self.left_s: float | None = None
        self.left_ms: int | None = None

    def leaving(self) -> None:
        """The request leaves now. Raises: NotNow: it must not."""
        self._leaves()
        self.left_s = self._loop.time()
        self.left_ms = now_ms()


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
        #: Rows with a permit.
        self._queue: asyncio.Queue[GrantedRow] = asyncio.Queue()
        self._claimed: deque[GrantedRow] = deque()
        self._claiming: asyncio.Task[list[GrantedRow]] | None = None
        self._claimed_in_all = 0
        #: When the ledger was last asked whether the account is ours, and said yes.
        self._confirmed_s = float("-inf")
        self._stopping = False
        #: Rows that wait in the queue or are being sent.
        self._in_flight = 0
        self._room = asyncio.Event()
        self._room_at = 0
        self._feeder: asyncio.Task[None] | None = None
        self._lanes: list[Lane] = []
        start = totals or RunTotals()
        self._requests, self._throttled = start.requests, start.throttled
        self._worst_window = start.worst_window
        self._rejections: tuple[int | None, int] = (None, 0)
        self._recorder = Recorder(ledger, run, now_ms=now_ms, totals=self.totals, trouble=self._ledger_trouble)

    def totals(self) -> RunTotals:
        """What the run has done so far."""
        skew_s = self._studio.clock_skew_s
        return RunTotals(
            requests=self._requests,
            throttled=self._throttled,
            worst_window=max(self._worst_window, self._limiter.worst_window),
            window_limit=self._limiter.window_limit,
            clock_skew_ms=None if skew_s is None else round(skew_s * 1000),
        )

    def stop(self, error: DispatcherError) -> None:
        """Send nothing more; what has left is waited for. The first reason stays."""
        if self.error is None:
            self.error = error
            self._bus.emit(Stopping(reason=error.message))
        if not self._stopping:
            self._stopping = True
            if self._feeder is not None:
                self._feeder.cancel()
            for lane in self._lanes:
                if lane.left_s is None and lane.task is not asyncio.current_task():
                    # It waits for a row, at the hold, or for its connection: nothing has left, and nothing will.
                    self._cancel(lane)

    def leave(self) -> None:
        """Give up what is in flight, too: its rows are unknown."""
        for lane in self._lanes:
            self._cancel(lane)

    @staticmethod
    def _cancel(lane: Lane) -> None:
        if lane.task is not None:
            lane.task.cancel()

    async def send(self) -> None:
        """Send until no planned row is left, or `stop`. Every row claimed has its outcome in the ledger afterwards.

        Raises: LedgerError where outcomes could not be written.
        """
        if not self._stopping:
            self._lanes = [Lane(self._leaves) for _ in range(self._plan.in_flight)]
            for number, lane in enumerate(self._lanes):
                lane.task = asyncio.create_task(self._work(lane), name=f"worker-{number}")
        tasks = [lane.task for lane in self._lanes if lane.task is not None]
        if tasks:
            self._feeder = asyncio.create_task(self._feed(), name="feeder")
            needed = [*tasks, self._recorder.task]
            await asyncio.wait([self._feeder, *needed], return_when=asyncio.FIRST_COMPLETED)
            if any(task.done() and not task.cancelled() for task in needed):
                # A worker crashed, or outcomes can no longer be written.
                self._stopping = True
                self._feeder.cancel()
            await asyncio.wait([self._feeder])
        await self._release()
        await self._drain(tasks)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await self._recorder.close()
        if self._feeder is not None and not self._feeder.cancelled():
            self._feeder.result()
        for result in results:
            if isinstance(result, Exception):
                raise result

    # --- feeding ---

    async def _feed(self) -> None:
        limiter, hold = self._limiter, self._hold
        while True:
            if hold.closed:
                await hold.wait()
                if hold.probing and not (hold.lacks_probe and self._queue.empty()):
                    # What is on its way waits at the hold by itself, and finds out when things are well again.
                    await hold.changed()
                    continue
            room = self._plan.in_flight + limiter.ahead() - self._in_flight
            if room <= 0:
                await self._until_in_flight(self._plan.in_flight + limiter.ahead() // 2)
                continue
            if not self._claimed and not await self._claim():
                if self._in_flight:
                    # A row in flight may come back planned (429).
                    await self._until_in_flight(self._in_flight - 1)
                elif await self._recorder.flush():
                    continue  # it is planned only once that is on disk
                elif not await self._wait_until_due():
                    return
                continue
            if len(self._claimed) < limiter.lot() // 2:
                self._start_claiming()
            permits = await limiter.acquire(1 if hold.closed else min(len(self._claimed), room))
            if hold.held:
                # What came meanwhile says wait.
                limiter.returned(permits)
                continue
            self._in_flight += permits
            for _ in range(permits):
                self._queue.put_nowait(self._claimed.popleft())
            self._progress.in_flight = self._in_flight

    async def _until_in_flight(self, at_most: int) -> None:
        self._room_at = at_most
        self._room.clear()
        await self._room.wait()

    def _start_claiming(self) -> None:
        if self._claiming is None:
            lot = self._limiter.lot()
            if self._plan.limit is not None:
                lot = min(lot, self._plan.limit - self._claimed_in_all)
            if lot > 0:
                # A task of its own: a stop that cancels the feeder must not lose rows that the ledger has granted.
                self._claiming = asyncio.create_task(self._begin_rows(lot))

    async def _begin_rows(self, limit: int) -> list[GrantedRow]:
        asked_s = self._loop.time()
        rows = await self._ledger.begin_rows(self._run, limit, now_ms=now_ms(), input_id=self._plan.input_id)
        self._confirmed_s = max(self._confirmed_s, asked_s)
        return rows

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

    async def _release(self) -> None:
        """Rows claimed or queued and not sent go back to planned: it is certain that nothing left."""
        if self._claiming is not None:
            try:
                self._claimed.extend(await self._claiming)
            except DispatcherError as error:
                self.stop(error)
            self._claiming = None
        while not self._queue.empty():
            self._claimed.appendleft(self._queue.get_nowait())
            self._limiter.returned()
            self._in_flight -= 1
        for row in self._claimed:
            self._record(row, AttemptEnd(row.row_id, row.attempt_id, Outcome.not_sent, None, now_ms()))
        self._claimed.clear()

    async def _drain(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for what is in flight, at most stop_s."""
        end_s = self._loop.time() + self._plan.stop_s
        while self._in_flight and any(not task.done() for task in tasks):
            left_s = end_s - self._loop.time()
            if left_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, 0.5)):
                    await self._until_in_flight(0)

    # --- sending ---

    async def _work(self, lane: Lane) -> None:
        queue, progress = self._queue, self._progress
        while not self._stopping:
            row = await queue.get()
            try:
                await self._send_one(lane, row)
            finally:
                lane.left_s = lane.left_ms = None
                self._in_flight -= 1
                progress.in_flight = self._in_flight
                if self._in_flight <= self._room_at:
                    self._room.set()

    async def _send_one(self, lane: Lane, row: GrantedRow) -> None:
        plan = self._plan
        try:
            form = plan.form(row)
            answer = await self._create(form, lane)
            verdict = classify(answer, api_version=plan.api_version, always_check=plan.always_check)
            if lane.left_s is None:
                self._limiter.returned()
            self._learn(verdict, lane.left_s)
            found_by = FoundBy.answer
            not_before_ms: int | None = None
            if verdict.outcome is Outcome.busy:
                verdict, found_by, not_before_ms = await self._busy.resolve(row, verdict)
        except asyncio.CancelledError:
            self._record(row, self._given_up(lane, row))
            raise
        except LedgerError as error:
            self._record(row, self._given_up(lane, row))
            self.stop(error)
            return
        self._record(
            row,
            AttemptEnd(
                row.row_id,
                row.attempt_id,
                verdict.outcome,
                lane.left_ms,
                now_ms(),
                verdict.execution_sid,
                verdict.http_status,
                verdict.error_code,
                verdict.message,
                answer.request_id,
                found_by if verdict.outcome is Outcome.created else None,
                not_before_ms,
            ),
        )

    async def _create(self, form: bytes, lane: Lane) -> Answer:
        """Send it, if the account is still ours. Raises: LeaseLost and other LedgerErrors: it did not leave.

        Whoever takes the account over holds every row in flight for doubtful, waits until the list must show what came
        of it, and sends the others again. So a process that was suspended, or waited long, must ask before it goes on.
        """
        while True:
            if self._hold.closed:
                await self._hold.admit()
            if not self._confirmed:
                await self._begin_rows(0)
            with contextlib.suppress(NotNow):
                return await self._studio.create(self._plan.flow_sid, form, lane.leaving)

    @property
    def _confirmed(self) -> bool:
        return self._loop.time() - self._confirmed_s <= CONFIRMED_FOR_S

    def _leaves(self) -> None:
        if not self._confirmed or self._hold.held:
            raise NotNow
        self._limiter.left()
        self._requests += 1
        self._progress.requests += 1

    def _given_up(self, lane: Lane, row: GrantedRow) -> AttemptEnd:
        """The outcome of a row whose worker was told to stop."""
        if lane.left_s is None:
            self._limiter.returned()
            return AttemptEnd(row.row_id, row.attempt_id, Outcome.not_sent, None, now_ms())
        return AttemptEnd(
            row.row_id,
            row.attempt_id,
            Outcome.unknown,
            lane.left_ms,
            now_ms(),
            error_message="stopped before the answer was known",
        )

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

    def _learn(self, verdict: Verdict, left_s: float | None) -> None:
        """What an answer means for the rows after it."""
        self._progress.worst_window = self._limiter.worst_window
        self._progress.window_now = self._limiter.window_now()
        if verdict.outcome is Outcome.throttled:
            self._throttled += 1
            self._progress.throttled += 1
            self._hold.throttled(verdict.retry_after_s, left_s)
        elif left_s is None or verdict.trouble:
            self._hold.failed(verdict.summary, connected=left_s is not None)
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

    return BreakerOpen(
        f"Studio refused the first {n} rows for the same reason",
        found=verdict.summary,
        fix="correct the sender or the flow, then dispatcher retry CAMPAIGN --all-rejected and resume",
    )

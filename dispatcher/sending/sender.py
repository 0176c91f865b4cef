"""One run's sending: its beginning, its rounds, its end.

    claims (ledger: intent on disk) → permit (limiter) → queue → worker → answer → outcome → recorder (ledger)

A row has left the ledger's `planned` before its permit is taken. Whatever happens to a permit's request on its way, the
limiter counts it when it is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Sequence

from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError
from dispatcher.events import EventBus, RowsSkipped, Stopping
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import AttemptEnd, Run, RunTotals
from dispatcher.model import Outcome
from dispatcher.sending.account import OpenAccount
from dispatcher.sending.breaker import SameRefusals
from dispatcher.sending.busy import BusyPolicy
from dispatcher.sending.claims import Claims
from dispatcher.sending.feeder import Feeder
from dispatcher.sending.guard import Guard
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.plan import SendPlan
from dispatcher.sending.recorder import Recorder
from dispatcher.sending.tally import Tally
from dispatcher.sending.timing import Timing
from dispatcher.sending.worker import Worker
from dispatcher.studio.client import Studio


class Sender:
    """Sends the planned rows of one run, round after round. `error`: what stopped it; None: nothing has."""

    def __init__(
        self,
        plan: SendPlan,
        *,
        ledger: Ledger,
        run: Run,
        studio: Studio,
        account: OpenAccount,
        limiter: Limiter,
        busy: BusyPolicy,
        timing: Timing,
        bus: EventBus,
    ) -> None:
        """`limiter`: the account's (`await account.limiter()`), whose lease is held as long as this sends."""
        self.error: DispatcherError | None = None
        self._plan = plan
        self._ledger = ledger
        self._run = run
        self._studio = studio
        self._account = account
        self._limiter = limiter
        self._busy = busy
        self._timing = timing
        self._bus = bus
        #: When the first row may be sent that the latest round has left to a later one; None: it left none.
        self.next_at_ms: int | None = None
        self._tally = Tally()
        self._refusals = SameRefusals(run.campaign.name)
        self._guard = Guard(plan)
        self._stopped = False
        #: What it has taken over is to be ended in the ledger, too.
        self._began_refused = account.breaker.throttled_for_s > 0 or limiter.ceiling_per_s is not None
        self._workers: list[Worker] = []
        self._feeding: asyncio.Task[None] | None = None

    def totals(self) -> RunTotals:
        """What the run has done so far, over all its rounds."""
        skew_s = self._studio.clock_skew_s
        held_s, ceiling_per_s = self._account.breaker.throttled_for_s, self._limiter.ceiling_per_s
        wait = self._bus.snapshot().waiting if self._ledger.is_shared else None
        return RunTotals(
            requests=self._tally.requests,
            throttled=self._tally.throttled,
            worst_window=self._limiter.worst_window,
            window_limit=self._limiter.window_limit,
            clock_skew_ms=None if skew_s is None else round(skew_s * 1000),
            # Where nothing was ever refused nothing is to be kept.
            hold_until_ms=(now_ms() + round(held_s * 1000) if held_s else 0) if self._was_refused else None,
            ceiling_per_s=(ceiling_per_s or 0.0) if self._was_refused else None,
            rate_per_s=self._limiter.rate_per_s,
            waits=wait.reason if wait is not None else None,
            waits_until_ms=None
            if wait is None or wait.remaining_s is None
            else now_ms() + round(wait.remaining_s * 1000),
        )

    @property
    def _was_refused(self) -> bool:
        """Whether there was a 429, in this run or where it has taken over from."""
        breaker, limiter = self._account.breaker, self._limiter
        return bool(
            self._tally.throttled or breaker.throttled_for_s or limiter.ceiling_per_s is not None or self._began_refused
        )

    def stop(self, error: DispatcherError) -> None:
        """Send nothing more, in this round or any later one; what was sent is waited for. The first reason stays."""
        if self.error is None:
            self.error = error
            self._bus.emit(Stopping(reason=error.message))
        if not self._stopped:
            self._stopped = True
            if self._feeding is not None:
                self._feeding.cancel()
            for worker in self._workers:
                worker.stop()

    def leave(self) -> None:
        """Give up what is in flight, too: its rows are unknown."""
        for worker in self._workers:
            worker.leave()

    async def send(self, *, limit: int | None = None, may_wait: bool = True) -> None:
        """One round: send until no planned row is left, `limit` of them have an answer, or `stop`.

        Without `may_wait` no row is waited for that cannot be claimed now.

        Every row claimed has its outcome in the ledger afterwards, also where this is cancelled (rows in flight are
        unknown then). Raises: LedgerError where rows could not be claimed, or outcomes not be written; CampaignPaused.
        """
        if self._stopped:
            return
        ledger, run, plan = self._ledger, self._run, self._plan
        await self._timing.begin()
        recorder = Recorder(ledger, run, totals=self.totals, trouble=self.stop, committed=self._committed)
        claims = Claims(ledger, run, plan, self._timing, limit=limit, skipped=self._left_out)
        self._feeder = feeder = Feeder(
            claims=claims,
            limiter=self._limiter,
            breaker=self._account.breaker,
            recorder=recorder,
            busy=self._busy,
            timing=self._timing,
            in_flight_max=plan.in_flight,
            wait_max_s=plan.wait_max_s if may_wait else -math.inf,
            bus=self._bus,
        )
        self._workers = workers = [
            Worker(
                plan,
                account=self._account,
                limiter=self._limiter,
                studio=self._studio,
                claims=claims,
                feeder=feeder,
                recorder=recorder,
                busy=self._busy,
                timing=self._timing,
                refusals=self._refusals,
                guard=self._guard,
                tally=self._tally,
                stop=self.stop,
            )
            for _ in range(plan.in_flight)
        ]
        tasks = [worker.task for worker in workers]
        self._feeding = feeding = asyncio.create_task(feeder.run(), name="feeder")
        try:
            await self._until_fed(feeding, [*tasks, recorder.task])
            await self._release(claims, feeder, recorder)
            await self._drain(feeder, tasks)
        except asyncio.CancelledError:
            self._stopped = True
            raise
        finally:
            for task in (feeding, *tasks):
                task.cancel()
            results = await asyncio.gather(feeding, *tasks, return_exceptions=True)
            await self._release(claims, feeder, recorder)
            self._workers, self._feeding = [], None
            self.next_at_ms = feeder.next_at_ms
            await recorder.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _until_fed(self, feeding: asyncio.Task[None], needed: Sequence[asyncio.Task[None]]) -> None:
        """Wait until the feeder has ended, or has to."""
        await asyncio.wait([feeding, *needed], return_when=asyncio.FIRST_COMPLETED)
        if any(task.done() and not task.cancelled() for task in needed):
            # A worker crashed, or outcomes can no longer be written.
            self._stopped = True
            feeding.cancel()
            for worker in self._workers:
                worker.stop()
        await asyncio.wait([feeding])

    async def _release(self, claims: Claims, feeder: Feeder, recorder: Recorder) -> None:
        """Rows claimed or queued and not sent are planned again: it is certain that nothing was sent."""
        try:
            await claims.finish()
        except DispatcherError as error:
            self.stop(error)
        for row in (*feeder.unqueue(), *claims.rows):
            recorder.add(AttemptEnd(row.row_id, row.attempt_id, Outcome.not_sent, None, now_ms()))
        claims.rows.clear()

    async def _drain(self, feeder: Feeder, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for what is in flight, at most stop_s."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._plan.stop_s
        while feeder.in_flight and any(not task.done() for task in tasks):
            remaining_s = end_s - loop.time()
            if remaining_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(remaining_s, 0.5)):
                    await feeder.until_in_flight(0)

    def _left_out(self, rows: int) -> None:
        self._bus.emit(RowsSkipped(rows=rows))

    def _committed(self, ends: Sequence[AttemptEnd]) -> None:
        self._timing.ended(ends)
        self._bus.emit(
            self._tally.committed(
                ends,
                in_flight=self._feeder.in_flight,
                window_now=self._limiter.window_now(),
                worst_window=self._limiter.worst_window,
            )
        )

"""Lets rows go at the permitted rate: claims them, takes permits, and puts them into the workers' queue.

Permits are taken for rows that a worker takes up at once or next, so that at most one claim and what is in flight are
left unknown by a crash.
"""

from __future__ import annotations

import asyncio

from dispatcher.events import EventBus, WaitKind
from dispatcher.ledger.records import GrantedRow
from dispatcher.sending.breaker import Breaker, BreakerState
from dispatcher.sending.busy import BusyPolicy
from dispatcher.sending.claims import Claims
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.recorder import Recorder
from dispatcher.sending.timing import Timing
from dispatcher.sending.wait import Wait

#: How often the feeder looks whether waiting rows have become due, at the least.
DUE_POLL_S = 5.0


class Feeder:
    """The feeder of one round. `run` returns when no row is left that this round is to send."""

    def __init__(
        self,
        *,
        claims: Claims,
        limiter: Limiter,
        breaker: Breaker,
        recorder: Recorder,
        busy: BusyPolicy,
        timing: Timing,
        in_flight_max: int,
        wait_max_s: float,
        bus: EventBus,
    ) -> None:
        """`wait_max_s`: rows that may be sent only later than this are left to another round."""
        #: When the first row that was left to another round may be sent; None: none was.
        self.next_at_ms: int | None = None
        #: Rows with a permit.
        self.queue: asyncio.Queue[GrantedRow] = asyncio.Queue()
        #: Rows that wait in the queue or are being sent.
        self.in_flight = 0
        self._claims = claims
        self._limiter = limiter
        self._breaker = breaker
        self._recorder = recorder
        self._busy = busy
        self._timing = timing
        self._wait_max_s = wait_max_s
        self._in_flight_max = in_flight_max
        self._wait = Wait(bus)
        self._room = asyncio.Event()
        self._room_at = 0

    async def run(self) -> None:
        """Feed. Raises: LedgerError, CampaignPaused where rows cannot be claimed."""
        try:
            while await self._feed():
                pass
        finally:
            self._wait.over()

    def done(self) -> None:
        """A row from the queue has its outcome."""
        self.in_flight -= 1
        if self.in_flight <= self._room_at:
            self._room.set()

    async def until_in_flight(self, at_most: int) -> None:
        """Wait until so few rows are in flight."""
        self._room_at = at_most
        if self.in_flight > at_most:
            self._room.clear()
            await self._room.wait()

    def unqueue(self) -> list[GrantedRow]:
        """Take out the rows that no worker has taken up; their permits go back."""
        rows = []
        while not self.queue.empty():
            rows.append(self.queue.get_nowait())
        self._limiter.release(len(rows))
        self.in_flight -= len(rows)
        return rows

    async def _feed(self) -> bool:
        """One turn. False: nothing is left to send."""
        claims, limiter, breaker = self._claims, self._limiter, self._breaker
        if breaker.state is not BreakerState.closed:
            await breaker.wait_while_open()
            if breaker.state is BreakerState.half_open and not (breaker.needs_probe and self.queue.empty()):
                # What is on its way waits for its turn by itself, and finds out when things are well again.
                await breaker.changed()
                return True
        room = self._in_flight_max + limiter.queue_depth - self.in_flight
        if room <= 0:
            await self.until_in_flight(self._in_flight_max + limiter.queue_depth // 2)
            return True
        if not claims.rows and not await claims.fill(limiter.claim_size):
            return await self._more_later()
        self._wait.over()
        if len(claims.rows) < limiter.claim_size // 2:
            claims.start(limiter.claim_size)
        is_closed = breaker.state is BreakerState.closed
        permits = await limiter.acquire(min(len(claims.rows), room) if is_closed else 1)
        if breaker.state is BreakerState.open:
            # What came meanwhile says wait.
            limiter.release(permits)
            return True
        self.in_flight += permits
        for _ in range(permits):
            self.queue.put_nowait(claims.rows.popleft())
        return True

    async def _more_later(self) -> bool:
        """No row can be claimed now: wait until that may be otherwise. False: it never will."""
        if self.in_flight:
            # A row in flight may come back planned (429).
            await self.until_in_flight(self.in_flight - 1)
            return True
        # What came back is planned only once that is on disk; and what can never be sent any more waits for nothing.
        return await self._recorder.flush() or await self._wait_until_due()

    async def _wait_until_due(self) -> bool:
        """Wait for rows that may be sent later. False: there are none."""
        if self._claims.exhausted:
            return False
        due = await self._timing.next_due()
        if due is None:
            return False
        due_ms, remaining_s = due
        if remaining_s > self._wait_max_s:
            self.next_at_ms = due_ms
            return False
        if remaining_s > 0:
            n, until_s = self._busy.waiting, asyncio.get_running_loop().time() + remaining_s
            if n:
                contacts = "1 contact that is" if n == 1 else f"{n:,} contacts that are"
                self._wait.until(WaitKind.busy, f"{contacts} in another execution: asked again later", until_s)
            else:
                self._wait.until(WaitKind.due, "the next row may be sent later", until_s)
            await asyncio.sleep(min(remaining_s, DUE_POLL_S))
        return True

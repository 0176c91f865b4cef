"""How fast requests may leave, and never above the limit. The only place that knows aiolimiter.

A permit goes through two gates. A leaky bucket (aiolimiter) spreads permits evenly, or lets a spike pass. Behind it the
window: requests sent in the last one, and permits that are not used yet, are together never more than `cap`. The bucket
alone would not do: a burst b and a refill r let b + r·window through. And a permit alone would not do: a request that
has one may still have to connect, or its process may be suspended; so it counts until it is sent, and then a window
long. That keeps departures under the cap. Arrivals are kept under the limit, too (`arrivals`): what the cap leaves of
it is free for those that were long on their way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiolimiter import AsyncLimiter

from dispatcher.events import EventBus, WaitKind
from dispatcher.sending.arrivals import Arrivals
from dispatcher.sending.ceiling import Ceiling
from dispatcher.sending.departures import Departures
from dispatcher.sending.wait import Wait
from dispatcher.sending.window import WindowLog

#: A spike's requests need some time to leave; the next spike keeps that distance: the server, too, sees two windows.
SPIKE_MARGIN_SHARE = 0.01
#: How many seconds' worth of the rate may leave at once: makes up for timers that wake late.
BURST_S = 0.01
#: With a bucket of one, capacity is lost whenever a timer wakes late.
BURST_MIN = 2.0
#: Under a ceiling the bucket is faster than it by this share: what left in a hurry a window ago becomes free as fast.
CATCH_UP_SHARE = 0.4
#: Ceilings that stand no longer than this do not change the pace.
SHORT_S = 1.0
#: A new bucket for a new rate only where it differs by this share: it starts without a burst.
RATE_STEP_SHARE = 0.05
#: How many seconds' worth of rows to claim at a time: few, so that a crash leaves few unknown. A claim in a ledger on a
#: server costs more than the rows of a slow account's do, and that account waits for it.
CLAIM_S = 0.25
SHARED_CLAIM_S = 1.0
#: The most rows claimed at a time.
CLAIM_MAX = 200
CEILING_REASON = "after 429s less than the limit is taken: others seem to use the account, too"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was sent before. Times are seconds on the loop's clock."""

    #: Ascending.
    sent_at_s: Sequence[float] = ()
    #: It may have arrived so much later.
    spread_s: float = 0.0
    #: Until then there may be more of it in the window, which nobody can count.
    undated_until_s: float = 0.0
    #: What 429s had left of the rate; None: all.
    ceiling_per_s: float | None = None
    #: It was sent under a longer window, which holds until then; 0: it was not.
    longer_window_s: float = 0.0
    longer_until_s: float = 0.0


class Limiter:
    """Hands out permits, to one task. One permit is one create request, retries included.

    Each permit must come back once: `record_sent` when the request leaves, or `release` when it never will. Where
    arrivals count, each that was sent must be answered or given up once: `record_answer`.
    """

    def __init__(
        self,
        *,
        per_second: float,
        window_s: float,
        headroom: float,
        pace: str,
        past: Past | None = None,
        arrivals: bool = False,
        departures: Departures | None = None,
        claim_s: float = CLAIM_S,
        bus: EventBus | None = None,
    ) -> None:
        """`past`: what was sent before, by a run that has ended, say.

        `arrivals`: whether these count, too. `departures`: where what leaves is kept for the next run.
        `claim_s`: how many seconds' worth of rows to claim at a time.
        `bus`: who hears that the window is full, or what a ceiling leaves of it.
        """
        past = past or Past()
        self._loop = asyncio.get_running_loop()
        self.window_s = window_s
        self.window_limit = max(1, int(per_second * window_s + 1e-9))
        self.cap = max(1, int(self.window_limit * (1 - headroom) + 1e-9))
        self.full_rate_per_s = self.cap / window_s
        self.rate_per_s = self.full_rate_per_s
        self._ceiling = Ceiling(self.cap, window_s)
        self._claim_s = claim_s
        self._spike = pace == "spike"
        self._window = WindowLog(window_s * (1 + SPIKE_MARGIN_SHARE) if self._spike else window_s)
        #: What was really sent, by the window of the limit.
        self._sent = WindowLog(window_s) if self._spike else self._window
        self._refused = WindowLog(window_s)
        self._open = 0
        self._waiter: asyncio.Future[None] | None = None
        self._wait = Wait(bus if bus is not None else EventBus())
        self._departures = departures
        self._arrivals = (Arrivals(self.window_limit, window_s),) if arrivals else ()
        #: The window of an earlier run was longer: it holds until nothing that left then is in it any more.
        self._longer: Arrivals | None = None
        self._longer_until_s = past.longer_until_s + past.spread_s
        if past.longer_until_s:
            longer_limit = int(int(per_second * past.longer_window_s + 1e-9) * (1 - headroom) + 1e-9)
            self._longer = Arrivals(max(1, longer_limit), past.longer_window_s)
        self._undated_until_s = past.undated_until_s
        for at_s in past.sent_at_s:
            self._window.add(at_s)
            if self._spike:
                self._sent.add(at_s)
            for each in self._all_arrivals():
                each.add_earlier(at_s + past.spread_s)
        self.worst_window = self.window_now()
        self._bucket = self._make_bucket()
        self._bucket_used = True
        if past.ceiling_per_s is not None:
            self._ceiling.take_over(int(past.ceiling_per_s * window_s + 1e-9), self._loop.time())
            self._follow_ceiling(self._loop.time())

    def _make_bucket(self) -> AsyncLimiter:
        burst = self.cap if self._spike else max(BURST_MIN, self.rate_per_s * BURST_S)
        return AsyncLimiter(burst, burst / self.rate_per_s)

    @property
    def ceiling_per_s(self) -> float | None:
        """What 429s have left of the rate; None: all."""
        return None if self._ceiling.at is None else self._ceiling.at / self.window_s

    @property
    def claim_size(self) -> int:
        """How many rows to claim at a time."""
        share = self.rate_per_s * (self.window_s if self._spike else self._claim_s)
        return max(1, min(int(share), CLAIM_MAX))

    @property
    def queue_depth(self) -> int:
        """How many permits may wait for a free worker: a hundredth of a second's worth."""
        return max(1, min(int(self.rate_per_s * BURST_S), 32))

    async def acquire(self, most: int) -> int:
        """Wait until a request may leave; returns how many permits there are now, 1 to `most`."""
        loop = self._loop
        try:
            while True:
                free = self._free(loop.time())
                if free <= 0:
                    await self._until_free()
                    continue
                self._wait.over()
                bucket = self._bucket
                if not self._bucket_used:
                    # A rate that has changed brings no burst along: the new bucket starts full.
                    self._bucket_used = True
                    await bucket.acquire(bucket.max_rate)
                wanted = min(most, free, int(bucket.max_rate))
                while wanted > 1 and not bucket.has_capacity(wanted):
                    wanted //= 2
                await bucket.acquire(wanted)
                if bucket is not self._bucket:
                    continue  # the rate has changed
                # Waiting for the bucket may have taken long: a ceiling may have come down.
                granted = min(wanted, self._free(loop.time()))
                if granted > 0:
                    self._open += granted
                    return granted
        finally:
            self._wait.over()

    def record_sent(self) -> None:
        """A request with a permit leaves now."""
        if self._departures is not None:
            self._departures.add()
        now_s = self._loop.time()
        self._window.add(now_s)
        if self._spike:
            self._sent.add(now_s)
        for arrivals in self._all_arrivals():
            arrivals.sent()
        self._open -= 1
        sent = self._sent.count(now_s)
        if sent > self.worst_window:
            self.worst_window = sent
        if self._waiter is not None:
            self._wake()

    def record_answer(self, sent_at_s: float, *, given_up: bool = False) -> None:
        """A request that was sent at `sent_at_s` is answered now, or `given_up`."""
        now_s = self._loop.time()
        for arrivals in self._all_arrivals():
            arrivals.answered(sent_at_s, now_s, given_up=given_up)
        if self._departures is not None:
            self._departures.answered(max((one.spread_s for one in self._arrivals), default=0.0))
        if self._waiter is not None:
            self._wake()

    def release(self, permits: int = 1) -> None:
        """Permits whose requests will not leave."""
        self._open -= permits
        if permits and self._waiter is not None:
            self._wake()

    def refused(self, sent_at_s: float) -> bool:
        """A request that was sent at `sent_at_s` was answered 429. True: the rate has changed."""
        now_s = self._loop.time()
        passed = self._sent.count(now_s) - self._sent.since(sent_at_s) - self._refused.count(now_s)
        self._refused.add(now_s)
        self._ceiling.refused(now_s, max(0, passed))
        return self._follow_ceiling(now_s)

    def passed(self) -> bool:
        """A request got through. True: the rate has changed."""
        if not self._ceiling.tracks_successes:
            return False
        now_s = self._loop.time()
        self._ceiling.passed(now_s, self._sent.count(now_s) - self._refused.count(now_s))
        if self._waiter is not None:
            self._wake()
        return self._follow_ceiling(now_s)

    def window_now(self) -> int:
        """Departures in the window that ends now."""
        return self._sent.count(self._loop.time())

    def _free(self, now_s: float) -> int:
        if now_s < self._undated_until_s:
            return 0
        used = self._window.count(now_s) + self._open
        free = self.cap - used
        if self._longer is not None and now_s >= self._longer_until_s:
            self._longer = None
        for arrivals in self._all_arrivals():
            free = min(free, arrivals.free(now_s) - self._open)
        if self._ceiling.stands:
            free = min(free, self._ceiling.cap(now_s) - used + self._refused.count(now_s))
        return free

    def _all_arrivals(self) -> tuple[Arrivals, ...]:
        return self._arrivals if self._longer is None else (*self._arrivals, self._longer)

    async def _until_free(self) -> None:
        """Wait until there is room in the window, the ceiling changes, or a permit or an answer comes back."""
        now_s = self._loop.time()
        full = self._full(now_s)
        if full:
            # Where one of them waits for no time, but for what is on its way, so does this.
            at_s = None if None in full else max(at for at in full if at is not None)
            reason = f"the limit of {self.window_limit:,} requests in {self.window_s:g} s is used up"
            if now_s < self._undated_until_s:
                reason = "what was sent shortly before cannot be counted, so a whole window is waited"
            if at_s is not None:
                self._wait.until(WaitKind.window, reason, at_s)
        else:
            times = [self._window.frees_at(1 - self._free(now_s)), self._ceiling.probes_at(now_s)]
            at_s = min((at for at in times if at is not None), default=None)
            if at_s is not None:
                self._wait.until(WaitKind.ceiling, CEILING_REASON, at_s)
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(at_s, self._wake) if at_s is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _full(self, now_s: float) -> list[float | None]:
        """When each window that is full has room again; None: when something comes back."""
        found: list[float | None] = []
        if now_s < self._undated_until_s:
            found.append(self._undated_until_s)
        over = self._window.count(now_s) + self._open - self.cap
        if over >= 0:
            found.append(self._window.frees_at(over + 1))
        found += [
            arrivals.frees_at(self._open + 1, now_s)
            for arrivals in self._all_arrivals()
            if arrivals.free(now_s) <= self._open
        ]
        return found

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _follow_ceiling(self, now_s: float) -> bool:
        """Go at the ceiling's pace while it stands for long. (The window follows it exactly.)"""
        rate = self.full_rate_per_s
        probes_at = self._ceiling.probes_at(now_s)
        if probes_at is not None and (probes_at - now_s > SHORT_S or self.rate_per_s < rate):
            rate = min(rate, self._ceiling.cap(now_s) / self.window_s * (1 + CATCH_UP_SHARE))
        if abs(rate - self.rate_per_s) <= RATE_STEP_SHARE * self.rate_per_s:
            return False
        self.rate_per_s = rate
        if not self._spike:
            self._bucket, self._bucket_used = self._make_bucket(), False
        return True

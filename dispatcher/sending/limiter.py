"""How fast requests may leave: promise 3. The only place that knows aiolimiter.

Two things stand in a request's way. A leaky bucket (aiolimiter) spreads requests evenly, or lets a spike pass. Behind
it, a log of what left in the last window is the law: whatever bucket, burst, rate or restart, no window of `window_s`
seconds holds more than `cap` departures, because the log refuses. The bucket alone would not do: a burst b and a refill
r let b + r·window through.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from aiolimiter import AsyncLimiter

#: A spike's requests need some time to leave; the next one keeps that distance, so that the server sees two windows.
SPIKE_MARGIN_SHARE = 0.015
#: How many hundredths of a second of the rate may leave at once: makes up for timers that wake late.
BURST_S = 0.01
#: The slowest the limiter goes after 429s, as a share of the limit.
FLOOR_SHARE = 0.2


class WindowLog:
    """Departures of the last window, exactly. Times are seconds on one monotonic clock."""

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._entries: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, at_s: float, n: int) -> None:
        """Count `n` departures at `at_s` (not before the latest)."""
        if self._entries and self._entries[-1][0] >= at_s:
            last_s, last_n = self._entries[-1]
            self._entries[-1] = (last_s, last_n + n)
        else:
            self._entries.append((at_s, n))
        self._total += n

    def count(self, now_s: float) -> int:
        """Departures in the window that ends now."""
        entries, horizon = self._entries, now_s - self.window_s
        while entries and entries[0][0] <= horizon:
            self._total -= entries.popleft()[1]
        return self._total

    def frees_at(self, n: int) -> float:
        """When the oldest `n` departures will have left the window."""
        seen = 0
        for at_s, count in self._entries:
            seen += count
            if seen >= n:
                return at_s + self.window_s
        return self._entries[-1][0] + self.window_s if self._entries else 0.0


class Limiter:
    """Hands out permits. One permit is one create request, retries included."""

    def __init__(
        self,
        *,
        per_second: float,
        window_s: float,
        headroom: float,
        pace: str,
        past_s: Iterable[float] = (),
    ) -> None:
        """`past_s`: when earlier requests left (before a restart, say), on the running loop's clock, ascending."""
        self._loop = asyncio.get_running_loop()
        self.window_limit = max(1, int(per_second * window_s + 1e-9))
        self.cap = max(1, int(self.window_limit * (1 - headroom) + 1e-9))
        self.full_rate_per_s = self.cap / window_s
        self.rate_per_s = self.full_rate_per_s
        self.worst_window = 0
        self._window_s = window_s
        self._spike = pace == "spike"
        self._law = WindowLog(window_s * (1 + SPIKE_MARGIN_SHARE) if self._spike else window_s)
        self._seen = WindowLog(window_s)
        for at_s in past_s:
            self._law.add(at_s, 1)
            self._seen.add(at_s, 1)
        self.worst_window = self._seen.count(self._loop.time())
        self._bucket = self._make_bucket()

    def _make_bucket(self) -> AsyncLimiter:
        burst = self._cap_now() if self._spike else max(1.0, self.rate_per_s * BURST_S)
        return AsyncLimiter(burst, burst / self.rate_per_s)

    def _cap_now(self) -> int:
        return max(1, min(self.cap, int(self.rate_per_s * self._window_s + 1e-9)))

    def lot(self) -> int:
        """How many rows to claim at a time: a quarter of a second's worth, so that little is in doubt after a crash."""
        if self._spike:
            return max(1, min(self._cap_now(), 200))
        return max(1, min(int(self.rate_per_s / 4), 200))

    async def acquire(self, most: int) -> int:
        """Wait until a request may leave; returns how many may leave now, 1 to `most`. They count as having left."""
        loop = self._loop
        while True:
            now_s = loop.time()
            free = self._cap_now() - self._law.count(now_s)
            if free <= 0:
                await asyncio.sleep(max(self._law.frees_at(1 - free) - now_s, 0.0005))
                continue
            bucket = self._bucket
            wanted = min(most, free, int(bucket.max_rate))
            while wanted > 1 and not bucket.has_capacity(wanted):
                wanted //= 2
            await bucket.acquire(wanted)
            now_s = loop.time()
            if self._cap_now() - self._law.count(now_s) < wanted:
                continue  # the rate was lowered, or others took the rest, while this waited
            self._law.add(now_s, wanted)
            self._seen.add(now_s, wanted)
            self.worst_window = max(self.worst_window, self._seen.count(now_s))
            return wanted

    def window_now(self) -> int:
        """Departures in the window that ends now."""
        return self._seen.count(self._loop.time())

    def set_rate(self, rate_per_s: float) -> None:
        """Go slower after a 429, or faster again; never above the full rate nor below a floor."""
        floor = self.full_rate_per_s * FLOOR_SHARE
        rate = min(max(rate_per_s, floor), self.full_rate_per_s)
        if rate != self.rate_per_s:
            self.rate_per_s = rate
            self._bucket = self._make_bucket()

"""The one hold that everything to an account waits at: after a 429, without a connection, after a run of failures.

Creates and reads share it, so that one 429 quiets the whole program instead of each worker finding out by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dispatcher.errors import BreakerOpen, StoppedEarly
from dispatcher.events import EventBus, RateChanged, Resumed, Waiting
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.retry import after_throttle, pauses
from dispatcher.settings import RetrySettings

#: After a 429 the rate becomes this share of what got through in the last window (or of itself, where that is less).
SLOWER = 0.95
#: How much of the full rate comes back each second without a 429.
FASTER_PER_S = 0.02
#: The first seconds after a 429 keep the lowered rate.
QUIET_S = 3.0


class Hold:
    """State machine: open → held (429, no connection, breaker) → open. All times on the running loop's clock."""

    def __init__(self, settings: RetrySettings, bus: EventBus, *, stop: Callable[[StoppedEarly], None]) -> None:
        self._settings = settings
        self._bus = bus
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self.limiter: Limiter | None = None
        self._until_s = 0.0
        self._began_s = 0.0
        self._waiting = False
        self._throttle_pauses = pauses(settings.backoff_base_s, settings.backoff_max_s)
        self._trouble_pauses = pauses(settings.backoff_base_s, settings.backoff_max_s)
        self._failures = 0
        self._connect_failures = 0
        self._throttled_since_s: float | None = None
        self._changed_s = 0.0

    @property
    def probing(self) -> bool:
        """After a run of failures one request at a time finds out whether it is over."""
        return self._failures >= self._settings.breaker_failures // 2 or self._connect_failures > 0

    async def wait(self) -> None:
        """Return when requests may leave."""
        # Not an event: the end may move while this waits, and nobody needs to be woken early.
        while (left_s := self._until_s - self._loop.time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left_s)
        if self._waiting:
            self._waiting = False
            self._bus.progress.waiting = None
            self._bus.emit(Resumed())

    @property
    def held(self) -> bool:
        """Whether requests must wait now."""
        return self._until_s > self._loop.time()

    def answered(self, left_s: float) -> None:
        """A create that left at `left_s` was answered in earnest: neither 429 nor failure."""
        self._failures = self._connect_failures = 0
        if left_s >= self._began_s:
            self._throttled_since_s = None
            self._throttle_pauses = pauses(self._settings.backoff_base_s, self._settings.backoff_max_s)
            self._trouble_pauses = pauses(self._settings.backoff_base_s, self._settings.backoff_max_s)
        self._recover()

    def throttled(self, retry_after_s: float | None, left_s: float | None = None) -> None:
        """A 429. Those of requests that left before the present hold began are its echo and change nothing."""
        now_s = self._loop.time()
        self._failures = self._connect_failures = 0
        if left_s is not None and left_s < self._began_s:
            return
        if self._throttled_since_s is None:
            self._throttled_since_s = now_s
        elif now_s - self._throttled_since_s > self._settings.throttled_give_up_s:
            self._stop(
                StoppedEarly(
                    f"Studio has answered nothing but 429 for {now_s - self._throttled_since_s:.0f} s",
                    fix="lower [rate] per_second, or resume later: dispatcher resume CAMPAIGN",
                )
            )
        self._slow_down(now_s)
        pause_s = after_throttle(retry_after_s, next(self._throttle_pauses))
        why = f"Retry-After {retry_after_s:g} s" if retry_after_s is not None else "backing off"
        self._hold(now_s, pause_s, f"Studio answered 429, too many requests ({why})")

    def failed(self, message: str, *, connected: bool) -> None:
        """A request without an answer. Too many in a row stop the run; without a connection each would fail: pause."""
        now_s = self._loop.time()
        self._failures += 1
        if not connected:
            if not self.held:
                self._connect_failures += 1
                if self._connect_failures >= self._settings.connect_attempts:
                    self._stop(self._breaker(f"{self._connect_failures} attempts to connect failed", message))
                self._hold(now_s, next(self._trouble_pauses), message)
        elif self._failures >= self._settings.breaker_failures:
            self._stop(self._breaker(f"{self._failures} requests in a row failed", message))
        elif self.probing and not self.held:
            self._hold(now_s, next(self._trouble_pauses), f"{self._failures} failures in a row, the last: {message}")

    def _breaker(self, what: str, last: str) -> StoppedEarly:
        return BreakerOpen(
            f"{what}; sending stopped", found=last, fix="check the network and Studio's status, then dispatcher resume"
        )

    def _hold(self, now_s: float, pause_s: float, reason: str) -> None:
        self._began_s = now_s
        self._until_s = max(self._until_s, now_s + pause_s)
        self._waiting = True
        progress = self._bus.progress
        progress.waiting, progress.waiting_until_s = reason, self._until_s
        self._bus.emit(Waiting(reason=reason, until_s=self._until_s))

    def _slow_down(self, now_s: float) -> None:
        limiter = self.limiter
        if limiter is None or now_s - self._changed_s < 1.0:
            return
        self._changed_s = now_s
        limiter.set_rate(limiter.rate_per_s * SLOWER)
        self._tell_rate("429")

    def _recover(self) -> None:
        limiter = self.limiter
        if limiter is None or limiter.rate_per_s >= limiter.full_rate_per_s:
            return
        now_s = self._loop.time()
        if now_s - self._changed_s < QUIET_S:
            return
        # Step by step: a small step a second.
        self._changed_s = now_s - QUIET_S + 1.0
        limiter.set_rate(limiter.rate_per_s + limiter.full_rate_per_s * FASTER_PER_S)
        self._tell_rate("recovering")

    def _tell_rate(self, reason: str) -> None:
        assert self.limiter is not None
        self._bus.progress.rate_allowed_per_s = self.limiter.rate_per_s
        self._bus.emit(RateChanged(rate_per_s=self.limiter.rate_per_s, reason=reason))

"""The one hold that everything to an account waits at: after a 429, without a connection, after a run of failures.

Creates and reads share it, so that one 429 quiets the whole program instead of each worker finding out by itself. When
a pause is over, one create goes first, the probe; the others follow when it is answered in earnest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from dispatcher.errors import BreakerOpen, StoppedEarly
from dispatcher.events import EventBus, RateChanged, WaitKind
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.retry import after_throttle, pauses
from dispatcher.settings import RetrySettings


class Hold:
    """State machine: open → held (429, no connection, breaker) → probing → open. Times are the running loop's."""

    def __init__(self, settings: RetrySettings, bus: EventBus, *, stop: Callable[[StoppedEarly], None]) -> None:
        self._settings = settings
        self._bus = bus
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self.limiter: Limiter | None = None
        self._until_s = 0.0
        self._began_s = 0.0
        self._waiting = False
        self._probing = False
        self._probe_out = False
        #: Creates that wait for the probe's answer, or to be the next.
        self._waiters = 0
        self._changed = asyncio.Event()
        self._throttle_pauses: Iterator[float] | None = None
        self._trouble_pauses = pauses(settings.backoff_base_s, settings.backoff_max_s)
        self._failures = 0
        self._connect_failures = 0
        self._throttled_since_s: float | None = None

    @property
    def held(self) -> bool:
        """Whether everything must wait now."""
        return self._until_s > self._loop.time()

    @property
    def closed(self) -> bool:
        """Whether creates must ask `admit` before they leave."""
        return self._probing or self.held

    async def wait(self) -> None:
        """Return when the pause is over. Enough for reads."""
        while True:
            left_s = self._until_s - self._loop.time()
            if left_s <= 0:
                break
            await asyncio.sleep(left_s)
        if self._waiting:
            self._waiting = False
            self._bus.progress.waiting = None
            self._bus.resume(WaitKind.throttled)

    async def admit(self) -> None:
        """Return when one create may leave: the probe, and once that is answered in earnest, whoever waits here."""
        self._waiters += 1
        try:
            while True:
                await self.wait()
                if not self._probing:
                    return
                if not self._probe_out:
                    self._probe_out = True
                    return
                await self.changed()
        finally:
            self._waiters -= 1

    @property
    def probing(self) -> bool:
        """Whether a pause is over, and it is not known yet that things are well."""
        return self._probing and not self.held

    @property
    def lacks_probe(self) -> bool:
        """Whether it takes a create to find out how things are, and none is on its way."""
        return self._probing and not self._probe_out and not self._waiters

    async def changed(self) -> None:
        """Return when the probe has been answered or lost, or a new pause has begun."""
        self._changed.clear()
        await self._changed.wait()

    def answered(self, left_s: float) -> None:
        """A create that left at `left_s` was answered in earnest: neither 429 nor failure."""
        self._failures = self._connect_failures = 0
        if self._probing and left_s >= self._began_s:
            self._reopen()
        if self.limiter is not None and self.limiter.passed():
            self._tell_rate("recovering")

    def throttled(self, retry_after_s: float | None, left_s: float | None = None) -> None:
        """A 429 to a create that left at `left_s`, or to a read (None).

        Those of creates that left before the present pause began are its echo: they change nothing.
        """
        now_s = self._loop.time()
        self._failures = self._connect_failures = 0
        if left_s is None:
            # Whoever reads backs off by itself, too. A pause without end would be ended by the next create's answer.
            pause_s = after_throttle(retry_after_s, self._settings.backoff_base_s)
            self._hold_throttled(now_s, min(pause_s, self._settings.throttled_give_up_s), retry_after_s)
            return
        if left_s < self._began_s:
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
        if retry_after_s is not None and retry_after_s > self._settings.throttled_give_up_s:
            self._stop(
                StoppedEarly(
                    "Studio wants nothing for longer than anybody should wait",
                    found=f"429 with Retry-After {retry_after_s:.0f} s",
                    fix="resume later: dispatcher resume CAMPAIGN",
                )
            )
        if self.limiter is not None and self.limiter.refused(left_s):
            self._tell_rate("429")
        if self._throttle_pauses is None:
            self._throttle_pauses = pauses(self._settings.backoff_base_s, self._throttle_pause_max_s())
        self._hold_throttled(now_s, after_throttle(retry_after_s, next(self._throttle_pauses)), retry_after_s)

    def _throttle_pause_max_s(self) -> float:
        """A window after the last request there is room again, so that a longer pause would only lose time."""
        longest_s = self._settings.backoff_max_s
        return longest_s if self.limiter is None else min(longest_s, self.limiter.window_s)

    def _hold_throttled(self, now_s: float, pause_s: float, retry_after_s: float | None) -> None:
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
        elif self._failures >= self._settings.breaker_failures // 2 and not self.held:
            self._hold(now_s, next(self._trouble_pauses), f"{self._failures} failures in a row, the last: {message}")
        elif self._probing and not self.held:
            # The probe proved nothing: the next may go.
            self._probe_out = False
            self._changed.set()

    def _breaker(self, what: str, last: str) -> StoppedEarly:
        return BreakerOpen(
            f"{what}; sending stopped", found=last, fix="check the network and Studio's status, then dispatcher resume"
        )

    def _hold(self, now_s: float, pause_s: float, reason: str) -> None:
        self._began_s = now_s
        self._until_s = max(self._until_s, now_s + pause_s)
        self._waiting = self._probing = True
        self._probe_out = False
        self._changed.set()
        progress = self._bus.progress
        progress.waiting, progress.waiting_until_s = reason, self._until_s
        self._bus.wait(WaitKind.throttled, reason, self._until_s - now_s)

    def _reopen(self) -> None:
        self._probing = self._probe_out = False
        self._changed.set()
        self._throttled_since_s = None
        self._throttle_pauses = None
        self._trouble_pauses = pauses(self._settings.backoff_base_s, self._settings.backoff_max_s)

    def _tell_rate(self, reason: str) -> None:
        assert self.limiter is not None
        self._bus.progress.rate_allowed_per_s = self.limiter.rate_per_s
        self._bus.emit(RateChanged(rate_per_s=self.limiter.rate_per_s, reason=reason))

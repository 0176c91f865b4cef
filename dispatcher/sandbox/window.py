"""The account's rate limit: how many requests fell into the last window, exactly."""

from __future__ import annotations

from collections import deque


class SlidingWindow:
    """Counts events in the half-open window `(now - window, now]`, and remembers the worst window ever seen.

    The worst window of any length-`window` stretch ends at an event, so looking only when one arrives misses none.
    Times are integers (microseconds), so that the edge of the window is exact, and never go back.
    """

    __slots__ = ("_times", "_window_us", "worst")

    def __init__(self, window_us: int) -> None:
        self._window_us = window_us
        self._times: deque[int] = deque()
        self.worst = 0

    def count(self, now_us: int) -> int:
        """Events in the window that ends now."""
        times, edge = self._times, now_us - self._window_us
        while times and times[0] <= edge:
            times.popleft()
        return len(times)

    def add(self, now_us: int) -> int:
        """Record one event now; the count with it included."""
        self._times.append(now_us)
        count = self.count(now_us)
        self.worst = max(self.worst, count)
        return count


class RateLimit:
    """Studio's limit on creates: an average over a window, so a spike passes as long as the window holds it.

    A create is refused when it would be the (limit + 1)-th in some window. Whether a refused one counts against the
    window too is not documented, so it is a switch.
    """

    __slots__ = ("_count_refused", "_limit", "accepted", "arrived")

    def __init__(self, *, limit_per_window: int | None, window_us: int, count_refused: bool) -> None:
        self._limit = limit_per_window
        self._count_refused = count_refused
        self.accepted = SlidingWindow(window_us)
        self.arrived = SlidingWindow(window_us)

    def arrive(self, now_us: int) -> None:
        """A create request is there, whatever becomes of it."""
        self.arrived.add(now_us)

    def accept(self, now_us: int) -> bool:
        """Whether the request that just arrived may go on; if so it counts."""
        if self._limit is not None:
            # `arrived` already holds the request in question.
            used = self.arrived.count(now_us) - 1 if self._count_refused else self.accepted.count(now_us)
            if used >= self._limit:
                return False
        self.accepted.add(now_us)
        return True

"""What happened in the last window, counted exactly."""

from __future__ import annotations

from collections import deque


class WindowLog:
    """What was sent in the last window. Times are seconds on one monotonic clock, ascending.

    Within a millisecond they are kept as one, at the latest of them: never too few are counted, and the log is small.
    """

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._entries: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, at_s: float, n: int = 1) -> None:
        """Count `n` at `at_s`."""
        entries = self._entries
        self._total += n
        if entries:
            last_s, last_n = entries[-1]
            if last_s >= at_s or int(last_s * 1000) == int(at_s * 1000):
                entries[-1] = (max(last_s, at_s), last_n + n)
                return
        entries.append((at_s, n))

    def count(self, now_s: float) -> int:
        """How many in the window that ends now."""
        entries, window_s = self._entries, self.window_s
        while entries and entries[0][0] + window_s <= now_s:
            self._total -= entries.popleft()[1]
        return self._total

    def since(self, at_s: float) -> int:
        """How many at `at_s` or later."""
        n = 0
        for when_s, count in reversed(self._entries):
            if when_s < at_s:
                break
            n += count
        return n

    def frees_at(self, n: int) -> float | None:
        """When the oldest `n` will have left the window; None: there are not so many."""
        for at_s, count in self._entries:
            n -= count
            if n <= 0:
                return at_s + self.window_s
        return None

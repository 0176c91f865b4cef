"""Until when what was sent may have arrived: the server counts arrivals, and the way there is not always as long.

A request that was answered had arrived before; how long before is not known, but it cannot have been less than the rest
of the quickest request there ever was, way there and way back together. So it may have arrived as much later than it
was sent as it took longer than the quickest, and so much longer it counts. Of one that is not answered yet nothing is
known: it counts. Where every request takes the same time this costs nothing.
"""

from __future__ import annotations

import math

from dispatcher.sending.window import WindowLog


class Arrivals:
    """At most `limit` in any window, wherever in its time each arrived. Times are seconds on one monotonic clock."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        #: Sent, and not answered or given up.
        self._on_way = 0
        self._answered = WindowLog(window_s)
        self._quickest_s = math.inf
        self._slowest_s = 0.0
        #: What earlier runs sent, at the time when it may have arrived.
        self._before = WindowLog(window_s)

    def add_earlier(self, at_s: float) -> None:
        """A request of an earlier run, which may have arrived as late as this."""
        self._before.add(at_s)

    def sent(self) -> None:
        """A request leaves."""
        self._on_way += 1

    def answered(self, sent_at_s: float, now_s: float, *, given_up: bool = False) -> None:
        """It was answered, or given up."""
        self._on_way -= 1
        took_s = now_s - sent_at_s
        self._quickest_s = min(self._quickest_s, took_s)
        if not given_up:
            self._slowest_s = max(self._slowest_s, took_s)
        self._answered.add(now_s)

    @property
    def spread_s(self) -> float:
        """How much longer than the quickest any took to be answered: how slow the first were is told by later ones."""
        return max(0.0, self._slowest_s - self._rest_s)

    def free(self, now_s: float) -> int:
        """How many more may be sent now."""
        rest_s = self._rest_s
        return self._limit - self._on_way - self._answered.count(now_s + rest_s) - self._before.count(now_s)

    def frees_at(self, n: int, now_s: float) -> float | None:
        """When `n` may be sent at the soonest; None: no sooner than some that are on their way are answered."""
        missing = n - self.free(now_s)
        earlier_s, answered_s = self._before.frees_at(missing), self._answered.frees_at(missing)
        if answered_s is None:
            return earlier_s
        answered_s -= self._rest_s
        return answered_s if earlier_s is None else min(earlier_s, answered_s)

    @property
    def _rest_s(self) -> float:
        """The least that a request's way and answer take together."""
        return 0.0 if math.isinf(self._quickest_s) else self._quickest_s

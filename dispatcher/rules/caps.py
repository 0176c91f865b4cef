"""Daily caps: no more than so many executions between midnight and midnight of one zone."""

from __future__ import annotations

from datetime import date

from dispatcher.rules import clocks
from dispatcher.rules.hours import Span

_EPOCH_DAY = date(1970, 1, 1).toordinal()


class DailyCap:
    """How many more may be begun today. Pure: the time is told. Times are milliseconds since 1970."""

    def __init__(self, per_day: int, zone: str) -> None:
        """`zone`: the IANA name of the zone whose midnight begins the day."""
        self._per_day, self._zone = per_day, zone
        self._day: Span = (0, 0)
        self._begun = 0
        #: Those begun today of which it is not known what they come to.
        self._open: set[int] = set()

    def day(self, at_ms: int) -> Span:
        """When the day begins that it is, and when the next one does."""
        if not self._day[0] <= at_ms < self._day[1]:
            today = clocks.wall_time(self._zone, at_ms // 1000).toordinal() - _EPOCH_DAY
            # Where midnight comes twice, or not at all, the day begins as soon as its date does.
            begins_s, ends_s = (clocks.zone_instants(self._zone, day * clocks.DAY_S)[0] for day in (today, today + 1))
            self._day, self._begun = (begins_s * 1000, ends_s * 1000), 0
            self._open.clear()
        return self._day

    def seed(self, begun: int, at_ms: int) -> None:
        """So many were begun since the day began."""
        self.day(at_ms)
        self._begun = begun

    def room(self, at_ms: int) -> int:
        """How many more may be begun today."""
        self.day(at_ms)
        return max(0, self._per_day - self._begun)

    def until_ms(self, at_ms: int) -> int | None:
        """When there is room again; None: there is."""
        return None if self.room(at_ms) else self.day(at_ms)[1]

    def begin(self, attempt_id: int) -> None:
        """One more is begun."""
        self._begun += 1
        self._open.add(attempt_id)

    def end(self, attempt_id: int, *, counts: bool) -> None:
        """It is known what it came to: `counts` where it created an execution, or may have."""
        if attempt_id in self._open:
            self._open.remove(attempt_id)
            self._begun -= not counts

"""Daily caps: no more than so many executions between midnight and midnight of one zone, in all or of each sender."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from dispatcher.rules import clocks
from dispatcher.rules.hours import Span

_EPOCH_DAY = date(1970, 1, 1).toordinal()


class _Today:
    """From when to when the day is that it is."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self.span: Span = (0, 0)

    def is_over(self, at_ms: int) -> bool:
        """Whether it is another day than when this was last asked; `span` is that one's from now on."""
        if self.span[0] <= at_ms < self.span[1]:
            return False
        today = clocks.wall_time(self._zone, at_ms // 1000).toordinal() - _EPOCH_DAY
        # Where midnight comes twice, or not at all, the day begins as soon as its date does.
        begins_s, ends_s = (clocks.zone_instants(self._zone, day * clocks.DAY_S)[0] for day in (today, today + 1))
        self.span = begins_s * 1000, ends_s * 1000
        return True


class DailyCap:
    """How many more may be begun today. Pure: the time is told. Times are milliseconds since 1970."""

    def __init__(self, per_day: int, zone: str) -> None:
        """`zone`: the IANA name of the zone whose midnight begins the day."""
        self._per_day = per_day
        self._today = _Today(zone)
        self._begun = 0
        #: Those begun today of which it is not known what they come to.
        self._open: set[int] = set()

    def day(self, at_ms: int) -> Span:
        """When the day begins that it is, and when the next one does."""
        if self._today.is_over(at_ms):
            self._begun = 0
            self._open.clear()
        return self._today.span

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


@dataclass(frozen=True, slots=True)
class Rooms:
    """How many more each sender may begin, at one moment."""

    per_day: int
    #: Sender -> how many it has begun; who is missing has begun none.
    begun: Mapping[str, int]

    def of(self, sender: str) -> int:
        """How many more it may begin."""
        return max(0, self.per_day - self.begun.get(sender, 0))

    @property
    def full(self) -> list[str]:
        """Who may begin none."""
        return [sender for sender, n in self.begun.items() if n >= self.per_day]


@dataclass(frozen=True, slots=True)
class Capped:
    """Of whom nothing more is begun today."""

    #: When the day ends.
    until_ms: int = 0
    #: Of all senders.
    everyone: bool = False
    senders: frozenset[str] = frozenset()

    @property
    def everyone_ms(self) -> int | None:
        """Until when nothing is begun at all; None: something may be."""
        return self.until_ms if self.everyone else None

    @property
    def some(self) -> bool:
        """Whether it depends on the sender."""
        return bool(self.senders) and not self.everyone

    def of_ms(self, sender: str) -> int | None:
        """Until when nothing of a sender is begun; None: something may be."""
        return self.until_ms if self.everyone or sender in self.senders else None


#: There is room for all.
UNCAPPED = Capped()


def capped(at_ms: int, cap: DailyCap | None, sender_cap: SenderCap | None) -> Capped:
    """What both caps say; they have the same day."""
    one = cap or sender_cap
    if one is None:
        return UNCAPPED
    full = frozenset() if sender_cap is None else frozenset(sender_cap.rooms(at_ms).full)
    return Capped(one.day(at_ms)[1], cap is not None and cap.until_ms(at_ms) is not None, full)


class SenderCap:
    """How many more each sender may begin today: a number, a Messaging Service, as Studio is told it. As `DailyCap`."""

    def __init__(self, per_day: int, zone: str) -> None:
        """`zone`: the IANA name of the zone whose midnight begins the day."""
        self._per_day = per_day
        self._today = _Today(zone)
        self._begun: Counter[str] = Counter()
        #: Those begun today of which it is not known what they come to, and whose they are.
        self._open: dict[int, str] = {}

    def day(self, at_ms: int) -> Span:
        """When the day begins that it is, and when the next one does."""
        if self._today.is_over(at_ms):
            self._begun.clear()
            self._open.clear()
        return self._today.span

    def seed(self, begun: Mapping[str, int], at_ms: int) -> None:
        """So many were begun by each since the day began."""
        self.day(at_ms)
        self._begun = Counter(begun)

    def rooms(self, at_ms: int) -> Rooms:
        """How many more each may begin today; stays as it is now."""
        self.day(at_ms)
        return Rooms(self._per_day, dict(self._begun))

    def room(self, sender: str, at_ms: int) -> int:
        """How many more one of them may begin today."""
        self.day(at_ms)
        return max(0, self._per_day - self._begun[sender])

    def begin(self, begun: Iterable[tuple[int, str]]) -> None:
        """These are begun: attempts, and by whom."""
        for attempt_id, sender in begun:
            self._begun[sender] += 1
            self._open[attempt_id] = sender

    def end(self, attempt_id: int, *, counts: bool) -> None:
        """It is known what it came to: `counts` where it created an execution, or may have."""
        sender = self._open.pop(attempt_id, None)
        if sender is not None:
            self._begun[sender] -= not counts

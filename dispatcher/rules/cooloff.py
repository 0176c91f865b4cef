"""Cool-off: no contact more than so many times in so many rolling hours, by whatever campaigns of the account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class CoolOff:
    """So many contacts at most in so many rolling hours."""

    max: int
    period_h: int

    @property
    def period_ms(self) -> int:
        """How long one counts."""
        return self.period_h * _HOUR_MS

    def free_ms(self, begun_ms: Iterable[int], at_ms: int) -> int:
        """When there is room for one more than these, begun at or before `at_ms`; 0: now."""
        counted = sorted(begun for begun in begun_ms if begun + self.period_ms >= at_ms)
        # Where there are more than the cap (it was lowered), enough of them have to fall out.
        return counted[-self.max] + self.period_ms + 1 if len(counted) >= self.max else 0


@dataclass(frozen=True, slots=True)
class CoolOffs:
    """The cool-offs of a campaign: its own, everywhere, and those of presets, each where it applies."""

    own: CoolOff | None = None
    #: Place -> those of its presets; a place that is not here has none.
    of_places: Mapping[int, Sequence[CoolOff]] = field(default_factory=dict)
    #: Rows above the cap are left out instead of waiting.
    skips: bool = False

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.own is not None or bool(self.of_places)

    @property
    def longest_ms(self) -> int:
        """What was begun longer ago counts for none of them."""
        own = [self.own] if self.own else []
        return max((one.period_ms for group in (own, *self.of_places.values()) for one in group), default=0)

    def of(self, place_id: int) -> Sequence[CoolOff]:
        """Those that hold for contacts of a place."""
        there = self.of_places.get(place_id, ())
        return (self.own, *there) if self.own else there

    def until_ms(self, place_id: int, begun_ms: Sequence[int], at_ms: int) -> tuple[int, CoolOff] | None:
        """When a contact who was reached at these times may be again, and what says so; None: now."""
        found = [(one.free_ms(begun_ms, at_ms), one) for one in self.of(place_id)]
        until_ms, one = max(found, key=lambda pair: pair[0], default=(0, None))
        return (until_ms, one) if until_ms and one else None


def hold_ms(until_ms: int) -> int:
    """Until when a row is held for it: the end of the minute, so that those who wait together are few, and a little.

    A row's own time is hardly ever a millisecond behind a minute; so what a row waits for is seen by its time.
    """
    return -(-until_ms // _MINUTE_MS) * _MINUTE_MS + 1


def is_hold(not_before_ms: int) -> bool:
    """Whether a row waits until then for its cool-off."""
    return not_before_ms % _MINUTE_MS == 1

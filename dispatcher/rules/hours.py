"""When a place is open: the hours that apply to it, on each of its clocks, from an instant on.

Every rule narrows: what is left is inside the hours of each rule in *each* zone of the place. All is integers: hours
become windows on the wall once for all places of a kind, those become instants once for each clock that differs, and
these are intersected once for each set of clocks. Where the clock is set back over an edge, a window opens at the
second occurrence of its hour and closes at the first; an hour that is skipped is the instant of the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TypeAlias

from dispatcher.errors import HoursError
from dispatcher.rules import clocks
from dispatcher.rules.days_off import days_off
from dispatcher.rules.places import Place
from dispatcher.rules.presets import HOLIDAYS, Preset, PresetKind, presets
from dispatcher.rules.week import Week, read_week

#: [opens, closes), of whatever unit.
Span: TypeAlias = tuple[int, int]

#: A place that does not open for so long is as good as closed.
HORIZON_DAYS = 8

_EPOCH_DAY = date(1970, 1, 1).toordinal()
#: Wall times are looked at from so many days before the first instant to so many after the last: a window may be a day
#: long, and no clock is a day off.
_MARGIN_DAYS = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """Hours that must hold."""

    week: Week
    #: Closed on public holidays of the contact's country and state.
    holidays_closed: bool


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a campaign: presets, each where it applies, and its own, everywhere."""

    presets: tuple[Preset, ...]
    own: Rule | None
    #: Nothing leaves in so many last minutes of a window.
    close_early_min: int

    def applying(self, country: str | None, area: str | None) -> tuple[Preset, ...]:
        """The presets that hold for contacts of this country and state."""
        return tuple(one for one in self.presets if one.applies(country, area))

    def rules(self, country: str | None, area: str | None) -> tuple[Rule, ...]:
        """What must hold for contacts of this country and state."""
        found = [Rule(one.week, one.holidays_closed) for one in self.applying(country, area)]
        # Once each: Florida's and New Jersey's may be the same, and then so are their openings.
        return tuple(dict.fromkeys([*found, *([self.own] if self.own else [])]))


def read_hours(
    names: Iterable[str],
    *,
    override: Iterable[str] = (),
    own: str | Mapping[str, str] | None = None,
    holidays: str = "open",
    close_early_min: int = 0,
) -> Hours:
    """The hours that settings mean.

    names: presets; `texts` stands for all that are shipped for marketing texts, the floor included.
    override: presets that are left out. own: as `week.read_week` takes them; None: none of one's own. holidays: `open`,
    or `closed` for all contacts.

    Raises: HoursError: an unknown name, hours that cannot be read, or that never open.
    """
    chosen: dict[str, Preset] = {}
    for name in names:
        chosen |= presets() if name == PresetKind.texts else {name: _preset(name, PresetKind.texts)}
    for name in override:
        chosen.pop(_preset(name).name, None)
    is_closed = HOLIDAYS[holidays]
    rule = Rule(read_week(own), is_closed) if own is not None else None
    if rule is None and is_closed:
        rule = Rule(read_week("00:00-24:00"), is_closed)
    hours = Hours(tuple(chosen.values()), rule, close_early_min)
    # Two weeks, beginning with a Monday.
    windows = _walls(hours.rules(None, None), 1, 15, frozenset())
    if not any(closes_s - opens_s > 60 * close_early_min for opens_s, closes_s in windows):
        raise HoursError(
            "the hours never open: what presets and hours of one's own leave in common is nothing, or closes early",
            found=None if own is None else str(own),
        )
    return hours


def _preset(name: str, *groups: str) -> Preset:
    """A preset by its name; `groups`: what else could have been named there."""
    if name in presets():
        return presets()[name]
    names = [*groups, *presets()]
    near = get_close_matches(name.casefold().replace("_", "-"), names, 1)
    fix = f"is {near[0]} meant?" if near else f"the presets are {', '.join(names)}"
    raise HoursError("there is no such preset", found=repr(name[:60]), fix=fix)


def openings(place: Place, hours: Hours, from_ms: int, days: int = HORIZON_DAYS) -> list[Span]:
    """When a place is open from an instant on, for so many days: [opens, closes) in milliseconds since 1970, ascending.

    What is open at the first instant opens there; what is open at the end closes there. Empty: not open at all.
    """
    return Openings(hours, from_ms, days).of(place)


class Openings:
    """The openings of many places from an instant on; whatever they share is worked out once."""

    def __init__(self, hours: Hours, from_ms: int, days: int = HORIZON_DAYS) -> None:
        self._hours = hours
        self._from_ms, self._to_ms = from_ms, from_ms + days * clocks.DAY_S * 1000
        self._first_day = from_ms // 1000 // clocks.DAY_S + _EPOCH_DAY - _MARGIN_DAYS
        self._last_day = self._first_day + days + 2 * _MARGIN_DAYS
        self._walls: dict[tuple[str | None, str | None], tuple[Span, ...]] = {}
        self._walls_by_rules: dict[tuple[tuple[Rule, ...], frozenset[int]], tuple[Span, ...]] = {}
        self._clocks: dict[str, tuple[clocks.Segment, ...]] = {}
        self._shown: dict[tuple[tuple[Span, ...], tuple[clocks.Segment, ...]], list[Span]] = {}
        self._open: dict[tuple[tuple[Span, ...], frozenset[tuple[clocks.Segment, ...]]], list[Span]] = {}

    def of(self, place: Place) -> list[Span]:
        """As `openings`. Raises: clocks.UnknownZone."""
        walls = self._walls_of(place.country, place.area)
        shown = frozenset(self._clock(name) for name in place.zones)
        key = (walls, shown)
        if key not in self._open:
            self._open[key] = self._clipped(_common([self._instants(walls, clock) for clock in shown]))
        return list(self._open[key])

    def _walls_of(self, country: str | None, area: str | None) -> tuple[Span, ...]:
        where = (country, area)
        if where not in self._walls:
            rules = self._hours.rules(country, area)
            off = frozenset[int]()
            if any(rule.holidays_closed for rule in rules):
                first, last = date.fromordinal(self._first_day), date.fromordinal(self._last_day)
                off = days_off(country, area, range(first.year, last.year + 1))
                off &= frozenset(range(self._first_day, self._last_day))
            key = (rules, off)
            if key not in self._walls_by_rules:
                self._walls_by_rules[key] = _walls(rules, self._first_day, self._last_day, off)
            self._walls[where] = self._walls_by_rules[key]
        return self._walls[where]

    def _clock(self, name: str) -> tuple[clocks.Segment, ...]:
        if name not in self._clocks:
            first_s = (self._first_day - _EPOCH_DAY) * clocks.DAY_S
            self._clocks[name] = clocks.segments(name, first_s, (self._last_day - _EPOCH_DAY) * clocks.DAY_S)
        return self._clocks[name]

    def _instants(self, walls: tuple[Span, ...], clock: tuple[clocks.Segment, ...]) -> list[Span]:
        key = (walls, clock)
        if key not in self._shown:
            spans = ((clocks.instants(clock, opens)[1], clocks.instants(clock, closes)[0]) for opens, closes in walls)
            self._shown[key] = [(opens, closes) for opens, closes in spans if opens < closes]
        return self._shown[key]

    def _clipped(self, spans: Iterable[Span]) -> list[Span]:
        early_ms = self._hours.close_early_min * 60_000
        clipped = (
            (max(opens * 1000, self._from_ms), min(closes * 1000 - early_ms, self._to_ms)) for opens, closes in spans
        )
        return [(opens, closes) for opens, closes in clipped if opens < closes]


def _walls(rules: tuple[Rule, ...], first_day: int, last_day: int, off: frozenset[int]) -> tuple[Span, ...]:
    """The windows that all rules leave, on the wall in seconds, of the days from `first_day` up to before `last_day`.

    Days are those of `date.toordinal`; `off` are public holidays.
    """
    whole = [((first_day - _EPOCH_DAY) * clocks.DAY_S, (last_day - _EPOCH_DAY) * clocks.DAY_S)]
    return tuple(_common([whole, *(_windows(rule, first_day, last_day, off) for rule in rules)]))


def _windows(rule: Rule, first_day: int, last_day: int, off: frozenset[int]) -> list[Span]:
    merged: list[Span] = []
    for day in range(first_day, last_day):
        if rule.holidays_closed and day in off:
            continue
        midnight_s = (day - _EPOCH_DAY) * clocks.DAY_S
        # Ordinal 1 was a Monday.
        for opens_min, closes_min in rule.week[(day - 1) % 7]:
            opens_s, closes_s = midnight_s + opens_min * 60, midnight_s + closes_min * 60
            if merged and opens_s <= merged[-1][1]:
                # From midnight to midnight every day is one long window, over any change of the clock.
                merged[-1] = (merged[-1][0], max(merged[-1][1], closes_s))
            else:
                merged.append((opens_s, closes_s))
    return merged


def _common(many: Sequence[Sequence[Span]]) -> list[Span]:
    """What is in one span of each; each is ascending, without overlaps."""
    first, *others = many
    common = list(first)
    for other in others:
        left, common, position = common, [], 0
        for opens, closes in left:
            while position < len(other) and other[position][1] <= opens:
                position += 1
            for other_opens, other_closes in other[position:]:
                if other_opens >= closes:
                    break
                common.append((max(opens, other_opens), min(closes, other_closes)))
    return common

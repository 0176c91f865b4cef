"""The room's promise: what is open is inside the hours by every clock of the place, asked minute by minute.

The other answer (wall_clocks.py) asks each minute by itself. What it finds inside and we have closed must be an hour
that comes twice, or the last minutes of a window that closes early.
"""

from __future__ import annotations

import random
from datetime import date
from functools import cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.rules.days_off import days_off
from dispatcher.rules.hours import Hours, Openings, Rule, Span, openings
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.presets import Preset, PresetKind
from dispatcher.rules.week import DAY_MIN, Week, Window
from tests.unit.rules.wall_clocks import DAY_S, ahead_s, all_zones, changes, comes_twice, hold

#: Clocks that change by an hour, by half an hour, by two; at midnight, at the day's end, in Ramadan, never.
ZONES = (
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "America/Nuuk",
    "America/St_Johns",
    "America/Phoenix",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Chisinau",
    "Europe/London",
    "Pacific/Chatham",
    "Pacific/Easter",
)


@cache
def changes_of(name: str) -> tuple[int, ...]:
    return tuple(changes(name, 2025, 2030))


@st.composite
def around_a_change(draw: st.DrawFn) -> tuple[int, tuple[str, ...]]:
    """An instant at which a clock of a place changes, and the zones of that place."""
    first = draw(st.sampled_from([name for name in ZONES if changes_of(name)]))
    others = draw(st.lists(st.sampled_from(ZONES), max_size=2))
    return draw(st.sampled_from(changes_of(first))), tuple(dict.fromkeys([first, *others]))


@st.composite
def weeks(draw: st.DrawFn, edges: tuple[int, ...]) -> Week:
    """A week whose windows open and close near the given minutes of the day, or anywhere."""
    near = st.builds(lambda edge, by: (edge + by) % DAY_MIN, st.sampled_from(edges), st.integers(-90, 90))
    minute = near | st.integers(0, DAY_MIN - 1) | st.just(0)
    length = st.integers(1, 120) | st.integers(1, DAY_MIN)
    window = st.builds(lambda opens, lasts: (opens, opens + lasts), minute, length)
    days = draw(st.lists(st.lists(window, max_size=3), min_size=1, max_size=7))
    return tuple(tuple(sorted(days[day % len(days)])) for day in range(7))


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, tuple[str, ...], tuple[Week, ...]]:
    change_s, zones = draw(around_a_change())
    edges = tuple({(change_s + by + ahead_s(change_s + by, name)) // 60 % DAY_MIN for name in zones for by in (-60, 0)})
    return change_s, zones, tuple(draw(st.lists(weeks(edges), min_size=1, max_size=2)))


def minutes(spans: list[Span], first_s: int) -> set[int]:
    """The minutes of openings in milliseconds, which begin and end with whole minutes."""
    assert all(at_ms % 60_000 == first_s % 60 * 1000 for span in spans for at_ms in span)
    return {minute for opens, closes in spans for minute in range(opens // 60_000, closes // 60_000)}


EVERY_DAY: Week = (((90, 150),),) * 7
WHOLE_DAYS: Week = (((0, DAY_MIN),),) * 7


def everywhere(week: Week) -> Preset:
    return Preset(
        name="tested",
        kind=PresetKind.texts,
        week=week,
        holidays_closed=False,
        applies_to=None,
        cooloff=None,
        source="a test",
        checked_on=date(2026, 11, 26),
    )


@settings(max_examples=80, deadline=None)
@given(cases())
@example((1_793_512_800, ("America/New_York",), (EVERY_DAY,)))
@example((1_772_953_200, ("America/New_York", "Europe/London"), (EVERY_DAY, WHOLE_DAYS)))
def test_openings_are_what_each_minute_says(case: tuple[int, tuple[str, ...], tuple[Week, ...]]) -> None:
    """Around changes of clocks each open minute is inside all hours by all clocks, and no other minute is missed."""
    change_s, zones, (own, *others) = case
    first_s, days = change_s // 60 * 60 - DAY_S, 2
    hours = Hours(tuple(everywhere(week) for week in others), Rule(own, holidays_closed=False), 0)
    found = minutes(openings(Place(zones, None, None, PlaceSource.column), hours, first_s * 1000, days), first_s)
    rules: list[tuple[Week, tuple[date, ...]]] = [(week, ()) for week in (own, *others)]
    inside = {at_s // 60 for at_s in range(first_s, first_s + days * DAY_S, 60) if hold(rules, at_s, zones)}
    assert found <= inside
    assert all(any(comes_twice(minute * 60, name) for name in zones) for minute in inside - found)


@cache
def days_off_of(country: str | None) -> frozenset[date]:
    return frozenset(date.fromordinal(day) for day in days_off(country, None, range(2024, 2033)))


def any_week(chance: random.Random) -> Week:
    def window() -> Window:
        opens = chance.randrange(DAY_MIN)
        return opens, opens + chance.randrange(1, DAY_MIN + 1)

    return tuple(tuple(sorted(window() for _ in range(chance.choice((0, 1, 1, 2))))) for _ in range(7))


def test_ten_thousand_random_openings() -> None:
    """Whatever the zones, hours, holidays and instant: what opens is inside at its edges, and nothing is missed."""
    chance = random.Random(20261126)
    names = [name for name in all_zones() if name not in ("EST", "MST", "HST", "Factory")]
    for _ in range(10_000):
        zones = tuple(chance.sample(names, chance.choice((1, 1, 2, 3))))
        country, week, early_min = chance.choice(("US", "FR", None)), any_week(chance), chance.choice((0, 0, 7))
        first_s = chance.randrange(1_735_689_600, 1_924_905_600) // 60 * 60
        end_s = first_s + 3 * DAY_S
        hours = Hours((), Rule(week, holidays_closed=True), early_min)
        found = Openings(hours, first_s * 1000, days=3).of(Place(zones, country, None, PlaceSource.column))
        rules = [(week, days_off_of(country))]
        for opens, closes in found:
            asked = (opens, closes - 1, chance.randrange(opens, closes), closes - 1 + early_min * 60_000)
            assert all(hold(rules, at_ms / 1000, zones) for at_ms in asked if at_ms < end_s * 1000)
        at_s = chance.randrange(first_s, end_s)
        is_open = any(opens <= at_s * 1000 < closes for opens, closes in found)
        if not is_open and hold(rules, at_s, zones):
            soon = [at_s + 60 * by for by in range(early_min + 1)]
            closes_early = not all(hold(rules, later_s, zones) for later_s in soon)
            assert closes_early or any(comes_twice(later_s, name) for later_s in soon for name in zones)

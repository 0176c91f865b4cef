"""Another answer to when hours hold: each minute asked by itself, with datetime and zoneinfo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from dispatcher.rules.week import Week

DAY_S = 86_400


@cache
def zone(name: str) -> ZoneInfo:
    """A zone of the locked tzdata, whatever the machine has."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def all_zones() -> tuple[str, ...]:
    """Every zone once, of those that are the same file the first."""
    root = resources.files("tzdata")
    names = root.joinpath("zones").read_text(encoding="utf-8").split()
    first = {root.joinpath("zoneinfo", *name.split("/")).read_bytes(): name for name in reversed(names)}
    return tuple(sorted(first.values()))


def wall(at_s: float, name: str) -> datetime:
    return datetime.fromtimestamp(at_s, zone(name))


def ahead_s(at_s: int, name: str) -> int:
    """How far ahead of UTC a clock is."""
    offset = wall(at_s, name).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def comes_twice(at_s: int, name: str) -> bool:
    """Whether the clock shows what it shows then a second time, before or after."""
    shown = wall(at_s, name)
    return shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()


def holds(week: Week, off: Iterable[date], at_s: float, name: str) -> bool:
    """Whether the hours hold by this clock: today's windows, or yesterday's past midnight."""
    shown = wall(at_s, name)
    minute = shown.hour * 60 + shown.minute
    for back in (0, 1):
        day = shown.date() - timedelta(days=back)
        if day not in off and any(opens <= minute + back * 1440 < closes for opens, closes in week[day.weekday()]):
            return True
    return False


def hold(rules: Sequence[tuple[Week, Iterable[date]]], at_s: float, zones: Sequence[str]) -> bool:
    """Whether all hours hold by all clocks."""
    return all(holds(week, off, at_s, name) for name in zones for week, off in rules)


def changes(name: str, first_year: int, last_year: int, step_s: int = 6 * 3600) -> Iterator[int]:
    """The instants at which a clock is changed."""
    at_s = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    end_s = int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp())
    before = ahead_s(at_s, name)
    while at_s < end_s:
        after = ahead_s(at_s + step_s, name)
        if after != before:
            yield next(second for second in range(at_s, at_s + step_s + 1, 60) if ahead_s(second, name) != before)
        before = after
        at_s += step_s

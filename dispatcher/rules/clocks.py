"""What the clock of an IANA time zone shows, and when: in whole seconds since 1970, UTC and local.

A wall time is the local time as seconds, as if the place were at UTC. The rules come from the locked `tzdata` and never
from the machine, whose own files zoneinfo would prefer and which may be years old; they are opened here one by one, so
nothing is changed for the program that imports us.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import TypeAlias
from zoneinfo import ZoneInfo

import tzdata

#: From when on (UTC) the clock is how far ahead of UTC (seconds).
Segment: TypeAlias = tuple[int, int]

DAY_S = 86_400
#: The version of the rules, as IANA names it.
TZ_VERSION: str = tzdata.IANA_VERSION

#: Abbreviations that tzdata has as fixed offsets. Who writes EST means New York's clock, which is an hour ahead of it
#: in summer.
_AMBIGUOUS = frozenset({"EST", "MST", "HST", "Factory"})
#: No zone changes its clock twice within a day (a test looks at every zone), so a look a day finds every change.
_LOOK_S = DAY_S


#: Two zones have one clock if they show the same over three years. Not counted from today: the same number has the same
#: place whenever it is read, until there is new data.
_COMPARED_FROM_S, _COMPARED_S = 1_767_225_600, 1096 * DAY_S


class UnknownZone(ValueError):
    """No such IANA time zone."""


@cache
def _names() -> dict[str, str]:
    names = resources.files(tzdata).joinpath("zones").read_text(encoding="utf-8").split()
    return {name.casefold(): name for name in names if name not in _AMBIGUOUS}


def zone_name(text: str) -> str | None:
    """A time zone's name as IANA writes it, of a text that differs from it in case and surrounding space at most."""
    return _names().get(text.strip().casefold())


@cache
def zones_by_country() -> dict[str, tuple[str, ...]]:
    """A country's ISO code -> the names of its zones, in tzdata's zone.tab's order."""
    zones: dict[str, tuple[str, ...]] = {}
    table = resources.files(tzdata).joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            zones[country] = (*zones.get(country, ()), name)
    return zones


@cache
def country_of() -> dict[str, str]:
    """A zone's name -> the ISO code of its country; without the old names and the zones of no country."""
    return {name: country for country, names in zones_by_country().items() for name in names}


@cache
def _zone(name: str) -> ZoneInfo:
    if zone_name(name) != name:
        raise UnknownZone(name)
    with resources.files(tzdata).joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def wall_time(name: str, at_s: int) -> datetime:
    """What a zone's clock shows at an instant. Raises: UnknownZone."""
    return datetime.fromtimestamp(at_s, _zone(name))


def segments(name: str, from_s: int, to_s: int) -> tuple[Segment, ...]:
    """How far ahead of UTC a zone's clock is from one instant to another; the first segment begins at `from_s`.

    Raises: UnknownZone.
    """
    zone = _zone(name)

    def ahead(at_s: int) -> timedelta:
        # zoneinfo answers a timedelta for every datetime of a zone: the type has None for clocks without a zone.
        return datetime.fromtimestamp(at_s, zone).utcoffset() or timedelta()

    found = [(from_s, ahead(from_s))]
    at_s = from_s
    while at_s < to_s:
        next_s = min(at_s + _LOOK_S, to_s)
        before = found[-1][1]
        if ahead(next_s) != before:
            while next_s - at_s > 1:
                middle_s = (at_s + next_s) // 2
                if ahead(middle_s) == before:
                    at_s = middle_s
                else:
                    next_s = middle_s
            found.append((next_s, ahead(next_s)))
        at_s = next_s
    return tuple((start_s, offset.days * DAY_S + offset.seconds) for start_s, offset in found)


def instants(clock: Sequence[Segment], wall_s: int) -> tuple[int, int]:
    """The first and the last instant at which a clock shows a wall time.

    They differ where the clock is set back over it. A wall time that is skipped, because the clock is set forward over
    it, is the instant at which that happens.
    """
    shown: list[int] = []
    skipped = 0
    for position, (start_s, ahead_s) in enumerate(clock):
        at_s = wall_s - ahead_s
        end_s = clock[position + 1][0] if position + 1 < len(clock) else None
        if position and at_s < start_s:
            break
        if end_s is None or at_s < end_s:
            shown.append(at_s)
        else:
            skipped = end_s
    return (shown[0], shown[-1]) if shown else (skipped, skipped)


def zone_instants(name: str, wall_s: int) -> tuple[int, int]:
    """As `instants`, of a zone's clock and any wall time. Raises: UnknownZone."""
    return instants(segments(name, wall_s - 2 * DAY_S, wall_s + 2 * DAY_S), wall_s)


def count_clocks(names: Iterable[str]) -> int:
    """How many of the zones' clocks differ. Raises: UnknownZone."""
    return len({_compared(name) for name in names})


@cache
def _compared(name: str) -> tuple[Segment, ...]:
    return segments(name, _COMPARED_FROM_S, _COMPARED_FROM_S + _COMPARED_S)

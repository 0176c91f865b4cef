"""Cells and settings that hold a date or a time -> instants.

A time with an offset is an instant. Without one it is what the contact's own clock shows; where that may be one of
several, a row must be right by all of them: `not_before` is the last of their instants, `not_after` the first. Nothing
is guessed: 01/02/2026 is January in one country and February in another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from dispatcher.model import Reason, Refusal
from dispatcher.rules import clocks
from dispatcher.rules.places import Place

#: ISO 8601 as RFC 3339 narrows it, seconds and offset left out at will, with a space for the T and before the offset.
_TIME = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<clock>\d{2}:\d{2}(?::\d{2}(?:[.,](?P<fraction>\d{1,9}))?)?)"
    r"(?: ?(?P<zulu>Z|UTC)| ?(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?)?)?",
    re.ASCII | re.IGNORECASE,
)
#: 1899 and 1970 are what a spreadsheet or a program makes of nothing.
_YEARS = range(2000, 2200)
#: No place is further from UTC.
_OFFSET_MAX_MIN = 14 * 60
#: The clocks that are the furthest ahead of UTC (Kiritimati's) and behind it (Baker Island's).
_AHEAD_MAX_MS, _BEHIND_MAX_MS = 14 * 3_600_000, 12 * 3_600_000

_SERIAL = re.compile(r"\d{1,5}(?:[.,]\d+)?", re.ASCII)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?", re.ASCII)
_DAY_ORDER = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})(?!\d)", re.ASCII)
_EXAMPLE = "write 2026-12-01T09:00"
#: A cell with so many digits may be somebody's number: its last ones are shown.
_NUMBER_DIGITS, _SHOWN_DIGITS = 7, 4
_SHOWN_MAX = 30


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of time as somebody wrote it."""

    #: Milliseconds since 1970, of UTC where `is_instant`, else of the wall.
    at_ms: int
    is_instant: bool
    #: A date alone: its beginning is `at_ms`, and it goes on for a day.
    is_day: bool = False

    def last_ms(self, zones: Sequence[str]) -> int:
        """When it has come in all zones, for `not_before` and starts: of a day the beginning.

        An hour that comes twice has come with its second occurrence. Raises: clocks.UnknownZone.
        """
        if self.is_instant:
            return self.at_ms
        wall_s, rest_ms = divmod(self.at_ms, 1000)
        return max(clocks.zone_instants(name, wall_s)[1] for name in zones) * 1000 + rest_ms

    def first_ms(self, zones: Sequence[str]) -> int:
        """When it has come in one zone, for `not_after` and deadlines: of a day the end.

        An hour that comes twice has come with its first occurrence. Raises: clocks.UnknownZone.
        """
        if self.is_instant:
            return self.at_ms
        wall_s, rest_ms = divmod(self.at_ms, 1000)
        wall_s += clocks.DAY_S if self.is_day else 0
        return min(clocks.zone_instants(name, wall_s)[0] for name in zones) * 1000 + rest_ms

    @property
    def anywhere_ms(self) -> int:
        """When it has come for the first people on earth."""
        return self.at_ms if self.is_instant else self.at_ms - _AHEAD_MAX_MS

    def begins_in(self, zone: str) -> Moment:
        """The instant at which a zone's clock shows it, as `last_ms` has it. Raises: clocks.UnknownZone."""
        return Moment(self.last_ms([zone]), is_instant=True)

    def ends_in(self, zone: str) -> Moment:
        """The same, as `first_ms` has it. Raises: clocks.UnknownZone."""
        return Moment(self.first_ms([zone]), is_instant=True)


def leaves_no_time(start: Moment, deadline: Moment) -> bool:
    """Whether a start does not come before a deadline anywhere on earth."""
    from_ms = start.at_ms
    until_ms = deadline.at_ms + (clocks.DAY_S * 1000 if deadline.is_day else 0)
    # Two local times are compared on the wall, which is the same for every clock.
    if deadline.is_instant and not start.is_instant:
        from_ms -= _AHEAD_MAX_MS
    elif start.is_instant and not deadline.is_instant:
        until_ms += _BEHIND_MAX_MS
    return from_ms >= until_ms


@dataclass(frozen=True, slots=True)
class Times:
    """A row's own times, milliseconds since 1970; None: the row has none."""

    not_before_ms: int | None = None
    not_after_ms: int | None = None


@lru_cache(maxsize=4096)
def read_moment(text: str) -> Moment | Refusal | None:
    """What a text means; None: nothing is written there."""
    text = text.strip()
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        return _refused(text)
    day, clock = match["day"], match["clock"]
    try:
        wall = datetime.fromisoformat(f"{day}T{(clock or '00:00')[:8]}").replace(tzinfo=UTC)
    except ValueError:
        return Refusal(Reason.time_invalid, f"{_shown(text)} is no day or no time that there is")
    if wall.year not in _YEARS:
        return Refusal(Reason.time_invalid, f"{_shown(text)} is in the year {wall.year}")
    at_ms = int(wall.timestamp()) * 1000 + int((match["fraction"] or "")[:3].ljust(3, "0"))
    if match["zulu"]:
        return Moment(at_ms, is_instant=True)
    if match["sign"]:
        hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
        if minutes > 59 or hours * 60 + minutes > _OFFSET_MAX_MIN:
            return Refusal(Reason.time_invalid, f"{_shown(text)} has an offset that no place has")
        ahead_ms = (hours * 60 + minutes) * 60_000
        return Moment(at_ms - ahead_ms if match["sign"] == "+" else at_ms + ahead_ms, is_instant=True)
    return Moment(at_ms, is_instant=False, is_day=clock is None)


def read_times(not_before: str, not_after: str, place: Place | None) -> Times | Refusal:
    """A row's times, of its two cells and the place of its contact, None if that is not known.

    Cells that are in order may still leave no time to a contact who may be in several zones: then `not_before_ms` does
    not come before `not_after_ms`.
    """
    first, last = read_moment(not_before), read_moment(not_after)
    if isinstance(first, Refusal):
        return first
    if isinstance(last, Refusal):
        return last
    for moment in (first, last):
        if moment is not None and not moment.is_instant and place is None:
            return Refusal(Reason.time_invalid, "the time has no offset, and the contact's time zone is not known")
    # Two instants are the same in any zone.
    zones = place.zones if place else ("UTC",)
    if first and last and all(first.last_ms([zone]) >= last.first_ms([zone]) for zone in zones):
        return Refusal(
            Reason.time_invalid, f"the row may be sent from {_shown(not_before)} on, and only until {_shown(not_after)}"
        )
    return Times(first.last_ms(zones) if first else None, last.first_ms(zones) if last else None)


def read_columns(
    not_before: Sequence[str] | None, not_after: Sequence[str] | None, places: Sequence[Place | None]
) -> list[Times | Refusal]:
    """As `read_times`, of columns; None: there is no such column. What comes again is worked out once."""
    known: dict[tuple[str, str, Place | None], Times | Refusal] = {}
    found: list[Times | Refusal] = []
    blank = [""] * len(places)
    for cells in zip(not_before or blank, not_after or blank, places, strict=True):
        times = known.get(cells)
        if times is None:
            times = known[cells] = read_times(*cells)
        found.append(times)
    return found


def _refused(text: str) -> Refusal:
    if _NUMBER.fullmatch(text):
        return Refusal(
            Reason.time_invalid, f"{_shown(text)} is a number: the spreadsheet's date without its format; {_EXAMPLE}"
        )
    order = _DAY_ORDER.match(text)
    if order and len(order[1]) < 4:
        return Refusal(Reason.time_invalid, f"{_shown(text)} does not tell the month from the day; {_EXAMPLE}")
    return Refusal(Reason.time_invalid, f"{_shown(text)} is no time; {_EXAMPLE}")


def _shown(text: str) -> str:
    """The value as a message may show it: the cell may be a number's, if a wrong column was named."""
    if sum(map(str.isdigit, text)) >= _NUMBER_DIGITS and not (_DAY_ORDER.match(text) or _SERIAL.fullmatch(text)):
        return f"…{text[-_SHOWN_DIGITS:]}"
    return repr(text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…")

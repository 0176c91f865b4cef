"""A date, a time and a zone of a form <-> milliseconds since 1970; moments and durations for people. Pure.

Where clocks are set forward some times do not exist, where they are set back some are there twice. Neither is guessed:
whoever chose one is asked.
"""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

from dispatcher.rules.clocks import country_of, wall_time, zone_instants, zone_name

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FULL_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", re.ASCII)
#: Browsers give 09:00, some with seconds; people write 9:00, too.
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::00)?", re.ASCII)
#: What a zone that is the whole world's is called in a list.
UTC_NAME = "UTC"
#: Further ahead nobody plans a campaign: it is a slip of the year.
AHEAD_MAX_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the moments that may have been meant."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was chosen is no moment, or two. `field`: date, time or zone; `choices`: to choose from, perhaps none."""

    field: str
    message: str
    choices: tuple[Choice, ...] = ()


def moment_of(day: str, time: str, zone: str, *, now_ms: int) -> int | Asked:
    """The moment that was chosen, in ms since 1970; or what must be asked.

    `day` and `time` as a form gives them, `2026-12-01` and `09:00`; `zone`: an IANA name. What is over is asked for,
    too, and what is more than a year ahead.
    """
    name = zone_name(zone)
    if name is None:
        return Asked(field="zone", message="Choose a time zone, for example Europe/Berlin.")
    chosen_day = _day(day)
    if chosen_day is None:
        return Asked(field="date", message="Choose a date that there is, for example 2026-12-01.")
    found = _TIME.fullmatch(time.strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return Asked(field="time", message="Choose a time between 00:00 and 23:59.")
    wall = datetime(chosen_day.year, chosen_day.month, chosen_day.day, int(found[1]), int(found[2]))  # noqa: DTZ001 - a wall time
    return _instant(wall, name, now_ms)


def _instant(wall: datetime, zone: str, now_ms: int) -> int | Asked:
    wall_s = timegm(wall.timetuple())
    first_s, last_s = zone_instants(zone, wall_s)
    shown = f"{wall:%H:%M} on {wall.day} {_FULL_MONTHS[wall.month - 1]} {wall.year}"
    if wall_time(zone, first_s).replace(tzinfo=None) != wall:
        after = _choice(first_s * 1000, zone)
        message = f"{shown} does not exist in {zone}: the clocks are set forward over it."
        return Asked(field="time", message=message, choices=(after,))
    if first_s != last_s:
        message = f"{shown} is there twice in {zone}: the clocks are set back over it."
        choices = (_choice(first_s * 1000, zone), _choice(last_s * 1000, zone))
        return Asked(field="time", message=message, choices=choices)
    at_ms = first_s * 1000
    if at_ms < now_ms:
        return Asked(field="time", message=f"{shown} is over in {zone}. Choose a time to come, or send now.")
    if at_ms - now_ms > AHEAD_MAX_DAYS * 86_400_000:
        return Asked(field="date", message=f"{shown} is more than a year ahead. Choose a day within a year.")
    return at_ms


def _day(text: str) -> date | None:
    found = _DATE.fullmatch(text.strip())
    if found is None or not 1970 < int(found[1]) < 9000:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def _choice(at_ms: int, zone: str) -> Choice:
    return Choice(at_ms=at_ms, text=full_moment(at_ms, zone))


def full_moment(at_ms: int, zone: str) -> str:
    """`09:00 on 1 December 2026 in Europe/Berlin`; of a time that is there twice also which. Raises: UnknownZone."""
    wall = wall_time(zone, at_ms // 1000)
    shown = f"{wall:%H:%M} on {wall.day} {_FULL_MONTHS[wall.month - 1]} {wall.year} in {zone}"
    first_s, last_s = zone_instants(zone, timegm(wall.replace(second=0).timetuple()))
    if first_s == last_s:
        return shown
    return f"{shown}, the {'first' if at_ms // 1000 < last_s else 'second'} time ({_offset(wall)})"


def _offset(wall: datetime) -> str:
    minutes = (wall.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, left = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{left:02d}" if left else "")


def form_fields(at_ms: int, zone: str) -> tuple[str, str]:
    """The date and the time as a form's fields hold them. Raises: UnknownZone."""
    wall = wall_time(zone, at_ms // 1000)
    return f"{wall.year:04d}-{wall.month:02d}-{wall.day:02d}", f"{wall:%H:%M}"


def short_moment(at_ms: int, zone: str, *, now_ms: int, named: bool = False) -> str:
    """`today 14:03`, `tomorrow 09:00`, `Tue 1 Dec 09:00`, in another year `1 Dec 2025 09:00`. Raises: UnknownZone.

    `named`: with the zone's city, `Tue 1 Dec 09:00 (Berlin)`.
    """
    wall, now = wall_time(zone, at_ms // 1000), wall_time(zone, now_ms // 1000)
    days = (wall.date() - now.date()).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}.get(days)
    month = _MONTHS[wall.month - 1]
    if near is None and wall.year == now.year:
        near = f"{_DAYS[wall.weekday()]} {wall.day} {month}"
    elif near is None:
        near = f"{wall.day} {month} {wall.year}"
    return f"{near} {wall:%H:%M}" + (f" ({city(zone)})" if named else "")


def city(zone: str) -> str:
    """`Berlin` of Europe/Berlin."""
    return zone.rpartition("/")[2].replace("_", " ")


def machine_moment(at_ms: int) -> str:
    """For the `datetime` of a time element: `2026-12-01T08:00:00Z`."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def duration(seconds: float) -> str:
    """`less than a second`, `12 s`, `1 min 2 s`, `2 h 5 min`, `3 days 4 h`: two units, rounded."""
    if seconds < 0.5:
        return "less than a second"
    whole = int(seconds + 0.5)
    if whole < 3600:
        minutes, left = divmod(whole, 60)
        return _units((minutes, "min"), (left, "s"))
    minutes = int(seconds / 60 + 0.5)
    if minutes < 24 * 60:
        return _units((minutes // 60, "h"), (minutes % 60, "min"))
    hours = int(seconds / 3600 + 0.5)
    return _units((hours // 24, "day" if hours // 24 == 1 else "days"), (hours % 24, "h"))


def about(seconds: float) -> str:
    """An estimate: `about 1 min 2 s`."""
    text = duration(seconds)
    return text if seconds < 0.5 else f"about {text}"


def _units(*parts: tuple[int, str]) -> str:
    return " ".join(f"{n:,} {unit}" for n, unit in parts if n)


@cache
def zones() -> tuple[str, ...]:
    """The names to choose from, in order: those of a place, without the old ones, and UTC."""
    return (*sorted(country_of()), UTC_NAME)

"""Hours as people write them -> a week.

"09:00-20:00"                                              every day
"09:00-12:30, 13:30-21:00"                                 two windows a day
{"mon-fri": "09:00-20:00", "sat": "10:00-16:00", "sun": ""}    by day; a day that is not named is closed
"22:00-02:00"                                              until two in the morning of the next day
"00:00-24:00"                                              the whole day
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from dispatcher.errors import HoursError

#: Minutes since the day's midnight: [opens, closes). What closes after 1,440 does so on the next day.
Window: TypeAlias = tuple[int, int]
#: The windows of each weekday, Monday first: a window belongs to the day on which it opens.
Week: TypeAlias = tuple[tuple[Window, ...], ...]

DAY_MIN = 1440
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WINDOW = re.compile(r"(\d{1,2}):(\d{2})\s*[-\u2013]\s*(\d{1,2}):(\d{2})", re.ASCII)
_EXAMPLE = "write hours as 09:00-20:00, several with a comma between them"
#: So much of a value is shown.
_SHOWN_MAX = 60


def read_week(written: str | Mapping[str, str]) -> Week:
    """The week that hours mean, for every day or by day.

    Raises: HoursError: they cannot be read, name a day twice, or open on no day. `found` has what stood there.
    """
    by_day: dict[str, tuple[Window, ...]] = {}
    for days, text in {"mon-sun": written}.items() if isinstance(written, str) else written.items():
        windows = _windows(text)
        for day in _days(days):
            if day in by_day:
                raise HoursError(f"the hours name {day} twice", found=_shown(days))
            by_day[day] = windows
    if not any(by_day.values()):
        raise HoursError("the hours open on no day", found=_shown(str(written)), fix=_EXAMPLE)
    return tuple(by_day.get(day, ()) for day in DAYS)


def write_week(week: Week) -> str | dict[str, str]:
    """The hours as `read_week` takes them: one text where every day is the same, else by runs of days."""
    by_days: dict[str, str] = {}
    first = 0
    for day in range(1, len(DAYS) + 1):
        if day == len(DAYS) or week[day] != week[first]:
            days = DAYS[first] if day - first == 1 else f"{DAYS[first]}-{DAYS[day - 1]}"
            by_days[days] = ", ".join(f"{_clock(opens)}-{_clock(closes)}" for opens, closes in week[first])
            first = day
    return by_days.get("mon-sun", by_days)


def _clock(minutes: int) -> str:
    hours, rest = divmod(minutes if minutes <= DAY_MIN else minutes - DAY_MIN, 60)
    return f"{hours:02d}:{rest:02d}"


def _days(text: str) -> Iterable[str]:
    first, dash, last = (part.strip() for part in text.lower().partition("-"))
    last = last if dash else first
    if first not in DAYS or last not in DAYS or DAYS.index(first) > DAYS.index(last):
        days = ", ".join(DAYS)
        raise HoursError("the hours are for days that there are not", found=_shown(text), fix=f"use {days}, or mon-fri")
    return DAYS[DAYS.index(first) : DAYS.index(last) + 1]


def _windows(text: str) -> tuple[Window, ...]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    return tuple(sorted(_window(part) for part in parts))


def _window(text: str) -> Window:
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise HoursError("the hours cannot be read", found=_shown(text), fix=_EXAMPLE)
    opens_h, opens_min, closes_h, closes_min = map(int, match.groups())
    opens, closes = opens_h * 60 + opens_min, closes_h * 60 + closes_min
    if max(opens_min, closes_min) > 59 or opens >= DAY_MIN or closes > DAY_MIN:
        raise HoursError("the hours have a time that there is not", found=_shown(text), fix=_EXAMPLE)
    if opens == closes:
        raise HoursError(
            "the hours open and close at one time", found=_shown(text), fix="write 00:00-24:00 for a whole day"
        )
    return opens, closes if closes > opens else closes + DAY_MIN


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…")

"""A workbook's numbers as text: as the sheet shows them where that is what a person means, else the number itself.

A number format says whether a number is a date, a time, a duration, a share or an amount (ISO/IEC 29500-1, 18.8.30).
"""

from __future__ import annotations

import datetime
import functools
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from enum import Enum

_DAY_S = 86_400
#: Differences that come of counting days in binary: a thousandth of a second is none.
_ROUNDED_S = 0.0015
#: So many places behind the point are written out.
_PLACES_MAX = 16
_LARGEST_PLAIN = Decimal(10) ** 21
_NOTHING = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_CURRENCY = re.compile(r"\[\$(?!-)[^\]]|[$€£¥₹]|\"[^\"]*(?:[$€£¥₹]|EUR|USD|CHF|kr|zł)[^\"]*\"")
#: Noughts and what may stand between them without quotation marks: 00000-0000, (000) 000-0000, +0.
_ZEROS = re.compile(r"\+0|[-+() ]*0[-+() ]*0[-+() 0]*")
#: Quoted or escaped text, a currency's sign; an alignment, a colour or locale; any other character.
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<sign>[^\-\]]*)[^\]]*\]|_.|\*.|\[[^\]]*\]|(?P<bare>.)'
)
_SECTION = re.compile(r'(?:^|;)((?:"[^"]*"|\\.|[^;])*)')
_COLOUR = re.compile(r"\[[^\]]*\]")
#: A digit's place among a format's parts.
_PLACE = (False, "0")
#: For which numbers a section is, where it is not for positive, negative or no numbers by its place: [<=99999].
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)\s*(-?[0-9.]+)\]")
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "<>": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
#: The letters of dates and times, in English, German and French, of eras and of AM/PM, and ISO's T and Z.
_OF_DATES = frozenset("ymdhsapgebtjz")
#: A number from here on (the year 1927) is a day's, and a format of times shows its time; fewer are a duration.
_DAYS_MIN = 10_000
#: What makes a pattern of strftime say a time.
_CLOCK = re.compile("%-?[HIMSfpcXTRr]")


class Kind(Enum):
    """What a number format makes of a number."""

    plain = "plain"
    #: Leading zeros: a postcode, an extension.
    zeros = "zeros"
    date = "date"
    date_time = "date and time"
    time = "time"
    duration = "duration"
    percent = "percent"
    currency = "currency"
    #: Decimals, thousands, anything of the user's own.
    other = "other"


#: Formats that every program knows by their numbers (18.8.30); what is not here is plain.
_BUILT_IN = {
    **dict.fromkeys((14, 15, 16, 17, *range(27, 32), 36, *range(50, 59)), Kind.date),
    # From 59 on: Thailand's.
    **dict.fromkeys((71, 72, 73, 74, 81), Kind.date),
    **dict.fromkeys((22, 77), Kind.date_time),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 75, 76, 78, 80), Kind.time),
    **dict.fromkeys((46, 79), Kind.duration),
    **dict.fromkeys((9, 10, 67, 68), Kind.percent),
    **dict.fromkeys((5, 6, 7, 8, 41, 42, 43, 44), Kind.currency),
    **dict.fromkeys((2, 3, 4, 11, 12, 13, 37, 38, 39, 40, 48, 59, 60, 61, 62, 69, 70), Kind.other),
}
_BUILT_IN_CODES = {
    9: "0%",
    10: "0.00%",
    14: "m/d/yyyy",
    22: "m/d/yyyy h:mm",
    46: "[h]:mm:ss",
    4: "#,##0.00",
    3: "#,##0",
}


class Format:
    """A number format."""

    __slots__ = ("code", "kind")

    def __init__(self, number: int, code: str | None) -> None:
        """`code` None: the built-in one of this number."""
        self.kind = _BUILT_IN.get(number, Kind.plain) if code is None else _kind(code)
        self.code = code or _BUILT_IN_CODES.get(number, f"format {number}")


def _kind(code: str) -> Kind:
    section, *others = _sections(code)
    bare = _NOTHING.sub("", section)
    letters = bare.lower()
    literal = "".join(text for is_literal, text in _tokens(section) if is_literal)
    if letters in ("", "general", "@", "0") and not literal.strip():
        if any(map(_is_zeros, others)):
            return Kind.zeros
        return Kind.plain if _is_shown(section, others) else Kind.other
    if any(map(_is_zeros, (section, *others))):
        return Kind.zeros
    if re.search(r"\[[hms]+\]", letters):
        return Kind.duration
    if {*re.findall("[a-z]", letters.replace("general", ""))} - _OF_DATES:
        return Kind.other
    has_clock = bool(re.search(r"[hs]", letters.replace("general", "")))
    if re.search(r"[yd]", letters) or (re.search("m", letters) and not has_clock):
        return Kind.date_time if has_clock else Kind.date
    if has_clock:
        return Kind.time
    if "%" in letters:
        return Kind.percent
    return Kind.currency if _CURRENCY.search(section) else Kind.other


# The same few formats come in every row.
@functools.lru_cache(maxsize=1_000)
def _is_zeros(section: str) -> bool:
    bare = _NOTHING.sub("", section)
    literal = "".join(text for is_literal, text in _tokens(section) if is_literal)
    return bool(_ZEROS.fullmatch(bare)) or literal + bare == "+0"


@functools.lru_cache(maxsize=1_000)
def _sections(code: str) -> tuple[str, ...]:
    """Of positive numbers, negative ones, zeros and texts: as many as are given."""
    return tuple(_SECTION.findall(code))


def _is_shown(section: str, others: list[str]) -> bool:
    """Whether a format whose first section is plain shows every number: `;;;` shows none, and `0;;` no other."""
    positive, *rest = (_COLOUR.sub("", text) for text in (section, *others))
    signed = (f"-{positive}", f"\\-{positive}")
    if not rest:
        return '"' not in section or positive.strip('"') != ""
    return positive != "" and rest[0] in signed and rest[1:2] in ([], [positive])


#: That of a cell without a style.
GENERAL = Format(0, None)


def number_text(value: float) -> str:
    """Fifteen significant digits, as Excel shows them, and no E-notation for what one would write out."""
    text = f"{value or 0:.15g}"  # a nought has no sign
    if "e" not in text:
        return text
    exact = Decimal(text)
    return f"{exact:f}" if abs(exact) < _LARGEST_PLAIN and exact.adjusted() > -_PLACES_MAX else text


def zeros_text(value: float, code: str) -> str | None:
    """A whole number with its leading zeros and what stands before, between and behind them (D-00000, 00000-0000).

    None: what the sheet shows of it is something else.
    """
    section, sign = _section_of(value, _sections(code))
    if value != int(value) or not _is_zeros(section):
        plain = _COLOUR.sub("", section).strip().lower() in ("0", "general", "@")
        return number_text(value) if plain and (value >= 0 or sign) else None
    tokens, places = _places(section)
    digits = str(int(abs(value))).rjust(places, "0")
    if places == len(tokens):
        return sign + digits
    # More digits than places stand at the first place.
    extra = len(digits) - places
    runs = iter([digits[: extra + 1], *digits[extra + 1 :]])
    return sign + "".join(next(runs) if token == _PLACE else token[1] for token in tokens).strip()


@functools.lru_cache(maxsize=1_000)
def _places(section: str) -> tuple[tuple[tuple[bool, str], ...], int]:
    """A section's parts, and how many of them are a digit's place."""
    tokens = tuple(_tokens(section))
    return tokens, tokens.count(_PLACE)


def _section_of(value: float, sections: Sequence[str]) -> tuple[str, str]:
    """The section that shows a number, and the sign that it gets before it (18.8.31)."""
    conditions = [_CONDITION.search(section) if "[" in section else None for section in sections[:2]]
    if any(conditions):
        for section, condition in zip(sections, conditions, strict=False):
            if condition is not None and _COMPARED[condition[1]](value, float(condition[2])):
                return section, "-" if value < 0 else ""
        rest = [section for section, condition in zip(sections, [*conditions, None], strict=False) if condition is None]
        return rest[0] if rest else "", "-" if value < 0 else ""
    if value < 0 and len(sections) > 1:
        return sections[1], ""
    if value == 0 and len(sections) > 2:
        return sections[2], ""
    return sections[0], "-" if value < 0 else ""


def _tokens(section: str) -> Iterator[tuple[bool, str]]:
    """A format's parts that are seen: whether it is text of its own, and its text."""
    for found in _TOKEN.finditer(section):
        if found["bare"] is not None:
            yield False, found["bare"]
        elif text := found["quoted"] or found["escaped"] or found["sign"]:
            yield True, text


def moment(serial: float, is_1904: bool) -> datetime.datetime | None:
    """The date and time of a day's number; None: no calendar has it."""
    days, seconds = divmod(_seconds(serial), _DAY_S)
    # A sheet knows no zones; and its 1900 has a 29th of February, as Lotus 1-2-3 had it.
    year, month, day = (1904, 1, 1) if is_1904 else (1899, 12, 30 if days >= 60 else 31)
    base = datetime.datetime(year, month, day)  # noqa: DTZ001
    try:
        return base + datetime.timedelta(days=days, seconds=seconds)
    except OverflowError:
        return None


def _seconds(serial: float) -> float:
    seconds = serial * _DAY_S
    nearest = round(seconds)
    return float(nearest) if abs(seconds - nearest) < _ROUNDED_S else round(seconds, 3)


def has_clock(when: datetime.datetime) -> bool:
    """Whether it is not the day alone."""
    return when.time() != datetime.time.min


def moment_text(when: datetime.datetime, pattern: str, *, with_clock: bool) -> str:
    """As `pattern` (strftime) says, with the time behind it where it says none; empty: ISO 8601."""
    if pattern:
        text = when.strftime(pattern)
        return text if not with_clock or _CLOCK.search(pattern) else f"{text} {when:%H:%M:%S}".removesuffix(":00")
    return clock_text(when.isoformat()) if with_clock else when.date().isoformat()


def clock_text(text: str) -> str:
    """An ISO time without zeros behind its seconds' point."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_text(serial: float) -> str:
    """A time of day, 24 hours at most, whatever its day; what is longer is a duration."""
    if serial >= _DAYS_MIN:
        serial %= 1
    if serial < 0 or serial >= 1:
        return duration_text(serial)
    hours, rest = divmod(_seconds(serial) % _DAY_S, 3600)
    minutes, seconds = divmod(rest, 60)
    return clock_text(f"{int(hours):02d}:{int(minutes):02d}:{seconds:06.3f}")


def duration_text(serial: float) -> str:
    """Hours, minutes and seconds: 30:00:00, -1:30:00."""
    seconds = round(abs(serial) * _DAY_S)
    sign = "-" if serial < 0 and seconds else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

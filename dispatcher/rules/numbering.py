"""What phonenumbers knows of where numbers are: prefixes with their time zones, and each country's kinds of numbers.

`phonenumbers.timezone` reads some 5,000 numbers a second; here a few digits are looked up once. What it says of a
number is said here of all numbers that begin alike, and where they differ, of any of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeAlias

from dispatcher.rules import clocks

_Fullmatch: TypeAlias = Callable[[str], re.Match[str] | None]

#: Digits behind the calling code that tell zones apart.
KEY_DIGITS = 5
#: Names that phonenumbers has and zone.tab has no more.
_RENAMED = {
    "Africa/Asmera": "Africa/Asmara",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Godthab": "America/Nuuk",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Choibalsan": "Asia/Ulaanbaatar",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Atlantic/Faeroe": "Atlantic/Faroe",
    "Pacific/Enderbury": "Pacific/Kanton",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
}
_NO_AREA = ("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail")


@cache
def zones_by_prefix() -> Mapping[str, tuple[str, ...]]:
    """The digits that numbers begin with, from the calling code on -> the zones that those may be in."""
    # Loaded where numbers are placed, and nowhere else.
    from phonenumbers.tzdata import TIMEZONE_DATA

    return {prefix: tuple(_RENAMED.get(name, name) for name in zones) for prefix, zones in TIMEZONE_DATA.items()}


@cache
def _prefixes_below() -> Mapping[str, list[str]]:
    """Every beginning of a prefix -> the prefixes that begin so."""
    below: dict[str, list[str]] = {}
    for prefix in zones_by_prefix():
        for length in range(1, len(prefix) + 1):
            below.setdefault(prefix[:length], []).append(prefix)
    return below


def zones_below(start: str) -> tuple[str, ...]:
    """All zones of the prefixes that begin with these digits."""
    return merged(*(zones_by_prefix()[prefix] for prefix in _prefixes_below().get(start, ())))


def merged(*zones: Iterable[str]) -> tuple[str, ...]:
    """All of them once, in zone.tab's order."""
    return tuple(sorted({name for some in zones for name in some}, key=_order()))


@cache
def _order() -> Callable[[str], int]:
    positions = {name: position for position, name in enumerate(clocks.country_of())}
    return lambda name: positions.get(name, len(positions))


def calling_code(number: str) -> str | None:
    """The calling code of a number in E.164; None: none that is in any zone (satellites, +800)."""
    return next((number[1:end] for end in (2, 3, 4) if number[1:end] in zones_by_prefix()), None)


def regions(code: str) -> tuple[str, ...]:
    """The ISO codes of the countries that share a calling code, the main one first."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return COUNTRY_CODE_TO_REGION_CODE[int(code)]


def zones_and_country(code: str, key: str) -> tuple[tuple[str, ...], str]:
    """Where numbers outside North America may be that begin with `key`: the calling code and some digits behind it."""
    prefix = next(key[:end] for end in range(len(key), 0, -1) if key[:end] in zones_by_prefix())
    near = merged(zones_by_prefix()[prefix] if prefix != code else (), zones_below(key))
    far = zones_below(code)
    if clocks.count_clocks(far) == 1:
        countries, of_an_area = {_country(code, key, near)}, True
    else:
        countries, of_an_area = _samples(code, key[len(code) :])
    if prefix != code and of_an_area:
        zones = near
    else:
        # Far are the zones of the calling code, which countries may share: +7 has Moscow's and Almaty's.
        own = [name for name in far if clocks.country_of().get(name) in countries]
        zones = merged(near, own or far)
    return zones, next((region for region in regions(code) if region in countries), regions(code)[0])


def _country(code: str, key: str, zones: tuple[str, ...]) -> str:
    main, *others = regions(code)
    for region in others:
        leading = _kinds(code, region).leading
        if leading and leading(key[len(code) :]):
            return region
    # Some have no digits of their own in the metadata, but zones of their own in the table: Jersey.
    countries = {clocks.country_of().get(zone) for zone in zones}
    return next((region for region in others if countries == {region}), main)


def _samples(code: str, start: str) -> tuple[set[str], bool]:
    """Which countries national numbers that begin so are of, and whether all are of an area.

    A number that several countries' plans have is the first one's, as phonenumbers has it: mobiles of +61 are
    Australia's, though those of Christmas Island look alike.

    Numbers are made up to find out. The table has areas for digits that mobiles have, too (+61 4 is not all Sydney's),
    and countries that share digits tell them apart further on (Réunion and Mayotte).
    """
    countries: set[str] = set()
    of_an_area = True
    for number in _made_up(code, start):
        for region in regions(code):
            kinds = _kinds(code, region)
            is_somewhere = kinds.somewhere(number)
            if kinds.nowhere(number) or (kinds.mobile(number) and not is_somewhere):
                of_an_area = False
            elif not is_somewhere:
                continue
            countries.add(region)
            break
    return countries, of_an_area and bool(countries)


def _made_up(code: str, start: str) -> Iterable[str]:
    lengths = {length for region in regions(code) for length in _kinds(code, region).lengths}
    return [start + digit * (length - len(start)) for length in sorted(lengths) for digit in "0123456789"]


class _Kinds:
    """A country's numbers. The rules are phonenumbers 9.0's: `_number_type_helper`, `is_number_type_geographical` and
    `_region_code_for_number_from_list` in phonenumberutil.py.
    """

    def __init__(self, code: str, region: str) -> None:
        from phonenumbers import PhoneMetadata, PhoneNumberType, is_number_type_geographical

        metadata: Any = PhoneMetadata.metadata_for_region(region)

        def matcher(*kinds: str) -> _Fullmatch:
            descriptions = [getattr(metadata, kind) for kind in kinds]
            patterns = [one.national_number_pattern for one in descriptions if one and one.national_number_pattern]
            return re.compile("|".join(patterns) or "(?!)", re.ASCII).fullmatch

        mobiles_have_areas = is_number_type_geographical(PhoneNumberType.MOBILE, int(code))
        self.nowhere = matcher(*_NO_AREA)
        self.somewhere = matcher("fixed_line", *(["mobile"] if mobiles_have_areas else []))
        self.mobile = matcher("mobile")
        leading = metadata.leading_digits
        self.leading = re.compile(leading, re.ASCII).match if leading else None
        self.lengths = [length for length in metadata.general_desc.possible_length if length > KEY_DIGITS]


_kinds = cache(_Kinds)


@cache
def is_one_place(code: str) -> bool:
    """Whether a calling code is one country's, with one clock."""
    return len(regions(code)) == 1 and clocks.count_clocks(zones_below(code)) == 1

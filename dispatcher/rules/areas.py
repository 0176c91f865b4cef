"""States and provinces: which one an area code of +1 is in, and what a cell means that names one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from dispatcher.rules import clocks, numbering

_AREA = re.compile(r"(?:([A-Z]{2})-)?([A-Z0-9]{1,3})", re.ASCII)
#: States for whoever writes addresses there, countries in ISO 3166 and in numbering plans.
_US_TERRITORIES = frozenset({"AS", "GU", "MP", "PR", "VI"})


@cache
def area_of_codes() -> Mapping[str, str]:
    """An area code of +1 -> a state's or province's ISO 3166-2 code (US-FL), or else its country's code (JM)."""
    text = resources.files(__package__).joinpath("area_codes.toml").read_text(encoding="utf-8")
    return {str(code): where for where, codes in tomllib.loads(text).items() for code in codes}


@cache
def zones_of_areas() -> Mapping[str, tuple[str, ...]]:
    """A state or province of the USA or Canada -> the zones of its area codes."""
    zones: dict[str, tuple[str, ...]] = {}
    for code, where in area_of_codes().items():
        if len(where) > 2:
            zones[where] = numbering.merged(zones.get(where, ()), numbering.zones_below(f"1{code}"))
    return zones


@cache
def _north_american() -> frozenset[str]:
    return frozenset(where[:2] for where in area_of_codes().values())


def read_area(text: str, country: str | None) -> str | None:
    """What a cell means, `FL` or `US-FL`: an ISO 3166-2 code, or a territory's ISO 3166-1 code; None: nothing.

    A code that names no country is one of the number's `country`. Outside the USA and Canada, where no rule asks for
    states yet, any code of the right form counts.
    """
    match = _AREA.fullmatch(text.strip().upper())
    if match is None:
        return None
    given, code = match.groups()
    if given in (None, "US") and code in _US_TERRITORIES:
        return str(code)
    if given is None and (country is None or country in _north_american()):
        # No province has a state's code.
        return next((one for one in (f"US-{code}", f"CA-{code}") if one in zones_of_areas()), None)
    where = f"{given or country}-{code}"
    is_known = where in zones_of_areas() if where[:2] in ("US", "CA") else where[:2] in clocks.zones_by_country()
    return where if is_known else None

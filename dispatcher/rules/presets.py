"""The hours that the program brings along (presets.toml), read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from dispatcher.rules.cooloff import CoolOff
from dispatcher.rules.week import Week, read_week

#: What a setting says of public holidays -> whether they are closed.
HOLIDAYS = {"open": False, "closed": True}


class PresetKind(StrEnum):
    """What a preset is for."""

    #: Everywhere, and under everything else.
    floor = "floor"
    #: For marketing texts.
    texts = "texts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Hours with their source."""

    name: str
    kind: PresetKind
    week: Week
    #: Closed on public holidays of the contact's country and state.
    holidays_closed: bool
    #: ISO 3166-1 codes of countries and 3166-2 codes of states; None: everywhere.
    applies_to: frozenset[str] | None
    cooloff: CoolOff | None
    source: str
    #: When that was read.
    checked_on: date

    def applies(self, country: str | None, area: str | None) -> bool:
        """Whether it is for contacts of this country and state."""
        return self.applies_to is None or country in self.applies_to or area in self.applies_to


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name, in the file's order."""
    return read_presets(resources.files(__package__).joinpath("presets.toml").read_text(encoding="utf-8"))


def read_presets(text: str) -> dict[str, Preset]:
    """The presets of a file such as presets.toml.

    Raises: HoursError: hours that cannot be read. ValueError: anything else is missing, unknown or of another type.
    """
    found = {}
    for name, table in tomllib.loads(text).items():
        try:
            found[name] = _preset(name, table)
        except (KeyError, ValueError) as error:
            raise ValueError(f"preset {name}: {error}") from error
    return found


def _preset(name: str, table: dict[str, Any]) -> Preset:
    rest = dict(table)

    def take(key: str, *kinds: type) -> Any:
        value = rest.pop(key)
        # An empty one says nothing: no source, applies to nobody.
        if not value or not isinstance(value, kinds):
            raise ValueError(f"{key}: {' or '.join(kind.__name__ for kind in kinds)} expected")
        return value

    applies_to = take("applies_to", list, str)
    if isinstance(applies_to, str) and applies_to != "everywhere":
        raise ValueError("applies_to: a list of codes, or everywhere, expected")
    preset = Preset(
        name=name,
        kind=PresetKind(take("kind", str)),
        week=read_week(take("open", str, dict)),
        holidays_closed="holidays" in rest and HOLIDAYS[take("holidays", str)],
        applies_to=frozenset(applies_to) if isinstance(applies_to, list) else None,
        cooloff=_cooloff(take("cooloff", dict)) if "cooloff" in rest else None,
        source=take("source", str),
        checked_on=take("checked_on", date),
    )
    if rest:
        raise ValueError(f"unknown {', '.join(rest)}")
    return preset


def _cooloff(table: dict[str, Any]) -> CoolOff:
    numbers = [value for value in table.values() if isinstance(value, int) and value > 0]
    if table.keys() != {"max", "period_h"} or len(numbers) != len(table):
        raise ValueError("cooloff: max and period_h expected, above 0")
    return CoolOff(**table)

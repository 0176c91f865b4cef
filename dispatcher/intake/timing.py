"""Where a file's contacts may be, and when their rows may be sent: read column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dispatcher.errors import SettingsError
from dispatcher.intake.columns import ColumnMap
from dispatcher.model import Reason, Refusal, contact_of
from dispatcher.remedies import Setting
from dispatcher.rules.places import Place, Places, kept_place
from dispatcher.rules.times import read_columns
from dispatcher.settings import Settings

_UNKNOWN = "no time zone is known for the number"


def places_of(settings: Settings) -> Places:
    """What reads places by these settings. Raises: SettingsError: the zone to take where none is known is none."""
    hours = settings.hours
    if hours.zone_unknown != "default":
        return Places()
    if hours.default_zone is None:
        raise SettingsError(
            "[hours] zone_unknown: the zone to take is not set", fix=Setting("hours.default_zone", "America/New_York")
        )
    return Places(hours.default_zone)


@dataclass(slots=True)
class Timing:
    """Of some rows, by position."""

    #: None: hours are off, or hold for nobody there.
    places: list[Place | None] | None = None
    not_before_ms: dict[int, int] = field(default_factory=dict)
    not_after_ms: dict[int, int] = field(default_factory=dict)
    #: Wrong cells: reason, column, sentence.
    refused: dict[int, tuple[Reason, str | None, str]] = field(default_factory=dict)
    #: Left out, as it is not known where they are.
    unknown: dict[int, tuple[Reason, str | None, str]] = field(default_factory=dict)


class TimingReader:
    """Reads chunk after chunk of one file."""

    def __init__(self, columns: ColumnMap, places: Places, *, keeps_places: bool, skips_unknown: bool) -> None:
        """`skips_unknown`: numbers whose zone nothing tells are left out."""
        self._columns = columns
        self._places = places
        self._keeps_places = keeps_places
        self._skips_unknown = skips_unknown

    def read(self, to_addresses: Sequence[str | None], texts: Callable[[int], list[str]]) -> Timing:
        """`texts`: a column's cells."""
        columns, timing = self._columns, Timing()
        zones = None if columns.zone is None else texts(columns.zone)
        areas = None if columns.area is None else texts(columns.area)
        found = self._places.of_column([to or "" for to in to_addresses], zones, areas)
        places: list[Place | None] = found  # type: ignore[assignment]
        if zones is not None or areas is not None:
            places = [None if isinstance(place, Refusal) else place for place in found]
            for position, place in enumerate(found):
                if isinstance(place, Refusal) and to_addresses[position] is not None:
                    timing.refused[position] = (place.reason, self._name_of(place), place.sentence)
        if self._keeps_places:
            timing.places = places
            if None in places:
                timing.places = [kept_place(to or "", place) for to, place in zip(to_addresses, places, strict=True)]
        if self._skips_unknown and None in places:
            for position, known in enumerate(places):
                to = to_addresses[position]
                if known is None and to is not None and position not in timing.refused and contact_of(to)[:1] == "+":
                    timing.unknown[position] = (Reason.zone_unknown, None, _UNKNOWN)
        if columns.not_before is not None or columns.not_after is not None:
            self._read_times(places, texts, timing)
        return timing

    def _name_of(self, refusal: Refusal) -> str | None:
        columns = self._columns
        index = columns.area if "area" in refusal.sentence and columns.area is not None else columns.zone
        return None if index is None else columns.name(index)

    def _read_times(self, places: Sequence[Place | None], texts: Callable[[int], list[str]], timing: Timing) -> None:
        columns = self._columns
        before = None if columns.not_before is None else texts(columns.not_before)
        after = None if columns.not_after is None else texts(columns.not_after)
        for position, times in enumerate(read_columns(before, after, places)):
            if isinstance(times, Refusal):
                column = columns.not_before if before is not None and before[position].strip() else columns.not_after
                name = None if column is None else columns.name(column)
                timing.refused.setdefault(position, (times.reason, name, times.sentence))
                continue
            if times.not_before_ms is not None:
                timing.not_before_ms[position] = times.not_before_ms
            if times.not_after_ms is not None:
                timing.not_after_ms[position] = times.not_after_ms

"""Where a contact may be: a number, and a zone or a state if the file has them -> a place.

A number says less than it seems to: mobiles keep their area code for life, and a new exchange stands in no table. So a
place has *every* time zone that the number may be in. In North America those are the zones of the whole area code, not
of the exchange: where the library has no entry for an exchange it names one zone of several. Elsewhere they are those
of the country code and the next five digits, without other countries' zones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from dispatcher.errors import HoursError
from dispatcher.model import Reason, Refusal, contact_of
from dispatcher.rules import areas, clocks, numbering

#: So many characters are `+1` and an area code; no country code is longer.
_START_LENGTH = 5


class PlaceSource(StrEnum):
    """What a place was told by: how certain it is."""

    #: The file has the zone, or a state with one clock that the number does not tell.
    column = "column"
    #: The area code, whose zones have one clock.
    area_code = "area_code"
    #: The country (and the digits behind its code), whose zones have one clock.
    country = "country"
    #: A number or a state that leaves several clocks open.
    several_zones = "several_zones"
    #: Nothing: it is the zone that the settings have for such contacts.
    default = "default"
    #: Nothing, and the settings have no zone for such contacts.
    unknown = "unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contact may be."""

    #: IANA names: the zones it may be in. None: nothing tells it, see `NOWHERE`.
    zones: tuple[str, ...]
    #: Its ISO 3166-1 code; None: not known.
    country: str | None
    #: A state's or province's ISO 3166-2 code (US-FL); None: not known.
    area: str | None
    source: PlaceSource


#: Of phone numbers that no zone is known for. None is of addresses without hours: a `client:`, a SIP address.
NOWHERE = Place((), None, None, PlaceSource.unknown)


def kept_place(address: str, place: Place | None) -> Place | None:
    """What is kept with a row of this address, of what `Places` has read for it."""
    return NOWHERE if place is None and contact_of(address)[:1] == "+" else place


class Places:
    """Reads places, each thing once."""

    def __init__(self, default_zone: str | None = None) -> None:
        """`default_zone`: the IANA name for contacts who have neither a zone nor a number that tells one.

        Raises: HoursError: it is none.
        """
        #: None: there is no zone for such contacts.
        self.default: Place | None = None
        if default_zone is not None:
            name = clocks.zone_name(default_zone)
            if name is None:
                raise HoursError(
                    "the default zone is no IANA time zone",
                    found=repr(default_zone[:60]),
                    fix="write it as America/New_York",
                )
            self.default = Place((name,), clocks.country_of().get(name), None, PlaceSource.default)
        #: A number's first characters -> its place, where they tell it: all of +1, countries with one clock.
        self._by_start: dict[str, Place] = {}
        self._by_key: dict[str, Place] = {}
        self._by_cells: dict[tuple[Place | None, str, str], Place | Refusal | None] = {}

    def of_column(
        self, addresses: Iterable[str], zones: Iterable[str] | None = None, areas: Iterable[str] | None = None
    ) -> list[Place | Refusal | None]:
        """The places of normalised addresses (`+1…`, `whatsapp:+1…`, `client:…`), with the cells beside them, if any.

        None: not known. A refusal: a cell that is filled in and says nothing, with `zone_invalid` as reason.
        """
        known, of_number = self._by_start, self._of_number
        numbers: list[Place | None] = []
        for address in addresses:
            start = address[:_START_LENGTH]
            numbers.append(known[start] if start in known and "@" not in address else of_number(address))
        if zones is None and areas is None:
            default = self.default
            return [place or default for place in numbers]
        blank = [""] * len(numbers)
        return [
            self._with_cells(place, zone, area)
            for place, zone, area in zip(numbers, zones or blank, areas or blank, strict=True)
        ]

    def of(self, address: str, zone: str = "", area: str = "") -> Place | Refusal | None:
        """As `of_column`, of one contact."""
        return self.of_column([address], [zone], [area])[0]

    def _of_number(self, address: str) -> Place | None:
        number = contact_of(address)
        if number[:1] != "+" or not number[1:].isdecimal():
            return None
        start = number[:_START_LENGTH]
        if start in self._by_start:
            return self._by_start[start]
        code = numbering.calling_code(number)
        if code is None:
            return None
        if code == "1":
            place = self._by_start[start] = _north_american(start[2:])
        elif numbering.is_one_place(code):
            place = self._by_start[start] = _elsewhere(code, code)
        else:
            key = number[1 : 1 + len(code) + numbering.KEY_DIGITS]
            if key not in self._by_key:
                self._by_key[key] = _elsewhere(code, key)
            place = self._by_key[key]
        return place

    def _with_cells(self, place: Place | None, zone: str, area: str) -> Place | Refusal | None:
        cells = (place, zone, area)
        if cells not in self._by_cells:
            self._by_cells[cells] = self._read_cells(place, zone.strip(), area.strip())
        return self._by_cells[cells]

    def _read_cells(self, place: Place | None, zone: str, area: str) -> Place | Refusal | None:
        name = clocks.zone_name(zone) if zone else None
        if zone and name is None:
            return Refusal(Reason.zone_invalid, "the zone is no IANA time zone, such as America/New_York")
        code = areas.read_area(area, place.country if place else None) if area else None
        if area and code is None:
            return Refusal(Reason.zone_invalid, "the area is no state's code, such as FL or US-FL")
        if code is not None and (place is None or code != place.area):
            place = _in_area(code, place)
        if name is None:
            return place or self.default
        country = clocks.country_of().get(name)
        if place is None or (code is None and country is not None and country != place.country):
            return Place((name,), country, None, PlaceSource.column)
        return replace(place, zones=(name,), source=PlaceSource.column)


def _north_american(area_code: str) -> Place:
    """The place of a +1 number. Codes of no area (800, 500 …) may be anywhere in North America."""
    zones = numbering.zones_below(f"1{area_code}") or numbering.merged(numbering.zones_by_prefix()["1"])
    where = areas.area_of_codes().get(area_code, "US")
    return Place(zones, where[:2], where if len(where) > 2 else None, _source(zones, PlaceSource.area_code))


def _elsewhere(code: str, key: str) -> Place:
    zones, country = numbering.zones_and_country(code, key)
    return Place(zones, country, None, _source(zones, PlaceSource.country))


def _in_area(code: str, place: Place | None) -> Place:
    """A place in a state that the number does not tell."""
    country, area = code[:2], code if len(code) > 2 else None
    zones = areas.zones_of_areas().get(code)
    if zones is None and place is not None and place.country == country:
        return replace(place, area=area)
    zones = zones or clocks.zones_by_country()[country]
    return Place(zones, country, area, _source(zones, PlaceSource.column))


def _source(zones: tuple[str, ...], source: PlaceSource) -> PlaceSource:
    return source if clocks.count_clocks(zones) == 1 else PlaceSource.several_zones

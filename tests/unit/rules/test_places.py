"""Where a contact may be: by the number, by the cells beside it, by neither."""

from __future__ import annotations

import pytest

from dispatcher.errors import HoursError
from dispatcher.model import Reason, Refusal
from dispatcher.rules import areas, clocks
from dispatcher.rules.places import Place, Places, PlaceSource

NEW_YORK, LOS_ANGELES, PARIS = "America/New_York", "America/Los_Angeles", "Europe/Paris"
#: Of Miami and New York; numbers of the range for fiction.
FLORIDA, ANN = "+13055550123", "+12125550123"
FLORIDAN = Place((NEW_YORK,), "US", "US-FL", PlaceSource.area_code)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (FLORIDA, FLORIDAN),
        (f"whatsapp:{FLORIDA}", FLORIDAN),
        ("+33612345678", Place((PARIS,), "FR", None, PlaceSource.country)),
        ("+14165550123", Place(("America/Toronto",), "CA", "CA-ON", PlaceSource.area_code)),
        ("+18765550123", Place(("America/Jamaica",), "JM", None, PlaceSource.area_code)),
        ("+17875550123", Place(("America/Puerto_Rico",), "PR", None, PlaceSource.area_code)),
        ("+18505550123", Place((NEW_YORK, "America/Chicago"), "US", "US-FL", PlaceSource.several_zones)),
        # Nowhere: a satellite, an international toll-free number, no number at all.
        ("+870773111632", None),
        ("+80012345678", None),
        ("client:ann", None),
        ("ann@example.com", None),
        ("+13055550123@example.com", None),
        ("MG" + "0" * 32, None),
        ("", None),
        ("+", None),
        ("+9", None),
    ],
)
def test_a_number_tells_a_place(address: str, expected: Place | None) -> None:
    """A number in E.164 tells zones, country and state; what is none tells nothing, whatever was asked before."""
    places = Places()
    assert places.of(address) == expected
    places.of_column([FLORIDA, "+33612345678"])
    assert places.of_column([address, address]) == [expected, expected]


def test_toll_free_may_be_anywhere() -> None:
    """A toll-free number of North America may be in any of its zones."""
    toll_free = Places().of("+18005550123")
    assert isinstance(toll_free, Place)
    assert (len(toll_free.zones), toll_free.country, toll_free.source) == (42, "US", PlaceSource.several_zones)


@pytest.mark.parametrize(
    ("address", "zone", "area", "expected"),
    [
        (FLORIDA, "", "", FLORIDAN),
        # The zone wins, and the number's state stays: the zone is one of its country.
        (FLORIDA, "America/Denver", "", Place(("America/Denver",), "US", "US-FL", PlaceSource.column)),
        (FLORIDA, " america/denver ", "", Place(("America/Denver",), "US", "US-FL", PlaceSource.column)),
        # Abroad no state's rules hold, but the other country's.
        (FLORIDA, PARIS, "", Place((PARIS,), "FR", None, PlaceSource.column)),
        # A zone of no country tells none.
        (FLORIDA, "UTC", "", Place(("UTC",), "US", "US-FL", PlaceSource.column)),
        ("client:ann", PARIS, "", Place((PARIS,), "FR", None, PlaceSource.column)),
        # The state wins, and brings its zones where the number's are another's.
        (FLORIDA, "", "FL", FLORIDAN),
        (ANN, "", "fl", Place((NEW_YORK, "America/Chicago"), "US", "US-FL", PlaceSource.several_zones)),
        (FLORIDA, "", "US-CA", Place((LOS_ANGELES,), "US", "US-CA", PlaceSource.column)),
        (FLORIDA, "", "ON", Places().of("client:ann", "", "CA-ON")),
        ("client:ann", "", "CA", Place((LOS_ANGELES,), "US", "US-CA", PlaceSource.column)),
        ("+18765550123", "", "CA", Place((LOS_ANGELES,), "US", "US-CA", PlaceSource.column)),
        (FLORIDA, "", "PR", Place(("America/Puerto_Rico",), "PR", None, PlaceSource.column)),
        (FLORIDA, "", "US-PR", Place(("America/Puerto_Rico",), "PR", None, PlaceSource.column)),
        # Elsewhere a code without country is one of the number's country.
        ("+390612345678", "", "RM", Place(("Europe/Rome",), "IT", "IT-RM", PlaceSource.country)),
        ("+33612345678", "", "US-FL", Place((NEW_YORK, "America/Chicago"), "US", "US-FL", PlaceSource.several_zones)),
        # Both.
        (FLORIDA, "America/Boise", "ID", Place(("America/Boise",), "US", "US-ID", PlaceSource.column)),
    ],
)
def test_cells_win_over_the_number(address: str, zone: str, area: str, expected: Place) -> None:
    """A zone or a state in the file wins over the number; what it leaves open is the number's."""
    assert Places().of(address, zone, area) == expected


@pytest.mark.parametrize(
    "zone", ["Eastern", "EST", "mst", "America/Nowhere", "UTC-5", "../zone.tab", "America", "Factory", "-5", "none"]
)
def test_no_iana_zone_is_refused(zone: str) -> None:
    """A zone that is no IANA name, or a fixed offset that people take for a zone, is refused whatever the number is."""
    answer = Places().of(FLORIDA, zone)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.zone_invalid


@pytest.mark.parametrize("area", ["Florida", "XX", "US-XX", "XX-FL", "F", "US-", "12345", "US-FL-1", "AA"])
def test_no_state_is_refused(area: str) -> None:
    """A state that there is not is refused: another state's hours could hold."""
    answer = Places().of(FLORIDA, "", area)
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.sentence) == (
        Reason.zone_invalid,
        "the area is no state's code, such as FL or US-FL",
    )


def test_the_default_is_for_who_has_nothing() -> None:
    """The default zone is a place for contacts whom neither number nor cells place, with and without columns."""
    default = Place((PARIS,), "FR", None, PlaceSource.default)
    places = Places(default_zone=PARIS)
    assert places.of_column(["client:ann", FLORIDA]) == [default, FLORIDAN]
    assert places.of_column(["client:ann"], [""], [""]) == [default]
    assert Places().of_column(["client:ann"], [""], [""]) == [None]
    with pytest.raises(HoursError, match="found: 'Paris'"):
        Places(default_zone="Paris")


def test_a_column_is_read_as_its_cells_are() -> None:
    """A column gives what each contact gives; columns of different lengths are a bug."""
    addresses = [FLORIDA, "+33612345678", "client:ann", f"whatsapp:{FLORIDA}", "+61412345678"] * 2
    zones = ["", PARIS, "", "nowhere", ""] * 2
    expected = [Places().of(*cells) for cells in zip(addresses, zones, strict=True)]
    places = Places()
    assert places.of_column(addresses, zones) == places.of_column(addresses, zones) == expected
    with pytest.raises(ValueError, match="shorter"):
        places.of_column(addresses, zones[1:])


def test_every_state_has_zones() -> None:
    """Each state has the zones of its area codes, at least one of them its country's: Labrador has Puerto Rico's."""
    states = {where for where in areas.zones_of_areas() if where.startswith("US-")}
    assert len(states) == 51
    for where, zones in areas.zones_of_areas().items():
        assert where[:2] in {clocks.country_of()[name] for name in zones}, where

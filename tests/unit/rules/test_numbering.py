"""Area codes and prefixes against phonenumbers' own data: the tables say the same, and nothing is narrower."""

from __future__ import annotations

import random
import re
from collections import Counter
from functools import cache

import phonenumbers
import pytest
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.timezone import time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

from dispatcher.rules import areas, clocks, numbering
from dispatcher.rules.places import Place, Places

#: Calling codes whose zones have several clocks. +1 is tested by its area codes.
SEVERAL_CLOCKS = (7, 34, 52, 55, 61, 62, 64, 243, 262, 299, 351, 593, 686, 689, 691, 976)
#: Area codes that span clocks.
SPANNING = [
    "208",
    "219",
    "250",
    "270",
    "308",
    "418",
    "423",
    "541",
    "574",
    "605",
    "606",
    "620",
    "701",
    "709",
    "775",
    "785",
    "807",
    "812",
    "850",
    "867",
    "879",
    "906",
    "907",
    "928",
    "986",
]

#: As the library writes them, spelling mistakes included.
NAMES = {
    "Alabama": "US-AL", "Alaska": "US-AK", "Arizona": "US-AZ", "Arkansas": "US-AR", "California": "US-CA",
    "Colorado": "US-CO", "Connecticut": "US-CT", "Delaware": "US-DE", "Florida": "US-FL", "Georgia": "US-GA",
    "Hawaii": "US-HI", "Idaho": "US-ID", "Illinois": "US-IL", "Indiana": "US-IN", "Iowa": "US-IA", "Kansas": "US-KS",
    "Kentucky": "US-KY", "Louisiana": "US-LA", "Maine": "US-ME", "Maryland": "US-MD", "Massachusetts": "US-MA",
    "Michigan": "US-MI", "Minnesota": "US-MN", "Mississippi": "US-MS", "Missouri": "US-MO", "Montana": "US-MT",
    "Nebraska": "US-NE", "Nevada": "US-NV", "New Hampshire": "US-NH", "New Jersey": "US-NJ", "New Mexico": "US-NM",
    "New York": "US-NY", "North Carolina": "US-NC", "North Dakota": "US-ND", "Ohio": "US-OH", "Oklahoma": "US-OK",
    "Oregon": "US-OR", "Pennsylvania": "US-PA", "Rhode Island": "US-RI", "South Carolina": "US-SC",
    "South Dakota": "US-SD", "Tennessee": "US-TN", "Texas": "US-TX", "Utah": "US-UT", "Vermont": "US-VT",
    "Virginia": "US-VA", "Washington State": "US-WA", "Washington D.C.": "US-DC", "West Virginia": "US-WV",
    "Wisconsin": "US-WI", "Wyoming": "US-WY",
    "Alberta": "CA-AB", "British Columbia": "CA-BC", "British Colombia": "CA-BC", "Manitoba": "CA-MB",
    "New Brunswick": "CA-NB", "Newfoundland and Labrador": "CA-NL", "Ontario": "CA-ON", "Quebec": "CA-QC",
    "Saskatchewan": "CA-SK", "Nova Scotia/Prince Edward Island": "CA", "Northwest Territories/Nunavut/Yukon": "CA",
}  # fmt: skip
BY_LETTERS = {code[3:]: code for code in NAMES.values() if len(code) > 2}


def number(code: int, national: str) -> phonenumbers.PhoneNumber:
    return phonenumbers.PhoneNumber(country_code=code, national_number=int(national))


def place(address: str) -> Place:
    found = Places().of(address)
    assert isinstance(found, Place)
    return found


@cache
def library_areas() -> dict[str, str | None]:
    """Where the library's geodata has area codes, by their names or, where it has only exchanges, by most of theirs."""
    found: dict[str, Counter[str | None]] = {}
    for prefix, texts in GEOCODE_DATA.items():
        if prefix[0] == "1" and (prefix[:4] == prefix or prefix[:4] not in GEOCODE_DATA):
            name = texts.get("en", "")
            where = NAMES.get(name) or BY_LETTERS.get(name.rpartition(", ")[2])
            found.setdefault(prefix[1:4], Counter())[where] += 1
    return {code: counts.most_common(1)[0][0] for code, counts in found.items()}


def library_country(area_code: str) -> str:
    """The country that the library finds most numbers of an area code valid in."""
    tried = [f"{area_code}{exchange}0100" for exchange in range(210, 1000, 79)]
    found = Counter(phonenumbers.region_code_for_number(number(1, national)) for national in tried)
    found.pop(None, None)
    return found.most_common(1)[0][0] or ""


def test_area_codes_are_the_library_s() -> None:
    """The table has each area code that the library has a time zone for, in the state or country of its geodata."""
    codes = {prefix[1:4] for prefix in TIMEZONE_DATA if prefix[0] == "1" and len(prefix) > 3}
    table = areas.area_of_codes()
    assert table.keys() == codes
    wrong = {}
    for code, where in table.items():
        library = library_areas()[code] if where[:2] in ("US", "CA") else library_country(code)
        if library != where:
            wrong[code] = (where, library)
    assert wrong == {}


def test_the_country_of_area_codes_is_the_library_s() -> None:
    """The state of an area code is one of the country that the library finds numbers of it valid in."""
    assert {code: where for code, where in areas.area_of_codes().items() if library_country(code) != where[:2]} == {}


def test_which_area_codes_span_clocks() -> None:
    """Area codes whose exchanges have different clocks are known to have several: no exchange narrows them."""
    several = [code for code in areas.area_of_codes() if clocks.count_clocks(numbering.zones_below(f"1{code}")) > 1]
    assert sorted(several) == SPANNING
    for code in SPANNING:
        zones = {name for prefix in TIMEZONE_DATA if prefix.startswith(f"1{code}") for name in TIMEZONE_DATA[prefix]}
        assert set(place(f"+1{code}5550123").zones) == zones


def test_an_exchange_does_not_narrow() -> None:
    """Pensacola's exchange that no table has yet is no New Yorker: where the library names one zone, we have both."""
    assert time_zones_for_number(number(1, "8505550123")) == ("America/New_York",)
    assert set(place("+18505550123").zones) == {"America/New_York", "America/Chicago"}


def test_which_countries_have_several_clocks() -> None:
    """All other calling codes have one clock, which is one look-up."""
    codes = [code for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE if str(code) in TIMEZONE_DATA]
    several = [code for code in codes if clocks.count_clocks(numbering.zones_below(str(code))) > 1]
    assert sorted(several) == [1, *SEVERAL_CLOCKS]


def test_every_zone_of_the_library_is_known() -> None:
    """Each zone in the library's table is one of zone.tab, so that it has a country: a new name must be translated."""
    names = {name for zones in numbering.zones_by_prefix().values() for name in zones}
    assert names - clocks.country_of().keys() == set()


def valid_numbers(code: int, seed: int, count: int) -> list[str]:
    """Random valid national numbers: examples of each kind of number with their ends changed, and any digits."""
    chance = random.Random(seed)
    kinds = [
        "fixed_line",
        "mobile",
        "toll_free",
        "premium_rate",
        "shared_cost",
        "voip",
        "personal_number",
        "pager",
        "uan",
    ]
    found: list[str] = []
    metadata = [
        phonenumbers.PhoneMetadata.metadata_for_region(region)
        for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    ]
    kept = [getattr(one, kind).example_number for one in metadata for kind in kinds if getattr(one, kind)]
    examples = [text for text in kept if text]
    for _ in range(100 * count):
        example = chance.choice(examples)
        end = chance.randrange(len(example))
        national = example[:end] + "".join(chance.choices("0123456789", k=len(example) - end))
        if national[0] != "0" and phonenumbers.is_valid_number(number(code, national)):
            found.append(national)
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize("code", SEVERAL_CLOCKS)
def test_no_place_is_narrower_than_the_library(code: int) -> None:
    """Of random valid numbers none has fewer clocks than the library gives it, and each has its country."""
    wrong = []
    numbers = valid_numbers(code, seed=code, count=600)
    assert len(numbers) == 600
    for national in numbers:
        region = phonenumbers.region_code_for_number(number(code, national))
        named = time_zones_for_number(number(code, national))
        zones = [numbering._RENAMED.get(name, name) for name in named]
        own = [name for name in zones if clocks.country_of()[name] == region]
        found = place(f"+{code}{national}")
        missing = {clocks._compared(name) for name in own or zones} - {clocks._compared(name) for name in found.zones}
        if missing or found.country != region:
            wrong.append((national, region, found))
    assert wrong == []


def test_a_longer_prefix_is_not_forgotten() -> None:
    """Where the table tells zones apart by more digits than are looked at, a number has the zones of all of them."""
    looked = []
    for code in map(str, SEVERAL_CLOCKS):
        for prefix, zones in numbering.zones_by_prefix().items():
            if prefix.startswith(code) and len(prefix) > len(code) + numbering.KEY_DIGITS:
                found = place(f"+{prefix}".ljust(12, "0"))
                looked.append(clocks.count_clocks(found.zones))
                assert {clocks._compared(name) for name in zones} <= {clocks._compared(name) for name in found.zones}
    assert len(looked) > 400
    assert max(looked) > 1


def test_a_mobile_is_not_its_prefix_s_city() -> None:
    """Digits that have a city in the table do not place a mobile there, if mobiles have no areas in that country."""
    sydney, mobile = place("+61212345678"), place("+61412345678")
    assert sydney.zones == ("Australia/Sydney",)
    assert {"Australia/Sydney", "Australia/Perth", "Australia/Adelaide"} < set(mobile.zones)
    assert re.match("Asia|Europe", " ".join(mobile.zones)) is None


def test_zones_are_those_of_the_country() -> None:
    """Of a calling code that countries share, each has its own zones."""
    assert clocks.count_clocks(place("+77012345678").zones) == 1
    assert len(place("+79161234567").zones) == 13
    assert place("+262692123456").zones == ("Indian/Reunion",)
    assert place("+262639012345").zones == ("Indian/Mayotte",)
    assert (place("+441481960194").country, place("+447700900123").country) == ("GG", "GB")

"""The hours that the program brings along: each is whole, and none lets more through than the floor."""

from __future__ import annotations

import random
from datetime import date

import pytest

from dispatcher.errors import HoursError
from dispatcher.rules.cooloff import CoolOff
from dispatcher.rules.hours import Openings, read_hours
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.presets import PresetKind, presets, read_presets

NAMES = "floor us us-fl us-md us-ms us-nj us-ok us-wa fr in ae th tw au ca de gb ie nl nz"
WHOLE = """
[one]
kind = "texts"
open = "09:00-20:00"
applies_to = ["FR"]
source = "somewhere"
checked_on = 2026-11-26
"""


def test_each_preset_has_a_source_and_a_date() -> None:
    """Each preset says where its hours stand, and when somebody read that; only the floor is for everybody."""
    assert list(presets()) == NAMES.split()
    for name, preset in presets().items():
        assert preset.name == name
        assert len(preset.source) > 10
        assert date(2025, 1, 1) < preset.checked_on
        assert (preset.kind is PresetKind.floor) == (preset.applies_to is None) == (name == "floor")


def test_the_states_that_count_contacts() -> None:
    """Florida, Maryland and Oklahoma bound contacts to three in 24 hours, nobody else does."""
    found = {name: preset.cooloff for name, preset in presets().items() if preset.cooloff}
    assert found == dict.fromkeys(("us-fl", "us-md", "us-ok"), CoolOff(max=3, period_h=24))


def test_texts_never_widen_the_floor() -> None:
    """Whatever place, whatever month: with all presets nothing is open that the floor alone has closed."""
    chance = random.Random(1)
    applied = {code for preset in presets().values() for code in preset.applies_to or ()}
    zones = ("America/New_York", "Europe/Paris", "Asia/Kolkata", "Asia/Dubai", "Asia/Taipei", "Pacific/Auckland")
    narrower = set()
    for code in sorted(applied | {"XX"}):
        for name in zones:
            place = Place((name,), code[:2], code if len(code) > 2 else None, PlaceSource.column)
            from_ms = chance.randrange(1_790_000_000, 1_890_000_000) * 1000
            floor = Openings(read_hours(["floor"]), from_ms).of(place)
            texts = Openings(read_hours(["texts"]), from_ms).of(place)
            for opens, closes in texts:
                assert any(first <= opens and closes <= last for first, last in floor), (code, name)
            if texts != floor:
                narrower.add(code)
    assert narrower == {"US-FL", "US-MD", "US-MS", "US-OK", "US-WA", "FR", "IN", "TH", "TW"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kind = "texts"', 'kind = "calls"'),
        ('kind = "texts"\n', ""),
        ('source = "somewhere"\n', ""),
        ('source = "somewhere"', 'source = ""'),
        ("checked_on = 2026-11-26\n", ""),
        ("checked_on = 2026-11-26", 'checked_on = "2026-11-26"'),
        ('applies_to = ["FR"]', "applies_to = []"),
        ('applies_to = ["FR"]', 'applies_to = "FR"'),
        ('open = "09:00-20:00"', "open = 9"),
        ('open = "09:00-20:00"\n', ""),
        ('open = "09:00-20:00"', 'open = "09:00-20:00"\nhours = "09:00-20:00"'),
        ('open = "09:00-20:00"', 'open = "09:00-20:00"\nholidays = "closd"'),
        ('open = "09:00-20:00"', 'open = "09:00-20:00"\ncooloff = { max = 3 }'),
        ('open = "09:00-20:00"', 'open = "09:00-20:00"\ncooloff = { max = 0, period_h = 24 }'),
        ('open = "09:00-20:00"', 'open = "09:00-20:00"\ncooloff = { max = 3, period_h = "24" }'),
    ],
)
def test_a_preset_that_is_not_whole_is_refused(old: str, new: str) -> None:
    """A preset without its source, for nobody, or with a word that means nothing is no preset."""
    assert list(read_presets(WHOLE)) == ["one"]
    assert old in WHOLE
    with pytest.raises(ValueError, match="preset one: "):
        read_presets(WHOLE.replace(old, new))


def test_a_preset_s_hours_must_be_hours() -> None:
    """Hours of a preset are read as those of the settings."""
    with pytest.raises(HoursError):
        read_presets(WHOLE.replace("09:00-20:00", "9 to 8"))

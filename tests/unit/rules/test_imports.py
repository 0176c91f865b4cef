"""What the room costs to load: nothing large before a number is placed or holidays are asked for."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("phonenumbers", "phonenumbers.tzdata", "phonenumbers.geodata", "holidays", "pandas")
HOURS = "from dispatcher.rules import hours, places, times; of = hours.read_hours(['texts'])\n"


def loaded(code: str) -> list[str]:
    code += f"\nimport sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_the_room_loads_nothing_large() -> None:
    """Hours are read, and places opened that need no public holidays, without phonenumbers and holidays."""
    place = "places.Place(('Asia/Kolkata',), 'IN', None, places.PlaceSource.column)"
    assert loaded(f"{HOURS}assert hours.openings({place}, of, 0)") == []


def test_holidays_are_loaded_for_who_needs_them() -> None:
    """A place whose hours ask for public holidays loads them."""
    place = "places.Place(('Europe/Paris',), 'FR', None, places.PlaceSource.column)"
    assert loaded(f"{HOURS}assert hours.openings({place}, of, 0)") == ["holidays"]


def test_numbers_are_placed_without_geodata() -> None:
    """A number's place takes the library's time zones, and none of its names of towns."""
    assert loaded(f"{HOURS}assert places.Places().of('+12125550123')") == ["phonenumbers", "phonenumbers.tzdata"]


def test_reading_numbers_needs_no_time_zones() -> None:
    """Whoever reads a file without rules does not load time zones."""
    code = "from dispatcher.intake.phones import Addresses; assert Addresses('US').read('(212) 555-0123')"
    assert loaded(code) == ["phonenumbers"]

"""What clocks show and when, against a walk through the years; names of zones."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from dispatcher.rules import clocks
from tests.unit.rules import wall_clocks

FIRST_S, LAST_S = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2025, 2031))
STEP_S = 12 * 3600


def test_every_change_of_every_zone_is_found() -> None:
    """From 2025 to 2030 each zone's clock is what a look every twelve hours says, and changes at the very second."""
    looked = 0
    for name in wall_clocks.all_zones():
        if clocks.zone_name(name) is None:
            continue
        segments = clocks.segments(name, FIRST_S, LAST_S)
        position = 0
        for at_s in range(FIRST_S, LAST_S, STEP_S):
            while position + 1 < len(segments) and segments[position + 1][0] <= at_s:
                position += 1
            assert segments[position][1] == wall_clocks.ahead_s(at_s, name), (name, at_s)
        for (_, before_s), (start_s, after_s) in pairwise(segments):
            assert (wall_clocks.ahead_s(start_s - 1, name), wall_clocks.ahead_s(start_s, name)) == (before_s, after_s)
            looked += 1
    assert looked > 600


def test_no_clock_changes_twice_within_a_day() -> None:
    """Looking once a day finds every change, for no clock changes twice in between."""
    for name in wall_clocks.all_zones():
        if clocks.zone_name(name) is not None:
            starts = [start_s for start_s, _ in clocks.segments(name, FIRST_S, LAST_S)][1:]
            assert all(later_s - earlier_s > 2 * clocks.DAY_S for earlier_s, later_s in pairwise(starts)), name


@pytest.mark.parametrize(
    ("wall_s", "expected"),
    [
        # One hour is skipped at 1,000,000, and comes twice at 2,000,000.
        (999_999, (999_999, 999_999)),
        (1_000_000, (1_000_000, 1_000_000)),
        (1_003_599, (1_000_000, 1_000_000)),
        (1_003_600, (1_000_000, 1_000_000)),
        (1_003_601, (1_000_001, 1_000_001)),
        (1_999_999, (1_996_399, 1_996_399)),
        (2_000_000, (1_996_400, 2_000_000)),
        (2_003_599, (1_999_999, 2_003_599)),
        (2_003_600, (2_003_600, 2_003_600)),
        (0, (0, 0)),
        (-5, (-5, -5)),
        (9_000_000, (9_000_000, 9_000_000)),
    ],
)
def test_a_wall_time_has_its_instants(wall_s: int, expected: tuple[int, int]) -> None:
    """A wall time is one instant, the change if it is skipped, or the first and the last if it comes twice."""
    assert clocks.instants(((0, 0), (1_000_000, 3600), (2_000_000, 0)), wall_s) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("America/New_York", "America/New_York"),
        (" america/new_york\n", "America/New_York"),
        ("US/Eastern", "US/Eastern"),
        ("utc", "UTC"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("EST", None),
        ("EST5EDT", "EST5EDT"),
        ("New_York", None),
        ("", None),
        ("zone.tab", None),
        ("America/../UTC", None),
    ],
)
def test_a_zone_s_name_is_one_of_iana_s(text: str, name: str | None) -> None:
    """Names differ in case at most; EST and its like are no clock that anybody has on the wall in summer."""
    assert clocks.zone_name(text) == name


def test_an_unknown_zone_opens_no_file() -> None:
    """Only names of the list are opened: nothing else that a path may name."""
    for name in ("../zones", "/etc/localtime", "america/new_york", "EST"):
        with pytest.raises(clocks.UnknownZone):
            clocks.segments(name, 0, 1)


def test_the_machine_s_zones_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine has of time zones changes nothing: the rules are the locked package's."""
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Oslo").write_bytes(b"no zone")
    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path))
    import zoneinfo

    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    try:
        assert clocks.segments("Europe/Oslo", 1_796_115_600, 1_796_115_601) == ((1_796_115_600, 3600),)
    finally:
        monkeypatch.delenv("PYTHONTZPATH")
        zoneinfo.reset_tzpath()


def test_clocks_are_told_apart() -> None:
    """Two zones have one clock if they show the same; a part of the year is enough to tell them apart."""
    assert clocks.count_clocks(["Europe/Paris", "Europe/Berlin", "Europe/Rome"]) == 1
    assert clocks.count_clocks(["America/Denver", "America/Phoenix"]) == 2
    assert clocks.TZ_VERSION[:4].isdecimal()

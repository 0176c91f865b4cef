"""Where a file's contacts may be, and when their rows may be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import ColumnError, SettingsError
from dispatcher.intake import open_input
from dispatcher.ledger.records import RowBatch
from dispatcher.model import Reason
from dispatcher.rules.places import PlaceSource
from dispatcher.settings import Settings
from tests.unit.intake.reading import ANN, BOB, SENDER, write

HOUR_MS = 3_600_000


def batch(path: Path, *, columns: dict[str, object] | None = None, **hours: object) -> RowBatch:
    """The file's rows, all of one batch; hours are on unless they are told otherwise."""
    settings = Settings.model_validate(
        {
            "columns": {"to": "phone", "region": "US", **(columns or {})},
            "campaign": {"from": SENDER},
            "hours": {"mode": "wait", **hours},
        }
    )
    with open_input(path, settings) as opened:
        (one,) = opened.batches()
    return one


def reasons(of: RowBatch) -> dict[int, tuple[Reason, str | None]]:
    return {position: (reason, column) for position, (reason, column, _) in of.reasons.items()}


def test_each_row_has_its_place(tmp_path: Path) -> None:
    """By the number; a wrong row and an address of no place have none, and neither is left out for it."""
    path = write(tmp_path / "a.csv", f"phone\n{ANN}\nnobody\nclient:bob\n+442079460958\n")
    of = batch(path)
    assert of.places is not None
    assert [place and place.zones for place in of.places] == [("America/New_York",), None, None, ("Europe/London",)]
    assert reasons(of) == {1: (Reason.to_invalid, "phone")}


def test_columns_tell_better(tmp_path: Path) -> None:
    """A zone or a state that the file has counts more than the number; an empty cell does not."""
    path = write(tmp_path / "a.csv", f"phone,tz,state\n{ANN},America/Denver,\n{BOB},,FL\n+12025550103,,\n")
    of = batch(path, columns={"zone": "tz", "area": "state"})
    assert of.places is not None
    first, second, third = of.places
    assert first is not None
    assert (first.zones, first.source) == (("America/Denver",), PlaceSource.column)
    assert second is not None
    assert second.area == "US-FL"
    assert third is not None
    assert third.zones == ("America/New_York",)


@pytest.mark.parametrize(("zone", "area", "column"), [("Mars/Olympus", "", "tz"), ("", "Atlantis", "state")])
def test_a_cell_that_is_no_place(tmp_path: Path, zone: str, area: str, column: str) -> None:
    """The row is wrong, with the column that is."""
    path = write(tmp_path / "a.csv", f"phone,tz,state\n{ANN},{zone},{area}\n{BOB},,\n")
    of = batch(path, columns={"zone": "tz", "area": "state"})
    assert reasons(of) == {0: (Reason.zone_invalid, column)}
    assert of.states == ["invalid", "planned"]


def test_a_number_of_no_known_zone(tmp_path: Path) -> None:
    """Left out and told; or in the zone that the settings name for such; and by hours that are only warned of, sent."""
    path = write(tmp_path / "a.csv", f"phone\n{ANN}\n+870773111632\nclient:bob\n")
    of = batch(path)
    assert (reasons(of), of.states) == ({1: (Reason.zone_unknown, None)}, ["planned", "skipped", "planned"])
    assert of.row_keys[1] is not None
    of = batch(path, zone_unknown="default", default_zone="Europe/Paris")
    assert of.places is not None
    assert [place and place.zones[0] for place in of.places] == ["America/New_York", "Europe/Paris", "Europe/Paris"]
    assert batch(path, mode="warn").states == ["planned"] * 3


def test_rows_own_times(tmp_path: Path) -> None:
    """On the contact's own clock, or by an offset; a date alone ends with its day."""
    path = write(
        tmp_path / "a.csv",
        f"phone,from,until\n{ANN},2026-12-01T09:00,2026-12-01T18:00\n{BOB},,2026-12-01\n+442079460958,2026-12-01T09:00Z,\n",
    )
    of = batch(path, columns={"not_before": "from", "not_after": "until"})
    nine_ms = 1_796_130_000_000  # 2026-12-01T13:00Z; 09:00 in New York is an hour later
    assert of.not_before_ms == {0: nine_ms + HOUR_MS, 2: nine_ms - 4 * HOUR_MS}
    assert of.not_after_ms == {0: nine_ms + 10 * HOUR_MS, 1: nine_ms + 16 * HOUR_MS}


@pytest.mark.parametrize(
    ("cells", "column"),
    [("01/02/2026,", "from"), (",46000.5", "until"), ("2026-12-02,2026-12-01", "from"), ("tomorrow,", "from")],
)
def test_a_time_that_is_none(tmp_path: Path, cells: str, column: str) -> None:
    """The row is wrong, with the column that is."""
    path = write(tmp_path / "a.csv", f"phone,from,until\n{ANN},{cells}\n")
    of = batch(path, columns={"not_before": "from", "not_after": "until"})
    assert reasons(of) == {0: (Reason.time_invalid, column)}


def test_hours_that_are_off(tmp_path: Path) -> None:
    """Nothing is looked up; a row's own times hold all the same."""
    path = write(tmp_path / "a.csv", f"phone,from\n{ANN},2026-12-01T09:00\n+870773111632,\n")
    assert batch(path, mode="off").places is None
    of = batch(path, mode="off", columns={"not_before": "from"})
    assert of.places is None
    assert of.not_before_ms.keys() == {0}
    assert of.states == ["planned", "planned"]


def test_columns_and_zones_that_there_are_not(tmp_path: Path) -> None:
    """A column that is not in the file, a zone that is none: told by the setting's name."""
    path = write(tmp_path / "a.csv", f"phone\n{ANN}\n")
    for name in ("zone", "area", "not_before", "not_after"):
        with pytest.raises(ColumnError, match=f"columns\\] {name}"):
            batch(path, columns={name: "elsewhere"})
    for zone in ("Mars", None):
        with pytest.raises(SettingsError, match="zone"):
            batch(path, zone_unknown="default", default_zone=zone)

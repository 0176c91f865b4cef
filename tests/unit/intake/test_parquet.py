"""Parquet: every type is text, nothing is lost, and memory does not grow with the file."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dispatcher.errors import InputError
from dispatcher.model import Reason
from tests.unit.intake.reading import ANN, BOB, read

BERLIN = "Europe/Berlin"
NOON = dt.datetime(2026, 1, 2, 12, 30)  # noqa: DTZ001 - a file's naive timestamp


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["Zoë", "", None, "NA"]), ["Zoë", "", "", "NA"]),
        (pa.array(["a", None, "a"], pa.large_string()), ["a", "", "a"]),
        (pa.array(["a", None, "b"]).dictionary_encode(), ["a", "", "b"]),
        (pa.array([15551234567, None, -1], pa.int64()), ["15551234567", "", "-1"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([1, None], pa.int8()), ["1", ""]),
        (pa.array([Decimal("1.10"), None, Decimal("-0.01")]), ["1.10", "", "-0.01"]),
        (pa.array([Decimal("12345678901234567890.12")], pa.decimal128(38, 2)), ["12345678901234567890.12"]),
        (pa.array([0.1, 5.0, float("nan"), None, 1e300]), ["0.1", "5.0", "", "", "1e+300"]),
        (pa.array([0.1, float("nan")], pa.float32()), ["0.1", ""]),
        (pa.array([True, False, None]), ["true", "false", ""]),
        (pa.array([dt.date(2026, 1, 2), None]), ["2026-01-02", ""]),
        (pa.array([dt.date(2026, 1, 2)], pa.date64()), ["2026-01-02"]),
        (pa.array([dt.time(10, 30), dt.time(10, 30, 0, 5000)]), ["10:30:00", "10:30:00.005"]),
        (pa.array([NOON, None], pa.timestamp("us")), ["2026-01-02T12:30:00", ""]),
        (pa.array([NOON.replace(microsecond=5)], pa.timestamp("ns")), ["2026-01-02T12:30:00.000005"]),
        (pa.array([NOON], pa.timestamp("s", "UTC")), ["2026-01-02T12:30:00Z"]),
        (pa.array([NOON], pa.timestamp("ms", BERLIN)), ["2026-01-02T13:30:00+01:00"]),
        (pa.array([NOON], pa.timestamp("s", "America/New_York")), ["2026-01-02T07:30:00-05:00"]),
        (pa.array([[1, 2], None, []]), ["[1,2]", "", "[]"]),
        (pa.array([{"a": 1, "b": ["x", None]}]), ['{"a":1,"b":["x",null]}']),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), ['[["k",1]]']),
        (pa.array(["Zoë".encode(), None]), ["Zoë", ""]),
        (pa.array([dt.timedelta(hours=36)]), ["1 day, 12:00:00"]),
        (pa.nulls(2), ["", ""]),
    ],
)
def test_every_type_has_its_text(tmp_path: Path, values: Any, texts: list[str]) -> None:
    """Numbers keep their digits, times are ISO 8601, nested values are JSON, and nulls are empty."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN] * len(values), "value": values}), path)
    assert [cells[1] for cells in read(path).cells] == texts


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A column of bytes that are not UTF-8 is refused by its name."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN], "photo": [b"\xff\xd8"]}), path)
    with pytest.raises(InputError, match='the column "photo" holds bytes that are no text'):
        read(path)


def test_whole_numbers_are_read_as_phones(tmp_path: Path) -> None:
    """Numbers in the phone column are read, and decimal ones refused as mangled."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [12025550101, None]}), path)
    assert read(path).to == [ANN]
    pq.write_table(pa.table({"phone": [12025550101.0, 12025550102.0]}), path)
    assert read(path).reasons == [Reason.to_mangled, Reason.to_mangled]


def test_rows_are_numbered_below_a_header(tmp_path: Path) -> None:
    """Rows are numbered as if a header stood above them, and blank ones keep their number."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN, None, BOB], "n": ["1", None, "3"]}), path)
    reading = read(path)
    assert reading.numbers == [2, 4]
    assert reading.notes == ("1 blank row left out",)


def test_many_row_groups_are_one_file_in_order(tmp_path: Path) -> None:
    """The row groups of a file are read as one table, each row in its place and with its number."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN] * 25_000, "n": range(25_000)}), path, row_group_size=700)
    reading = read(path)
    assert reading.numbers == list(range(2, 25_002))
    assert [cells[1] for cells in reading.cells] == [str(n) for n in range(25_000)]


def test_columns_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    """Two columns of one name that are not sent each keep their own cells."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([[ANN], ["x"], ["y"]], names=["phone", "a", "a"]), path)
    assert read(path, parameters=[]).cells == [(ANN, "x", "y")]


def test_a_pq_suffix_means_parquet(tmp_path: Path) -> None:
    """A file named .pq is read like one named .parquet."""
    path = tmp_path / "a.pq"
    pq.write_table(pa.table({"phone": [ANN]}), path)
    assert read(path).to == [ANN]

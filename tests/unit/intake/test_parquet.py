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
from tests.unit.intake.reading import ANN, BOB, read

BERLIN = "Europe/Berlin"
NOON = dt.datetime(2026, 1, 2, 12, 30)  # noqa: DTZ001 - a file's naive timestamp


TEXT_BY_TEXT = pa.map_(pa.string(), pa.string())


@pytest.mark.parametrize("values", [pa.array([[ANN]]), pa.array([{"n": ANN}]), pa.array([[("n", ANN)]], TEXT_BY_TEXT)])
def test_a_nested_phone_column_is_refused(tmp_path: Path, values: Any) -> None:
    """By its type as well: one address is wanted, and not a list that has one."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": values}), path)
    with pytest.raises(InputError, match='the column "phone" holds lists or records, and not one value each'):
        read(path)


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
        (pa.array([0.1, 5.0, float("nan"), None, 1e300]), ["0.1", "5", "", "", "1e+300"]),
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
        (pa.array([dt.timedelta(hours=36)]), ["36:00:00"]),
        (pa.nulls(2), ["", ""]),
    ],
)
def test_every_type_has_its_text(tmp_path: Path, values: Any, texts: list[str]) -> None:
    """Numbers keep their digits, times are ISO 8601, nested values are JSON, and nulls are empty."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN] * len(values), "value": values}), path)
    assert [cells[1] for cells in read(path).cells] == texts


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([dt.date(2026, 1, 2), None]), ["02.01.2026", ""]),
        (pa.array([dt.date(2026, 1, 2)], pa.date64()), ["02.01.2026"]),
        (pa.array([NOON, None], pa.timestamp("ns")), ["02.01.2026 12:30", ""]),
        (pa.array([NOON.replace(hour=0, minute=0)], pa.timestamp("us")), ["02.01.2026"]),
        (pa.array([NOON.replace(second=9)], pa.timestamp("ms", BERLIN)), ["02.01.2026 13:30:09"]),
        (pa.array([9_000_000], pa.date32()), ["26611-03-02"]),
        (pa.array(["2026-01-02"]), ["2026-01-02"]),
    ],
)
def test_dates_are_written_as_the_setting_says(tmp_path: Path, values: Any, texts: list[str]) -> None:
    """As those of a workbook are: with their time, where they have one. A text is no date."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN] * len(values), "value": values}), path)
    assert [cells[1] for cells in read(path, dates="%d.%m.%Y").cells] == texts


def test_dates_of_a_column_are_all_with_a_time_or_none(tmp_path: Path) -> None:
    """As in a workbook: one midnight among times is one, however far down the first time stands."""
    days = [dt.datetime(2026, 1, 2)] * 1_500  # noqa: DTZ001
    table = {
        "phone": [ANN] * 1_501,
        "t": pa.array([*days, NOON], pa.timestamp("us")),
        "day": pa.array([*days, None], pa.timestamp("ns")),
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet", row_group_size=700)
    cells = read(tmp_path / "a.parquet", dates="%d.%m.%Y").cells
    assert {one[1:] for one in cells} == {("02.01.2026 00:00", "02.01.2026"), ("02.01.2026 12:30", "")}


def test_numbers_of_another_programs_own_type(tmp_path: Path) -> None:
    """pandas keeps a month as a number: 672 is not what anybody is to be told."""
    field = pa.field("month", pa.int64(), metadata={"ARROW:extension:name": "pandas.period"})
    schema = pa.schema([pa.field("phone", pa.string()), field])
    pq.write_table(pa.table([[ANN], [672]], schema=schema), tmp_path / "a.parquet")
    with pytest.raises(InputError, match='the column "month" holds values of the type pandas'):
        read(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", parameters=[]).cells == [(ANN, "")]


def test_far_more_cells_than_bytes_are_refused(tmp_path: Path) -> None:
    """Nothing, again and again, takes a minute to look at all the same."""
    nothing = pa.nulls(300_000, pa.string())
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": nothing, **{f"c{n}": nothing for n in range(200)}}), path)
    with pytest.raises(InputError, match="holds far more cells than bytes"):
        read(path)


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


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_a_floating_phone_column_is_refused(tmp_path: Path, kind: Any) -> None:
    """By its type, whatever its numbers look like: 2025550123 as float32 is 2025550080."""
    path = tmp_path / "a.parquet"
    values = pa.array([2025550123.0 if kind != pa.float16() else 2.0, None], pa.float64()).cast(kind, safe=False)
    for column in (values, values.dictionary_encode() if kind != pa.float16() else values):
        pq.write_table(pa.table({"phone": column}), path)
        with pytest.raises(InputError, match='the column "phone" holds floating-point numbers'):
            read(path)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([0.1, 120.0, -0.0], pa.float32()), ["0.1", "120", "0"]),
        (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8())), ["true", "false"]),
        (pa.array([120.0, None]), ["120", ""]),
        (pa.array([1e22, 1.5e-9, float("inf")]), ["1e+22", "1.5e-09", "inf"]),
        (pa.array([[0.1]], pa.list_(pa.float32())), ["[0.1]"]),
        (pa.array([{"a": Decimal("1.10"), "b": dt.date(2026, 1, 2)}]), ['{"a":1.10,"b":"2026-01-02"}']),
        (pa.array([{"t": NOON, "d": dt.timedelta(hours=-30)}]), ['{"t":"2026-01-02T12:30:00","d":"-30:00:00"}']),
        (
            pa.array([{"n": 2**64 - 1, "x": "Zoë"}], pa.struct([("n", pa.uint64()), ("x", pa.string())])),
            ['{"n":18446744073709551615,"x":"Zoë"}'],
        ),
        (pa.array([[b"Zoe"]]), ['["Zoe"]']),
        (pa.array([Decimal("0E-9"), Decimal("1.00E-7")], pa.decimal128(20, 9)), ["0.000000000", "0.000000100"]),
        (pa.array([{"a": {}}], pa.struct([("a", pa.struct([("b", pa.int8())]))])), ['{"a":{"b":null}}']),
        (pa.array(["a"]).cast(pa.string_view()), ["a"]),
    ],
)
def test_values_are_as_a_person_writes_them(tmp_path: Path, values: Any, texts: list[str]) -> None:
    """No more digits than the type has, no E-notation for amounts, and the same inside of lists."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN] * len(values), "value": values}), path)
    assert [cells[1] for cells in read(path).cells] == texts


def test_times_far_from_today(tmp_path: Path) -> None:
    """INT96 holds more centuries than nanoseconds do; zones that this system does not know are told in UTC."""
    path = tmp_path / "a.parquet"
    far = dt.datetime(2300, 1, 1)  # noqa: DTZ001
    pq.write_table(
        pa.table({"phone": [ANN], "t": pa.array([far], pa.timestamp("us"))}), path, use_deprecated_int96_timestamps=True
    )
    assert read(path).cells == [(ANN, "2300-01-01T00:00:00")]
    pq.write_table(pa.table({"phone": [ANN], "t": pa.array([NOON], pa.timestamp("us", "GMT+2"))}), path)
    assert read(path).cells[0][1].startswith("2026-01-02T12:30:00")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (pa.array([2**61], pa.int64()).cast(pa.timestamp("ms")), "times that no calendar has"),
        (pa.array([[5_000_000]], pa.list_(pa.int32())).cast(pa.list_(pa.date32())), "values that have no text"),
        (pa.array([b"a\xff"]), "bytes that are no text"),
        (pa.array([[b"a\xff"]]), "bytes that are no text"),
        (pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xff"]).buffers()), "bytes that are no text"),
    ],
)
def test_a_column_without_text_is_named(tmp_path: Path, values: Any, why: str) -> None:
    """It stops the file where it would be sent, and only then."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN], "odd": values, "name": ["Ann"]}), path)
    with pytest.raises(InputError, match=f'the column "odd" holds {why}'):
        read(path)
    reading = read(path, parameters=["name"])
    assert reading.cells == [(ANN, "", "Ann")]
    assert reading.notes == (f'the column "odd" holds {why}: it is empty in the report',)


def test_a_few_bytes_that_stand_for_gigabytes(tmp_path: Path) -> None:
    """A megabyte in each of very many rows, or rows without end: refused with a true sentence, within bounds."""
    path = tmp_path / "a.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), pa.array(["x" * (1 << 20)]))
    pq.write_table(pa.table({"phone": [ANN] * 200_000, "v": text}), path)
    with pytest.raises(InputError, match="needs too much memory"):
        read(path)
    pq.write_table(pa.table({"phone": pa.array([None] * 30_000_000, pa.string())}), path)
    with pytest.raises(InputError, match="holds far more rows than bytes"):
        read(path)


def test_pandas_row_numbers_are_no_parameter(tmp_path: Path) -> None:
    """A DataFrame's index is written as a column of its own."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN], "__index_level_0__": [7]}), path)
    reading = read(path)
    assert dict(reading.new_input.parameter_columns) == {}
    assert reading.cells == [(ANN, "7")]


def test_an_encrypted_file_says_so(tmp_path: Path) -> None:
    """A file whose footer is encrypted is no binary data of an unknown kind."""
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PARE" + b"\0" * 100 + b"PARE")
    with pytest.raises(InputError, match="is encrypted"):
        read(path)


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

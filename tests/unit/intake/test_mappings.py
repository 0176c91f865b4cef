"""Rows that a program hands over: the same as a file's, one text for each value, and nothing kept."""

from __future__ import annotations

import datetime
import enum
import tracemalloc
import uuid
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from dispatcher.errors import ColumnError, InputError, UsageError
from dispatcher.intake import open_input
from dispatcher.intake.mappings import UNNAMED
from dispatcher.model import Reason
from tests.unit.intake.reading import ANN, BOB, Reading, options, read, write

TEXT = f"phone,name\n{ANN},Ann\n\n{BOB},\n12,Wrong\n"
ROWS: list[dict[str, Any]] = [
    {"phone": ANN, "name": "Ann"},
    {"phone": "", "name": None},
    {"name": None, "phone": BOB},
    {"phone": 12, "name": "Wrong"},
]
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


class Word(str, enum.Enum):  # noqa: UP042 - its text is not what str() says
    yes = "y"


class Level(enum.IntEnum):
    high = 3


def rows_of(rows: Iterable[Any], name: str | None = None, **changes: Any) -> Reading:
    """As `reading.read` reads a file."""
    return read(rows, name=name, **changes)


def with_value(value: Any) -> list[dict[str, Any]]:
    return [{"phone": ANN, "amount": "1"}, {"phone": BOB, "amount": value}]


def test_rows_are_those_of_the_same_file(tmp_path: Path) -> None:
    """Numbers, cells, states, reasons and notes: a mapping reads as its line in a file does."""
    file, rows = read(write(tmp_path / "a.csv", TEXT)), rows_of(ROWS)
    assert rows.rows == file.rows
    assert rows.numbers == [2, 4, 5]
    assert rows.notes == file.notes == ("1 blank row left out",)
    assert rows.new_input.header == file.new_input.header
    assert rows.reasons[-1] is not None


@given(st.lists(st.fixed_dictionaries({"phone": st.sampled_from([ANN, BOB]), "a": TEXTS, "b": TEXTS}), min_size=1))
def test_any_text_comes_through_as_it_is(rows: list[dict[str, str]]) -> None:
    """Whatever a cell holds and in whatever order a row has its keys: each under its name, in the first row's order."""
    reading = rows_of(rows)
    assert reading.new_input.header == tuple(rows[0])
    assert [list(cells) for cells in reading.cells] == [[row[name] for name in rows[0]] for row in rows]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("19.90", "19.90"),
        ("", ""),
        (None, ""),
        (0, "0"),
        (-7, "-7"),
        (15550001111, "15550001111"),
        (Decimal("19.90"), "19.90"),
        (Decimal("-0.00"), "-0.00"),
        (np.int64(5), "5"),
        (np.str_("x"), "x"),
        (Word.yes, "y"),
        (Level.high, "3"),
        ("NA", "NA"),
    ],
)
def test_a_value_with_one_text_is_taken(value: Any, text: str) -> None:
    """Text as it is, whole numbers and decimals with their digits, None as nothing."""
    assert rows_of(with_value(value)).cells[1] == (BOB, text)


@pytest.mark.parametrize(
    "value",
    [
        19.9,
        5.0,
        float("nan"),
        True,
        False,
        np.float64(1.5),
        np.bool_(True),
        pd.NA,
        pd.NaT,
        Decimal("1E+2"),
        Decimal("NaN"),
        Decimal("Infinity"),
        datetime.date(2026, 3, 4),
        datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC),
        b"bytes",
        ["a"],
        {"a": 1},
        uuid.UUID(int=5),
        10**5000,
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_several_texts_is_refused(value: Any) -> None:
    """The row and the column are named, what to write instead is said, and the value itself is not shown."""
    with pytest.raises(InputError) as raised:
        rows_of(with_value(value), name="crm")
    assert str(raised.value).startswith('crm, row 3: column "amount" holds ')
    assert raised.value.fix is not None
    assert "19.9" not in str(raised.value)


@pytest.mark.parametrize("row", [1, "phone", ["a"], None, ("phone", ANN)])
def test_what_is_no_mapping_is_refused(row: Any) -> None:
    """Its row is named, and what to give instead."""
    for rows, number in (([row], 2), ([ROWS[0], row], 3)):
        with pytest.raises(InputError, match=f"row {number}: it is a .*, no mapping"):
            rows_of(rows)


def test_a_later_new_key_is_refused() -> None:
    """It is dropped in no silence: the row is named."""
    with pytest.raises(InputError, match='row 4: the key "nmae" is not among those of the first row'):
        rows_of([*ROWS[:2], {"phone": BOB, "nmae": "Bob"}])


def test_a_key_that_is_a_number_is_not_shown_whole() -> None:
    """A row whose key is somebody's number: the message does not tell it."""
    with pytest.raises(InputError) as raised:
        rows_of([ROWS[0], {BOB: "phone"}])
    assert BOB not in str(raised.value)


@pytest.mark.parametrize("row", [{}, {1: ANN}, {None: ANN, "phone": BOB}, {"\ud800": ANN}])
def test_a_header_that_is_none_is_refused(row: Any) -> None:
    """Columns are named by text."""
    with pytest.raises(InputError, match="row 2: "):
        rows_of([row])


def test_a_missing_key_is_an_empty_cell() -> None:
    """As a short line of JSON is."""
    assert rows_of([ROWS[0], {"phone": BOB}]).cells[1] == (BOB, "")


@pytest.mark.parametrize(
    ("contacts", "says"),
    [
        ({"phone": ANN}, "a mapping is one row"),
        (5, "an iterable of mappings"),
        (None, "an iterable of mappings"),
    ],
)
def test_what_holds_no_rows_is_refused(contacts: Any, says: str) -> None:
    """One mapping, or nothing that can be gone through."""
    with pytest.raises(UsageError, match=says):
        rows_of(contacts)


def test_no_rows_are_refused() -> None:
    """As is an iterator that was read before."""
    used = iter(ROWS)
    list(used)
    empty: list[Any] = [[], used, pd.DataFrame()]
    for rows in empty:
        with pytest.raises(InputError, match=f"{UNNAMED} has no rows"):
            rows_of(rows)
    with pytest.raises(InputError, match="has a header and no rows"):
        rows_of([{"phone": "", "name": ""}])


def test_asynchronous_rows_are_refused() -> None:
    """They are not read: it is said what to do."""

    async def rows() -> Any:
        yield ROWS[0]

    with pytest.raises(UsageError) as raised:
        rows_of(rows())
    assert "asynchronously" in str(raised.value.fix)


def test_a_data_frame_is_told_how() -> None:
    """Itself it is an iterable of names; its records are rows, and none of its types passes for text."""
    frame = pd.DataFrame({"phone": [ANN, BOB], "n": [1, 2]})
    with pytest.raises(InputError) as raised:
        rows_of(frame)
    assert 'to_dict("records")' in str(raised.value.fix)
    assert rows_of(frame.to_dict("records")).cells == [(ANN, "1"), (BOB, "2")]
    gaps = pd.DataFrame({"phone": [ANN, BOB], "name": ["Ann", None]})
    with pytest.raises(InputError, match='row 3: column "name" holds float, a word for no value'):
        rows_of(gaps.to_dict("records"))
    filled = gaps.astype(object).where(gaps.notna(), None)
    assert rows_of(filled.to_dict("records")).cells == [(ANN, "Ann"), (BOB, "")]


def test_a_name_is_for_rows_alone() -> None:
    """A file has its own, and standard input's is no rows'."""
    with pytest.raises(UsageError, match="a file has its name already"):
        open_input("a.csv", options(), name="crm")
    with pytest.raises(UsageError, match="standard input"):
        rows_of(ROWS, name="-")
    assert rows_of(ROWS, name="crm").new_input.source == "crm"
    assert rows_of(ROWS).new_input.source == UNNAMED


def test_half_a_character_is_its_row_s_fault() -> None:
    """It is data, no fault of the program: its row alone is invalid, and only where the cell is used."""
    rows = [{"phone": ANN, "name": "a\ud800b", "note": "x"}, {"phone": BOB, "name": "Bob", "note": "\udfff"}]
    reading = rows_of(rows, parameters={"first": "name"})
    assert [(row.reason, row.column) for row in reading.rows] == [(Reason.row_malformed, "name"), (None, None)]
    assert reading.cells == [(ANN, "a?b", "x"), (BOB, "Bob", "?")]


def test_our_own_columns_are_dropped() -> None:
    """A report as rows is a report: its columns go, and what it says of its rows is taken."""
    row = {"dispatch_status": "created", "phone": ANN, "name": "\ud800"}
    with open_input([row], options()) as opened:
        assert opened.is_report
        assert opened.new_input.header == ("phone", "name")
        (batch,) = opened.batches()
    assert batch.reasons[0][1] == "name"


def test_a_wrong_column_is_told_with_the_keys() -> None:
    """No row is read to find out where the names may stand: they are keys."""
    read_rows = []

    def rows() -> Iterator[Mapping[str, str]]:
        for n in range(10):
            read_rows.append(n)
            yield {"mobile": ANN}

    with pytest.raises(ColumnError, match="mobile"):
        rows_of(rows())
    assert read_rows == [0]


def test_the_digest_is_of_names_and_cells() -> None:
    """The same rows again have the same; another cell, another order or another name has another."""
    first = rows_of(ROWS).sha256
    assert rows_of([dict(row) for row in ROWS]).sha256 == first
    assert len(first) == 64
    others = [
        [*ROWS, ROWS[0]],
        [{"phone": ANN, "name": "Anna"}, *ROWS[1:]],
        [ROWS[0], ROWS[2], ROWS[1], ROWS[3]],
        [{"name": "Ann", "phone": ANN}, *ROWS[1:]],
        [{"phone": ANN, "nick": "Ann"}],
    ]
    digests = [rows_of(rows).sha256 for rows in others]
    assert len({first, *digests}) == len(others) + 1


def test_one_mapping_may_be_used_again_and_again() -> None:
    """A program that fills the same dict for each row is read as it meant."""

    def rows() -> Iterator[dict[str, str]]:
        row = {"phone": "", "name": ""}
        for phone, name in ((ANN, "Ann"), (BOB, "Bob")):
            row["phone"], row["name"] = phone, name
            yield row

    assert rows_of(rows()).cells == [(ANN, "Ann"), (BOB, "Bob")]


@pytest.mark.parametrize("at", [0, 1, 25_000])
def test_what_the_iterable_raises_is_raised(at: int) -> None:
    """The same exception, whenever it comes."""
    error = LookupError("the cursor is gone")

    def rows() -> Iterator[dict[str, str]]:
        for n in range(30_000):
            if n == at:
                raise error
            yield {"phone": f"+1202555{n % 10_000:04}"}

    with pytest.raises(LookupError) as raised:
        rows_of(rows())
    assert raised.value is error


def test_rows_are_not_held() -> None:
    """However many come, some thousand are in memory at once."""

    def rows(count: int) -> Iterator[dict[str, str]]:
        for n in range(count):
            yield {"phone": f"+1202{2_000_000 + n}", "name": f"Name {n}" * 4}

    def peak(count: int) -> int:
        tracemalloc.start()
        with open_input(rows(count), options()) as opened:
            assert sum(len(batch.row_numbers) for batch in opened.batches()) == count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1_000)
    assert peak(60_000) < 1.3 * peak(20_000)

"""The rows that are left out, as a file to correct: cells as they were, and nothing of ours is taken for the user's."""

from __future__ import annotations

import csv
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import openpyxl
import pytest

from dispatcher.errors import ReportError
from dispatcher.ledger.records import ReportRow
from dispatcher.model import LEFT_OUT_COLUMNS, RowState
from dispatcher.reporting.left_out import write_rows_left_out
from tests.unit.reporting.support import HEADER, read_as_input, row


async def batches(rows: Sequence[ReportRow]) -> AsyncGenerator[list[ReportRow]]:
    for one in rows:
        yield [one]


def wrong(number: int, *cells: str, reason: str = "too short") -> ReportRow:
    return row(
        number,
        cells,
        state=RowState.invalid,
        reason_code="to_invalid",
        reason_column="phone",
        reason=reason,
        attempts=0,
    )


async def written(path: Path, *rows: ReportRow) -> int:
    return await write_rows_left_out(path, HEADER, batches(rows), advice=lambda row: f"Correct row {row.row_number}.")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_csv_has_the_cells_exactly(tmp_path: Path) -> None:
    """Also those that a spreadsheet would run, since a machine reads them back; our own texts cannot be run."""
    path = tmp_path / "left-out.csv"
    assert await written(path, wrong(3, "12", '=1+1, "x"\nZoë'), wrong(9, "", " 007 ", reason="=cmd()")) == 2
    lines = [*csv.reader(path.read_text("utf-8-sig").splitlines(keepends=True))]
    assert lines[0] == [*HEADER, *LEFT_OUT_COLUMNS]
    assert lines[1] == ["12", '=1+1, "x"\nZoë', "3", "phone", "too short", "Correct row 3."]
    assert lines[2] == ["", " 007 ", "9", "phone", "'=cmd()", "Correct row 9."]
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")


async def test_a_workbook_has_texts_alone(tmp_path: Path) -> None:
    """A number stays a text with its zeros, a formula a text that is not run."""
    path = tmp_path / "left-out.xlsx"
    assert await written(path, wrong(3, "0012", "=1+1")) == 1
    sheet = openpyxl.load_workbook(path).active
    assert [cell.value for cell in sheet[1]] == [*HEADER, *LEFT_OUT_COLUMNS]
    assert [cell.value for cell in sheet[2]] == ["0012", "=1+1", "3", "phone", "too short", "Correct row 3."]
    assert {cell.data_type for cell in sheet[2]} == {"s"}
    assert sheet["B2"].quotePrefix


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
async def test_fed_back_only_the_users_columns_are_sent(tmp_path: Path, suffix: str) -> None:
    """It is read as a part of its campaign, and ours are in no Parameters."""
    path = tmp_path / f"left-out{suffix}"
    await written(path, wrong(3, "+15550100009", "Zoë"))
    assert read_as_input(path) == ([*HEADER], [["+15550100009", "Zoë"]])


async def test_a_row_of_another_width_is_fitted(tmp_path: Path) -> None:
    """What the file had too much stays in the last cell, so that ours stand under their names."""
    path = tmp_path / "left-out.csv"
    await written(path, wrong(3, "12", "a", "b"), wrong(4, "12"))
    lines = [*csv.reader(path.read_text("utf-8-sig").splitlines())]
    assert [line[:3] for line in lines[1:]] == [["12", "a,b", "3"], ["12", "", "4"]]


async def test_another_format_is_refused(tmp_path: Path) -> None:
    """And nothing is written."""
    with pytest.raises(ReportError):
        await written(tmp_path / "left-out.parquet", wrong(3, "12", "a"))
    assert names(tmp_path) == []

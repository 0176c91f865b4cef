"""A first look at a file: title rows, delimiters, sheets, and names that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
import xlsxwriter

from dispatcher.errors import InputError, SheetNotChosen
from dispatcher.intake.looking import look
from dispatcher.settings import InputSettings

ROWS = "".join(f"Zoé,61234567{n},2026-03-0{n + 1}\n" for n in range(8))


def text(folder: Path, content: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    """Numbers are numbers."""
    with xlsxwriter.Workbook(str(path)) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


@pytest.mark.parametrize(
    ("content", "header_row", "delimiter"),
    [
        ("Prénom,Téléphone,Date\n" + ROWS, 0, None),
        ("\n\nPrénom,Téléphone,Date\n" + ROWS, 0, None),
        ("Recall 2026\n\nPrénom,Téléphone,Date\n" + ROWS, 3, None),
        ("Recall 2026;as of\n;\nPrénom;Téléphone;Date\n" + ROWS.replace(",", ";"), 3, None),
        ("Recall, spring\nPrénom\tTéléphone\tDate\n" + ROWS.replace(",", "\t"), 2, None),
    ],
)
def test_names_below_a_title(tmp_path: Path, content: str, header_row: int, delimiter: str | None) -> None:
    """The row with the names is found, and so is what parts them; then the rows are read as `run` would read them."""
    seen = look(text(tmp_path, content), InputSettings())
    assert seen.names == ("Prénom", "Téléphone", "Date")
    assert seen.settings.header_row == header_row
    assert (seen.rows, seen.cells["Téléphone"][7]) == (8, "612345677")


def test_a_workbook_with_a_title(tmp_path: Path) -> None:
    """Numbers as numbers below a title; what is set is what reads it so."""
    rows: list[list[object]] = [["Rappel"], [], ["Prénom", "Téléphone"], *([["Zoé", 612345670 + n] for n in range(5)])]
    path = workbook(tmp_path / "a.xlsx", Contacts=rows)
    seen = look(path, InputSettings())
    assert (seen.settings.header_row, seen.names) == (3, ("Prénom", "Téléphone"))
    assert seen.cells["Téléphone"] == [str(612345670 + n) for n in range(5)]
    assert look(path, seen.settings) == seen


def test_several_sheets(tmp_path: Path) -> None:
    """Their names are told, in order; none is taken."""
    rows: list[list[object]] = [["Phone"], [612345678]]
    path = workbook(tmp_path / "a.xlsx", **{"Do not contact": rows, "Été": rows})
    with pytest.raises(SheetNotChosen) as raised:
        look(path, InputSettings())
    assert raised.value.sheets == ("Do not contact", "Été")
    assert look(path, InputSettings(sheet="Été")).names == ("Phone",)


def test_names_that_cannot_be_used(tmp_path: Path) -> None:
    """Those above several columns are told; blank ones and a report's own are left out."""
    seen = look(text(tmp_path, "a,b,a,,dispatch_status\n612345678,x,y,z,created\n"), InputSettings())
    assert (seen.names, seen.repeated) == (("b",), ("a",))
    with pytest.raises(InputError, match="no column with a name of its own"):
        look(text(tmp_path, "a,a\n1,2\n"), InputSettings())


def test_no_names(tmp_path: Path) -> None:
    """A file that begins with a contact: said without the contact."""
    with pytest.raises(InputError, match="looks like the columns' names") as raised:
        look(text(tmp_path, "Ada,+12025550123\nBob,+12025550124\n"), InputSettings())
    assert "555" not in str(raised.value)


def test_a_row_that_was_given(tmp_path: Path) -> None:
    """`header_row` is taken as it is set."""
    path = text(tmp_path, "Owl,Dental\nName,Phone\nAda,612345678\n")
    assert look(path, InputSettings(header_row=2)).names == ("Name", "Phone")


def test_malformed_rows_are_passed_over(tmp_path: Path) -> None:
    """Rows of another width are no part of the look; and only the first rows are."""
    seen = look(text(tmp_path, "Name,Phone\na,b,c\n" + "Ada,612345678\n" * 5000), InputSettings())
    assert (seen.rows, seen.settings.header_row) == (200, 0)
    assert {*seen.cells["Phone"]} == {"612345678"}


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", '{"Phone": "612345678", "Name": "Ada"}\n'), ("b.ndjson", '{"Phone": 612345678, "Name": "Ada"}\n')],
)
def test_json_lines(tmp_path: Path, name: str, content: str) -> None:
    """Their names are the keys: no row is looked for."""
    assert look(text(tmp_path, content, name), InputSettings()).names == ("Phone", "Name")


@pytest.mark.parametrize("content", ["", "\n\n", "Phone,Name\n"])
def test_nothing_there(tmp_path: Path, content: str) -> None:
    """An empty file is said to be one; a header without rows is a look without rows."""
    path = text(tmp_path, content)
    if content.strip():
        assert look(path, InputSettings()).rows == 0
    else:
        with pytest.raises(InputError):
            look(path, InputSettings())

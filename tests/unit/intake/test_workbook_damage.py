"""Workbooks that are not quite as they should be: a wrong part costs a row, or the file, and never in silence."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from dispatcher.cli.render.remedies import remedy_text
from dispatcher.errors import InputError
from dispatcher.model import Reason
from dispatcher.remedies import Setting
from tests.support.sheets import HEADER, book, cell, phone, row
from tests.unit.intake.reading import ANN, BOB, read

STRINGS = "<si><t>phone</t></si><si><t>v</t></si><si><t>+12025550101</t></si><si><t>Zoe</t></si>"
PLAIN = row(1, cell("A1", "0", "s"), cell("B1", "1", "s")) + row(2, cell("A2", "2", "s"), cell("B2", "3", "s"))


def rewritten(path: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> Path:
    """The workbook of `PLAIN` with the names and contents of its entries changed."""
    book(path, PLAIN, strings=STRINGS)
    with zipfile.ZipFile(path) as archive:
        entries = [change(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


@pytest.mark.parametrize(("second", "told"), [(3, "row 3 behind row 5"), (5, "row 5 behind row 5")])
@pytest.mark.parametrize("plain", [False, True])
def test_rows_out_of_order_are_refused(tmp_path: Path, second: int, told: str, plain: bool) -> None:
    """A row's number is what it is known by: two of one number, or one that goes back, are no rows to send."""
    values = [cell(f"B{n}", "1") for n in (5, second)]
    rows = (row(n, phone(n) if not plain else "", value) for n, value in zip((5, second), values, strict=True))
    path = book(tmp_path / "a.xlsx", HEADER + "".join(rows))
    with pytest.raises(InputError, match="is damaged") as refused:
        read(path)
    assert refused.value.found == told


@pytest.mark.parametrize("reference", ["2", ""])
def test_a_cell_without_letters_follows_the_one_before(tmp_path: Path, reference: str) -> None:
    """As one that says nothing of its place does."""
    path = book(tmp_path / "a.xlsx", HEADER + row(2, phone(2), f'<c r="{reference}"><v>5</v></c>'))
    assert read(path).cells == [(ANN, "5")]


def test_a_cell_that_the_quick_reader_cannot_read_costs_its_row(tmp_path: Path) -> None:
    """A text that is not in the table of texts, in a sheet that is plain otherwise."""
    rows = PLAIN + row(3, cell("A3", "2", "s"), cell("B3", "99", "s"))
    reading = read(book(tmp_path / "a.xlsx", rows, strings=STRINGS), key=["v"])
    assert reading.reasons == [None, Reason.row_malformed]
    assert reading.rows[1].sentence == "the cell's text is missing from the workbook"


@pytest.mark.parametrize(
    ("text", "value"),
    [("_xD83D__xDE00_", "\U0001f600"), ("_xD83D_", "_xD83D_"), ("_xDE00_ _x0041_", "_xDE00_ A")],
)
def test_escaped_halves_of_a_character(tmp_path: Path, text: str, value: str) -> None:
    """Two make one; a half alone is no character, and stays as it is written."""
    one = f'<c r="B2" t="inlineStr"><is><t>{text}</t></is></c>'
    assert read(book(tmp_path / "a.xlsx", HEADER + row(2, phone(2), one))).cells == [(ANN, value)]


RENAMED: dict[str, Callable[[str, bytes], tuple[str, bytes]]] = {
    "escaped": lambda name, content: (
        name.replace("sheet1", "sheet 1"),
        content.replace(b"sheet1.xml", b"sheet%201.xml"),
    ),
    "capitals": lambda name, content: (name.replace("workbook.xml.rels", "Workbook.XML.rels"), content),
    "dots": lambda name, content: (f"./{name}", content.replace(b'Target="', b'Target="./')),
    "up and down": lambda name, content: (
        name,
        content.replace(b'Target="', b'Target="../xl/./') if "workbook.xml.rels" in name else content,
    ),
    "nothing leads there": lambda name, content: (name.replace("_rels/.rels", "other"), content),
    "another encoding": lambda name, content: (
        name,
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + content if name.endswith("Strings.xml") else content,
    ),
}


@pytest.mark.parametrize("name", RENAMED)
def test_parts_are_found_whatever_they_are_called(tmp_path: Path, name: str) -> None:
    """Capitals do not count, what is escaped is what it stands for, and the exact reader takes what is unusual."""
    assert read(rewritten(tmp_path / "a.xlsx", RENAMED[name])).cells == [(ANN, "Zoe")]


def test_a_part_that_is_there_twice(tmp_path: Path) -> None:
    """Programs do not agree which of them counts, so nobody knows what the sheet shows."""
    path = book(tmp_path / "a.xlsx", PLAIN, strings=STRINGS)
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"<worksheet/>")
    with pytest.raises(InputError, match="is damaged") as refused:
        read(path)
    assert refused.value.found == "xl/worksheets/sheet1.xml is in it twice"


@pytest.mark.parametrize("content", [b"", b"<styleSheet><cellXfs>"])
def test_styles_that_cannot_be_read_refuse_the_file(tmp_path: Path, content: bytes) -> None:
    """Dates would go out as the numbers of their days."""
    path = rewritten(tmp_path / "a.xlsx", lambda name, old: (name, content if "styles" in name else old))
    with pytest.raises(InputError, match="its styles cannot be read"):
        read(path)


def test_only_a_hidden_sheet_has_rows(tmp_path: Path) -> None:
    """It is not read by itself, and the fix reads it."""
    workbook = openpyxl.Workbook()
    hidden = workbook.create_sheet("Contacts")
    hidden.sheet_state = "hidden"
    hidden.append(["phone"])
    hidden.append([ANN])
    workbook.save(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match="no rows in any visible sheet") as refused:
        read(tmp_path / "a.xlsx")
    assert refused.value.fix == Setting("input.sheet", "Contacts")
    assert read(tmp_path / "a.xlsx", sheet="Contacts").to == [ANN]


def test_a_document_is_no_workbook(tmp_path: Path) -> None:
    """It is laid out like one, and has no sheets."""
    path = rewritten(
        tmp_path / "a.xlsx",
        lambda name, old: (name, b"<w:document xmlns:w='w'/>" if name.endswith("workbook.xml") else old),
    )
    with pytest.raises(InputError, match="is no XLSX workbook"):
        read(path)


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "a.xml", "a"])
def test_another_programs_file(tmp_path: Path, name: str) -> None:
    """Renaming it leads nowhere: it is said what it is, and what to save it as."""
    (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64))
    with pytest.raises(InputError, match=r"is encrypted, or an old \.xls file"):
        read(tmp_path / name)
    (tmp_path / name).write_bytes(b'\xef\xbb\xbf<?xml version="1.0"?>\n<Workbook/>\n')
    with pytest.raises(InputError, match="is an XML document, no table") as refused:
        read(tmp_path / name)
    assert refused.value.fix is not None
    assert "save it as CSV" in remedy_text(refused.value.fix)


# --- the line with the names ---

NAMES = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c><c r="B1" t="inlineStr"><is><t>Name</t></is></c></row>'
)
PARTS = (
    '<row r="2"><c r="B2" t="inlineStr"><is><t>first</t></is></c><c r="C2" t="inlineStr"><is><t>last</t></is></c></row>'
)
WIDE = '<mergeCells><mergeCell ref="B1:C1"/></mergeCells>'


def test_a_wide_name_above_two(tmp_path: Path) -> None:
    """The first line has the phone's name, the second the names below the wide one: both are taken, once it is said."""
    rows = NAMES + PARTS + row(3, phone(3), cell("B3", "1"), cell("C3", "2"))
    path = book(tmp_path / "a.xlsx", rows, after=WIDE)
    with pytest.raises(InputError, match="the columns' names in several rows, 1 to 2") as refused:
        read(path)
    assert refused.value.fix == Setting("input.header_row", 2)
    reading = read(path, header_row=2)
    assert reading.new_input.header == ("phone", "first", "last")
    assert reading.cells == [(ANN, "1", "2")]


def test_a_wide_name_above_values(tmp_path: Path) -> None:
    """It is the first column's alone, which is told; a contact without a number below it is no second line."""
    rows = NAMES + row(2, phone(2), cell("B2", "1"), cell("C2", "2")) + row(3, phone(3, BOB), cell("B3", "3"))
    reading = read(book(tmp_path / "a.xlsx", rows, after=WIDE))
    assert (reading.new_input.header, reading.to) == (("phone", "Name", ""), [ANN, BOB])
    assert any("merged cells (B1:C1)" in note for note in reading.notes)


def test_a_name_that_is_a_formula_without_its_result(tmp_path: Path) -> None:
    """The column is not sent, and not in silence."""
    rows = HEADER.replace('<c r="B1" t="inlineStr"><is><t>v</t></is></c>', '<c r="B1"><f>A9</f></c>')
    reading = read(book(tmp_path / "a.xlsx", rows + row(2, phone(2), cell("B2", "1"))))
    assert reading.notes == ("column B has no name: it is a formula without its result",)


@pytest.mark.parametrize("nought", ["0", "0.0", "0.00"])
def test_no_height_however_it_is_written(tmp_path: Path, nought: str) -> None:
    """A row of half a point is seen."""
    rows = PLAIN.replace('<row r="2">', f'<row r="2" ht="{nought}" customHeight="1">')
    before = f'<cols><col min="2" max="2" width="{nought}"/></cols>'
    reading = read(book(tmp_path / "a.xlsx", rows, strings=STRINGS, before=before))
    assert reading.notes == ("1 hidden row is included", 'hidden columns are included: "v"')
    rows, before = rows.replace(f'ht="{nought}"', 'ht="0.5"'), before.replace(f'"{nought}"', '"0.5"')
    assert read(book(tmp_path / "a.xlsx", rows, strings=STRINGS, before=before)).notes == ()

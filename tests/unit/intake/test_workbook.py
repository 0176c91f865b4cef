"""XLSX: as the sheet shows it, the sheet that is meant, and no workbook takes the program down."""

from __future__ import annotations

import datetime as dt
import io
import os
import random
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from dispatcher.errors import InputError
from dispatcher.intake import archive, child, open_input
from dispatcher.intake.archive import ENTRIES_MAX
from dispatcher.model import Reason
from dispatcher.remedies import Advice, Setting
from tests.unit.intake.reading import ANN, BOB, options, read, write


def make(path: Path, *sheets: tuple[str, list[list[Any]]], edit: Callable[[Any, Any], None] | None = None) -> Path:
    """A workbook with the sheets' cells; dates as dates."""
    book = xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm"})
    for name, rows in sheets:
        sheet = book.add_worksheet(name)
        for at, row in enumerate(rows):
            for column, value in enumerate(row):
                if value is not None:
                    sheet.write(at, column, value)
        if edit is not None:
            edit(book, sheet)
    book.close()
    return path


def repack(path: Path, entries: dict[str, bytes]) -> Path:
    """The workbook with some of its entries replaced or added."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()} | entries
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


SHEET = "xl/worksheets/sheet1.xml"
PLAIN = [["phone", "name"], [ANN, "Ann"], [BOB, "Bob"]]


def test_values_are_as_shown_without_formats(tmp_path: Path) -> None:
    """Values are as the sheet shows them, but unformatted: times are ISO 8601, a formula is its result."""

    def edit(book: Any, sheet: Any) -> None:
        sheet.write_datetime(1, 6, dt.datetime(2026, 1, 2), book.add_format({"num_format": "yyyy-mm-dd"}))  # noqa: DTZ001
        sheet.write_datetime(1, 7, dt.time(10, 30), book.add_format({"num_format": "hh:mm"}))
        sheet.write_number(1, 8, 1.5, book.add_format({"num_format": "[h]:mm"}))
        sheet.write_formula(1, 9, "=1+1", None, 2)

    moment = dt.datetime(2026, 1, 2, 10, 30)  # noqa: DTZ001
    values = [12025550101, 1.1, True, moment, "007", None, None, None, None, -0.5]
    header: list[Any] = ["phone", "float", "bool", "moment", "text", "blank", "date", "time", "hours", "formula", "neg"]
    path = make(tmp_path / "a.xlsx", ("S", [header, [*values[:6], None, None, None, None, values[9]]]), edit=edit)
    assert read(path).cells == [
        (
            "12025550101", "1.1", "TRUE", "2026-01-02T10:30:00", "007", "",
            "2026-01-02", "10:30:00", "36:00:00", "2", "-0.5",
        )
    ]  # fmt: skip
    assert read(path).to == [ANN]


def test_rows_have_the_sheets_own_numbers(tmp_path: Path) -> None:
    """Rows have the numbers that the sheet shows, whatever is blank above them and between them."""
    rows: list[list[Any]] = [[], [], [None, "phone", "name"], [None, ANN, "Ann"], [], [None, BOB, "Bob"]]
    reading = read(make(tmp_path / "a.xlsx", ("S", rows)))
    assert reading.new_input.header == ("phone", "name")
    assert reading.numbers == [4, 6]


def test_error_cells_keep_their_name(tmp_path: Path) -> None:
    """A cell with an error is the error's name, and is refused as a phone number."""

    def edit(_: Any, sheet: Any) -> None:
        sheet.write_formula(2, 1, "=NA()", None, "#N/A")
        sheet.write_formula(2, 2, "=1/0", None, "#DIV/0!")

    rows: list[list[Any]] = [[None, "phone", "name"], [None, ANN, "Ann"], [None, None, None]]
    reading = read(make(tmp_path / "a.xlsx", ("S", rows), edit=edit))
    assert reading.cells[1] == ("#N/A", "#DIV/0!")
    assert reading.reasons == [None, Reason.row_malformed]
    assert reading.rows[1].sentence == "the cell shows #N/A"


def test_special_cells_are_seen_where_pieces_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a sheet must be read exactly is seen wherever its XML is cut."""

    def edit(_: Any, sheet: Any) -> None:
        sheet.write_formula(30, 1, "=NA()", None, "#N/A")

    path = make(tmp_path / "a.xlsx", ("S", [["phone", "n"], *[[ANN, "x"]] * 60]), edit=edit)
    for piece in (1 << 20, 501, 211, 97):
        monkeypatch.setattr(archive, "_PIECE", piece)
        assert archive.read_archive(path).special == {SHEET}


def test_the_only_visible_sheet_with_rows_is_read(tmp_path: Path) -> None:
    """Empty and hidden sheets are passed over, and the sheet that is read is told."""

    def edit(_: Any, sheet: Any) -> None:
        if sheet.name == "Hidden":
            sheet.hide()

    path = make(tmp_path / "a.xlsx", ("Empty", []), ("People", PLAIN), ("Hidden", PLAIN), edit=edit)
    reading = read(path)
    assert reading.to == [ANN, BOB]
    assert reading.notes == ('the sheet "People"',)


def test_of_two_sheets_with_rows_none_is_guessed(tmp_path: Path) -> None:
    """Where two sheets have rows neither is taken: the error names both, and the setting decides."""
    path = make(tmp_path / "a.xlsx", ("Do not contact", PLAIN), ("Contacts", PLAIN[:2]))
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.message == f"{path} has more than one sheet with rows"
    assert caught.value.found == '"Do not contact", "Contacts"'
    assert caught.value.fix == Setting("input.sheet", "Do not contact")
    assert read(path, sheet="Contacts").to == [ANN]


def test_a_sheet_that_is_not_there_gets_the_nearest(tmp_path: Path) -> None:
    """A sheet that is not there is refused with the sheets that are, and the nearest is proposed."""
    with pytest.raises(InputError) as caught:
        read(make(tmp_path / "a.xlsx", ("Contacts", PLAIN)), sheet="contact")
    assert caught.value.found == 'the sheets "Contacts"'
    assert caught.value.fix == Setting("input.sheet", "Contacts")


def test_hidden_rows_are_included_and_said(tmp_path: Path) -> None:
    """A filter hides rows, and whoever filtered may believe that they are out."""

    def edit(_: Any, sheet: Any) -> None:
        sheet.set_row(2, None, None, {"hidden": True})

    reading = read(make(tmp_path / "a.xlsx", ("S", PLAIN), edit=edit))
    assert reading.to == [ANN, BOB]
    assert reading.notes == ("1 hidden row is included",)


def test_a_workbook_without_rows_is_refused(tmp_path: Path) -> None:
    """A workbook is refused whose visible sheets are empty or have a header alone."""
    with pytest.raises(InputError, match="has no rows in any visible sheet"):
        read(make(tmp_path / "a.xlsx", ("Sheet1", [])))
    with pytest.raises(InputError, match="has a header and no rows"):
        read(make(tmp_path / "b.xlsx", ("Sheet1", PLAIN[:1])))


def test_columns_can_be_dropped(tmp_path: Path) -> None:
    """The report's own columns are dropped from a sheet, and the others keep their cells."""
    rows = [["dispatch_status", "phone", "dispatch_to"], ["created", ANN, ANN]]
    reading = read(make(tmp_path / "a.xlsx", ("S", rows)))
    assert (reading.new_input.header, reading.cells) == (("phone",), [(ANN,)])


def test_many_rows_arrive_in_order(tmp_path: Path) -> None:
    """Thousands of rows arrive whole, in the sheet's order and with its numbers."""
    path = make(tmp_path / "a.xlsx", ("S", [["phone", "n"], *([ANN, str(n)] for n in range(5_000))]))
    reading = read(path)
    assert reading.numbers == list(range(2, 5_002))
    assert [cells[1] for cells in reading.cells] == [str(n) for n in range(5_000)]


def test_a_workbook_is_read_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that comes through standard input is recognised and read."""
    data = make(tmp_path / "a.xlsx", ("S", PLAIN)).read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert read("-").to == [ANN, BOB]


# --- workbooks that are made to hurt ---


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path)
    return caught.value


def test_an_encrypted_workbook_says_so(tmp_path: Path) -> None:
    """A workbook with a password is refused as encrypted or old, with what to save it as."""
    error = refused(write(tmp_path / "a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2_000))
    assert error.message == f"{tmp_path / 'a.xlsx'} is encrypted, or an old .xls file"
    assert error.fix == Advice("save it as .xlsx without a password, or as CSV")


def test_a_zip_archive_of_something_else_says_so(tmp_path: Path) -> None:
    """A zip archive named .xlsx that holds no workbook is refused as none."""
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    assert refused(tmp_path / "a.xlsx").message == f"{tmp_path / 'a.xlsx'} is no XLSX workbook"


def test_a_cut_workbook_says_so(tmp_path: Path) -> None:
    """A workbook whose last bytes are missing is refused as damaged or cut off."""
    path = make(tmp_path / "a.xlsx", ("S", PLAIN))
    path.write_bytes(path.read_bytes()[:-200])
    assert refused(path).message == f"{path} is damaged or cut off"


def test_a_damaged_entry_says_so(tmp_path: Path) -> None:
    """A workbook with wrong bytes inside a sheet is refused as damaged or cut off."""
    path = make(tmp_path / "a.xlsx", ("S", PLAIN * 500))
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(SHEET)
    data = bytearray(path.read_bytes())
    at = entry.header_offset + 200
    data[at : at + 60] = b"\xff" * 60
    path.write_bytes(bytes(data))
    assert refused(path).message == f"{path} is damaged or cut off"


def test_a_sheet_that_is_no_xml_says_so(tmp_path: Path) -> None:
    """A workbook whose sheet is no whole XML is refused as one that cannot be read."""
    path = repack(make(tmp_path / "a.xlsx", ("S", PLAIN)), {SHEET: b"<worksheet><sheetData><row><c"})
    assert refused(path).message == f"{path} is damaged: its sheet cannot be read"


def test_a_zip_bomb_is_refused_by_what_comes_out(tmp_path: Path) -> None:
    """A zip bomb is refused by what comes out of it, not by what its directory says.

    40 kB that inflate to 40 MB in one cell; the directory gives another size.
    """
    start, end = (
        b'<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>',
        b"</t></is></c></row></sheetData></worksheet>",
    )
    path = repack(make(tmp_path / "a.xlsx", ("S", PLAIN)), {SHEET: start + b"x" * 40_000_000 + end})
    data = bytearray(path.read_bytes())
    assert len(data) < 60_000
    at = data.rindex(SHEET.encode()) - 46
    assert data[at : at + 4] == b"PK\1\2"
    data[at + 24 : at + 28] = (200_000_000).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    error = refused(path)
    assert error.message == f"{path} looks like a zip bomb"
    assert error.found == f"{SHEET} is squeezed more than 400:1"


def test_an_archive_of_very_many_entries_is_refused(tmp_path: Path) -> None:
    """An archive with more entries than a workbook may have is refused."""
    path = make(tmp_path / "a.xlsx", ("S", PLAIN))
    repack(path, {f"xl/media/{number}": b"" for number in range(ENTRIES_MAX)})
    assert refused(path).message == f"{path} holds too many files for a workbook"


def test_a_far_cell_costs_nothing(tmp_path: Path) -> None:
    """Two cells, first and last of a sheet: no room is made for the seventeen thousand million between them."""
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row>'
        b'<row r="2"><c r="A2" t="inlineStr"><is><t>+12025550101</t></is></c></row>'
        b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row></sheetData></worksheet>'
    )
    reading = read(repack(make(tmp_path / "a.xlsx", ("S", PLAIN)), {SHEET: sheet}))
    assert (reading.to, reading.new_input.header) == ([ANN], ("phone",))
    assert "1 cell far from the table left out (column XFD)" in reading.notes


def test_more_than_the_childs_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that needs more than the child may have costs the child its life and us nothing."""
    chance = random.Random(1)
    path = make(tmp_path / "a.xlsx", ("S", [["phone"], *[[chance.randbytes(8_000).hex()] for _ in range(5_000)]]))
    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (90 << 20, 90 << 20))"
    run = f"{limited}; sys.argv = sys.argv[1:]; runpy.run_module('dispatcher.intake.workbook', run_name='__main__')"
    popen = subprocess.Popen

    def bounded(arguments: list[str], **options: Any) -> Any:
        return popen([arguments[0], "-c", run, *arguments[2:]], **options)

    monkeypatch.setattr(subprocess, "Popen", bounded)
    error = refused(path)
    assert error.message == f"{path} cannot be read: it needs too much memory, or is damaged"
    assert error.fix == Advice("open it in a spreadsheet program and save the sheet as CSV")


def test_entities_that_multiply_are_not_expanded(tmp_path: Path) -> None:
    """A workbook whose XML entities multiply ("billion laughs") is refused, and they are not expanded."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    book = (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheets>'
        '<sheet name="&l11;" sheetId="1" r:id="rId1" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"/></sheets></workbook>'
    )
    path = repack(make(tmp_path / "a.xlsx", ("S", PLAIN)), {"xl/workbook.xml": book.encode()})
    assert "cannot be read" in refused(path).message


def test_the_child_ends_with_its_table(tmp_path: Path) -> None:
    """The process that reads a workbook runs while its table is open, and has ended when it is closed."""
    path = make(tmp_path / "a.xlsx", ("S", [["phone"], *([ANN] for _ in range(20_000))]))
    opened = open_input(path, options())
    table: Any = opened._table
    next(opened.batches())
    assert table._child.returncode is None
    opened.close()
    assert table._child.returncode is not None


def test_the_child_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads a workbook gets our environment without the secrets in it."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "canary")
    assert "canary" not in child._environment().values()
    assert child._environment()["PATH"] == os.environ["PATH"]

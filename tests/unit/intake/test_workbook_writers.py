"""What single writers of workbooks do in their own way, and what numbers look like then."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from pydantic import ValidationError

from dispatcher.errors import InputError
from dispatcher.intake import archive, book_parts, scanning, workbook
from dispatcher.intake import sheet as sheets
from dispatcher.intake.unopenable import Unopenable
from dispatcher.model import Reason
from dispatcher.remedies import Setting
from tests.support.sheets import HEADER, MAIN, book, cell, phone, row
from tests.unit.intake.reading import ANN, options, read

SHARED = "<si><t>phone</t></si><si><t>v</t></si><si><t>+12025550101</t></si>"
#: Nothing in it needs the exact reader.
PLAIN = row(1, cell("A1", "0", "s"), cell("B1", "1", "s")) + row(2, cell("A2", "2", "s"), cell("B2", "7"))


def with_value(one: str) -> str:
    return HEADER + row(2, phone(2), one)


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("[$-407]00000", "7102", "07102"),
        ("[Red]00000", "7102", "07102"),
        ("00000_)", "7102", "07102"),
        ("* 00000", "7102", "07102"),
        ('"D-"00000', "7102", "D-07102"),
        ('"D-"00000', "671025", "D-671025"),
        ("\\D\\-00000", "7102", "D-07102"),
        ('"+"0', "12025550101", "+12025550101"),
        ("+0", "12025550101", "+12025550101"),
        ("(000) 000-0000", "2025550101", "(202) 555-0101"),
        ("00000", "NaN", "NaN"),
        ("00000", "1e308", "1e+308"),
        ("yyyy-mm-dd", "1e308", "1e+308"),
        ("[h]:mm", "INF", "INF"),
        ("h:mm", "NaN", "NaN"),
        ("yyyy-mm-dd", "abc", "abc"),
    ],
)
def test_formats_with_text_of_their_own(tmp_path: Path, code: str, value: str, text: str) -> None:
    """Locales, colours and alignment are not part of a postcode; numbers that are none stop no file."""
    path = book(tmp_path / "a.xlsx", with_value(cell("B2", value, style=1)), styles=(code.replace('"', "&quot;"),))
    reading = read(path)
    assert (reading.rows[0].cells[1], reading.reasons) == (text, [None])


@pytest.mark.parametrize("code", ['0" kg"', '"No. "0', 'General" kg"'])
def test_text_that_a_format_adds_is_told(tmp_path: Path, code: str) -> None:
    """The number itself is sent, and not in silence."""
    path = book(tmp_path / "a.xlsx", with_value(cell("B2", "5", style=1)), styles=(code.replace('"', "&quot;"),))
    reading = read(path)
    assert reading.rows[0].cells[1] == "5"
    assert reading.notes == (f'"v": 1 cell shown as {code}, sent as the number itself',)


def test_iso_dates_of_a_column_are_written_alike(tmp_path: Path) -> None:
    """Cells of type d, beside one another and beside numbers with a date's format."""
    rows = (
        with_value(cell("B2", "2026-03-02", "d"))
        + row(3, phone(3), cell("B3", "2026-03-03T14:15:00", "d"))
        + row(4, phone(4), cell("B4", "46083", style=1))
    )
    path = book(tmp_path / "a.xlsx", rows, styles=("yyyy-mm-dd",))
    assert [one[1] for one in read(path).cells] == [
        "2026-03-02T00:00:00",
        "2026-03-03T14:15:00",
        "2026-03-02T00:00:00",
    ]


@pytest.mark.parametrize("pattern", ["dd.mm.yyyy", "DD/MM/YYYY", "%", "%H:%M"])
def test_dates_need_a_pattern_of_days(pattern: str) -> None:
    """Another program's would be sent as it stands, to everyone."""
    with pytest.raises(ValidationError, match="must say the day"):
        options(dates=pattern)


@pytest.mark.parametrize("kind", ["shared", "inline", "formula"])
def test_escaped_characters_are_what_they_stand_for(tmp_path: Path, kind: str) -> None:
    """_x000D_ is a carriage return by either reader, and an escaped underscore is one."""
    text = "a_x000D_b_x005F_x000D_"
    if kind == "shared":
        rows = PLAIN.replace('<c r="B2"><v>7</v>', '<c r="B2" t="s"><v>3</v>')
    elif kind == "inline":
        rows = with_value(f'<c r="B2" t="inlineStr"><is><t>{text}</t></is></c>')
    else:
        rows = PLAIN.replace('<c r="B2"><v>7</v>', f'<c r="B2" t="str"><v>{text}</v>')
    path = book(tmp_path / "a.xlsx", rows, strings=f"{SHARED}<si><t>{text}</t></si>")
    assert read(path).cells == [(ANN, "a\rb_x000D_")]


def test_formulas_that_xlsxwriter_leaves_to_excel(tmp_path: Path) -> None:
    """It writes a nought for each result, and asks for it to be calculated: nobody is sent the nought."""
    workbook = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = workbook.add_worksheet()
    sheet.write_row("A1", ["phone", "v"])
    for number, result in enumerate([None, "Ann", 3], 2):
        sheet.write(f"A{number}", ANN)
        if result is None:
            sheet.write_formula(f"B{number}", "=C1+1")
        else:
            sheet.write_formula(f"B{number}", "=C1+1", value=result)
    workbook.close()
    reading = read(tmp_path / "a.xlsx")
    assert reading.reasons == [Reason.row_malformed, None, None]
    assert reading.rows[0].sentence == sheets.NO_RESULT
    assert [one[1] for one in reading.cells[1:]] == ["Ann", "3"]


def test_formulas_that_openpyxl_writes(tmp_path: Path) -> None:
    """They have no results at all."""
    workbook = openpyxl.Workbook()
    workbook.active.append(["phone", "v"])
    workbook.active.append([ANN, "=C1&D1"])
    workbook.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx").rows[0].sentence == sheets.NO_RESULT


def test_a_nought_is_a_result_where_excel_saved(tmp_path: Path) -> None:
    """Without the wish to be calculated it is believed."""
    rows = with_value(cell("B2", "0", inner="<f>C2</f>"))
    assert read(book(tmp_path / "a.xlsx", rows)).cells == [(ANN, "0")]


def test_a_text_that_is_missing_refuses_its_row(tmp_path: Path) -> None:
    """A number of a text that is none is no reason to refuse the file."""
    rows = with_value(cell("B2", "x", "s")) + row(3, phone(3), cell("B3", "1"))
    assert read(book(tmp_path / "a.xlsx", rows)).reasons == [Reason.row_malformed, None]


@pytest.mark.parametrize("reference", ["XFD1048576", "ZZ1048576", "BZ99999"])
def test_one_far_cell_is_left_out(tmp_path: Path, reference: str) -> None:
    """The quick reader would lay out the whole rectangle."""
    number = reference.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    far = f'<row r="{number}"><c r="{reference}"><v>1</v></c></row>'
    reading = read(book(tmp_path / "a.xlsx", PLAIN + far, strings=SHARED))
    assert reading.cells == [(ANN, "7")]
    assert any("far from the table" in note or "blank row" in note for note in reading.notes)


def test_no_width_and_no_height_are_hidden_too(tmp_path: Path) -> None:
    """Some writers hide so."""
    rows = PLAIN.replace('<row r="2">', '<row r="2" ht="0" customHeight="1">')
    before = '<cols><col min="2" max="2" width="0" customWidth="1"/></cols>'
    reading = read(book(tmp_path / "a.xlsx", rows, strings=SHARED, before=before))
    assert reading.notes == ("1 hidden row is included", 'hidden columns are included: "v"')


@pytest.mark.parametrize("inner", ["<!-- 8 --><v>7</v>", "<v><![CDATA[7]]></v>", "<v>&#55;</v>"])
def test_values_in_other_xml(tmp_path: Path, inner: str) -> None:
    """Comments, sections and references are XML like any."""
    rows = PLAIN.replace("<v>7</v>", inner)
    assert read(book(tmp_path / "a.xlsx", rows, strings=SHARED)).cells == [(ANN, "7")]


@pytest.mark.parametrize("piece", [1 << 20, 97])
def test_a_formatted_sheet_may_be_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """Formats fill no sheet, and do not hide what fills it further down."""
    monkeypatch.setattr(archive, "_PIECE", piece)
    formatted = "".join(f'<row r="{n}"><c r="A{n}" s="1"/></row>' for n in range(1, 20))
    texts = {
        "Empty": formatted,
        "Filled": formatted + '<row r="20"><c r="A20" s="1"><v>5</v></c></row>',
        "Formula": formatted + '<row r="20"><c r="A20"><f>A21</f></c></row>',
    }
    others = tuple(
        (name, "worksheet", f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>')
        for name, rows in texts.items()
    )
    found = archive.read_archive(book(tmp_path / "a.xlsx", PLAIN, styles=("yyyy",), strings=SHARED, others=others))
    names = {one.entry: one.name for one in found.sheets}
    assert {names[entry] for entry in found.filled} == {"People", "Filled", "Formula"}
    assert {names[entry] for entry in found.special} == {"Empty", "Filled", "Formula"}


TWO_LINES = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c><c r="B1" t="inlineStr"><is><t>Name</t></is></c></row>'
    '<row r="2"><c r="B2" t="inlineStr"><is><t>first</t></is></c><c r="C2" t="inlineStr"><is><t>last</t></is></c></row>'
    + row(3, phone(3), cell("B3", "1"), cell("C3", "2"))
)
MERGED = '<mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/></mergeCells>'


def test_a_header_of_two_lines_is_called_so(tmp_path: Path) -> None:
    """Names merged downwards stand beside names below: the message says which row to take, and it works."""
    path = book(tmp_path / "a.xlsx", TWO_LINES, after=MERGED)
    with pytest.raises(InputError, match="the columns' names in several rows, 1 to 2") as refused:
        read(path)
    assert refused.value.fix == Setting("input.header_row", 2)
    reading = read(path, header_row=2, parameters=["first", "last"])
    assert (reading.numbers, reading.cells) == ([3], [(ANN, "1", "2")])


def test_a_title_over_two_rows_is_no_header(tmp_path: Path) -> None:
    """The names stand below it, and the message says where."""
    title = '<row r="1"><c r="A1" t="inlineStr"><is><t>Spring</t></is></c></row>'
    names = HEADER.replace('r="1"', 'r="3"').replace("A1", "A3").replace("B1", "B3")
    path = book(
        tmp_path / "a.xlsx",
        title + names + row(4, phone(4)),
        after='<mergeCells><mergeCell ref="A1:B2"/></mergeCells>',
    )
    with pytest.raises(InputError, match="stands in row 3"):
        read(path)


def _as_scanned_and_as_parsed(monkeypatch: pytest.MonkeyPatch, path: Path) -> list[Any]:
    """What the child reads with the scan for Excel's plain form, and with the parser alone."""
    found: list[Any] = []
    for is_scanned in (True, False):
        with monkeypatch.context() as patch:
            if not is_scanned:
                patch.setattr(sheets, "PLAIN_ROW", re.compile(rb"(?!)"))
                patch.setattr(sheets, "PLAIN_ROWS", re.compile(rb"(?!)"))
                patch.setattr(book_parts, "_PLAIN_STRING", re.compile(rb"(?!)"))
            try:
                found.append([*workbook._lines(path, None, 0, "")])
            except Unopenable as error:
                found.append(str(error))
    return found


#: Rows that begin as Excel's do, and what may stand between two of them, or in one.
ODD_ROWS = (
    row(2, phone(2), cell("B2", "7", style=1)),
    '<row r="2" spans="1:2" ht="15.75" customHeight="1"><c r="A2" t="s"><v>2</v></c><c r="B2" s="1"><v>7</v></c></row>',
    '<row r="2" hidden="1"><c r="A2" t="s"><v>2</v></c></row>',
    '<row r="2" ht="0"><c r="A2" t="s"><v>2</v></c></row>',
    '<row r="2"/>',
    "<row><c><v>1</v></c></row>",
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="s"><v> 1 </v></c></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="s"><v>99</v></c></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="str"><f>A1</f><v>x</v></c></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="str"><v>Zo\u00eb &amp; Co</v></c></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="str"><v>a_x000D_b</v></c></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="e"><v>#N/A</v></c></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="b"><v>1</v></c></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2"/></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2"><v></v></c></row>',
    '<!-- <row r="2"><c r="A2" t="s"><v>2</v></c></row> -->',
    '<row r="2"><!-- </row> --><c r="A2" t="s"><v>2</v></c></row>',
    '<row r="2"><c r="A2" t="s"><v>2</v></c><extLst><ext><![CDATA[</row>]]></ext></extLst></row>',
    "<?pi </row> ?>",
    '<row r="2"/><!-- </row><row r="9"><c r="A9" t="s"><v>2</v></c></row> -->',
    '\n  <row r="2"><c r="A2" t="s"><v>2</v></c></row>\n',
    "<row r='2'><c r='A2' t='s'><v>2</v></c></row>",
    '<row r="2"><c r="A2" t="s"><v>2</v></c></row',
    '<row r="2"><c r="A2" t="s"><v>2</c></row>',
)


@pytest.mark.parametrize("between", ODD_ROWS)
@pytest.mark.parametrize("after", ["", ODD_ROWS[1].replace("2", "4", 1).replace("A2", "A4").replace("B2", "B4")])
def test_a_scan_reads_what_the_parser_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: str, after: str
) -> None:
    """The plain form is proved for each row by itself, whatever stands beside it; a piece may end anywhere."""
    first = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
    plain = '<row r="3"><c r="A3" t="s"><v>2</v></c><c r="B3" s="1"><v>46083.5</v></c></row>'
    path = book(tmp_path / "a.xlsx", first + between + plain + after, styles=("yyyy-mm-dd",), strings=SHARED)
    seen = [_as_scanned_and_as_parsed(monkeypatch, path)]
    for size in (1, 7, 64):
        monkeypatch.setattr(scanning, "_PIECE", size)
        seen.append(_as_scanned_and_as_parsed(monkeypatch, path))
    assert all(one == seen[0][1] for pair in seen for one in pair)


def test_rows_in_a_comment_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only looks like the container's first row is none."""
    row_9 = '<row r="9"><c r="A9" t="s"><v>2</v></c></row>'
    plain = '<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="3"><c r="A3" t="s" s="1"><v>2</v></c></row>'
    path = book(tmp_path / "a.xlsx", f"<!-- {row_9}{row_9} -->{plain}", styles=("yyyy-mm-dd",), strings=SHARED)
    scanned, parsed = _as_scanned_and_as_parsed(monkeypatch, path)
    assert scanned == parsed
    assert parsed[1]["numbers"] == [3]


@pytest.mark.parametrize(
    "odd",
    [
        "<si><t>a_x000D_b</t></si>",
        "<si><t>a &amp; b</t></si>",
        "<si><t>Zo\u00eb</t></si>",
        "<si><r><t>a</t></r><r><t>b</t></r></si>",
        "<si><t>\u6f22</t><rPh sb='0' eb='1'><t>kan</t></rPh></si>",
        "<si/>",
        "<si><t/></si>",
        '<si><t xml:space="preserve"> a </t></si>',
        "<!-- <si><t>c</t></si> --><si><t>a</t></si>",
        "<si><t>a<!-- </si> --></t></si>",
        "\n<si>\n<t>a</t>\n</si>\n",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_texts_are_scanned_as_they_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str, first: bool
) -> None:
    """The table of strings, whatever stands between those that nearly all are like."""
    plain = SHARED + "<si><t>d</t></si>"
    rows = HEADER + "".join(row(n, phone(n), cell(f"B{n}", str(n - 2), "s", style=1)) for n in range(2, 8))
    strings = odd + plain if first else plain + odd + "<si><t>e</t></si>"
    path = book(tmp_path / "a.xlsx", rows, styles=("yyyy-mm-dd",), strings=strings)
    seen = [_as_scanned_and_as_parsed(monkeypatch, path)]
    monkeypatch.setattr(scanning, "_PIECE", 5)
    seen.append(_as_scanned_and_as_parsed(monkeypatch, path))
    assert all(one == seen[0][1] for pair in seen for one in pair)

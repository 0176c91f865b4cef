"""Sheets as other programs write them: the value that a person sees, or the reason why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dispatcher.intake import sheet as sheets
from dispatcher.intake.numbers import Format, Kind, duration_text, moment, number_text, time_text, zeros_text
from dispatcher.model import Reason
from tests.support.sheets import HEADER, book, cell, phone, row
from tests.unit.intake.reading import ANN, BOB, Reading, read


def values(path: Path, sheet: str, **options: Any) -> list[str]:
    """The cells of column v."""
    return [row_.cells[1] for row_ in read(book(path, sheet, **options)).rows]


# --- what is written how ---


def test_a_prefix_is_no_other_sheet(tmp_path: Path) -> None:
    """ClosedXML and others name the namespace: values, errors and hidden rows are what they are without it."""
    strings = "<x:si><x:t>phone</x:t></x:si><x:si><x:t>v</x:t></x:si><x:si><x:t>+12025550101</x:t></x:si>"
    rows = (
        '<x:row r="1"><x:c r="A1" t="s"><x:v>0</x:v></x:c><x:c r="B1" t="s"><x:v>1</x:v></x:c></x:row>'
        '<x:row r="2" hidden="1"><x:c r="A2" t="s"><x:v>2</x:v></x:c><x:c r="B2" t="e"><x:v>#N/A</x:v></x:c></x:row>'
        '<x:row r="3"><x:c r="A3" t="s"><x:v>2</x:v></x:c><x:c r="B3"><x:v>7</x:v></x:c></x:row>'
    )
    reading = read(book(tmp_path / "a.xlsx", rows, prefix="x", strings=strings))
    assert reading.cells == [(ANN, "#N/A"), (ANN, "7")]
    assert reading.reasons == [Reason.row_malformed, None]
    assert "1 hidden row is included" in reading.notes


def test_cells_that_do_not_say_where_they_stand(tmp_path: Path) -> None:
    """Rows and cells without `r` follow one another."""
    rows = (
        "<row><c t='inlineStr'><is><t>phone</t></is></c><c t='inlineStr'><is><t>v</t></is></c></row>"
        "<row><c t='inlineStr'><is><t>+12025550101</t></is></c><c t='e'><v>#REF!</v></c></row>"
        "<row r='5'><c r='B5'><v>3</v></c></row><row><c t='inlineStr'><is><t>+12025550102</t></is></c></row>"
    )
    reading = read(book(tmp_path / "a.xlsx", rows))
    assert reading.numbers == [2, 5, 6]
    assert reading.cells == [(ANN, "#REF!"), ("", "3"), (BOB, "")]
    assert reading.rows[0].sentence == "the cell shows #REF!"


@pytest.mark.parametrize("layout", [{"slash": "\\"}, {"folder": "book"}, {"folder": "xl", "slash": "\\"}])
def test_other_folders_and_slashes(tmp_path: Path, layout: dict[str, str]) -> None:
    """The parts are found by the archive's own relationships."""
    assert read(book(tmp_path / "a.xlsx", HEADER + row(2, phone(2), cell("B2", "7")), **layout)).cells == [(ANN, "7")]  # type: ignore[arg-type]


def test_odd_sheets_beside_a_good_one(tmp_path: Path) -> None:
    """Charts, macros and dialogs are no tables; the one sheet is read."""
    others = (("Chart", "chartsheet", "<chartsheet/>"), ("Macro", "xlMacrosheet", "<macrosheet/>"))
    reading = read(book(tmp_path / "a.xlsx", HEADER + row(2, phone(2)), others=others))
    assert reading.to == [ANN]
    assert reading.notes == ('the sheet "People"',)


def test_texts_in_every_form(tmp_path: Path) -> None:
    """Shared, inline, rich, of formulas; blanks kept; readings of Japanese words left out."""
    strings = (
        "<si><t>plain</t></si><si><r><t>ri</t></r><r><t xml:space='preserve'>ch </t></r></si>"
        "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh><phoneticPr fontId='1'/></si><si/>"
    )
    cells = [cell("B2", "0", "s"), cell("B3", "1", "s"), cell("B4", "2", "s"), cell("B5", "3", "s")]
    cells += [
        cell("B6", "a result", "str", inner="<f>A1</f>"),
        "<c r='B7' t='inlineStr'><is><r><t>in</t></r><r><t>line</t></r></is></c>",
        cell("B8", "1", "b"),
        cell("B9", "", "str", inner="<f>A1</f>"),
        cell("B10", "2026-03-02T00:00:00", "d"),
    ]
    rows = HEADER + "".join(row(n, phone(n), one) for n, one in enumerate(cells, 2))
    found = values(tmp_path / "a.xlsx", rows, strings=strings)
    assert found == ["plain", "rich ", "東京", "", "a result", "inline", "TRUE", "", "2026-03-02"]


# --- what has no value ---


@pytest.mark.parametrize("value", ["<v></v>", "<v/>", ""])
@pytest.mark.parametrize("column", ["A", "B"])
def test_a_formula_without_its_result(tmp_path: Path, value: str, column: str) -> None:
    """A program wrote it and nobody opened it in a spreadsheet: the row is refused, with what to do."""
    one = phone(2) if column == "B" else "<c r='B2'><v>1</v></c>"
    rows = HEADER + row(2, *sorted([one, f'<c r="{column}2"><f>C2&amp;""</f>{value}</c>'])) + row(3, phone(3, BOB))
    reading = read(book(tmp_path / "a.xlsx", rows))
    assert reading.reasons == [Reason.row_malformed, None]
    assert reading.rows[0].sentence == sheets.NO_RESULT
    assert reading.rows[0].column == ("phone" if column == "A" else "v")


def test_an_error_in_a_column_that_is_not_used(tmp_path: Path) -> None:
    """It stops no row."""
    rows = HEADER + row(2, phone(2), cell("B2", "#DIV/0!", "e"))
    reading = read(book(tmp_path / "a.xlsx", rows), parameters=[])
    assert (reading.reasons, reading.cells) == ([None], [(ANN, "#DIV/0!")])


# --- what is seen of numbers ---


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("57.699999999999996", "57.7"),
        ("0.30000000000000004", "0.3"),
        ("1e-05", "0.00001"),
        ("1234567890123456", "1234567890123460"),
        ("1.5551234567E10", "15551234567"),
        ("15551234567", "15551234567"),
        ("0012", "12"),
        ("-0.5", "-0.5"),
        ("1E+20", "100000000000000000000"),
        ("1E+30", "1e+30"),
    ],
)
def test_numbers_have_fifteen_digits(tmp_path: Path, value: str, text: str) -> None:
    """As Excel shows them, by whichever reader."""
    assert number_text(float(value)) == text
    plain = HEADER + row(2, phone(2), cell("B2", value))
    assert values(tmp_path / "a.xlsx", plain, before='<cols><col min="9" max="9" hidden="1"/></cols>') == [text]
    shared = "<si><t>phone</t></si><si><t>v</t></si><si><t>+12025550101</t></si>"
    rows = row(1, cell("A1", "0", "s"), cell("B1", "1", "s")) + row(2, cell("A2", "2", "s"), cell("B2", value))
    assert values(tmp_path / "b.xlsx", rows, strings=shared) == [text]


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("00000", "7102", "07102"),
        ("00000-0000", "71021234", "07102-1234"),
        ("000\\ 000", "12345", "012 345"),
        ("0", "7", "7"),
        ("General", "57.7", "57.7"),
        ("@", "57.7", "57.7"),
        ("0%", "0.25", "0.25"),
        ("$#,##0.00", "1234.5", "1234.5"),
        ("yyyy\\-mm\\-dd", "46083", "2026-03-02"),
        ("[$-409]d\\-mmm\\-yy;@", "46083", "2026-03-02"),
        ("dd/mm/yyyy hh:mm", "46084.59375", "2026-03-03T14:15:00"),
        ("h:mm", "0.4375", "10:30:00"),
        ("h:mm", "1.25", "30:00:00"),
        ("h:mm:ss", "0.99999999", "00:00:00"),
        ("[h]:mm", "1.25", "30:00:00"),
        ("[h]:mm", "-0.0625", "-1:30:00"),
        ("mm:ss.0", "0.0007", "00:01:00.48"),
        ('"Red" 0', "5", "5"),
        # What shows nothing of a number, or another one.
        (";;;", "5", "5"),
        ("0;-0;;@", "0", "0"),
        ("0;(0)", "-5", "-5"),
        ("General;", "5", "5"),
        ("0;\\-0", "5", "5"),
        ('0";"0', "5", "0;5"),
        # The section of this number.
        ("[<=99999]00000;00000-0000", "7102", "07102"),
        ("[<=99999]00000;00000-0000", "71021234", "07102-1234"),
        ("[>99999]00000\\-0000;00000", "7102", "07102"),
        ("[<100]0;00000", "7", "7"),
        ("00000;-00000", "-7102", "-07102"),
        ("00000;00000", "-7102", "07102"),
        ("00000", "-7102", "-07102"),
        # A time of a day.
        ("h:mm", "46083.5", "12:00:00"),
        ("[h]:mm", "0.5", "12:00:00"),
        # What is no date, though it has a d in it.
        ("Standard", "57.7", "57.7"),
        ("TT.MM.JJJJ", "46083", "2026-03-02"),
        ("yyyy年m月d日", "46083", "2026-03-02"),
        ("yyyy-mm-ddThh:mm:ssZ", "46083.5", "2026-03-02T12:00:00"),
        ("0", "-0", "0"),
    ],
)
def test_formats_say_what_a_number_is(tmp_path: Path, code: str, value: str, text: str) -> None:
    """Postcodes keep their zeros, days and times are such; amounts and shares are sent as numbers, and told."""
    escaped = code.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    rows = HEADER + row(2, phone(2), cell("B2", value, style=1))
    reading = read(book(tmp_path / "a.xlsx", rows, styles=(escaped,)))
    assert reading.rows[0].cells[1] == text
    kind = Format(200, code).kind
    assert any('"v": 1 cell' in note for note in reading.notes) == (kind not in (Kind.plain, Kind.zeros))


@pytest.mark.parametrize("code", ["0", "General", "@", "0;-0", "0;\\-0", "General;-General;General;@", "0;[Red]-0"])
def test_formats_that_show_the_number_itself(code: str) -> None:
    """Whatever its sign."""
    assert Format(200, code).kind is Kind.plain


@pytest.mark.parametrize("code", [";;;", "0;-0;;@", "0;", "0;(0)", "0;0", "General;-General;", '"";0', '""'])
def test_formats_that_show_something_else(code: str) -> None:
    """Nothing, of some numbers or of all, or more."""
    assert Format(200, code).kind is Kind.other


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("00000", "7102.4"),
        ("00000;;", "-5"),
        ('00000;-00000;"none"', "0"),
        ('[>0]00000;"none"', "0"),
        ("[>0]00000", "0"),
    ],
)
def test_zeros_that_show_something_else_are_told(tmp_path: Path, code: str, value: str) -> None:
    """A part of a number that is cut, or another section's text: the number itself is sent."""
    rows = HEADER + row(2, phone(2), cell("B2", value, style=1))
    reading = read(book(tmp_path / "a.xlsx", rows, styles=(code.replace('"', "&quot;").replace(">", "&gt;"),)))
    assert reading.rows[0].cells[1] == value
    assert reading.notes == (f'"v": 1 cell shown as {code}, sent as the number itself',)


def test_thailands_formats_have_numbers_of_their_own() -> None:
    """Excel names none of these in the file."""
    kinds = {number: Format(number, None).kind for number in (59, 67, 71, 75, 77, 79, 81)}
    assert [*kinds.values()] == [
        Kind.other,
        Kind.percent,
        Kind.date,
        Kind.time,
        Kind.date_time,
        Kind.duration,
        Kind.date,
    ]


def test_a_column_of_dates_is_written_in_one_way(tmp_path: Path) -> None:
    """Where one of its dates has a time, all have; and the setting says how they are written."""
    rows = (
        HEADER
        + row(2, phone(2), cell("B2", "46083", style=1))
        + row(3, phone(3, BOB), cell("B3", "46084.59375", style=1))
    )
    path = book(tmp_path / "a.xlsx", rows, styles=("yyyy-mm-dd",))
    assert [one[1] for one in read(path).cells] == ["2026-03-02T00:00:00", "2026-03-03T14:15:00"]
    assert [one[1] for one in read(path, dates="%d.%m.%Y").cells] == ["02.03.2026 00:00", "03.03.2026 14:15"]
    assert [one[1] for one in read(path, dates="%H.%M, %d %b").cells] == ["00.00, 02 Mar", "14.15, 03 Mar"]
    assert any("sent as 31.03.2026 14:15" in note for note in read(path, dates="%d.%m.%Y").notes)


def test_days_count_from_1904_where_the_book_says_so(tmp_path: Path) -> None:
    """Excel for Mac did."""
    rows = HEADER + row(2, phone(2), cell("B2", "44621", style=1))
    options: dict[str, Any] = {"styles": ("yyyy-mm-dd",), "properties": '<workbookPr date1904="true"/>'}
    assert values(tmp_path / "a.xlsx", rows, **options) == ["2026-03-02"]
    assert str(moment(59, False)) == "1900-02-28 00:00:00"
    assert str(moment(61, False)) == "1900-03-01 00:00:00"
    assert moment(1e9, False) is None
    assert (time_text(0.5), duration_text(-0.0), zeros_text(1.5, "00")) == ("12:00:00", "0:00:00", None)


# --- what is not seen ---


def test_hidden_and_merged_cells_are_told(tmp_path: Path) -> None:
    """A hidden header, hidden columns, and cells that are blank because they are merged."""
    rows = HEADER.replace('r="1">', 'r="1" hidden="true">', 1)
    rows += row(2, phone(2), cell("B2", "1")) + row(3, phone(3, BOB))
    before, after = (
        '<cols><col min="2" max="2" hidden="true"/></cols>',
        '<mergeCells><mergeCell ref="B2:B3"/></mergeCells>',
    )
    reading = read(book(tmp_path / "a.xlsx", rows, before=before, after=after))
    assert reading.notes == (
        "the columns' names stand in row 1, which is hidden",
        'hidden columns are included: "v"',
        "merged cells (B2:B3): only the first of each has the value, the others are empty",
    )


@pytest.mark.parametrize("merged", [False, True])
def test_the_row_with_the_names_can_be_said(tmp_path: Path, merged: bool) -> None:
    """Below a title; the message names it, and `header_row` reads it."""
    title = '<row r="1"><c r="A1" t="inlineStr"><is><t>Spring recall 2026</t></is></c></row>'
    rows = (
        title + HEADER.replace('"1"', '"3"').replace("A1", "A3").replace("B1", "B3") + row(4, phone(4), cell("B4", "1"))
    )
    path = book(tmp_path / "a.xlsx", rows, after='<mergeCells><mergeCell ref="A1:B1"/></mergeCells>' if merged else "")
    with pytest.raises(Exception, match="stands in row 3"):
        read(path)
    reading: Reading = read(path, header_row=3)
    assert (reading.numbers, reading.cells) == ([4], [(ANN, "1")])
    with pytest.raises(Exception, match="has no names in row 2"):
        read(path, header_row=2)


def test_a_well_squeezed_table_of_strings_is_no_bomb(tmp_path: Path) -> None:
    """A few words a million times are a column, not an attack."""
    strings = "<si><t>phone</t></si><si><t>v</t></si>" + "".join(
        f"<si><t>Springfield {n % 50}</t></si>" for n in range(1_500_000)
    )
    rows = HEADER + row(2, phone(2), cell("B2", "700000", "s"))
    assert values(tmp_path / "a.xlsx", rows, strings=strings) == ["Springfield 48"]

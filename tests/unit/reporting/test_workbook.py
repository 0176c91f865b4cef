"""The report as a workbook: text stays text, nothing runs, nothing is cut."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import ReportError
from dispatcher.model import REPORT_COLUMNS, RowState
from dispatcher.reporting import workbook
from tests.unit.reporting.support import HEADER, batches, never_sent, read_as_input, rejected, row, write


def _sheet(path: Path) -> Any:
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Report"]
    return book["Report"]


def test_every_cell_is_text(tmp_path: Path) -> None:
    """A phone number that becomes a number loses its plus, a postcode its zero. Ours are text too; empty is empty."""
    write(tmp_path / "r.xlsx", HEADER, batches(row(2, ("+15550100001", "007")), rejected(3), never_sent(4)))
    sheet = _sheet(tmp_path / "r.xlsx")
    header, first, *_ = ([cell.value for cell in cells] for cells in sheet.iter_rows())
    assert header == [*HEADER, *REPORT_COLUMNS]
    assert first[:8] == ["+15550100001", "007", "spring", "2", "+15550100001", "created", f"FN{2:032x}", "201"]
    assert first[8:] == [None, None, None, "1", "2026-01-31T09:05:00.007Z", "2026-01-31T09:05:00.100Z"]
    cells = [cell for cells in sheet.iter_rows() for cell in cells if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    assert {cell.number_format for cell in cells} == {"@"}


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "-2+3", "+1+1", " =1", "{=1}", "http://x.invalid", "mailto:a@b.c"]
)
def test_what_looks_like_a_formula_or_a_link_is_text(tmp_path: Path, text: str) -> None:
    """The user's and Studio's: the value is exact, and the cell is marked so that it stays text when it is edited."""
    write(tmp_path / "r.xlsx", (text, "name"), batches(rejected(cells=(text, "x"), error_message=text)))
    sheet = _sheet(tmp_path / "r.xlsx")
    for cell in (sheet["A1"], sheet["A2"], sheet.cell(2, 3 + REPORT_COLUMNS.index("dispatch_error_message"))):
        assert cell.value == text
        assert cell.data_type != "f"
        assert cell.hyperlink is None
        assert cell.quotePrefix or text.lstrip()[0] not in "=@-+"
    assert not sheet["B2"].quotePrefix
    with zipfile.ZipFile(tmp_path / "r.xlsx") as archive:
        assert not re.search(rb"<f[ >]|<hyperlink", archive.read("xl/worksheets/sheet1.xml"))


MARKUP = ["<r>", "</r>", "<r></r>", "_x000D_", "_x005F_", "&amp;", "<", "]]>", " x ", "\t", "\n", "\r\n", "\x01", "=1"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff"), max_size=6)
#: calamine leaves Excel's escapes as they are in what looks like xlsxwriter's markup; Excel itself does not.
ESCAPED_MARKUP = re.compile(r"(?s)<r>.*([\x00-\x1f]|_x[0-9A-Fa-f]{4}_).*</r>")
CELL = (
    st.lists(st.sampled_from(MARKUP) | TEXT, max_size=3)
    .map("".join)
    .filter(lambda text: not ESCAPED_MARKUP.match(text))
)


@settings(max_examples=30)
@given(header=st.tuples(CELL, CELL), rows=st.lists(st.tuples(CELL, CELL), max_size=20))
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, header: tuple[str, str], rows: list[tuple[str, str]]
) -> None:
    """Control characters and markup too, as the library reads it that intake reads with."""
    path = tmp_path_factory.mktemp("xlsx") / "r.xlsx"
    write(path, header, batches(*[row(number, cells) for number, cells in enumerate(rows, 2)]))
    names, *found = python_calamine.load_workbook(path).get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert names == [*header, *REPORT_COLUMNS]
    assert [tuple(cells[:2]) for cells in found] == rows


def test_a_workbook_fed_back_gives_the_same_cells(tmp_path: Path) -> None:
    """As intake reads it, in a process of its own."""
    cells = [*MARKUP, "<r><t>x</t></r>", "007", "+15550100001", "1e5", "TRUE", "#N/A", "2026-01-31", "\ufeff", "", " "]
    rows = [row(number, (text, text)) for number, text in enumerate(cells, 2)]
    write(tmp_path / "r.xlsx", HEADER, batches(*rows))
    header, found = read_as_input(tmp_path / "r.xlsx")
    assert header == list(HEADER)
    assert found == [[text, text] for text in cells if text.strip()]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("x" * 32_768, "32,768 in column 'name', line 3"),
        ("😀" * 16_384, "16,384 in column 'name'"),
        ("a\uffff", "U+FFFF"),
    ],
)
def test_a_cell_that_no_workbook_can_hold(tmp_path: Path, cell: str, found: str) -> None:
    """A cell that a workbook cannot hold is an error, not a loss.

    A cut cell would be sent cut when the report is fed back. Excel counts a character outside the BMP twice.
    """
    path = tmp_path / "r.xlsx"
    with pytest.raises(ReportError) as caught:
        write(path, HEADER, batches(row(2), row(3, ("+15550100001", cell))))
    assert found in (caught.value.found or "")
    assert ".csv" in str(caught.value.fix)
    assert "+1555" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_cell_fits(tmp_path: Path) -> None:
    """32,767 characters, in whichever way they are counted."""
    cells = ("x" * 32_767, "😀" * 16_383)
    write(tmp_path / "r.xlsx", HEADER, batches(row(cells=cells)))
    assert read_as_input(tmp_path / "r.xlsx")[1] == [list(cells)]


def test_more_rows_than_a_sheet_has_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second sheet would be left out in silence when the report is fed back."""
    monkeypatch.setattr(workbook, "ROWS_MAX", 4)
    assert write(tmp_path / "r.xlsx", HEADER, batches(row(2), row(3), row(4))) == 3
    with pytest.raises(ReportError, match="at most 4 rows") as caught:
        write(tmp_path / "r.xlsx", HEADER, batches(row(2), row(3), row(4), row(5)))
    assert ".csv" in str(caught.value.fix)


def test_more_columns_than_a_sheet_has_are_an_error(tmp_path: Path) -> None:
    """Ours would be the ones to fall off."""
    header = [str(number) for number in range(16_384 - len(REPORT_COLUMNS) + 1)]
    with pytest.raises(ReportError, match="16,384 columns"):
        write(tmp_path / "r.xlsx", header, [])


def test_what_is_seen_at_a_glance(tmp_path: Path) -> None:
    """States are coloured, and the header stays in sight.

    What a person needs at a glance: each state's own colours, a fixed header with filters, columns wide enough.
    """
    rows = [row(number, state=state, reason_code=None) for number, state in enumerate(RowState, 2)]
    write(tmp_path / "r.xlsx", HEADER, batches(*rows))
    sheet = _sheet(tmp_path / "r.xlsx")
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:N{len(rows) + 1}"
    column = 3 + REPORT_COLUMNS.index("dispatch_status")
    papers = {state: sheet.cell(number, column).fill.fgColor.rgb for number, state in enumerate(RowState, 2)}
    assert papers[RowState.created] != papers[RowState.rejected] == papers[RowState.invalid]
    assert len(set(papers.values())) == 6
    assert sheet.column_dimensions["G"].width > len(f"FN{2:032x}")
    assert sheet.column_dimensions["G"].width < 48


@pytest.mark.parametrize(("ink", "paper"), sorted(set(workbook._COLOURS.values())))
def test_a_states_colours_can_be_read(ink: str, paper: str) -> None:
    """Contrast of at least 7:1 (WCAG 2.2, 1.4.6)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert (luminance(paper) + 0.05) / (luminance(ink) + 0.05) >= 7


def test_no_rows_make_a_sheet_of_its_header(tmp_path: Path) -> None:
    """The empty case."""
    assert write(tmp_path / "r.xlsx", HEADER, []) == 0
    assert _sheet(tmp_path / "r.xlsx").max_row == 1

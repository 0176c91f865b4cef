"""The report as a workbook, for people: text that stays text, states in colour, a header that stays in sight."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dispatcher.errors import ReportError
from dispatcher.model import RowState
from dispatcher.remedies import Command, Option
from dispatcher.reporting.columns import runs_as_formula

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

#: Excel's limits (support.microsoft.com, "Excel specifications and limits").
ROWS_MAX = 1_048_576
COLUMNS_MAX = 16_384
CELL_UTF16_MAX = 32_767

_STATUS = "dispatch_status"
_TO_CSV = Command("report", ("CAMPAIGN",), (Option("report", "FILE.csv"),))
#: XML cannot hold these at all; control characters are written as Excel writes them.
_NOT_XML = re.compile("[\ufffe\uffff]")

#: Text and background of a state's cell; the pairs have a contrast of at least 7:1. The word itself says it too.
_COLOURS: dict[RowState, tuple[str, str]] = {
    RowState.planned: ("#0B3D78", "#E3EEFC"),
    RowState.sending: ("#0B3D78", "#E3EEFC"),
    RowState.created: ("#14532D", "#DFF3E4"),
    RowState.rejected: ("#7F1D1D", "#FCE4E2"),
    RowState.invalid: ("#7F1D1D", "#FCE4E2"),
    RowState.busy: ("#6B3A00", "#FFEFD2"),
    RowState.unknown: ("#4C1D84", "#EEE4FB"),
    RowState.skipped: ("#3A4250", "#ECEEF2"),
}
_WIDTH_MIN, _WIDTH_MAX = 8, 48


def write_workbook(
    file: BinaryIO, header: Sequence[str], own: Sequence[str], batches: Iterator[list[tuple[list[str], list[str]]]]
) -> int:
    """Write one sheet, some rows in memory at a time; returns how many rows it holds.

    `file` has a name, and may have company in its folder meanwhile.
    Every cell is text, exactly as it was: cells that look like a formula or a number carry the marks by which a
    spreadsheet leaves them alone, when they are edited too.
    Raises: ReportError for what a workbook cannot hold (rows, columns, a cell's length); nothing is cut silently.
    """
    names = [*header, *own]
    if len(names) > COLUMNS_MAX:
        raise _too_much(f"a sheet has at most {COLUMNS_MAX:,} columns", f"{len(names):,} columns")
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    # Rows wait in a file beside the new one until the workbook is put together, not in the system's temporary folder:
    # that may be small, or memory.
    sink = _Sink(file)
    workbook = xlsxwriter.Workbook(sink, {"constant_memory": True, "tmpdir": str(Path(file.name).parent)})
    workbook.use_zip64()
    sheet = workbook.add_worksheet("Report")
    try:
        total = _write_rows(workbook, sheet, names, len(header), batches)
        workbook.close()
    except FileCreateError as error:
        raise error.args[0] from None
    finally:
        sink.close()
        with contextlib.suppress(OSError):
            sheet._opt_close()  # where the block failed, nothing else closes its file of rows
    return total


class _Sink:
    """What the workbook is written to.

    xlsxwriter forgets its archive where a write fails. The archive closes itself when it is collected, and writes its
    end then: into nothing, for the file is long closed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: BinaryIO | None = file

    def close(self) -> None:
        self._file = None

    def write(self, data: bytes) -> int:
        return self._file.write(data) if self._file else len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence) if self._file else 0

    def tell(self) -> int:
        return self._file.tell() if self._file else 0

    def flush(self) -> None:
        if self._file:
            self._file.flush()


def _write_rows(
    workbook: Any, sheet: Worksheet, names: list[str], width: int, batches: Iterator[list[tuple[list[str], list[str]]]]
) -> int:
    text = {"num_format": "@", "valign": "top"}
    plain = workbook.add_format(text)
    quoted = workbook.add_format({**text, "quote_prefix": True})
    states = {
        state.value: workbook.add_format({**text, "font_color": ink, "bg_color": paper, "bold": True})
        for state, (ink, paper) in _COLOURS.items()
    }
    head = {"num_format": "@", "bold": True, "bottom": 1, "quote_prefix": True}
    theirs = workbook.add_format({**head, "bg_color": "#E8EBEF"})
    ours = workbook.add_format({**head, "bg_color": "#1F3A5F", "font_color": "#FFFFFF"})

    first = next(batches, [])
    for column, letters in enumerate(_widths(names, first)):
        sheet.set_column(column, column, letters, plain)
    for column, name in enumerate(names):
        _write_text(sheet, 0, column, name, theirs if column < width else ours, names)

    status = names.index(_STATUS, width) if _STATUS in names[width:] else None
    total = 0
    for batch in itertools.chain([first], batches):
        if total + len(batch) >= ROWS_MAX:
            raise _too_much(f"a sheet has at most {ROWS_MAX:,} rows", "more rows than that")
        for cells, values in batch:
            total += 1
            for column, value in enumerate([*cells, *values]):
                if value:
                    style = states[value] if column == status else quoted if runs_as_formula(value) else plain
                    _write_text(sheet, total, column, value, style, names)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, total, len(names) - 1)
    # Text is meant here: no green corners on phone numbers.
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{total + 1}"})
    return total


def _write_text(sheet: Worksheet, row: int, column: int, value: str, style: Any, names: list[str]) -> None:
    if len(value) > CELL_UTF16_MAX // 2 and len(value.encode("utf-16-le")) // 2 > CELL_UTF16_MAX:
        raise _too_much(
            f"a cell has at most {CELL_UTF16_MAX:,} characters",
            f"{len(value):,} in column {names[column]!r}, line {row + 1} of the report",
        )
    if _NOT_XML.search(value):
        raise _too_much(
            "a workbook cannot hold every character",
            f"U+FFFE or U+FFFF in column {names[column]!r}, line {row + 1} of the report",
        )
    if value.startswith("<r>") and value.endswith("</r>"):
        # xlsxwriter takes such a text for markup and writes it as it is. As a rich string of three pieces it is text.
        sheet.write_rich_string(row, column, value[0], value[1], value[2:], style)
    else:
        sheet.write_string(row, column, value, style)


def _widths(names: list[str], rows: list[tuple[list[str], list[str]]]) -> list[int]:
    """Column widths in characters, by the header and the first rows."""
    longest = [len(name) + 3 for name in names]  # the filter's button takes some
    for cells, values in rows:
        for column, value in enumerate([*cells, *values]):
            longest[column] = max(longest[column], len(value))
    return [min(max(length + 1, _WIDTH_MIN), _WIDTH_MAX) for length in longest]


def _too_much(what: str, found: str) -> ReportError:
    return ReportError(f"the report does not fit into a workbook: {what}", found=found, fix=_TO_CSV)

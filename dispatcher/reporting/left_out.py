"""The rows that are left out, as a file for whoever corrects them: every cell as it was, then what is wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from dispatcher.errors import ReportError
from dispatcher.ledger.records import ReportRow
from dispatcher.model import LEFT_OUT_COLUMNS
from dispatcher.remedies import Advice
from dispatcher.reporting.columns import harmless
from dispatcher.reporting.feeding import in_thread
from dispatcher.reporting.replacement import replacing
from dispatcher.reporting.report import csv_line, fitted

#: Some hundred rows: the input's cells, and ours.
_Lines = list[tuple[list[str], list[str]]]


async def write_rows_left_out(
    path: Path,
    header: Sequence[str],
    rows: AsyncGenerator[list[ReportRow]],
    *,
    advice: Callable[[ReportRow], str],
) -> int:
    """Write the rows in the format of the path's suffix, `.xlsx` or `.csv`; returns how many there are.

    `header` is the input's, `rows` its rows that are left out, some hundred at a time. A workbook's cells are text. In
    CSV the input's cells are exact, since a machine reads them back, and our own texts are kept from being run. Our
    columns are ones that intake knows: fed back, they are not taken for the user's. The file appears whole or not at
    all. Raises: ReportError: an unknown suffix, a full disk, more rows than a workbook holds; what `rows` raises.
    """
    write = {".xlsx": _write_xlsx, ".csv": _write_csv}.get(path.suffix.lower())
    if write is None:
        raise ReportError("such a file is .xlsx or .csv", found=path.suffix, fix=Advice("choose one of the two"))

    def written(batches: Iterator[list[ReportRow]]) -> int:
        lines = ([_line(row, len(header), advice(row)) for row in batch] for batch in batches)
        with replacing(path, overwrite=True) as file:
            return write(file, header, lines)

    async with contextlib.aclosing(rows) as batches:
        return await in_thread(written, batches)


def _line(row: ReportRow, width: int, advice: str) -> tuple[list[str], list[str]]:
    cells = row.cells if len(row.cells) == width else fitted(row.cells, width)
    return cells, [str(row.row_number), row.reason_column or "", row.reason or "", advice]


def _write_xlsx(file: BinaryIO, header: Sequence[str], lines: Iterator[_Lines]) -> int:
    from dispatcher.reporting.workbook import write_workbook

    return write_workbook(file, header, LEFT_OUT_COLUMNS, lines)


def _write_csv(file: BinaryIO, header: Sequence[str], lines: Iterator[_Lines]) -> int:
    # Excel takes a file without this mark for another encoding than UTF-8.
    file.write(f"\ufeff{csv_line([*header, *LEFT_OUT_COLUMNS])}\r\n".encode())
    total = 0
    for batch in lines:
        file.write("".join([f"{csv_line([*cells, *map(harmless, own)])}\r\n" for cells, own in batch]).encode())
        total += len(batch)
    return total

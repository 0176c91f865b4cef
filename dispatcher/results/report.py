"""The report: every input row once, in input order, its columns as they were, then ours (docs/report.md)."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

from dispatcher.errors import ReportError
from dispatcher.model import ReportRow
from dispatcher.results.columns import REPORT_COLUMNS, ExtraColumns, Value, harmless, own_values
from dispatcher.results.replacement import check_target, replacing
from dispatcher.results.selection import Selection

__all__ = ["REPORT_COLUMNS", "ExtraColumns", "Selection", "check_report_path", "write_report"]

_TO = REPORT_COLUMNS.index("dispatch_to")
_MESSAGE = REPORT_COLUMNS.index("dispatch_error_message")

#: Some hundred rows as the report shows them: the input's cells, and ours.
_Batch: TypeAlias = list[tuple[list[str], list[Value]]]
_Format: TypeAlias = Callable[[BinaryIO, Sequence[str], Sequence[str], Iterator[_Batch]], int]


def check_report_path(path: Path) -> None:
    """Raise the ReportError that `write_report` would raise for this path: to be asked before anything is sent."""
    _format_of(path)
    check_target(path)


def write_report(
    path: Path,
    header: Sequence[str],
    rows: Iterable[list[ReportRow]],
    *,
    only: Selection | None = None,
    extra: ExtraColumns | None = None,
) -> int:
    """Write the report in the format of the path's suffix; returns how many rows it holds.

    `header` is the input's, `rows` what `Ledger.report_rows` yields. The file appears whole or not at all; memory does
    not grow with the rows. Blocking: call it in a thread.
    Raises: ReportError for an unknown suffix, a path that cannot be written, a full disk.
    """
    write = _format_of(path)
    with replacing(path) as file:
        return write(file, header, extra.names if extra else (), _batches(rows, len(header), only, extra))


def _format_of(path: Path) -> _Format:
    name = path.name.lower()
    for suffix, write in _FORMATS.items():
        if name.endswith(suffix):
            return write
    raise ReportError(
        "the report's format is not known by its name",
        found=path.suffix or f"{path.name} without a suffix",
        fix=f"--report {path.stem or 'report'}.csv (or {', '.join(list(_FORMATS)[1:])})",
    )


def _batches(
    rows: Iterable[list[ReportRow]], width: int, only: Selection | None, extra: ExtraColumns | None
) -> Iterator[_Batch]:
    for batch in rows:
        wanted = batch if only is None else [row for row in batch if row.state in only.states]
        if not wanted:
            continue
        shown = [(_fitted(row.cells, width), own_values(row)) for row in wanted]
        if extra:
            for (_, ours), values in zip(shown, extra.values(wanted), strict=True):
                ours.extend(values)
        yield shown


def _fitted(cells: list[str], width: int) -> list[str]:
    """Exactly as many cells as the header has: whatever happened to a row, ours stand under their names."""
    return cells if len(cells) == width else [*cells[:width], *[""] * (width - len(cells))]


def _write_csv(file: BinaryIO, header: Sequence[str], extra: Sequence[str], batches: Iterator[_Batch]) -> int:
    # CR LF as RFC 4180 says; with \n alone, Python 3.11's csv leaves a cell that holds \r unquoted, which splits it.
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*header, *REPORT_COLUMNS, *extra])
    total = 0
    for batch in batches:
        for _, ours in batch:
            _make_harmless(ours)
        writer.writerows([(*cells, *ours) for cells, ours in batch])
        total += len(batch)
    text.detach()
    return total


def _make_harmless(ours: list[Value]) -> None:
    """Our own texts only; the input's columns are exact, since a machine reads them back."""
    for index in (_TO, _MESSAGE, *range(len(REPORT_COLUMNS), len(ours))):
        value = ours[index]
        if isinstance(value, str):
            ours[index] = harmless(value)


def _write_csv_gz(file: BinaryIO, header: Sequence[str], extra: Sequence[str], batches: Iterator[_Batch]) -> int:
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6) as packed:
        return _write_csv(packed, header, extra, batches)  # type: ignore[arg-type]


_FORMATS: dict[str, _Format] = {".csv": _write_csv, ".csv.gz": _write_csv_gz}

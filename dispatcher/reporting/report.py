"""The report: every input row once, in input order, its columns as they were, then ours (docs/report.md)."""

from __future__ import annotations

import contextlib
import gzip
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

from dispatcher.errors import ReportError
from dispatcher.ledger.records import ReportRow
from dispatcher.model import REPORT_COLUMNS
from dispatcher.remedies import AnyOf, Command, InTurn, Option
from dispatcher.reporting.columns import NUMBER_COLUMNS, ExtraColumns, harmless, own_values
from dispatcher.reporting.feeding import in_thread
from dispatcher.reporting.replacement import check_target, replacing
from dispatcher.reporting.selection import Selection

_CAMPAIGN = REPORT_COLUMNS.index("dispatch_campaign")
_TO = REPORT_COLUMNS.index("dispatch_to")
_MESSAGE = REPORT_COLUMNS.index("dispatch_error_message")
_QUOTED = re.compile('[",\\r\\n]')

#: The size in memory at which a Parquet row group is written.
_GROUP_BYTES = 32 << 20

#: Some hundred rows, and the extra columns' values for each, if there are any.
_Found: TypeAlias = tuple[list[ReportRow], Sequence[Sequence[str]] | None]
#: Some hundred rows as the report shows them: the input's cells, and ours.
_Batch: TypeAlias = list[tuple[list[str], list[str]]]
_Format: TypeAlias = Callable[[BinaryIO, Sequence[str], Sequence[str], Iterator[_Batch]], int]


def is_page(path: Path) -> bool:
    """Whether the name asks for the page of a campaign's numbers (`html.write_page`) instead of its rows."""
    return path.suffix.lower() == ".html"


def has_format(path: Path) -> bool:
    """Whether the name asks for a report of rows, or for a page, in a format that there is."""
    return is_page(path) or path.name.lower().endswith(tuple(_FORMATS))


def check_report_path(path: Path, *, page: bool = False, overwrite: bool = False) -> None:
    """Raise the ReportError that writing to this path would raise: to be asked before anything is sent.

    `page`: a page of numbers is wanted as well as a report of rows; `overwrite`: a file that is no report of ours may
    be replaced.
    """
    if not (page and is_page(path)):
        _format_of(path)
    check_target(path, overwrite=overwrite)


async def write_report(
    path: Path,
    header: Sequence[str],
    rows: AsyncIterator[list[ReportRow]],
    *,
    campaign: str,
    only: Selection | None = None,
    extra: ExtraColumns | None = None,
    overwrite: bool = False,
) -> int:
    """Write the report in the format of the path's suffix; returns how many rows it holds.

    `campaign` is whose report it is, `header` the input's, `rows` its rows in file order, some hundred at a time. The
    file appears whole or not at all, also where the caller is cancelled; memory does not grow with the rows, and what
    blocks is done in a thread.
    Raises: ReportError for an unknown suffix, a path that cannot be written, a file there that is no report of ours
    (unless `overwrite`), a full disk; what `rows` raises.
    """
    write = _format_of(path)

    def written(batches: Iterator[_Found]) -> int:
        with replacing(path, overwrite=overwrite) as file:
            return write(file, header, extra.names if extra else (), _shown(batches, len(header), campaign))

    async with contextlib.aclosing(_found(rows, only, extra)) as batches:
        return await in_thread(written, batches)


def _format_of(path: Path) -> _Format:
    name = path.name.lower()
    for suffix, write in _FORMATS.items():
        if name.endswith(suffix):
            return write
    if is_page(path):
        raise ReportError(
            "a page holds the campaign's numbers, not its rows",
            found=path.name,
            fix=InTurn(
                Option("report", f"{path.stem}.csv"),
                Command("report", ("CAMPAIGN",), (Option("format", "html"),), does="writes the page afterwards"),
            ),
        )
    raise ReportError(
        "the report's format is not known by its name",
        found=path.suffix or f"{path.name} without a suffix",
        fix=AnyOf(*[Option("report", f"{path.stem or 'report'}{suffix}") for suffix in _FORMATS]),
    )


async def _found(
    rows: AsyncIterator[list[ReportRow]], only: Selection | None, extra: ExtraColumns | None
) -> AsyncGenerator[_Found]:
    """The rows that are wanted, and what else is known of them."""
    async for batch in rows:
        wanted = batch if only is None else [row for row in batch if row.state in only.states]
        if wanted:
            yield wanted, await extra.values(wanted) if extra else None


def _shown(batches: Iterator[_Found], width: int, campaign: str) -> Iterator[_Batch]:
    for rows, more in batches:
        shown = [
            (row.cells if len(row.cells) == width else fitted(row.cells, width), own_values(row, campaign))
            for row in rows
        ]
        if more is not None:
            for (_, ours), values in zip(shown, more, strict=True):
                ours.extend(values)
        yield shown


def fitted(cells: list[str], width: int) -> list[str]:
    """As many cells as the header has, so that ours stand under their names.

    A row that the file had with more (which made it invalid) keeps the rest in its last cell.
    """
    if len(cells) > width:
        return [*cells[: width - 1], ",".join(cells[width - 1 :])]
    return [*cells, *[""] * (width - len(cells))]


def _write_csv(file: BinaryIO, header: Sequence[str], extra: Sequence[str], batches: Iterator[_Batch]) -> int:
    file.write(f"{csv_line(header)},{csv_line([*REPORT_COLUMNS, *extra])}\r\n".encode())
    # Our own texts only; the input's columns are exact, since a machine reads them back.
    made_harmless = (_CAMPAIGN, _TO, _MESSAGE, *range(len(REPORT_COLUMNS), len(REPORT_COLUMNS) + len(extra)))
    total = 0
    for batch in batches:
        for index in made_harmless:
            for _, ours in batch:
                if ours[index]:
                    ours[index] = harmless(ours[index])
        file.write("".join([f"{csv_line(cells)},{csv_line(ours)}\r\n" for cells, ours in batch]).encode())
        total += len(batch)
    return total


def csv_line(values: Sequence[str]) -> str:
    """Fields of a record as RFC 4180 says. The csv module takes three times as long: seconds in a million rows."""
    line = ",".join(values)
    if '"' in line or "\n" in line or "\r" in line:
        return ",".join(['"' + value.replace('"', '""') + '"' if _QUOTED.search(value) else value for value in values])
    if line.count(",") >= len(values):
        return ",".join([f'"{value}"' if "," in value else value for value in values])
    return line


def _write_csv_gz(file: BinaryIO, header: Sequence[str], extra: Sequence[str], batches: Iterator[_Batch]) -> int:
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6) as packed:
        return _write_csv(packed, header, extra, batches)  # type: ignore[arg-type]


def _write_parquet(file: BinaryIO, header: Sequence[str], extra: Sequence[str], batches: Iterator[_Batch]) -> int:
    import pyarrow
    import pyarrow.parquet

    own = (*REPORT_COLUMNS, *extra)
    types = [pyarrow.string()] * len(header)
    types += [pyarrow.int64() if name in NUMBER_COLUMNS else pyarrow.string() for name in own]
    schema = pyarrow.schema(list(zip(unique_names([*header, *own]), types, strict=True)))
    total = waiting_bytes = 0
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        group: list[pyarrow.RecordBatch] = []
        for batch in batches:
            columns: list[Sequence[object]] = list(zip(*[cells for cells, _ in batch], strict=True))
            for name, values in zip(own, zip(*[ours for _, ours in batch], strict=True), strict=True):
                number = name in NUMBER_COLUMNS
                columns.append([(int(value) if number else value) if value else None for value in values])
            arrays = [pyarrow.array(values, kind) for values, kind in zip(columns, types, strict=True)]
            group.append(pyarrow.record_batch(arrays, schema=schema))
            total += len(batch)
            waiting_bytes += group[-1].nbytes
            if waiting_bytes >= _GROUP_BYTES:
                writer.write_table(pyarrow.Table.from_batches(group))
                group.clear()
                waiting_bytes = 0
        if group:
            writer.write_table(pyarrow.Table.from_batches(group))
    return total


def unique_names(names: Sequence[str]) -> list[str]:
    """A column format needs names that differ: a second `x` becomes `x_2`, or the first number that is free."""
    taken = set(names)
    seen: set[str] = set()
    unique: list[str] = []
    for name in names:
        new, number = name, 2
        while new in seen or (new != name and new in taken):
            new, number = f"{name}_{number}", number + 1
        seen.add(new)
        unique.append(new)
    return unique


def _write_xlsx(file: BinaryIO, header: Sequence[str], extra: Sequence[str], batches: Iterator[_Batch]) -> int:
    from dispatcher.reporting.workbook import write_workbook

    return write_workbook(file, header, [*REPORT_COLUMNS, *extra], batches)


_FORMATS: dict[str, _Format] = {
    ".csv": _write_csv,
    ".csv.gz": _write_csv_gz,
    ".parquet": _write_parquet,
    ".xlsx": _write_xlsx,
}

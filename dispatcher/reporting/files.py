"""The rows of several files of a campaign as those of one: under the columns of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

from dispatcher.ledger.records import InputRecord, ReportRow
from dispatcher.reporting.report import fitted


def rows_of_files(
    files: Sequence[InputRecord], rows_of: Callable[[InputRecord], AsyncIterator[list[ReportRow]]]
) -> tuple[tuple[str, ...], AsyncIterator[list[ReportRow]]]:
    """The columns of these files, and their rows one file after the other, some hundred at a time.

    A column is the same where its name is (the second of a name: the second); what only a later file has comes behind.
    """
    header: list[tuple[str, int]] = []
    for file in files:
        header += [column for column in _numbered(file.header) if column not in header]
    places = {column: place for place, column in enumerate(header)}

    async def rows() -> AsyncIterator[list[ReportRow]]:
        for number, file in enumerate(files):
            targets = [places[column] for column in _numbered(file.header)]
            is_first = number == 0
            async for batch in rows_of(file):
                yield batch if is_first else [_moved(row, targets, len(header)) for row in batch]

    return tuple(name for name, _ in header), rows()


def _numbered(names: Sequence[str]) -> list[tuple[str, int]]:
    """Names may be there twice."""
    seen = Counter[str]()
    found = []
    for name in names:
        found.append((name, seen[name]))
        seen[name] += 1
    return found


def _moved(row: ReportRow, targets: Sequence[int], width: int) -> ReportRow:
    cells = [""] * width
    for target, cell in zip(targets, fitted(row.cells, len(targets)), strict=True):
        cells[target] = cell
    return row._replace(cells=cells)

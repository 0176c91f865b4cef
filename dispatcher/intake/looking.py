"""A first look at a file that nobody has explained: its names, where they stand, and its first rows."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dispatcher.errors import InputError
from dispatcher.intake.header import visible
from dispatcher.intake.origin import is_ours
from dispatcher.remedies import Advice, Setting

if TYPE_CHECKING:
    from dispatcher.intake.guesses import ColumnLook
    from dispatcher.intake.rows import Table
    from dispatcher.settings import InputSettings

#: So many rows are looked at.
LOOKED_AT = 200
_DELIMITERS = {",": ",", ";": ";", "\t": "tab", "|": "|"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen. Names as people see them; those that two columns share, and a report's own, are left out."""

    #: As they are to be set for the file to be read so.
    settings: InputSettings
    names: tuple[str, ...]
    columns: tuple[ColumnLook, ...]
    #: Name -> its first cells.
    cells: dict[str, list[str]]
    #: Names that stand above several columns.
    repeated: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return max((len(cells) for cells in self.cells.values()), default=0)


def look(path: str | Path, settings: InputSettings) -> Look:
    """Open the file as the settings say, find its names where they do not, and read some rows. Blocking.

    Raises: InputError (SheetNotChosen: a workbook has several), SettingsError.
    """
    from dispatcher.intake.formats import open_table
    from dispatcher.intake.guesses import column_looks

    settings, opened = _with_names(path, settings)
    # A large workbook takes long to open: where its names are the first row, it is not opened once more.
    table, read = opened or (open_table(path, settings), None)
    try:
        header = [visible(name) for name in table.header]
        rows = [cells for _, cells in (_rows(table, whole=True) if read is None else read)]
        notes = tuple(table.notes)
    finally:
        table.close()
    own = [position for position, name in enumerate(header) if name and not is_ours(name)]
    names = tuple(header[position] for position in own if header.count(header[position]) == 1)
    looks = [one for one in column_looks(header, rows) if one.name in names]
    if not names:
        raise InputError(f"{path} has no column with a name of its own", fix=Advice("give each column its name"))
    return Look(
        settings=settings,
        names=names,
        columns=tuple(looks),
        cells={one.name: [row[one.position] for row in rows] for one in looks},
        repeated=tuple(dict.fromkeys(header[position] for position in own if header[position] not in names)),
        notes=notes,
    )


#: A row's number, and its cells.
_Row: TypeAlias = tuple[int, Sequence[str]]


def _with_names(path: str | Path, settings: InputSettings) -> tuple[InputSettings, tuple[Table, list[_Row]] | None]:
    """The settings with the row of the names, where that is not the first, and the delimiter that it has.

    And the table with its first rows, open, where it is to be read as it was opened.
    """
    from dispatcher.intake.delimited import DelimitedTable
    from dispatcher.intake.formats import open_table
    from dispatcher.intake.guesses import header_row
    from dispatcher.intake.workbook import WorkbookTable

    if settings.header_row:
        return settings, None
    try:
        table = open_table(path, settings)
    except InputError as error:
        # Names that are merged over several rows: the reader knows the last of them.
        if isinstance(error.fix, Setting) and error.fix.name == "input.header_row" and isinstance(error.fix.value, int):
            return settings.model_copy(update={"header_row": error.fix.value}), None
        raise
    with contextlib.ExitStack() as stack:
        stack.callback(table.close)
        first, below = list(table.header), list(_rows(table, whole=False))
        number = 0
        if isinstance(table, (DelimitedTable, WorkbookTable)):
            found = header_row(first, below)
            if found is None:
                raise InputError(
                    f"no row of {path} looks like the columns' names",
                    found=f"{len(first)} cells in its first row",
                    fix=Advice("put a row with the columns' names above the first contact"),
                )
            number = found
        if number == 0:
            if len(first) == 1 or any(len(cells) != len(first) for _, cells in below):
                return settings, None
            stack.pop_all()
            return settings, (table, below)
    changed = settings.model_copy(update={"header_row": number})
    cells = next(cells for at, cells in below if at == number)
    if isinstance(table, DelimitedTable) and settings.delimiter is None:
        return _with_delimiter(path, changed, cells), None
    return changed, None


def _with_delimiter(path: str | Path, settings: InputSettings, names: Sequence[str]) -> InputSettings:
    """Below a title the delimiter may not be found out by itself: then it is set."""
    from dispatcher.intake.formats import open_table

    for delimiter in (None, *_DELIMITERS.values()):
        changed = settings.model_copy(update={"delimiter": delimiter})
        table = open_table(path, changed)
        header = list(table.header)
        table.close()
        if header == list(names):
            return changed
    return settings


def _rows(table: Table, *, whole: bool) -> Iterator[_Row]:
    """The first rows, blank ones left out, with their numbers; `whole`: only those as wide as the header."""
    width = len(table.header)
    found = 0
    for chunk in table.chunks(None):
        columns = [chunk.column(index) for index in range(width)]
        for position, number in enumerate(islice(chunk.row_numbers, LOOKED_AT - found)):
            wrong = chunk.malformed.get(position)
            if wrong is not None and whole:
                continue
            cells: Sequence[str] = _split(wrong.text) if wrong is not None else [column[position] for column in columns]
            if wrong is None and width == 1 and not whole:
                cells = _split(cells[0])
            if not any(cell.strip() for cell in cells):
                continue
            yield number, cells
            found += 1
        if found >= LOOKED_AT:
            return


def _split(text: str) -> list[str]:
    """A row that is wider than the header, which may be a title: parted by what parts it most."""
    rows = []
    for delimiter in _DELIMITERS:
        try:
            rows.append(next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter), []))
        except csv.Error:
            continue
    return max(rows, key=len, default=[text])

"""XLSX, read in a process of its own: a workbook is a program's memory image, and may be made to fill ours.

The child looks through the archive (`archive.read_archive`), has the sheet read within a bound on its memory, and
writes the rows as lines of JSON. Whatever happens to it, this process gets a sentence. calamine reads what is plain
text and plain numbers, where they say that they stand; everything else is read exactly (`sheet.ExactSheet`).
"""

from __future__ import annotations

import difflib
import gc
import sys
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import orjson

from dispatcher.errors import InputError, SheetNotChosen
from dispatcher.intake.archive import Archive, Sheet, read_archive
from dispatcher.intake.cells import Row, letters_of
from dispatcher.intake.child import Child, bound, go_on
from dispatcher.intake.facts import Facts
from dispatcher.intake.numbers import number_text
from dispatcher.intake.rows import COLUMNS_MAX, Chunk, RowChunk
from dispatcher.intake.sheet import ExactSheet
from dispatcher.intake.sources import Source
from dispatcher.intake.unopenable import Unopenable
from dispatcher.plurals import counted
from dispatcher.remedies import Setting

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

_ROWS_PER_LINE = 2_000
_TEXT = {str}
#: So many columns without a name, behind the last that has one, belong to the table.
_NAMELESS_COLUMNS_MAX = 50
_EXAMPLES = 3


class WorkbookTable:
    """A sheet of an XLSX file. Rows are as `rows.Table` says, numbered as the sheet numbers them."""

    def __init__(self, source: Source, *, sheet: str | None, header_row: int = 0, dates: str = "") -> None:
        """`sheet` None: the only visible one that has rows. `dates`: how dates are written (strftime); empty: ISO 8601.

        `header_row`: the row with the names, from 1; 0: the first that is not blank.

        Raises: InputError: it is no workbook, encrypted, a bomb, has no such sheet, or more than one to choose from.
        """
        self._source = source
        self._done = 0.0
        wanted = orjson.dumps({"sheet": sheet, "header_row": header_row, "dates": dates}).decode()
        self._child = Child("dispatcher.intake.workbook", str(source.path), wanted)
        try:
            opening = self._next()
        except BaseException:
            self._child.end()
            raise
        assert opening is not None
        self.notes: list[str] = opening["notes"]
        self._row_count: int = opening["row_count"]
        self._first_row: int = opening["first_row"]
        self.header: Sequence[str] = opening["header"]

    @property
    def total_bytes(self) -> int | None:
        return self._source.total_bytes

    @property
    def done_bytes(self) -> int:
        return int(self._done * (self._source.total_bytes or 0))

    def sha256(self) -> str:
        return self._source.sha256()

    def close(self) -> None:
        self._child.end()
        self._source.close()

    def check_used(self, to: int, used: Collection[int]) -> None:
        """Any column may be used: what is wrong is in single cells."""

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        row_number = self._first_row
        while True:
            line = self._next()
            if line is None:
                return
            rows = line["rows"]
            numbers = line.get("numbers") or range(row_number, row_number + len(rows))
            row_number = numbers[-1] + 1
            self._done = min(row_number / max(self._row_count, 1), 1.0)
            faults: dict[int, dict[int, str]] = {}
            for position, column, sentence in line.get("faults", ()):
                faults.setdefault(position, {})[column] = sentence
            if kept is not None:
                rows = [[row[index] for index in kept] for row in rows]
                places = {column: place for place, column in enumerate(kept)}
                faults = {
                    position: {places[column]: sentence for column, sentence in of.items() if column in places}
                    for position, of in faults.items()
                }
            yield RowChunk(numbers, rows, faults=faults)

    def _next(self) -> dict[str, Any] | None:
        """The child's next line; None: it is done."""
        text = self._child.out.readline()
        line: dict[str, Any] = orjson.loads(text) if text.endswith(b"\n") else {"died": None}
        if "error" in line:
            error = line["error"]
            fix = error["fix"] if error["setting"] is None else Setting(*error["setting"])
            if error["sheets"]:
                several = SheetNotChosen(f"{self._source.name} {error['message']}", found=error["found"], fix=fix)
                several.sheets = tuple(error["sheets"])
                raise several
            raise InputError(f"{self._source.name} {error['message']}", found=error["found"], fix=fix)
        if "died" in line:
            cause, found = self._child.cause_of_death()
            raise InputError(
                f"{self._source.name} cannot be read: {cause}",
                found=line["died"] or found,
                fix="open it in a spreadsheet program and save the sheet as CSV",
            )
        return None if "end" in line else line


def cell_text(value: Any) -> str:
    """A plain cell's value as text; calamine gives no dates here: they have formats, and are read exactly."""
    match value:
        case str():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case float() | int():
            return number_text(value)
        case None:
            return ""
        case _:
            return str(value)


def main(arguments: Sequence[str], out: IO[bytes]) -> None:
    """The child: `PATH WANTED`, lines of JSON to `out`."""
    path = Path(arguments[0])
    bound(path)
    # Rows are made and written out; there are no circles to look for.
    gc.disable()
    try:
        for line in _lines(path, **orjson.loads(arguments[1])):
            out.write(orjson.dumps(line) + b"\n")
            go_on()
        out.write(orjson.dumps({"end": True}) + b"\n")
    except Unopenable as error:
        setting, sheets = (error.setting, error.sheets) if isinstance(error, _Unreadable) else (None, ())
        told: dict[str, Any] = {"message": error.message, "found": error.found, "fix": error.fix}
        told |= {"setting": setting, "sheets": sheets}
        out.write(orjson.dumps({"error": told}) + b"\n")
    except Exception as error:
        out.write(orjson.dumps({"died": type(error).__name__}) + b"\n")
        raise
    out.flush()


class _Unreadable(Unopenable):
    """`setting`: its name and value, to be said instead of advice; `sheets`: which there are to choose from."""

    def __init__(
        self,
        message: str,
        found: str | None = None,
        *,
        setting: tuple[str, str | int] | None = None,
        sheets: Sequence[str] = (),
    ) -> None:
        super().__init__(message, found)
        self.setting, self.sheets = setting, sheets


def _lines(path: Path, sheet: str | None, header_row: int, dates: str) -> Iterator[dict[str, Any]]:
    archive = read_archive(path)
    chosen, notes = _choose_sheet(archive, sheet)
    plain = _plain_sheet(path, chosen.name) if archive.is_usual and chosen.entry not in archive.special else None
    if plain is not None:
        yield from _plain_lines(plain, chosen, notes, header_row)
    else:
        yield from _exact_lines(ExactSheet(archive, chosen.entry, dates), chosen.name, notes, header_row)


def _choose_sheet(archive: Archive, wanted: str | None) -> tuple[Sheet, list[str]]:
    if wanted is not None:
        for sheet in archive.sheets:
            if sheet.name == wanted:
                return sheet, []
        names = [sheet.name for sheet in archive.sheets]
        near = difflib.get_close_matches(wanted, names, n=1) or names
        setting = ("input.sheet", near[0]) if near else None
        raise _Unreadable(f'has no sheet "{wanted}"', f"the sheets {_listed(names)}", setting=setting)
    filled = [sheet for sheet in archive.sheets if sheet.is_visible and sheet.entry in archive.filled]
    if not filled:
        what = "has no rows in any visible sheet"
        if hidden := [sheet.name for sheet in archive.sheets if sheet.entry in archive.filled]:
            raise _Unreadable(what, f"hidden sheets with rows: {_listed(hidden)}", setting=("input.sheet", hidden[0]))
        how = "put a row with the columns' names, and the contacts below it, into a sheet"
        raise Unopenable(what, _listed(archive.all_names), how)
    if len(filled) > 1:
        # Not the first: "Contacts" may stand behind "Do not contact".
        names = [sheet.name for sheet in filled]
        setting = ("input.sheet", names[0])
        raise _Unreadable("has more than one sheet with rows", _listed(names), setting=setting, sheets=names)
    return filled[0], [f'the sheet "{filled[0].name}"'] if len(archive.all_names) > 1 else []


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _plain_sheet(path: Path, name: str) -> CalamineSheet | None:
    """The sheet, read whole; None: calamine cannot, for a cell perhaps that is wrong, and the exact reader says why."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return CalamineWorkbook.from_path(path).get_sheet_by_name(name)
    except (CalamineError, OSError, ValueError):
        return None


def _plain_lines(sheet: CalamineSheet, chosen: Sheet, notes: list[str], header_row: int) -> Iterator[dict[str, Any]]:
    rows: Iterator[list[str]] = (
        # Most rows are text only: one look at all types costs half of one at each.
        cast("list[str]", row)
        if {*map(type, row)} == _TEXT
        else [cell if type(cell) is str else cell_text(cell) for cell in row]
        for row in sheet.iter_rows()
    )
    at, header = next(
        ((at, row) for at, row in enumerate(rows, 1) if at == header_row or (not header_row and _is_filled(row))),
        (0, []),
    )
    _check_header(header, chosen.name, header_row)
    yield {"header": header, "first_row": at + 1, "row_count": sheet.total_height, "notes": notes}
    while batch := list(islice(rows, _ROWS_PER_LINE)):
        yield {"rows": batch}


def _is_filled(row: Sequence[str]) -> bool:
    return any(cell.strip() for cell in row)


def _check_header(header: Sequence[str], sheet: str, header_row: int) -> None:
    if not header or not _is_filled(header):
        if header_row:
            what = f"nothing stands there in the sheet {sheet!r}"
            raise _Unreadable(f"has no names in row {header_row}", what, setting=("input.header_row", 1))
        how = "put a row with the columns' names above the contacts"
        raise Unopenable("has no header row", f'the sheet "{sheet}"', how)
    if len(header) > COLUMNS_MAX:
        what = "leave out the columns that are not needed"
        raise Unopenable(f"has more than {COLUMNS_MAX:,} columns", f"{len(header):,}", what)


def _exact_lines(sheet: ExactSheet, name: str, notes: list[str], header_row: int) -> Iterator[dict[str, Any]]:
    facts, rows = sheet.facts, sheet.rows()
    first: Row | None = None
    named: dict[int, str] = {}
    # The names of columns whose header cells begin above the row that was asked for, or stand there beside wide ones.
    tops = {(top, left) for top, bottom, left, _ in facts.merged if top < header_row <= bottom}
    if wide := _covered(facts, header_row - 1):
        tops |= {(header_row - 1, column) for column, count in facts.used.items() if column not in wide and count > 1}
    above: dict[int, str] = {}
    for row in rows:
        if row.number == header_row or not header_row:
            seen = {column: sheet.text(column, raw)[0] for column, raw in row.cells.items()}
            named = above | {column: text for column, text in seen.items() if text.strip()}
            if named or header_row:
                first = row
                break
        if header_row and row.number > header_row:
            break
        for column, raw in row.cells.items():
            if (row.number, column) in tops:
                above[column] = sheet.text(column, raw)[0]
    if first is None or not named:
        _check_header((), name, header_row)
        raise AssertionError
    if not header_row:
        below = next(rows, None)
        rows = chain([] if below is None else [below], rows)
        _check_lines_of_header(facts, first.number, named, below)
    left, last_named = min(facts.used), max(named)
    right = max(column for column in facts.used if column <= last_named + _NAMELESS_COLUMNS_MAX)
    columns = range(left, max(right, last_named) + 1)
    header = [named.get(column, "") for column in columns]
    notes += _notes(sheet, first, dict(zip(columns, header, strict=True)))
    yield {"header": header, "first_row": first.number + 1, "row_count": facts.last_row, "notes": notes}
    strings = sheet.strings
    while batch := list(islice(rows, _ROWS_PER_LINE)):
        lines: list[list[str]] = []
        faults: list[tuple[int, int, str]] = []
        for position, row in enumerate(batch):
            line = [""] * len(columns)
            for column, raw in row.cells.items():
                if column not in columns:
                    continue
                kind, value, _ = raw
                # Nearly all cells are texts of the table.
                if kind == "s" and value.isdecimal() and (index := int(value)) < len(strings):
                    line[column - left] = strings[index]
                    continue
                line[column - left], fault = sheet.text(column, raw)
                if fault is not None:
                    faults.append((position, column - left, fault))
            lines.append(line)
        yield {"rows": lines, "numbers": [row.number for row in batch], "faults": faults}


def _check_lines_of_header(facts: Facts, top: int, named: Collection[int], below: Row | None) -> None:
    """Names that are merged downwards stand beside others in the rows below; one cell alone is a title.

    And so do names beside one that is merged over several columns, where the row below has something in these alone.
    """
    merged = [merge for merge in facts.merged if merge[0] == top and merge[2] in named]
    last = max((bottom for _, bottom, _, _ in merged), default=top)
    wide = _covered(facts, top)
    if last == top and wide and below is not None and below.number == top + 1:
        last += wide >= set(below.cells) > wide & set(named)
    if last > top and len(named) > 1:
        what = f"merged cells in the header: {_merges(merged)}"
        message = f"has the columns' names in several rows, {top} to {last}"
        raise _Unreadable(message, what, setting=("input.header_row", last))


def _covered(facts: Facts, number: int) -> set[int]:
    """The columns of cells in a row that are merged over more than one."""
    wide = [(left, right) for top, bottom, left, right in facts.merged if top == bottom == number and left < right]
    return {column for left, right in wide for column in range(left, right + 1)}


def _merges(merged: Sequence[tuple[int, int, int, int]]) -> str:
    more = f" and {len(merged) - _EXAMPLES:,} more" if len(merged) > _EXAMPLES else ""
    shown = merged[:_EXAMPLES]
    return (
        ", ".join(f"{letters_of(left)}{top}:{letters_of(right)}{bottom}" for top, bottom, left, right in shown) + more
    )


def _notes(sheet: ExactSheet, header: Row, names: dict[int, str]) -> Iterator[str]:
    """What a person should know of how the sheet looks, and what is sent. `names`: column -> its name."""
    facts = sheet.facts
    if header.is_hidden:
        yield f"the columns' names stand in row {header.number}, which is hidden"
    for column, (kind, _, _) in header.cells.items():
        if kind == "no result":
            yield f"column {letters_of(column)} has no name: it is a formula without its result"
    hidden = facts.hidden_rows - header.is_hidden
    if hidden:
        yield f"{counted(hidden, 'hidden row is', 'hidden rows are')} included"
    unseen = [
        name
        for column, name in names.items()
        if name and any(first <= column <= last for first, last in facts.hidden_columns)
    ]
    if unseen:
        yield f"hidden columns are included: {_listed(unseen)}"
    merged = [
        (top, bottom, left, right)
        for top, bottom, left, right in facts.merged
        if (top == header.number or bottom > header.number) and any(left <= column <= right for column in names)
    ]
    if merged:
        yield f"merged cells ({_merges(merged)}): only the first of each has the value, the others are empty"
    far = sorted(column for column in facts.used if column not in names)
    if far:
        count = sum(facts.used[column] for column in far)
        where = f"column {letters_of(far[0])}" + (" and others" if len(far) > 1 else "")
        yield f"{counted(count, 'cell')} far from the table left out ({where})"
    for column, name in names.items():
        for form, count in facts.formats.get(column, {}).items():
            yield f'"{name or letters_of(column)}": {sheet.told(column, form, count)}'


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout.buffer)

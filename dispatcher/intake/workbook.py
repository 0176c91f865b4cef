"""XLSX, read in a process of its own: a workbook is a program's memory image, and may be made to fill ours.

The child checks the archive (`inspect`), has calamine read the sheet within a bound on its memory, and writes
the rows as lines of JSON. Whatever happens to it, this process gets a sentence. Numbers are as the sheet shows them
unformatted (15551234567, not 15551234567.0), dates and times are ISO 8601, error cells keep their name (#N/A).
"""

from __future__ import annotations

import datetime
import difflib
import gc
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import orjson

from dispatcher.errors import InputError
from dispatcher.intake.rows import COLUMNS_MAX, Chunk, RowChunk
from dispatcher.intake.sources import Source
from dispatcher.remedies import Setting

#: Bounds on an archive. Excel's largest sheet of 26 full columns has about a gigabyte of XML.
ENTRIES_MAX = 10_000
INFLATED_MAX_BYTES = 2 << 30
#: An entry larger than this must not have been squeezed more than RATIO_MAX to one (Apache POI's ratio).
RATIO_FREE_BYTES = 32 << 20
RATIO_MAX = 100
#: Address space of the child.
MEMORY_MAX_BYTES = 4 << 30
_ROWS_PER_LINE = 2_000
_TEXT = {str}
_PIECE = 1 << 20
_OLE = b"\xd0\xcf\x11\xe0"
_ERROR_CELL = re.compile(rb'<c (?=[^>]*\bt="e")[^>]*\br="([A-Z]+)(\d+)"[^>]*>(?:(?!</c>).)*?<v>([^<]*)<', re.DOTALL)
_HIDDEN_ROW = re.compile(rb'<row [^>]*\bhidden="1"')


class WorkbookTable:
    """A sheet of an XLSX file. Rows are as `rows.Table` says, numbered as the sheet numbers them."""

    def __init__(self, source: Source, *, sheet: str | None, header_row: int = 0) -> None:
        """`sheet` None: the only visible one that has rows.

        Raises: InputError: it is no workbook, encrypted, a bomb, has no such sheet, or more than one to choose from.
        """
        self._source = source
        self._done = 0.0
        arguments = [sys.executable, "-m", "dispatcher.intake.workbook", str(source.path), sheet or ""]
        self._child = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()
        )
        try:
            opening = self._next()
        except BaseException:
            self._end_child()
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
        self._end_child()
        self._source.close()

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        row_number = self._first_row
        while True:
            line = self._next()
            if line is None:
                return
            rows = line["rows"]
            first, row_number = row_number, row_number + len(rows)
            self._done = min(row_number / max(self._row_count, 1), 1.0)
            if kept is not None:
                rows = [[row[index] for index in kept] for row in rows]
            yield RowChunk(range(first, row_number), rows)

    def _next(self) -> dict[str, Any] | None:
        """The child's next line; None: it is done."""
        assert self._child.stdout is not None
        text = self._child.stdout.readline()
        line: dict[str, Any] = orjson.loads(text) if text.endswith(b"\n") else {"died": None}
        if "error" in line:
            error = line["error"]
            fix = error["fix"] if error["sheet"] is None else Setting("input.sheet", error["sheet"])
            raise InputError(f"{self._source.name} {error['message']}", found=error["found"], fix=fix)
        if "died" in line:
            raise InputError(
                f"{self._source.name} cannot be read: it needs too much memory, or is damaged",
                found=line["died"] or f"the reader ended with {self._child.wait()}",
                fix="open it in a spreadsheet program and save the sheet as CSV",
            )
        return None if "end" in line else line

    def _end_child(self) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()


@dataclass(slots=True)
class Inspection:
    """What an archive is found to hold before calamine opens it."""

    #: Why it is not opened: message, found, fix.
    problem: tuple[str, str | None, str | None] | None = None
    #: Sheet entry -> (row, column), both from 0 -> the error's name. calamine gives such cells as empty.
    errors: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)
    #: Sheet entry -> rows that the sheet hides (a filter does that).
    hidden: dict[str, int] = field(default_factory=dict)
    #: Sheet name -> entry.
    entries: dict[str, str] = field(default_factory=dict)


def inspect(path: Path) -> Inspection:
    """Inflate the whole archive once, in pieces. Sizes are those that really come out: its directory can lie."""
    found = Inspection()
    try:
        with zipfile.ZipFile(path) as archive:
            found.problem = _inflate(archive, found)
            if found.problem is None:
                found.entries = _sheet_entries(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        found.problem = ("is damaged or cut off", type(error).__name__, "fetch or save the file again")
    return found


def _inflate(archive: zipfile.ZipFile, found: Inspection) -> tuple[str, str | None, str | None] | None:
    entries = archive.infolist()
    if len(entries) > ENTRIES_MAX:
        return "holds too many files for a workbook", f"{len(entries):,} files", "save the sheet as CSV"
    if "xl/workbook.xml" not in archive.namelist():
        return "is no XLSX workbook", "a zip archive of something else", "save the contacts as .xlsx or CSV"
    total = 0
    for entry in entries:
        if entry.flag_bits & 1:
            return "is encrypted", None, "save it without a password"
        size = 0
        rest = b""
        is_sheet = entry.filename.startswith("xl/worksheets/")
        with archive.open(entry) as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                total += len(piece)
                if size > RATIO_FREE_BYTES and size > RATIO_MAX * max(entry.compress_size, 1):
                    return (
                        "looks like a zip bomb",
                        f"{entry.filename} is squeezed more than {RATIO_MAX}:1",
                        "save the sheet as CSV",
                    )
                if total > INFLATED_MAX_BYTES:
                    return "is too large", f"more than {INFLATED_MAX_BYTES >> 30} GiB of XML", "save the sheet as CSV"
                if is_sheet:
                    rest = _look(found, entry.filename, rest + piece)
        if rest:
            _look(found, entry.filename, rest + b"<row ")
    return None


def _look(found: Inspection, entry: str, xml: bytes) -> bytes:
    """Note what is special in whole rows; give back the rest."""
    cut = xml.rfind(b"<row ")
    if cut < 0:
        return xml[-_PIECE:]
    if xml.find(b't="e"', 0, cut) >= 0:
        errors = found.errors.setdefault(entry, {})
        for letters, row, text in _ERROR_CELL.findall(xml, 0, cut):
            errors[int(row) - 1, _column(letters)] = text.decode("ascii", "replace")
    if xml.find(b'hidden="1"', 0, cut) >= 0:
        found.hidden[entry] = found.hidden.get(entry, 0) + len(_HIDDEN_ROW.findall(xml, 0, cut))
    return xml[cut:]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _sheet_entries(archive: zipfile.ZipFile) -> dict[str, str]:
    """Sheet names -> archive entries, by the workbook's own relationships. A stranger layout only loses error names."""
    try:
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        targets = {item.get("Id", ""): item.get("Target", "") for item in relations}
        workbook = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    except (KeyError, ElementTree.ParseError):
        return {}
    entries: dict[str, str] = {}
    for item in workbook.iter():
        if item.tag.rpartition("}")[2] == "sheet":
            relation = next((value for name, value in item.attrib.items() if name.endswith("}id")), "")
            target = targets.get(relation, "")
            entries[item.get("name", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return entries


def cell_text(value: Any) -> str:
    """A cell's value as the sheet shows it, unformatted."""
    match value:
        case str():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            if value.is_integer() and abs(value) < 1e15:
                return str(int(value))
            return repr(value)
        case datetime.datetime():
            return value.isoformat(sep="T")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            seconds = round(value.total_seconds())
            return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        case None:
            return ""
        case _:
            return str(value)


def _environment() -> dict[str, str]:
    # The child imports this very package, wherever it was imported from; and it needs no secret.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWILIO_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def main(arguments: Sequence[str], out: IO[bytes]) -> None:
    """The child: `PATH SHEET`, lines of JSON to `out`."""
    path, sheet = Path(arguments[0]), arguments[1] or None
    _bound_memory()
    # Rows are made and written out; there are no circles to look for.
    gc.disable()
    try:
        for line in _lines(path, sheet):
            out.write(orjson.dumps(line) + b"\n")
        out.write(orjson.dumps({"end": True}) + b"\n")
    except Exception as error:
        if not isinstance(error, _Unreadable):
            out.write(orjson.dumps({"died": type(error).__name__}) + b"\n")
            raise
        out.write(orjson.dumps({"error": error.as_json}) + b"\n")
    out.flush()


class _Unreadable(Exception):
    """`fix`: advice; `sheet`: the sheet to name instead."""

    def __init__(
        self, message: str, found: str | None = None, fix: str | None = None, *, sheet: str | None = None
    ) -> None:
        super().__init__(message)
        self.as_json = {"message": message, "found": found, "fix": fix, "sheet": sheet}


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # no such bound on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))


def _lines(path: Path, wanted: str | None) -> Iterator[dict[str, Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    with path.open("rb") as file:
        if file.read(4) == _OLE:
            raise _Unreadable("is encrypted, or an old .xls file", fix="save it as .xlsx without a password, or as CSV")
    found = inspect(path)
    if found.problem is not None:
        raise _Unreadable(*found.problem)
    try:
        workbook = CalamineWorkbook.from_path(path)
        sheet, notes = _choose_sheet(workbook, wanted)
        entry = found.entries.get(sheet.name, "")
        hidden = found.hidden.get(entry, 0)
        if hidden:
            notes.append(f"{hidden:,} hidden row{'s are' if hidden > 1 else ' is'} included")
        yield from _sheet_lines(sheet, found.errors.get(entry, {}), notes)
    except (CalamineError, OSError, ValueError) as error:
        raise _Unreadable("cannot be read as a workbook", type(error).__name__, "save the sheet as CSV") from None


def _choose_sheet(workbook: Any, wanted: str | None) -> tuple[Any, list[str]]:
    from python_calamine import SheetVisibleEnum

    names: list[str] = workbook.sheet_names
    if wanted is not None:
        if wanted not in names:
            near = difflib.get_close_matches(wanted, names, n=1)
            listed = ", ".join(f'"{name}"' for name in names)
            nearest = (near or names)[0] if names else None
            raise _Unreadable(f'has no sheet "{wanted}"', f"the sheets {listed}", sheet=nearest)
        return workbook.get_sheet_by_name(wanted), []
    visible = [item.name for item in workbook.sheets_metadata if item.visible == SheetVisibleEnum.Visible]
    filled = [sheet for sheet in map(workbook.get_sheet_by_name, visible) if sheet.height]
    if not filled:
        raise _Unreadable("has no rows in any visible sheet", ", ".join(f'"{name}"' for name in names))
    if len(filled) > 1:
        # Not the first: "Contacts" may stand behind "Do not contact".
        listed = ", ".join(f'"{sheet.name}"' for sheet in filled)
        raise _Unreadable("has more than one sheet with rows", listed, sheet=filled[0].name)
    return filled[0], [f'the sheet "{filled[0].name}"'] if len(names) > 1 else []


def _sheet_lines(sheet: Any, errors: dict[tuple[int, int], str], notes: list[str]) -> Iterator[dict[str, Any]]:
    rows = _text_rows(sheet, errors)
    header_at, header = next(((at, row) for at, row in enumerate(rows) if any(cell.strip() for cell in row)), (0, []))
    if not header:
        raise _Unreadable("has no header row", f'the sheet "{sheet.name}"')
    if len(header) > COLUMNS_MAX:
        raise _Unreadable(f"has more than {COLUMNS_MAX:,} columns", f"{len(header):,}")
    yield {"header": header, "first_row": header_at + 2, "row_count": sheet.total_height, "notes": notes}
    while batch := list(islice(rows, _ROWS_PER_LINE)):
        yield {"rows": batch}


def _text_rows(sheet: Any, errors: dict[tuple[int, int], str]) -> Iterator[list[str]]:
    first_column = sheet.start[1] if sheet.start else 0
    by_row: dict[int, list[tuple[int, str]]] = {}
    for (row_at, column), text in errors.items():
        by_row.setdefault(row_at, []).append((column - first_column, text))
    for at, row in enumerate(sheet.iter_rows()):
        # Most rows are text only: one look at all types costs half of one at each.
        cells = row if {*map(type, row)} == _TEXT else [cell if type(cell) is str else cell_text(cell) for cell in row]
        for column, text in by_row.get(at, ()):
            if 0 <= column < len(cells) and not cells[column]:
                cells[column] = text
        yield cells


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout.buffer)

"""A worksheet, read exactly: by an XML parser, whatever program wrote it, cell by cell with its format.

Slower than calamine, and used where that would guess: formulas without results, errors, dates and other
formats, merged and hidden cells, prefixes, cells that do not say where they stand. It goes over the sheet twice: for
what holds of it as a whole (does this column have times?), and for its rows. Memory is flat but for the texts' table.
"""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat

from dispatcher.intake.archive import Archive, Unopenable
from dispatcher.intake.book_parts import read_formats, read_strings, refuse_entity, unescaped
from dispatcher.intake.child import go_on
from dispatcher.intake.numbers import (
    Format,
    Kind,
    duration_text,
    has_clock,
    moment,
    moment_text,
    number_text,
    time_text,
    zeros_text,
)
from dispatcher.intake.scanning import read_piece
from dispatcher.plurals import counted

_TRUE = ("1", "true")
#: So many values are remembered with what they come to.
_KEPT_MAX = 10_000
#: After so many rows the parent's patience begins anew.
_ROWS_PER_SIGN = 10_000
#: Numbers of so many digits are shown as they are, whatever their format.
_NUMBER_MAX = 1e15
#: A row as Excel writes nearly all: a byte scan proves the form, and the parser takes whatever is not of it.
_PLAIN_CELL = (
    rb'<c r="([A-Z]{1,3})[0-9]+"(?: s="([0-9]{1,6})")?(?: t="(s|n|b|str)")?(?:/>|><v>([ -%\'-;=?-~]*)</v></c>)'
)
_PLAIN_ROW = re.compile(
    rb'<row r="([0-9]{1,7})"(?: (?:spans|s|customFormat|customHeight|x14ac:dyDescent|ht(?!="0"))="[ -!#-;=?-~]*")*>'
    rb"((?:" + re.sub(rb"\((?![?])", b"(?:", _PLAIN_CELL) + rb")*)</row>"
)
_CELLS = re.compile(_PLAIN_CELL.decode())
_RANGE = re.compile(r"([A-Z]+)(\d+):([A-Z]+)(\d+)")
#: What Excel calls an error; others are shown as they are.
NO_RESULT = "the cell holds a formula without its result: open the file in a spreadsheet program and save it"

#: Kind of value -> its text, as the XML has it, and the number of its style.
Raw = tuple[str, str, int]


@dataclass(slots=True)
class Row:
    """A row with anything in it."""

    number: int
    is_hidden: bool
    #: Column, from 0 -> what stands there.
    cells: dict[int, Raw] = field(default_factory=dict)


@dataclass(slots=True)
class Facts:
    """What holds of a sheet as a whole. Rows from 1, columns from 0."""

    rows: int = 0
    last_row: int = 0
    hidden_rows: int = 0
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    #: First and last row, first and last column.
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    #: Column -> how many cells are not empty.
    used: Counter[int] = field(default_factory=Counter)
    #: Columns with dates of which one has a time.
    clocked: set[int] = field(default_factory=set)
    #: Column -> the formats that change what is seen, and how often.
    formats: dict[int, Counter[Format]] = field(default_factory=dict)


class _Parser:
    """One pass over a sheet's XML: rows go to `rows` as they end."""

    def __init__(self, facts: Facts | None, is_uncalculated: bool) -> None:
        self.rows: list[Row] = []
        self._facts = facts
        self._is_uncalculated = is_uncalculated
        self._columns: dict[str, int] = {}
        self._row: Row | None = None
        self._last_row = 0
        self._column = -1
        self._kind = ""
        self._style = 0
        self._text: list[str] | None = None
        self._value: str | None = None
        self._inline: list[str] = []
        self._has_formula = False
        self._phonetic = 0
        self.is_between = False
        self.count = 0
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        # Entities of a document's own may grow without bound; a sheet has none.
        parser.EntityDeclHandler = refuse_entity
        self.feed: Callable[[bytes, bool], Any] = parser.Parse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.is_between = name == "sheetData"
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "c":
            reference = attributes.get("r")
            self._column = self._column + 1 if reference is None else self._column_of(reference)
            self._kind = attributes.get("t", "n")
            self._style = int(attributes.get("s", 0))
            self._value, self._has_formula = None, False
            self._inline.clear()
        elif name in ("v", "t"):
            self._text = []
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            self._last_row = int(attributes.get("r", self._last_row + 1))
            self._row = Row(self._last_row, attributes.get("hidden") in _TRUE or attributes.get("ht") == "0")
            self._column = -1
        elif name == "rPh":
            self._phonetic += 1
        elif self._facts is not None:
            self._note(name, attributes)

    def scan(self, data: bytes, start: int) -> int:
        """See `scanning.Reader`."""
        columns, rows = self._columns, self.rows
        while match := _PLAIN_ROW.match(data, start):
            start = match.end()
            row = Row(int(match[1]), is_hidden=False)
            self._last_row = row.number
            cells = row.cells
            for letters, style, kind, value in _CELLS.findall(match[2].decode()):
                if value:
                    column = columns.get(letters)
                    if column is None:
                        column = columns[letters] = column_of(letters)
                    cells[column] = (kind or "n", value, int(style) if style else 0)
            rows.append(row)
            self.count += 1
        return start

    def _note(self, name: str, attributes: dict[str, str]) -> None:
        facts = self._facts
        assert facts is not None
        if name == "col" and (attributes.get("hidden") in _TRUE or attributes.get("width") == "0"):
            facts.hidden_columns.append((int(attributes.get("min", 1)) - 1, int(attributes.get("max", 1)) - 1))
        elif name == "mergeCell":
            found = _RANGE.fullmatch(attributes.get("ref", "").replace("$", ""))
            if found:
                left, top, right, bottom = found.groups()
                facts.merged.append((int(top), int(bottom), column_of(left), column_of(right)))

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        self.is_between = False
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "v":
            self._value, self._text = "".join(self._text or ()), None
        elif name == "t":
            if not self._phonetic:
                self._inline += self._text or ()
            self._text = None
        elif name == "c":
            self._end_cell()
        elif name == "row" and self._row is not None:
            self.rows.append(self._row)
            self.count += 1
            self._row = None
        elif name == "rPh":
            self._phonetic -= 1

    def _end_cell(self) -> None:
        kind, value = self._kind, self._value
        if kind == "inlineStr":
            value = unescaped("".join(self._inline))
        elif self._has_formula and self._has_no_result(kind, value):
            kind, value = "no result", ""
        if value is None or (not value and kind != "no result"):
            return
        if self._row is None:  # a cell outside of any row
            return
        self._row.cells[self._column] = (kind, value, self._style)

    def _has_no_result(self, kind: str, value: str | None) -> bool:
        # Programs that do not calculate leave the value out, or write a nought to be replaced when the book is opened.
        return value is None or (not value and kind != "str") or (value == "0" and self._is_uncalculated)

    def _column_of(self, reference: str) -> int:
        letters = reference.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = column_of(letters)
        return column


def column_of(letters: str) -> int:
    """A column's place, from 0, by its letters."""
    number = 0
    for letter in letters.replace("$", ""):
        number = number * 26 + ord(letter.upper()) - 64
    return number - 1


def letters_of(column: int) -> str:
    """A column's letters."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def raw_rows(file: IO[bytes], facts: Facts | None = None, *, is_uncalculated: bool = False) -> Iterator[Row]:
    """A sheet's rows as its XML has them. `is_uncalculated`: a formula's nought is no result.

    Raises: Unopenable: it is no XML.
    """
    parser = _Parser(facts, is_uncalculated)
    rest: bytes | None = b""
    try:
        while rest is not None:
            rest = read_piece(parser, file, rest, container=b"<sheetData", element=b"<row ", ending=b"</row>")
            yield from parser.rows
            parser.rows.clear()
    except (expat.ExpatError, ValueError, IndexError) as error:
        raise Unopenable("is damaged: its sheet cannot be read", str(error), "save it again, or as CSV") from None


class ExactSheet:
    """A sheet whose cells are asked for as text, or for why they have none."""

    def __init__(self, archive: Archive, entry: str, dates: str) -> None:
        """`dates`: how dates are written (strftime); empty: ISO 8601."""
        self._archive, self._entry, self._dates = archive, entry, dates
        self.strings = read_strings(archive.open(archive.strings)) if archive.strings else []
        self._formats = read_formats(archive.open(archive.styles)) if archive.styles else []
        #: What was worked out, as dates and amounts come again and again: values that are days alone, and texts.
        self._days: set[str] = set()
        self._texts: dict[tuple[int, str, int], str] = {}
        self.facts = Facts()
        for seen, row in enumerate(self._raw_rows(self.facts), 1):
            self._learn(row)
            if not seen % _ROWS_PER_SIGN:
                go_on()

    def rows(self) -> Iterator[Row]:
        """Those with anything in them."""
        return (row for row in self._raw_rows() if row.cells)

    def _raw_rows(self, facts: Facts | None = None) -> Iterator[Row]:
        archive = self._archive
        return raw_rows(archive.open(self._entry), facts, is_uncalculated=archive.is_uncalculated)

    def _learn(self, row: Row) -> None:
        facts = self.facts
        if not row.cells:
            return
        facts.rows += 1
        facts.last_row = row.number
        facts.hidden_rows += row.is_hidden
        facts.used.update(row.cells.keys())
        for column, (kind, value, style) in row.cells.items():
            if not style and kind != "d":
                continue
            if kind == "d":
                form = _ISO_DATE
            elif kind == "n" and style:
                form = self._format(style)
            else:
                continue
            if form.kind in (Kind.plain, Kind.zeros):
                continue
            facts.formats.setdefault(column, Counter())[form] += 1
            if form.kind in (Kind.date, Kind.date_time) and column not in facts.clocked and value not in self._days:
                when = _iso_moment(value) if kind == "d" else _moment(value, self._archive.is_1904)
                if when is not None and has_clock(when):
                    facts.clocked.add(column)
                elif len(self._days) < _KEPT_MAX:
                    self._days.add(value)

    def _format(self, style: int) -> Format:
        return self._formats[style] if 0 <= style < len(self._formats) else _GENERAL

    def told(self, column: int, form: Format, count: int) -> str:
        """What is sent of cells with a format that changes what is seen, in words."""
        cells = counted(count, "cell")
        match form.kind:
            case Kind.date | Kind.date_time:
                example = moment_text(_EXAMPLE, self._dates, with_clock=column in self.facts.clocked)
                return f"{cells} with dates, sent as {example}"
            case Kind.time:
                return f"{cells} with times, sent as 14:15:00"
            case Kind.duration:
                return f"{cells} with durations, sent as 30:00:00"
        return f"{cells} shown as {form.code}, sent as the number itself"

    def text(self, column: int, raw: Raw) -> tuple[str, str | None]:
        """A cell's text, and what is wrong with it, if anything is."""
        kind, value, style = raw
        match kind:
            case "s":
                index = int(value) if value.isdecimal() or value.strip().isdecimal() else -1
                if 0 <= index < len(self.strings):
                    return self.strings[index], None
                return "", "the cell's text is missing from the workbook"
            case "str":
                return unescaped(value), None
            case "n":
                if not style:
                    return self._number(column, value, style), None
                key = (column, value, style)
                text = self._texts.get(key)
                if text is None:
                    text = self._number(column, value, style)
                    if len(self._texts) < _KEPT_MAX:
                        self._texts[key] = text
                return text, None
            case "b":
                return "TRUE" if value.strip() in _TRUE else "FALSE", None
            case "e":
                return value, f"the cell shows {value[:20]}"
            case "d":
                return self._date(column, value), None
            case "no result":
                return "", NO_RESULT
        return value, None

    def _number(self, column: int, value: str, style: int) -> str:
        form = self._format(style) if style else _GENERAL
        if form.kind is Kind.plain and value.isdigit() and len(value) <= 15 and value.isascii():
            return value.lstrip("0") or "0"
        try:
            number = float(value)
        except ValueError:
            return value
        if not abs(number) < _NUMBER_MAX:  # no day, no postcode, or no number at all
            return number_text(number) if math.isfinite(number) else value
        match form.kind:
            case Kind.zeros:
                return zeros_text(number, form.code)
            case Kind.date | Kind.date_time:
                when = moment(number, self._archive.is_1904) if number >= 0 else None
                if when is None:
                    return number_text(number)
                return moment_text(when, self._dates, with_clock=column in self.facts.clocked)
            case Kind.time:
                return time_text(number)
            case Kind.duration:
                return duration_text(number)
        return number_text(number)

    def _date(self, column: int, value: str) -> str:
        when = _iso_moment(value)
        if when is None:
            return value
        return moment_text(when, self._dates, with_clock=column in self.facts.clocked)


_GENERAL = Format(0, None)
_ISO_DATE = Format(14, None)
_EXAMPLE = datetime.datetime(2026, 3, 31, 14, 15)  # noqa: DTZ001 - as in a cell, without a zone


def _iso_moment(value: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError:
        return None


def _moment(value: str, is_1904: bool) -> datetime.datetime | None:
    try:
        return moment(float(value), is_1904)
    except (ValueError, OverflowError):
        return None

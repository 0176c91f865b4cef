"""A worksheet, read exactly: by an XML parser, whatever program wrote it, cell by cell with its format.

Slower than calamine, and used where that would guess: formulas without results, errors, dates and other
formats, merged and hidden cells, prefixes, cells that do not say where they stand. It goes over the sheet twice: for
what holds of it as a whole (does this column have times?), and for its rows. Memory is flat but for the texts' table.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from typing import IO, Any
from xml.parsers import expat

from dispatcher.intake.archive import Archive
from dispatcher.intake.book_parts import read_strings, refuse_entity, unescaped
from dispatcher.intake.cells import PLAIN_CELLS, PLAIN_ROW, PLAIN_ROWS, Columns, Raw, Row
from dispatcher.intake.child import go_on
from dispatcher.intake.facts import KEPT_MAX, TRUE, Facts, is_nought, iso_moment, last_number
from dispatcher.intake.numbers import (
    GENERAL,
    Format,
    Kind,
    duration_text,
    moment,
    moment_text,
    number_text,
    time_text,
    zeros_text,
)
from dispatcher.intake.scanning import read_piece
from dispatcher.intake.unopenable import Unopenable
from dispatcher.plurals import counted

#: After so many rows the parent's patience begins anew.
_ROWS_PER_SIGN = 10_000
#: Numbers of so many digits are shown as they are, whatever their format.
_NUMBER_MAX = 1e15
#: What Excel calls an error; others are shown as they are.
NO_RESULT = "the cell holds a formula without its result: open the file in a spreadsheet program and save it"


class _Parser:
    """One pass over a sheet's XML: rows go to `rows` as they end; or into the facts, where these are to be learned."""

    def __init__(self, facts: Facts | None, is_uncalculated: bool) -> None:
        self.rows: list[Row] = []
        self._facts = facts
        self._take = self.rows.append if facts is None else facts.learn
        self._is_uncalculated = is_uncalculated
        self._columns = Columns()
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
            at = self._columns[attributes.get("r", "").rstrip("0123456789")]
            self._column = at if at >= 0 else self._column + 1
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
            self._row = Row(self._last_row, attributes.get("hidden") in TRUE or is_nought(attributes.get("ht")))
            self._column = -1
        elif name == "rPh":
            self._phonetic += 1
        elif self._facts is not None:
            self._facts.note(name, attributes)

    def scan(self, data: bytes, start: int) -> int:
        """See `scanning.Reader`."""
        if self._facts is not None and (match := PLAIN_ROWS.match(data, start)):
            rows = match[0].decode()
            if self._facts.learn_plain(rows):
                self.count += rows.count("</row>")
                self._last_row = last_number(rows)
                return match.end()
        columns, take = self._columns, self._take
        while match := PLAIN_ROW.match(data, start):
            start = match.end()
            row = Row(int(match[1]), is_hidden=False)
            self._last_row = row.number
            cells = row.cells
            for letters, style, kind, value in PLAIN_CELLS.findall(match[2].decode()):
                if value:
                    cells[columns[letters]] = (kind or "n", value, int(style) if style else 0)
            take(row)
            self.count += 1
        return start

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
            self._take(self._row)
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


def raw_rows(file: IO[bytes], *, is_uncalculated: bool = False) -> Iterator[Row]:
    """A sheet's rows as its XML has them. `is_uncalculated`: a formula's nought is no result.

    Raises: Unopenable: it is no XML.
    """
    parser = _Parser(None, is_uncalculated)
    for _ in _pieces(parser, file):
        yield from parser.rows
        parser.rows.clear()


def learn(facts: Facts, file: IO[bytes], *, is_uncalculated: bool = False) -> None:
    """Go over a sheet for what holds of it as a whole. Raises: as `raw_rows`."""
    parser, told = _Parser(facts, is_uncalculated), 0
    for _ in _pieces(parser, file):
        if parser.count >= told + _ROWS_PER_SIGN:
            told = parser.count
            go_on()


def _pieces(parser: _Parser, file: IO[bytes]) -> Iterator[None]:
    """Have the file read; stops after each piece."""
    rest: bytes | None = b""
    try:
        while rest is not None:
            rest = read_piece(parser, file, rest, container=b"<sheetData", element=b"<row ", ending=b"</row>")
            yield
    except (expat.ExpatError, ValueError, IndexError) as error:
        raise Unopenable("is damaged: its sheet cannot be read", str(error), "save it again, or as CSV") from None


class ExactSheet:
    """A sheet whose cells are asked for as text, or for why they have none."""

    def __init__(self, archive: Archive, entry: str, dates: str) -> None:
        """`dates`: how dates are written (strftime); empty: ISO 8601."""
        self._archive, self._entry, self._dates = archive, entry, dates
        self.strings = read_strings(archive.open(archive.strings)) if archive.strings else []
        #: What was worked out, as dates and amounts come again and again.
        self._texts: dict[tuple[int, str, int], str] = {}
        self.facts = Facts(archive.formats, archive.is_1904)
        learn(self.facts, archive.open(entry), is_uncalculated=archive.is_uncalculated)

    def rows(self) -> Iterator[Row]:
        """Those with anything in them."""
        archive = self._archive
        rows = raw_rows(archive.open(self._entry), is_uncalculated=archive.is_uncalculated)
        return (row for row in rows if row.cells)

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
                    if len(self._texts) < KEPT_MAX:
                        self._texts[key] = text
                return text, None
            case "b":
                return "TRUE" if value.strip() in TRUE else "FALSE", None
            case "e":
                return value, f"the cell shows {value[:20]}"
            case "d":
                return self._date(column, value), None
            case "no result":
                return "", NO_RESULT
        return value, None

    def _number(self, column: int, value: str, style: int) -> str:
        form = self._archive.formats.get(style, GENERAL)
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
                return zeros_text(number, form.code) or number_text(number)
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
        when = iso_moment(value)
        if when is None:
            return value
        return moment_text(when, self._dates, with_clock=column in self.facts.clocked)


_EXAMPLE = datetime.datetime(2026, 3, 31, 14, 15)  # noqa: DTZ001 - as in a cell, without a zone

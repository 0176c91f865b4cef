"""What holds of a sheet as a whole, learned of its rows before any of them is read.

Where the rows are of the plain form they are learned many at a time, by what of them comes again: which columns they
fill, and which values have which style.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher.intake.cells import Columns, Row, column_of
from dispatcher.intake.numbers import GENERAL, Format, Kind, has_clock, moment, zeros_text

TRUE = ("1", "true")
#: So many values are remembered with what they come to.
KEPT_MAX = 10_000
_RANGE = re.compile(r"([A-Z]+)(\d+):([A-Z]+)(\d+)")
#: Of plain rows: the letters of each cell with a value, and nothing for where a row begins.
_FILLED = re.compile(r'<(?:row|c r="([A-Z]++)[^>]*+><v>[^<])')
#: Of plain rows: letters, style and value of each number with a style other than 0, which is none.
_STYLED = re.compile(r'<c r="([A-Z]++)[0-9]++" s="0*+([1-9][0-9]*+)"(?: t="n")?><v>([^<]++)')
_ROW_NUMBER = re.compile('<row r="([0-9]++)')
_ISO_DATE = Format(14, None)


@dataclass(slots=True)
class Facts:
    """What holds of a sheet as a whole. Rows from 1, columns from 0."""

    #: Style -> its format; days count from 1904.
    styles: Mapping[int, Format]
    is_1904: bool
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
    _columns: Columns = field(default_factory=Columns)
    #: Values that are days alone, as dates come again and again.
    _days: set[str] = field(default_factory=set)

    def note(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element that is neither row nor cell."""
        if name == "col" and (attributes.get("hidden") in TRUE or is_nought(attributes.get("width"))):
            self.hidden_columns.append((int(attributes.get("min", 1)) - 1, int(attributes.get("max", 1)) - 1))
        elif name == "mergeCell":
            found = _RANGE.fullmatch(attributes.get("ref", "").replace("$", ""))
            if found:
                left, top, right, bottom = found.groups()
                self.merged.append((int(top), int(bottom), column_of(left), column_of(right)))

    def learn(self, row: Row) -> None:
        """The next row."""
        if not row.cells:
            return
        self._go_to(row.number)
        self.hidden_rows += row.is_hidden
        self.used.update(row.cells.keys())
        for column, (kind, value, style) in row.cells.items():
            if kind == "d" or (kind == "n" and style):
                self._learn_value(column, kind, value, style)

    def learn_plain(self, rows: str) -> bool:
        """The next rows, one behind the other, all proved to be of the plain form (`cells.PLAIN_ROWS`).

        False: nothing was learned, because one of them names a column twice, and only its last cell counts.
        """
        # Two blanks and more stand between the letters of two rows, and rows that fill the same columns are one text.
        filled = Counter(" ".join(_FILLED.findall(rows)).split("  "))
        letters_and_counts = [(one.split(), count) for one, count in filled.items()]
        if any(len({*letters}) < len(letters) for letters, _ in letters_and_counts):
            return False
        columns = self._columns
        for letters, count in letters_and_counts:
            for one in letters:
                self.used[columns[one]] += count
        last = rows.rfind("<v>")
        while rows.startswith("<v></v>", last):
            last = rows.rfind("<v>", 0, last)
        if last >= 0:
            for number in map(int, _ROW_NUMBER.findall(rows[:last])):
                self._go_to(number)
        for (one, style, value), count in Counter(_STYLED.findall(rows)).items():
            self._learn_value(columns[one], "n", value, int(style), count)
        return True

    def _go_to(self, number: int) -> None:
        """Raises: ValueError: the rows are not in order, and no number may stand for two of them."""
        if number <= self.last_row:
            raise ValueError(f"row {number} behind row {self.last_row}")
        self.last_row = number

    def _learn_value(self, column: int, kind: str, value: str, style: int, count: int = 1) -> None:
        form = _ISO_DATE if kind == "d" else self.styles.get(style, GENERAL)
        if form.kind is Kind.plain or (form.kind is Kind.zeros and _has_zeros(value, form.code)):
            return
        self.formats.setdefault(column, Counter())[form] += count
        if form.kind in (Kind.date, Kind.date_time) and column not in self.clocked and value not in self._days:
            when = iso_moment(value) if kind == "d" else _moment(value, self.is_1904)
            if when is not None and has_clock(when):
                self.clocked.add(column)
            elif len(self._days) < KEPT_MAX:
                self._days.add(value)


def _has_zeros(value: str, code: str) -> bool:
    """Whether a number is sent as its format of zeros shows it."""
    try:
        return zeros_text(float(value), code) is not None
    except (ValueError, OverflowError):
        return True


def is_nought(size: str | None) -> bool:
    """Whether a height or width leaves nothing to be seen."""
    try:
        return size is not None and float(size) == 0
    except ValueError:
        return False


def last_number(rows: str) -> int:
    """The number of the last of some plain rows."""
    at = rows.rfind('<row r="')
    match = _ROW_NUMBER.match(rows, at)
    assert match is not None
    return int(match[1])


def iso_moment(value: str) -> datetime.datetime | None:
    """A date and time in ISO 8601; None: it is none."""
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError:
        return None


def _moment(value: str, is_1904: bool) -> datetime.datetime | None:
    try:
        return moment(float(value), is_1904)
    except (ValueError, OverflowError):
        return None

"""Where the records of delimited text end: fast for blocks that keep the rules, exact for the rest.

`regular_prefix` finds, with numpy over the few bytes that matter, the longest beginning of a buffer whose records all
have the header's number of fields and whose quotation marks all stand where RFC 4180 puts them. There every parser
agrees, so pandas reads it. What follows, `IrregularRecords` reads record by record with the standard library's csv, and
says what is wrong: pandas would only warn of a field too many, and fill up a field too few.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_QUOTE, _CR, _LF = 0x22, 0x0D, 0x0A


@dataclass(frozen=True, slots=True)
class Prefix:
    """The regular beginning of a buffer."""

    #: Bytes, up to and with the last record's line end.
    end: int
    records: int
    #: Whether what follows is merely cut off, as far as can be seen.
    rest_is_cut: bool


def regular_prefix(buffer: bytes, delimiter: int, width: int, final: bool) -> Prefix:
    """The longest run of regular records at the buffer's start. `final`: nothing comes after the buffer."""
    if b"\0" in buffer:
        # pandas' C parser ends a cell there.
        nul = buffer.index(b"\0")
        head = regular_prefix(buffer[:nul], delimiter, width, final=False)
        return Prefix(head.end, head.records, rest_is_cut=False)
    table = np.zeros(256, dtype=bool)
    table[[delimiter, _QUOTE, _CR, _LF]] = True
    data = np.frombuffer(buffer, dtype=np.uint8)
    places = np.flatnonzero(table[data])
    kinds = data[places]
    irregular_at = len(buffer)
    quotes = kinds == _QUOTE
    if quotes.any():
        inside = np.cumsum(quotes) & 1 == 1
        bad = _misplaced(places, quotes, inside, len(buffer), final)
        if bad is not None:
            irregular_at = bad
        outside = ~inside & ~quotes
        places, kinds = places[outside], kinds[outside]
        open_end = bool(inside[-1])
    else:
        open_end = False
    is_end = kinds == _LF
    returns = kinds == _CR
    if returns.any():
        followed = np.zeros(len(buffer) + 1, dtype=bool)
        followed[places[is_end]] = True
        next_is_lf = followed[places + 1]
        # A return at the buffer's end may be the first half of a line end.
        is_end |= returns & ~next_is_lf & ((places + 1 < len(buffer)) | final)
    ends = places[is_end] + 1
    delimiters = np.cumsum(kinds == delimiter)[is_end]
    if final and not open_end and (len(ends) == 0 or ends[-1] < len(buffer)) and buffer:
        ends = np.append(ends, len(buffer))
        delimiters = np.append(delimiters, int((kinds == delimiter).sum()))
    ends = ends[ends <= irregular_at]
    fields = np.diff(delimiters[: len(ends)], prepend=0) + 1
    wrong = np.flatnonzero(fields != width)
    records = int(wrong[0]) if len(wrong) else len(ends)
    if width == 1:
        # A line with nothing in it is a blank row, not a row of one empty cell; csv tells them apart.
        starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
        blank = np.flatnonzero(ends - starts <= 2)
        if len(blank) and blank[0] < records:
            records = int(blank[0])
    end = int(ends[records - 1]) if records else 0
    return Prefix(end, records, rest_is_cut=records == len(ends) and irregular_at == len(buffer) and not final)


def _misplaced(
    places: np.ndarray, quotes: np.ndarray, inside: np.ndarray, size: int, final: bool
) -> int | None:
    """The first quotation mark that neither opens nor closes a whole field.

    One that opens stands at the start, after a delimiter or line end, or right after one that closes (doubled). One
    that closes stands before a delimiter, a line end, one that opens, or the end.
    """
    which = np.flatnonzero(quotes)
    at = places[which]
    opens = inside[which]
    before = np.concatenate(([-1], places[:-1]))[which]
    after = np.concatenate((places[1:], [size if final else size]))[which]
    fine = np.where(opens, before == at - 1, after == at + 1)
    # Nothing seen before the first place: it opens at the very start, or it is misplaced.
    wrong = np.flatnonzero(~fine)
    return int(at[wrong[0]]) if len(wrong) else None


class Unclosed(Exception):
    """A quoted cell has no end within the bound."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as csv reads it."""

    fields: list[str]
    #: Why it cannot be read, if it cannot; then `fields` are the line cut at each delimiter.
    problem: str | None
    #: Lines of text that it spans.
    lines: int


class IrregularRecords:
    """Reads a buffer's records one by one. `used` is where the next one starts."""

    def __init__(self, buffer: bytes, delimiter: str, final: bool, record_max_bytes: int) -> None:
        self.used = 0
        self._lines = buffer.splitlines(keepends=True)
        self._final = final
        if not final and self._lines and not self._lines[-1].endswith(b"\n"):
            self._lines.pop()
        self._index = 0
        self._budget = record_max_bytes
        self._left = 0
        self._delimiter = delimiter
        self._reader = csv.reader(self, delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line, for csv."""
        if self._index >= len(self._lines):
            if self._final:
                raise StopIteration
            raise _Cut
        line = self._lines[self._index]
        self._left -= len(line)
        if self._left < 0 and self._index > self._first:
            raise Unclosed
        self._index += 1
        return line.decode("utf-8")

    def read(self) -> Record | None:
        """The next record; None: the buffer holds no further whole one.

        Raises: UnicodeDecodeError: the buffer's owner checks the text first.
        """
        if self._index >= len(self._lines):
            return None
        self._first = first = self._index
        self._left = self._budget
        try:
            fields = next(self._reader)
            problem = None
        except _Cut:
            self._index = first
            return None
        except (csv.Error, Unclosed, StopIteration) as error:
            # Only the first line is taken: a quotation mark that is missing there must not swallow the lines below.
            self._index = first + 1
            line = self._lines[first].decode("utf-8").rstrip("\r\n")
            fields = line.split(self._delimiter)
            problem = _explain(error)
        lines = self._index - first
        self.used += sum(map(len, self._lines[first : self._index]))
        return Record(fields, problem, lines)


class _Cut(Exception):
    """The buffer ends inside a record."""


def _explain(error: Exception) -> str:
    text = str(error)
    if "expected after" in text:
        return 'text follows a closing quotation mark (a quotation mark inside a quoted cell is written twice: "")'
    if "field larger" in text:
        return "a cell is too long"
    return "a quotation mark opens a cell and no other closes it"

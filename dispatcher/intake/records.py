"""The records of delimited text, one by one and exactly: with the standard library's strict csv.

It reads what `blocks.regular_prefix` leaves over, says what is wrong with a record, and takes a record that is wrong
for one line, so that a quotation mark that is missing swallows nothing. pandas would only warn of a field too many, and
fill up a field too few.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass


class Unclosed(Exception):
    """A quoted cell has no end within the bound."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as csv reads it."""

    fields: list[str]
    #: Why it cannot be read, if it cannot; then there are no fields.
    problem: str | None
    #: Its lines as they stand in the file, without the last line end.
    text: str


class Records:
    """A buffer's records, one by one. `used` is where the next one starts."""

    def __init__(self, buffer: bytes, delimiter: str, final: bool, record_max_bytes: int) -> None:
        self.used = 0
        self._lines = buffer.splitlines(keepends=True)
        self._final = final
        if not final and self._lines and not self._lines[-1].endswith(b"\n"):
            self._lines.pop()
        self._index = 0
        self._budget = record_max_bytes
        self._left = 0
        self._first = 0
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
            fields = []
            problem = _explain(error)
        text = b"".join(self._lines[first : self._index])
        self.used += len(text)
        return Record(fields, problem, text.decode("utf-8").rstrip("\r\n"))


class _Cut(Exception):
    """The buffer ends inside a record."""


def _explain(error: Exception) -> str:
    text = str(error)
    if "expected after" in text:
        return 'text follows a closing quotation mark (a quotation mark inside a quoted cell is written twice: "")'
    if "field larger" in text:
        return "a cell is too long"
    return "a quotation mark opens a cell and no other closes it"

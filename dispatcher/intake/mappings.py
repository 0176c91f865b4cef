"""Rows that a program hands over: an iterable of mappings, its keys as columns, streamed.

The columns are the keys of the first mapping, in their order; a missing key is an empty cell. Only values that have
one text are taken: text, whole numbers, `Decimal`, and None for an empty cell. Anything else (a float is 19.9 where
19.90 was meant, a bool has many words, a date many forms) is a fault of the program, not of a row: nothing is planned.
"""

from __future__ import annotations

import hashlib
import numbers
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from dispatcher.errors import InputError, UsageError
from dispatcher.intake.header import shown
from dispatcher.intake.rows import CHUNK_BYTES, CHUNK_ROWS, COLUMNS_MAX, Chunk, RowChunk
from dispatcher.intake.sources import STDIN

#: What a mapping's values may be. A bool, which is an int for Python, is refused.
Cell: TypeAlias = str | int | Decimal | None
#: Where contacts come from: a file's path, `-` for standard input, or rows of a program's own.
Contacts: TypeAlias = str | Path | Iterable[Mapping[str, Cell]]

#: What such rows are called where their program gives them no name.
UNNAMED = "iterable"
_TEXT = "give text, a whole number, a Decimal, or None for an empty cell"
#: The beginning of a type's name -> what to write instead.
_INSTEAD = {
    "float": 'write it as text with the digits that are meant, for example f"{value:.2f}"',
    "bool": 'write the word that is meant, for example "yes" if value else "no"',
    "date": "write it as text, for example value.isoformat()",
    "time": "write it as text, for example value.isoformat()",
    "Timestamp": "write it as text, for example value.isoformat()",
    "bytes": "decode it, for example value.decode()",
}


class MappingTable:
    """An iterable of mappings, its columns known. Rows are as `rows.Table` says.

    A row's number is the one that it would have in a file: the header is row 1. What the iterable raises is raised.
    """

    def __init__(self, rows: Iterable[Mapping[str, Cell]], *, name: str | None = None) -> None:
        """Takes the first mapping. Raises: UsageError: it is no such iterable; InputError: it has no rows."""
        self.notes: list[str] = []
        self.name = name or UNNAMED
        if isinstance(rows, Mapping):
            raise UsageError("a mapping is one row, and rows are asked for", fix="put it into a list")
        try:
            self._rows = iter(rows)
        except TypeError:
            raise UsageError(
                "contacts are a path, or an iterable of mappings",
                found=f"a {type(rows).__name__}",
                fix="collect what comes asynchronously into a list"
                if hasattr(rows, "__aiter__")
                else "give a path, or a list of dicts",
            ) from None
        self._number = 1
        for row in self._rows:
            self._keys = self._header(row)
            self.header: Sequence[str] = list(self._keys)
            self._digest = hashlib.sha256(orjson.dumps(self.header))
            self._characters = 0
            self._first: tuple[list[str], dict[int, str]] | None = self._cells(row)
            return
        raise InputError(
            f"{self.name} has no rows", fix="give at least one mapping; an iterator gives its rows only once"
        )

    def _header(self, row: object) -> dict[str, int]:
        self._number = 2
        self._check_row(row)
        assert isinstance(row, Mapping)
        for key in row:
            if not isinstance(key, str):
                raise self._refused(f"a key is a {type(key).__name__}", "name columns with text")
            try:
                key.encode()
            except UnicodeEncodeError:
                raise self._refused("a key has half of a character in it", "name columns with whole text") from None
        keys = {str.__str__(key): position for position, key in enumerate(row)}
        if not keys:
            raise self._refused("it has no keys", "have every column as a key of the first mapping")
        if len(keys) > COLUMNS_MAX:
            raise InputError(f"{self.name} has more than {COLUMNS_MAX:,} columns", found=f"{len(keys):,} keys")
        return keys

    @property
    def total_bytes(self) -> int | None:
        """Nobody knows how many rows are to come."""
        return None

    @property
    def done_bytes(self) -> int:
        return self._characters

    def check_used(self, to: int, used: Collection[int]) -> None:
        """Any column may be used."""

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        numbers_: list[int] = []
        rows: list[Sequence[str]] = []
        faults: dict[int, dict[int, str]] = {}
        begun = 0
        for cells, wrong in self._all():
            if wrong:
                places = range(len(cells)) if kept is None else kept
                faults[len(rows)] = {at: wrong[index] for at, index in enumerate(places) if index in wrong}
            numbers_.append(self._number)
            rows.append(cells if kept is None else [cells[index] for index in kept])
            if self._characters - begun >= CHUNK_BYTES or len(rows) >= CHUNK_ROWS:
                yield RowChunk(numbers_, rows, faults=faults)
                numbers_, rows, faults, begun = [], [], {}, self._characters
        if rows:
            yield RowChunk(numbers_, rows, faults=faults)

    def sha256(self) -> str:
        """Of the columns' names and all cells: the same rows again have the same."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Whose the iterable is closes it."""

    def _all(self) -> Iterator[tuple[list[str], dict[int, str]]]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        for row in self._rows:
            self._number += 1
            self._check_row(row)
            yield self._cells(row)

    def _check_row(self, row: object) -> None:
        if not isinstance(row, Mapping):
            raise self._refused(
                f"it is a {type(row).__name__}, no mapping",
                'give dicts: dict(row) of a database\'s row, frame.to_dict("records") of a DataFrame',
            )

    def _cells(self, row: Mapping[str, Cell]) -> tuple[list[str], dict[int, str]]:
        """The row's cells, and sparse: position -> why it cannot be used."""
        cells, keys = [""] * len(self._keys), self._keys
        for key, value in row.items():
            index = keys.get(key)
            if index is None:
                raise self._refused(
                    f'the key "{shown(_writable(str(key)))}" is not among those of the first row',
                    "have every column as a key of the first mapping, empty (None) where it has no value",
                )
            cells[index] = value if type(value) is str else self._text(key, value)
        wrong: dict[int, str] = {}
        try:
            line = orjson.dumps(cells)
        except TypeError:
            # Half of a surrogate pair is no character, and nothing could write it down again.
            for index, cell in enumerate(cells):
                cells[index] = _writable(cell)
                if cells[index] != cell:
                    wrong[index] = "the cell has half of a character in it"
            line = orjson.dumps(cells)
        self._digest.update(line)
        self._characters += len(line)
        return cells, wrong

    def _text(self, key: str, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            # Without what a type of its own may make of it: the characters that it has.
            return str.__str__(value)
        if not isinstance(value, bool) and isinstance(value, numbers.Integral):
            try:
                return int.__repr__(operator.index(value))
            except ValueError:
                raise self._refused(f"{_column(key)} holds a number of too many digits", _TEXT) from None
        if isinstance(value, Decimal):
            text = str(value)
            if value.is_finite() and "E" not in text:
                return text
            raise self._refused(
                f"{_column(key)} holds a Decimal with an exponent, or that is no number",
                'write it as text, for example format(value, "f")',
            )
        kind = type(value).__name__
        if kind in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
            raise self._refused(f"{_column(key)} holds {kind}, a word for no value", "give None for an empty cell")
        instead = next((text for start, text in _INSTEAD.items() if kind.startswith(start)), _TEXT)
        raise self._refused(f"{_column(key)} holds a {kind}, of which there is more than one text", instead)

    def _refused(self, what: str, fix: str) -> InputError:
        return InputError(f"{self.name}, row {self._number}: {what}; nothing was planned", fix=fix)


def _column(key: str) -> str:
    return f'column "{shown(key)}"'


def _writable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def check_name(contacts: Contacts, name: str | None) -> None:
    """Raises: UsageError: a name that cannot be these contacts'."""
    if name is not None and isinstance(contacts, (str, Path)):
        raise UsageError("a file has its name already", found=f"source = {name!r}", fix="leave the source out")
    if name == STDIN:
        raise UsageError("- is standard input's name", fix='source="crm-export"')

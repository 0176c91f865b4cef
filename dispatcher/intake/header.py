"""The names of a file's columns: compared as people see them, and what is wrong with a line that has none.

A name is the same with and without what nobody sees (zero-width characters, direction marks, a second byte order mark),
however its white space is made, and in either of Unicode's forms of one letter (é as one character or as two).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from dispatcher.errors import ColumnError
from dispatcher.remedies import Advice, AnyOf, Setting

if TYPE_CHECKING:
    from dispatcher.intake.rows import Table

#: So many rows below the first are looked at for the names.
_LOOKED_AT = 30
_DELIMITERS = ",;\t|"
#: Taken for one only where it parts the name that is looked for from others: it is never found out.
_UNUSUAL = (":", "^", "~", "#", " ")
#: What a setting calls those that are blanks.
_WORDS = {"\t": "tab", " ": "space"}
_USUAL = {_WORDS.get(delimiter, delimiter) for delimiter in _DELIMITERS}
_NUMBER = re.compile(r"[+(]?\d[\d\s()./\-]{6,}", re.ASCII)


def visible(name: str) -> str:
    """A column's name as a person sees it."""
    if name.isascii() and name.isprintable() and "  " not in name:
        return name.strip()
    text = unicodedata.normalize("NFC", name)
    shown = (character for character in text if character.isspace() or unicodedata.category(character) not in _UNSEEN)
    return " ".join("".join(shown).split())


#: Format and control characters; white space is looked at before.
_UNSEEN = frozenset({"Cf", "Cc"})


def shown(name: str) -> str:
    """A name as a message may show it: what looks like a number stands where no number belongs."""
    seen = visible(name)
    if sum(map(str.isdigit, seen)) >= 7:
        return f"…{seen[-4:]}"
    return seen if len(seen) <= 60 else seen[:57] + "…"


def notes(header: Sequence[str]) -> Iterator[str]:
    """What a person should know of names that are not written as they look."""
    for position, name in enumerate(header, 1):
        if name.strip() != visible(name):
            yield f'the name of column {position}, "{shown(name)}", has invisible characters or odd blanks in it'


def explained(error: ColumnError, table: Table, wanted: str | None, delimiter: str | None) -> ColumnError:
    """The error that a name is not in the header, or a better one: the names stand elsewhere, or nowhere.

    Reads a part of the table, which is of no use any more.
    """
    header = [visible(name) for name in table.header]
    name = visible(wanted or "")
    if len(header) == 1 and (split := _all_in_one(table.header[0], name)):
        return ColumnError(
            "every row is a single column",
            found=f"the names all in one: {', '.join(map(shown, split[1]))}",
            fix=Setting("input.delimiter", split[0])
            if split[0] not in _USUAL
            else (
                AnyOf(Setting("input.delimiter", split[0]), Advice("leave the delimiter out: it is found out"))
                if delimiter is not None
                else Advice("save the file as CSV again: each of its lines is in quotation marks as a whole")
            ),
        )
    row_number = _row_of_names(table, name, len(header))
    if row_number is not None:
        return ColumnError(
            f'the columns\' names are not in the first row: "{shown(name)}" stands in row {row_number}',
            found=error.found,
            fix=Setting("input.header_row", row_number),
        )
    if any(_NUMBER.fullmatch(cell) or "@" in cell for cell in header):
        return ColumnError(
            "the file has no header line: its first row is a contact already",
            found=f"{len(header)} cells, a number or address among them",  # and a name, perhaps
            fix=Advice("put a row with the columns' names above the first"),
        )
    return error


def _all_in_one(cell: str, wanted: str) -> tuple[str, list[str]] | None:
    """The delimiter in a header of one cell, and the names that it holds."""
    for delimiter in _DELIMITERS:
        names = [visible(name) for name in _split(cell, delimiter)]
        if len(names) > 1 and (wanted in names or not wanted):
            return _WORDS.get(delimiter, delimiter), names
    for delimiter in _UNUSUAL if wanted else ():
        names = [visible(name) for name in _split(cell, delimiter)]
        if len(names) > 1 and wanted in names:
            return _WORDS.get(delimiter, delimiter), names
    return None


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _row_of_names(table: Table, wanted: str, width: int) -> int | None:
    """The number of an early row that has the name in a cell of its own, among others."""
    if not wanted:
        return None
    chunk = next(iter(table.chunks(None)), None)
    if chunk is None:
        return None
    columns = [chunk.column(index) for index in range(width)]
    for position, row_number in enumerate(islice(chunk.row_numbers, _LOOKED_AT)):
        wrong = chunk.malformed.get(position)
        cells = [wrong.text] if wrong is not None else [column[position] for column in columns]
        # Below a title of one cell the names may stand in one as well: what parts them was not to be found out there.
        rows = [cells] if len(cells) > 1 else [_split(cells[0], one) for one in _DELIMITERS]
        if any(len(row) > 1 and wanted in map(visible, row) for row in rows):
            return row_number
    return None

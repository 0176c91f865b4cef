"""A sheet's rows and cells, as its XML has them (ISO/IEC 29500-1, 18.3.1), and the form that Excel writes most in.

A byte scan proves that form; the parser takes whatever is not of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: Kind of value -> its text, as the XML has it, and the number of its style.
Raw = tuple[str, str, int]

_PLAIN_CELL = (
    rb'<c r="([A-Z]{1,3})[0-9]++"(?: s="([0-9]{1,6})"|)(?: t="(s|n|b|str)"|)(?:><v>([ -%\'-;=?-~]*+)</v></c>|/>)'
)
_PLAIN_ROW = (
    rb'<row r="([0-9]{1,7})"(?: (?:spans|s|customFormat|customHeight|x14ac:dyDescent|ht(?!="0))="[ -!#-;=?-~]*+")*>'
    rb"((?:" + re.sub(rb"\((?![?])", b"(?:", _PLAIN_CELL) + rb")*)</row>"
)
#: One row, its number and its cells; rows one behind the other; a cell's letters, style, kind and value.
PLAIN_ROW = re.compile(_PLAIN_ROW)
PLAIN_ROWS = re.compile(rb"(?:" + re.sub(rb"\((?![?])", b"(?:", _PLAIN_ROW) + rb")+")
PLAIN_CELLS = re.compile(_PLAIN_CELL.decode())


@dataclass(slots=True)
class Row:
    """A row with anything in it."""

    number: int
    is_hidden: bool
    #: Column, from 0 -> what stands there.
    cells: dict[int, Raw] = field(default_factory=dict)


class Columns(dict[str, int]):
    """Letters -> the column's place, from 0."""

    def __missing__(self, letters: str) -> int:
        column = self[letters] = column_of(letters)
        return column


def column_of(letters: str) -> int:
    """A column's place, from 0, by its letters; -1: there are none."""
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

"""What passes between the readers of formats and the screening of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

#: About how much text, and how many rows, are in memory at once.
CHUNK_BYTES = 1 << 20
CHUNK_ROWS = 10_000
#: XLSX's own limit; a file with more has another problem.
COLUMNS_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that cannot be read as the header says."""

    #: Why.
    sentence: str
    #: The row as it stands in the file.
    text: str


class Chunk(Protocol):
    """Some rows as text, in file order. Wholly blank rows may be among them."""

    @property
    def row_numbers(self) -> Sequence[int]:
        """1-based, the header included, blank rows counted: what a spreadsheet shows at the left."""

    @property
    def malformed(self) -> Mapping[int, Malformed]:
        """Sparse: position in the chunk -> what is wrong. The cells of such a row mean nothing."""

    @property
    def faults(self) -> Mapping[int, Mapping[int, str]]:
        """Sparse: position in the chunk -> column -> why its cell cannot be used, if the column is."""

    def column(self, index: int) -> list[str]:
        """One column's cells."""

    def encode(self, width: int) -> tuple[list[str], bool]:
        """The first `width` cells of each row as a JSON array of text, and whether a NUL may be in one."""


@dataclass(frozen=True, slots=True)
class RowChunk:
    """A chunk of rows one by one, each as wide as the header."""

    row_numbers: Sequence[int]
    rows: Sequence[Sequence[str]]
    malformed: Mapping[int, Malformed] = field(default_factory=dict)
    faults: Mapping[int, Mapping[int, str]] = field(default_factory=dict)

    def column(self, index: int) -> list[str]:
        return [row[index] for row in self.rows]

    def encode(self, width: int) -> tuple[list[str], bool]:
        """All rows are encoded at once and cut apart: a call for each row costs more than its work.

        The cut is at `],[`, where one array ends and the next begins. Two of these never overlap, so each cell that
        holds one makes one piece more than there are rows.
        """
        if not self.rows:
            return [], False
        rows = self.rows if len(self.rows[0]) == width else [row[:width] for row in self.rows]
        whole = orjson.dumps(rows).decode()
        cells = whole[1:-1].replace("],[", "]\0[").split("\0")
        if len(cells) != len(rows):
            cells = [orjson.dumps(row).decode() for row in rows]
        return cells, "\\u0000" in whole


class Table(Protocol):
    """A file, open, its header read."""

    #: As written.
    header: Sequence[str]
    #: What a person should know of how the file was read, a sentence each.
    notes: list[str]

    @property
    def total_bytes(self) -> int | None:
        """The file's size; None: not known (standard input)."""

    @property
    def done_bytes(self) -> int:
        """How much of `total_bytes` is read."""

    def check_used(self, to: int, used: Collection[int]) -> None:
        """The columns whose values go out, by position in the file, and the one with the numbers. Before `chunks`.

        Raises: InputError: one of them cannot be used, whatever its cells say.
        """

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        """The rows, once. `kept`: only these columns, by position.

        Raises: InputError: the file cannot be read on.
        """

    def sha256(self) -> str:
        """Of the file's bytes, when `chunks` is exhausted.

        Raises: InputError: the file changed while it was read.
        """

    def close(self) -> None: ...

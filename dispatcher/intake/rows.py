"""What passes between the readers of formats and the screening of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

#: About so much text, or so many rows, are in memory at once.
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


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows as text, in file order. Wholly blank rows may be among them."""

    #: 1-based, the header included, blank rows counted: what a spreadsheet shows at the left.
    row_numbers: Sequence[int]
    #: One sequence of cells per row, as wide as the header; of no meaning for malformed rows.
    rows: Sequence[Sequence[str]]
    #: Sparse: position in the chunk -> what is wrong.
    malformed: dict[int, Malformed] = field(default_factory=dict)


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

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        """The rows, once. `kept`: only these columns, by position.

        Raises: InputError: the file cannot be read on.
        """

    def sha256(self) -> str:
        """Of the file's bytes, when `chunks` is exhausted.

        Raises: InputError: the file changed while it was read.
        """

    def close(self) -> None: ...

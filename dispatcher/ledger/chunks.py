"""Rows' cells, some hundred rows to a chunk: they never change, so they lie apart from what does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import orjson

from dispatcher.errors import LedgerCorrupt
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import RowBatch

ROWS_MAX = 256
BYTES_MAX = 256 * 1024
#: A gap in the row numbers (blank lines) wider than this starts a new chunk.
GAP_MAX = 64
CACHED_CHUNKS = 8

ROW_NUMBER_BITS = 32
ROW_NUMBER_MASK = (1 << ROW_NUMBER_BITS) - 1


def row_id(input_id: int, row_number: int) -> int:
    """The ledger's number for a row: its input's number and its own."""
    return input_id << ROW_NUMBER_BITS | row_number


def id_range(input_id: int) -> dict[str, int]:
    """The row ids of an input, as the parameters `first` and `last` of a query."""
    return {"first": input_id << ROW_NUMBER_BITS, "last": (input_id + 1 << ROW_NUMBER_BITS) - 1}


def encode(input_id: int, batch: RowBatch, consecutive: bool) -> Iterator[tuple[int, bytes]]:
    """A batch's cells as (chunk_id, JSON). `consecutive`: its row numbers follow one another."""
    if not consecutive:
        yield from _encode(input_id, batch.row_numbers, batch.cells)
        return
    for start in range(0, len(batch.cells), ROWS_MAX):
        cells = batch.cells[start : start + ROWS_MAX]
        text = ",".join(cells)
        if len(text) <= BYTES_MAX:
            yield row_id(input_id, batch.row_numbers[start]), f"[{text}]".encode()
        else:
            yield from _encode(input_id, batch.row_numbers[start : start + ROWS_MAX], cells)


def _encode(input_id: int, row_numbers: Sequence[int], all_cells: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    first = previous = -1
    parts: list[str] = []
    size = 0
    for number, cells in zip(row_numbers, all_cells, strict=True):
        gap = number - previous - 1
        if parts and (len(parts) >= ROWS_MAX or size >= BYTES_MAX or gap > GAP_MAX):
            yield row_id(input_id, first), f"[{','.join(parts)}]".encode()
            parts, size = [], 0
        if not parts:
            first = number
        elif gap:
            parts.extend(["null"] * gap)
        parts.append(cells)
        size += len(cells)
        previous = number
    if parts:
        yield row_id(input_id, first), f"[{','.join(parts)}]".encode()


class ChunkReader:
    """Looks up rows' cells; neighbours come from the same chunk, so a few chunks are kept."""

    def __init__(self) -> None:
        self._cached: OrderedDict[int, list[list[str] | None]] = OrderedDict()
        self._first = 0
        self._latest: list[list[str] | None] = []

    def clear(self) -> None:
        """Forget what was read."""
        self._cached.clear()
        self._first, self._latest = 0, []

    def cells(self, db: Db, wanted_id: int) -> list[str]:
        """The cells of the row with this id, in the order of its input's header. Raises: LedgerCorrupt."""
        position = wanted_id - self._first
        if not 0 <= position < len(self._latest):
            self._first, self._latest = self._find(db, wanted_id)
            position = wanted_id - self._first
        cells = self._latest[position]
        if cells is None:
            raise _missing(wanted_id)
        return cells

    def _find(self, db: Db, wanted_id: int) -> tuple[int, list[list[str] | None]]:
        for first, rows in self._cached.items():
            if first <= wanted_id < first + len(rows):
                self._cached.move_to_end(first)
                return first, rows
        found = db.first("chunk_of_row", row_id=wanted_id)
        rows = orjson.loads(found[1]) if found else []
        if not found or wanted_id >= found[0] + len(rows):
            raise _missing(wanted_id)
        self._cached[found[0]] = rows
        if len(self._cached) > CACHED_CHUNKS:
            self._cached.popitem(last=False)
        return found[0], rows


def _missing(wanted_id: int) -> LedgerCorrupt:
    # Without its cells a row would be sent with empty parameters.
    return LedgerCorrupt(
        "the ledger has lost a row's cells",
        found=f"input {wanted_id >> ROW_NUMBER_BITS}, row {wanted_id & ROW_NUMBER_MASK}",
        fix="keep the file; restore a copy of it",
    )

"""The only pandas reader, and Arrow beside it: blocks of regular delimited text, and Parquet."""

from __future__ import annotations

import codecs
import functools
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dispatcher.errors import DispatcherError, InputError
from dispatcher.intake.child import Child
from dispatcher.intake.header import shown
from dispatcher.intake.rows import Chunk, Malformed
from dispatcher.intake.sources import Source


@dataclass(frozen=True, slots=True)
class ArrowChunk:
    """A chunk of rows by columns. Cells become Python texts only where they are looked at: that is what takes time."""

    row_numbers: Sequence[int]
    #: Columns of large_string without nulls, of one length.
    columns: Sequence[Any]
    malformed: Mapping[int, Malformed] = field(default_factory=dict)
    faults: Mapping[int, Mapping[int, str]] = field(default_factory=dict)

    def column(self, index: int) -> list[str]:
        return _python(self.columns[index])

    def encode(self, width: int) -> tuple[list[str], bool]:
        bodies, nuls = zip(*map(_json_bodies, self.columns[:width]), strict=True)
        joined = pc.binary_join_element_wise(*bodies, pa.scalar('","', pa.large_string()))
        return [f'["{row}"]' for row in _python(joined)], any(nuls)


def parse_block(
    block: bytes, delimiter: str, width: int, kept: Sequence[int] | None, row_numbers: Sequence[int]
) -> ArrowChunk:
    """The rows of a block of UTF-8 whose records all have `width` fields (`blocks.regular_prefix` says so).

    Cells are text exactly as written: pandas would take "+1555…" for a number and "NA" for nothing.
    """
    _check_pandas()
    if not block.endswith((b"\n", b"\r")):
        block += b"\n"
    if block.startswith(codecs.BOM_UTF8):
        # Readers take the first for a mark of the file's; this one is a cell's own.
        block = codecs.BOM_UTF8 + block
    # pyarrow works in blocks of its own, and a larger one it would cut at line ends inside quotation marks too.
    options = _ARROW_OPTIONS if len(block) < _ARROW_BLOCK_BYTES else _C_OPTIONS
    frame = pd.read_csv(io.BytesIO(block), sep=delimiter, **options)
    if frame.shape != (len(row_numbers), width):
        raise AssertionError(f"{len(row_numbers)} rows of {width} cells were read as {frame.shape}")
    positions = range(width) if kept is None else kept
    return ArrowChunk(row_numbers, [_arrow(pa.array(frame[position].array)) for position in positions])


_TEXT_OPTIONS: dict[str, Any] = {
    "header": None,
    "dtype": str,
    "keep_default_na": False,
    "na_values": [],
    "skip_blank_lines": False,
    "encoding": "utf-8",
}
_ARROW_OPTIONS = {**_TEXT_OPTIONS, "engine": "pyarrow"}
_C_OPTIONS = {**_TEXT_OPTIONS, "engine": "c", "index_col": False, "na_filter": False, "low_memory": False}
#: pyarrow.csv.ReadOptions().block_size.
_ARROW_BLOCK_BYTES = 1 << 20


@functools.cache
def _check_pandas() -> None:
    """That cells come through untouched: earlier releases of pandas look for numbers first, and +1555… loses its plus.

    Raises: DispatcherError.
    """
    cells = ("+15550001111", "007", "NA", "", "1e5", "true", "2026-01-02", " x ")
    frame = pd.read_csv(io.BytesIO(f"{','.join(cells)}\n".encode()), **_ARROW_OPTIONS)
    if tuple(frame.iloc[0]) != cells:
        raise DispatcherError(
            "this release of pandas cannot read text as it is written",
            found=f"pandas {pd.__version__}, pyarrow {pa.__version__}",
            fix="pip install 'pandas>=3.1' 'pyarrow>=26'",
        )


def _arrow(array: Any) -> Any:
    """One array of large_string."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return pc.cast(array, pa.large_string())


def _python(array: Any) -> list[str]:
    texts: list[str] = array.to_pylist()
    return texts


def _json_bodies(column: Any) -> tuple[Any, bool]:
    """A column's texts as they stand between the quotation marks of JSON, and whether a NUL is among them."""
    _, offsets, data = column.buffers()
    if data is None:
        return column, False
    ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    characters = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    special = characters < 0x20
    special |= characters == ord('"')
    special |= characters == ord("\\")
    if not special.any():
        return column, False
    bodies = [orjson.dumps(text).decode()[1:-1] for text in _python(column)]
    return pa.array(bodies, pa.large_string()), bool((characters == 0).any())


class ParquetTable:
    """A Parquet file. Rows are as `rows.Table` says; the first is number 2, as in every table with a header.

    It is read in a process of its own (`parquet`), which makes text of every value (`arrow_text` says how).
    """

    def __init__(self, source: Source, *, dates: str = "") -> None:
        """`dates`: how dates are written (strftime); empty: ISO 8601.

        Raises: InputError: it is damaged, cut off, encrypted, or holds far more rows than bytes."""
        self.notes: list[str] = []
        self._source = source
        self._done = 0.0
        self._child = Child("dispatcher.intake.parquet", str(source.path), dates)
        try:
            opening = orjson.loads(self._child.out.readline() or b'{"died": null}')
            self._raise_for(opening)
        except BaseException:
            self._child.end()
            raise
        self.header: Sequence[str] = opening["header"]
        self._row_count: int = opening["rows"]
        self._no_numbers: dict[str, str] = opening["no_numbers"]

    @property
    def total_bytes(self) -> int | None:
        return self._source.total_bytes

    @property
    def done_bytes(self) -> int:
        return int(self._done * (self._source.total_bytes or 0))

    def sha256(self) -> str:
        return self._source.sha256()

    def close(self) -> None:
        self._child.end()
        self._source.close()

    def check_used(self, to: int, used: Collection[int]) -> None:
        """See `rows.Table`: a number that was a floating one, say, has lost digits, however it is written."""
        self._used = frozenset(used)
        why = self._no_numbers.get(str(to))
        if why is not None:
            raise InputError(
                f'{self._source.name}: the column "{shown(self.header[to])}" holds {why}',
                fix="write the file with the column as text",
            )

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        row_number, told_of = 2, set[int]()
        positions = range(len(self.header)) if kept is None else kept
        try:
            stream = pa.ipc.open_stream(self._child.out)
            while True:
                batch, metadata = stream.read_next_batch_with_custom_metadata()
                told = orjson.loads(metadata[b"told"])
                self._raise_for(told)
                if "end" in told:
                    return
                self._tell_of(told["bad"], told_of)
                first, row_number = row_number, row_number + batch.num_rows
                self._done = (row_number - 2) / max(self._row_count, 1)
                yield ArrowChunk(range(first, row_number), [batch.column(position) for position in positions])
        except (pa.ArrowException, OSError, StopIteration):
            self._raise_for({"died": None})

    _used: frozenset[int] = frozenset()

    def _tell_of(self, bad: dict[str, str], told_of: set[int]) -> None:
        """Raises: InputError: a column that is used has values without text; others are told."""
        for position, why in ((int(at), why) for at, why in bad.items()):
            name = shown(self.header[position])
            if position in self._used:
                raise InputError(
                    f'{self._source.name}: the column "{name}" holds {why}',
                    fix="write the file with the column as text, or send other columns",
                )
            if position not in told_of:
                self.notes.append(f'the column "{name}" holds {why}: it is empty in the report')
                told_of.add(position)

    def _raise_for(self, told: dict[str, Any]) -> None:
        if "error" in told:
            error = told["error"]
            raise InputError(f"{self._source.name} {error['message']}", found=error["found"], fix=error["fix"])
        if "died" in told:
            cause, found = self._child.cause_of_death()
            raise InputError(
                f"{self._source.name} cannot be read: {cause}",
                found=told["died"] or found,
                fix="write it as CSV with the program that it comes from",
            )

"""The only pandas reader, and pyarrow beside it: blocks of regular delimited text, and Parquet."""

from __future__ import annotations

import codecs
import functools
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dispatcher.errors import DispatcherError, InputError
from dispatcher.intake.rows import CHUNK_BYTES, CHUNK_ROWS, COLUMNS_MAX, Chunk, Malformed
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

    | type                            | text                                                         |
    |---------------------------------|--------------------------------------------------------------|
    | string, dictionary of strings   | as it is                                                     |
    | int, uint, decimal              | its digits: 15551234567, 1.10                                |
    | float, double                   | the shortest that reads back the same: 0.1, 5.0; NaN: empty  |
    | bool                            | true, false                                                  |
    | date, time, timestamp           | ISO 8601: 2026-01-02, 10:30:00, 2026-01-02T10:30:00+01:00    |
    | list, struct, map               | JSON                                                         |
    | binary                          | its text, if it is UTF-8; else the file is refused           |
    | null                            | empty                                                        |
    """

    def __init__(self, source: Source) -> None:
        """Raises: InputError: it is damaged, cut off or encrypted."""
        self.notes: list[str] = []
        self._source = source
        self._done = 0.0
        with _parquet_errors(source.name):
            self._file = pq.ParquetFile(source.path, memory_map=False, pre_buffer=False, buffer_size=1 << 16)
            self.header: Sequence[str] = list(self._file.schema_arrow.names)
            self._row_count = self._file.metadata.num_rows
        if len(self.header) > COLUMNS_MAX:
            raise InputError(
                f"{source.name} has more than {COLUMNS_MAX:,} columns", found=f"{len(self.header):,} columns"
            )

    @property
    def total_bytes(self) -> int | None:
        return self._source.total_bytes

    @property
    def done_bytes(self) -> int:
        return int(self._done * (self._source.total_bytes or 0))

    def sha256(self) -> str:
        return self._source.sha256()

    def close(self) -> None:
        self._file.close(force=True)
        self._source.close()

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        positions = range(len(self.header)) if kept is None else kept
        row_number = 2
        batch_rows = max(1, min(CHUNK_ROWS, CHUNK_BYTES // 16 // max(len(self.header), 1)))
        with _parquet_errors(self._source.name):
            for batch in self._file.iter_batches(batch_size=batch_rows, use_threads=False):
                columns = [_arrow(self._texts(batch.column(position), self.header[position])) for position in positions]
                first, row_number = row_number, row_number + batch.num_rows
                self._done = (row_number - 2) / max(self._row_count, 1)
                yield ArrowChunk(range(first, row_number), columns)

    def _texts(self, array: Any, column: str) -> Any:
        """The column as Arrow text."""
        kind = array.type
        if pa.types.is_dictionary(kind):
            return self._texts(array.dictionary_decode(), column)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            try:
                return _strings(pc.cast(pc.cast(array, pa.binary()), pa.string()))
            except pa.ArrowInvalid:
                raise InputError(
                    f'{self._source.name}: the column "{column}" holds bytes that are no text',
                    fix="write the file without the column, or with the column as text",
                ) from None
        if any(is_plain(kind) for is_plain in _PLAIN):
            return _strings(pc.cast(array, pa.string()))
        if pa.types.is_floating(kind):
            if pa.types.is_float64(kind):
                return _made("" if value is None or value != value else repr(value) for value in array.to_pylist())
            texts = _python(_strings(pc.cast(pc.cast(array, pa.float32()), pa.string())))
            return _made("" if text == "nan" else text for text in texts)
        if pa.types.is_date(kind):
            return _strings(pc.cast(pc.cast(array, pa.date32()), pa.string()))
        if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
            return _made(map(_iso, _python(_strings(pc.cast(array, pa.string())))))
        values = array.to_pylist()
        if pa.types.is_nested(kind):
            return _made("" if v is None else orjson.dumps(_plain_json(v), default=str).decode() for v in values)
        return _made("" if value is None else str(value) for value in values)


#: Types that pyarrow itself turns into the text that a person would write.
_PLAIN = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_decimal,
    pa.types.is_null,
)


def _strings(array: Any) -> Any:
    return pc.fill_null(array, "")


def _made(texts: Iterable[str]) -> Any:
    return pa.array(list(texts), pa.large_string())


def _iso(text: str) -> str:
    """pyarrow's `2026-01-02 10:30:00.000000+0100` as ISO 8601, without a fraction that says nothing."""
    if not text:
        return text
    date, space, time = text.rpartition(" ")
    sign = max(time.rfind("+"), time.rfind("-"))
    zone = "Z" if time.endswith("Z") else time[sign:] if sign > 0 else ""
    clock = time.removesuffix(zone)
    if "." in clock:
        clock = clock.rstrip("0").rstrip(".")
    if len(zone) == 5:
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{date}T{clock}{zone}" if space else f"{clock}{zone}"


def _plain_json(value: Any) -> Any:
    """Nested values as orjson takes them: a map's pairs stay pairs, bytes are text."""
    match value:
        case dict():
            return {str(key): _plain_json(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain_json(item) for item in value]
        case bytes():
            return value.decode("utf-8", "replace")
        case int() if abs(value) >= 1 << 63:
            return str(value)
        case _:
            return value


class _parquet_errors:  # noqa: N801
    """Maps what pyarrow raises."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, OSError, UnicodeDecodeError)) and not isinstance(error, InputError):
            encrypted = "encrypt" in str(error).lower() or "PARE" in str(error)
            raise InputError(
                f"{self._name} is {'encrypted' if encrypted else 'damaged, cut off, or no Parquet file'}",
                found=type(error).__name__,
                fix="write the file again" + (" without encryption" if encrypted else ""),
            ) from None

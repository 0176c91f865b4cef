"""The only pandas reader, and pyarrow beside it: blocks of regular delimited text, and Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dispatcher.errors import InputError
from dispatcher.intake.rows import CHUNK_BYTES, CHUNK_ROWS, COLUMNS_MAX, Chunk
from dispatcher.intake.sources import Source


def parse_block(block: bytes, delimiter: str, width: int, kept: Sequence[int] | None) -> list[tuple[str, ...]]:
    """The rows of a block of UTF-8 whose records all have `width` fields (`records.regular_prefix` says so).

    Cells are text exactly as written: pandas would take "+1555…" for a number and "NA" for nothing.
    """
    frame = pd.read_csv(
        io.BytesIO(block),
        sep=delimiter,
        header=None,
        names=range(width),
        usecols=None if kept is None else list(kept),
        dtype=object,
        keep_default_na=False,
        na_filter=False,
        index_col=False,
        skip_blank_lines=False,
        encoding="utf-8",
        engine="c",
        low_memory=False,
    )
    return list(zip(*(frame[position].tolist() for position in frame.columns), strict=True))


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
                columns = [self._texts(batch.column(position), self.header[position]) for position in positions]
                first, row_number = row_number, row_number + batch.num_rows
                self._done = (row_number - 2) / max(self._row_count, 1)
                yield Chunk(range(first, row_number), list(zip(*columns, strict=True)))

    def _texts(self, array: Any, column: str) -> list[str]:
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
                return ["" if value is None or value != value else repr(value) for value in array.to_pylist()]
            return [
                "" if text == "nan" else text for text in _strings(pc.cast(pc.cast(array, pa.float32()), pa.string()))
            ]
        if pa.types.is_date(kind):
            return _strings(pc.cast(pc.cast(array, pa.date32()), pa.string()))
        if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
            return [_iso(text) for text in _strings(pc.cast(array, pa.string()))]
        values = array.to_pylist()
        if pa.types.is_nested(kind):
            return ["" if value is None else orjson.dumps(_plain_json(value), default=str).decode() for value in values]
        return ["" if value is None else str(value) for value in values]


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


def _strings(array: Any) -> list[str]:
    texts: list[str] = pc.fill_null(array, "").to_numpy(zero_copy_only=False).tolist()
    return texts


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

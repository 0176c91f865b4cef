"""The child of `tables.ParquetTable`: a Parquet file's columns as text, batch by batch, as an Arrow stream.

First a line of JSON: the columns, or why the file is not read. What goes wrong later is told as metadata of the
stream's last batch.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from dispatcher.intake.arrow_text import NoTextError, has_times, texts
from dispatcher.intake.child import bound, go_on
from dispatcher.intake.rows import COLUMNS_MAX

#: So few rows are decoded at a time: a few bytes of a file may stand for a megabyte in each of them.
_ROWS_AT_A_TIME = 1_000
#: So much text is sent at a time; more in so few rows is refused.
_BATCH_BYTES = 8 << 20
_BATCH_BYTES_MAX = 256 << 20
#: So many cells are sent at a time: empty ones take none of these bytes.
_BATCH_CELLS = 500_000
#: More rows than these for each byte of the file are repeated ones, as no list of people has; more cells are empty.
_ROWS_FREE = 1_000_000
_ROWS_PER_BYTE_MAX = 20
_CELLS_FREE = 50_000_000
_CELLS_PER_BYTE_MAX = 100


class Unreadable(Exception):
    """Why a file is not read."""

    def __init__(self, message: str, found: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.as_json = {"message": message, "found": found, "fix": fix}


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise Unreadable("needs too much memory", None, "write the file without its large columns") from None
    except UnicodeDecodeError as error:
        raise Unreadable("has a column whose name is no text", str(error.reason), "write the file again") from None
    except (pa.ArrowException, OSError, ValueError, ArithmeticError, LookupError, NotImplementedError) as error:
        encrypted = "crypt" in str(error) or "PARE" in str(error)
        what = "encrypted" if encrypted else "damaged, cut off, or no Parquet file"
        how = "write the file again" + (" without encryption" if encrypted else "")
        raise Unreadable(f"is {what}", type(error).__name__, how) from None


def main(arguments: Sequence[str], out: IO[bytes]) -> None:
    """The child: `PATH DATES`; how dates are written (strftime), empty: ISO 8601."""
    path = Path(arguments[0])
    # Each of its threads would take a stack.
    pa.set_io_thread_count(1)
    bound(path)
    try:
        with _errors():
            file = pq.ParquetFile(
                path, memory_map=False, pre_buffer=False, buffer_size=1 << 16, coerce_int96_timestamp_unit="us"
            )
            schema, rows = file.schema_arrow, file.metadata.num_rows
            names = list(schema.names)
        if path.read_bytes()[:4] == b"PARE":
            raise Unreadable("is encrypted", None, "write the file again without encryption")
        if len(names) > COLUMNS_MAX:
            how = "leave out the columns that are not needed"
            raise Unreadable(f"has more than {COLUMNS_MAX:,} columns", f"{len(names):,} columns", how)
        size = path.stat().st_size
        if rows > max(_ROWS_FREE, size * _ROWS_PER_BYTE_MAX):
            raise Unreadable(
                "holds far more rows than bytes", f"{rows:,} rows in {size:,} bytes", "write the rows to a new file"
            )
        if (cells := rows * len(names)) > max(_CELLS_FREE, size * _CELLS_PER_BYTE_MAX):
            what = f"{cells:,} cells in {size:,} bytes"
            raise Unreadable("holds far more cells than bytes", what, "write the file without its empty columns")
    except Unreadable as error:
        out.write(orjson.dumps({"error": error.as_json}) + b"\n")
        out.flush()
        return
    no_numbers = {at: why for at, field in enumerate(schema) if (why := _why_no_number(field.type))}
    told = {"header": names, "rows": rows, "no_numbers": no_numbers}
    out.write(orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS) + b"\n")
    out.flush()
    _stream(file, schema, arguments[1], out)


def _why_no_number(kind: Any) -> str | None:
    """What a column of this type holds, where none of its values is a phone number, however it is written."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_floating(kind):
        return "floating-point numbers, whose last digits may be lost"
    if pa.types.is_nested(kind):
        return "lists or records, and not one value each"
    return None


def _stream(file: Any, columns: Any, dates: str, out: IO[bytes]) -> None:
    """`columns`: their schema."""
    width = len(columns)
    schema = pa.schema([(str(at), pa.large_string()) for at in range(width)])
    told: dict[str, Any] = {"end": True}
    with pa.ipc.new_stream(out, schema) as stream:
        bad = {at: why for at, field in enumerate(columns) if (why := _why_no_text(field))}
        try:
            with _errors():
                clocked = _clocked(file, columns) if dates else frozenset()
                for texts_of in _batches(file, columns, dates, clocked, bad):
                    stream.write_batch(pa.record_batch(texts_of, schema=schema), custom_metadata=_told({"bad": bad}))
                    go_on()
        except Unreadable as error:
            told = {"error": error.as_json}
        empty = [pa.array([], pa.large_string()) for _ in range(width)]
        stream.write_batch(pa.record_batch(empty, schema=schema), custom_metadata=_told(told))


def _why_no_text(field: Any) -> str | None:
    """What a column of another program's own type holds, where a number stands for something else (a month, say)."""
    name = (field.metadata or {}).get(b"ARROW:extension:name", b"").decode("utf-8", "replace")
    is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    return f"values of the type {name}, which only the program that wrote them knows" if name and is_number else None


def _clocked(file: Any, columns: Any) -> frozenset[str]:
    """The names of columns with timestamps of which one is more than a day alone: then all are written with a time."""
    names = {field.name for field in columns if pa.types.is_timestamp(field.type)}
    found: set[str] = set()
    if not names:
        return frozenset()
    for batch in file.iter_batches(batch_size=_ROWS_AT_A_TIME, columns=[*names], use_threads=False):
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            # A name with a dot may bring others with it.
            if name in names - found and pa.types.is_timestamp(array.type) and has_times(array):
                found.add(name)
        if found == names:
            break
        go_on()
    return frozenset(found)


def _told(what: dict[str, Any]) -> dict[str, bytes]:
    return {"told": orjson.dumps(what, option=orjson.OPT_NON_STR_KEYS)}


def _batches(file: Any, columns: Any, dates: str, clocked: frozenset[str], bad: dict[int, str]) -> Iterator[list[Any]]:
    """Columns of text, some thousand rows at a time. `bad`: columns that have none, and why; their cells are empty."""
    width = len(columns)
    with_clock = [name in clocked for name in columns.names]
    waiting: list[list[Any]] = [[] for _ in range(width)]
    rows = size = 0
    for batch in file.iter_batches(batch_size=_ROWS_AT_A_TIME, use_threads=False):
        if batch.nbytes > _BATCH_BYTES_MAX:
            raise Unreadable(
                "needs too much memory",
                f"{batch.num_rows:,} of its rows have {batch.nbytes >> 20:,} MiB",
                "write the file without its large columns",
            )
        for at in range(width):
            if at not in bad:
                try:
                    waiting[at].append(texts(batch.column(at), dates, with_clock=with_clock[at]))
                    continue
                except NoTextError as error:
                    bad[at] = str(error)
            waiting[at].append(pa.array([""] * batch.num_rows, pa.large_string()))
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= 10 * _ROWS_AT_A_TIME or rows * width >= _BATCH_CELLS or size >= _BATCH_BYTES:
            yield [_one_array(parts) for parts in waiting]
            waiting, rows, size = [[] for _ in range(width)], 0, 0
    if rows:
        yield [_one_array(parts) for parts in waiting]


def _one_array(parts: list[Any]) -> Any:
    arrays = [array for part in parts for array in (part.chunks if isinstance(part, pa.ChunkedArray) else [part])]
    return pa.concat_arrays(arrays)


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout.buffer)

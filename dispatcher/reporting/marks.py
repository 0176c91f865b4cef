"""Whether a file is a report of ours: told by what is in it, so that no other file is ever replaced by one.

| format | the mark |
|---|---|
| CSV (and .gz), Parquet | our columns in its header |
| XLSX | one sheet, and our columns among its texts |
| HTML | the page's generator |
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from pathlib import Path

#: In every report, whatever version wrote it.
COLUMNS = frozenset({"dispatch_row_number", "dispatch_to", "dispatch_status", "dispatch_execution_sid"})
#: How a page says who made it.
GENERATOR = '<meta name="generator" content="dispatcher">'

#: A header is looked for in so many bytes: ours stand behind the input's columns.
_HEADER_MAX_BYTES = 4 << 20
_HTML_MAX_BYTES = 64 << 10
_SHEETS_MAX_BYTES = 64 << 10


def is_report(path: Path) -> bool:
    """Whether a file was written by us. Blocking. Raises: OSError where it cannot be read."""
    with path.open("rb") as file:
        beginning = file.read(4)
        file.seek(0)
        try:
            if beginning == b"PAR1":
                return _is_parquet(path)
            if beginning[:2] == b"PK":
                return _is_workbook(path)
            if beginning[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return _is_text(unpacked.read(_HEADER_MAX_BYTES))
            return _is_text(file.read(_HEADER_MAX_BYTES))
        except (ValueError, EOFError, zlib.error, csv.Error, zipfile.BadZipFile, KeyError, NotImplementedError):
            return False  # damaged, or no such file after all


def _is_text(data: bytes) -> bool:
    if GENERATOR.encode() in data[:_HTML_MAX_BYTES]:
        return True
    text = data.decode("utf-8-sig", "replace")
    header = next(csv.reader(io.StringIO(text, newline="")), [])
    return set(header) >= COLUMNS


def _is_parquet(path: Path) -> bool:
    import pyarrow
    import pyarrow.parquet

    try:
        return set(pyarrow.parquet.read_schema(path).names) >= COLUMNS
    except pyarrow.ArrowException:
        return False


def _is_workbook(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if _part(archive, "xl/workbook.xml", _SHEETS_MAX_BYTES).count(b"<sheet ") != 1:
            return False
        # As we write it the texts stand in the sheet; a spreadsheet puts them into a table of their own.
        texts = [name for name in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml") if name in names]
        found = b"".join(_part(archive, name, _HEADER_MAX_BYTES) for name in texts)
    return all(f">{column}<".encode() in found for column in COLUMNS)


def _part(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    with archive.open(name) as part:
        return part.read(size)

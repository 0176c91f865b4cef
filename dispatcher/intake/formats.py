"""Which reader reads a file: its suffix says, and its first bytes must not say otherwise.

| suffix                       | reader                                   |
|------------------------------|------------------------------------------|
| .csv .tsv .tab .psv .txt     | delimited text                           |
| .jsonl .ndjson               | JSON Lines                               |
| .parquet .pq                 | Parquet                                  |
| .xlsx .xlsm                  | workbook                                 |
| none, unknown, standard input| what the first bytes say                 |

`.gz` after a text suffix, or gzip's own first bytes, make it compressed.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from dispatcher.errors import InputError, SettingsError
from dispatcher.intake.delimited import DelimitedTable
from dispatcher.intake.jsonlines import JsonLinesTable
from dispatcher.intake.rows import Table
from dispatcher.intake.sources import STDIN, Source
from dispatcher.intake.text import has_mark
from dispatcher.remedies import AnyOf, Setting

if TYPE_CHECKING:
    from dispatcher.settings import InputSettings


class Format(StrEnum):
    """The readers there are."""

    delimited = "delimited text"
    jsonlines = "JSON Lines"
    parquet = "Parquet"
    workbook = "an XLSX workbook"


_BY_SUFFIX = {
    ".csv": Format.delimited,
    ".tsv": Format.delimited,
    ".tab": Format.delimited,
    ".psv": Format.delimited,
    ".txt": Format.delimited,
    ".jsonl": Format.jsonlines,
    ".ndjson": Format.jsonlines,
    ".parquet": Format.parquet,
    ".pq": Format.parquet,
    ".xlsx": Format.workbook,
    ".xlsm": Format.workbook,
}
_BINARY = (Format.parquet, Format.workbook)
_SUFFIX_OF = {
    Format.delimited: ".csv",
    Format.jsonlines: ".jsonl",
    Format.parquet: ".parquet",
    Format.workbook: ".xlsx",
}
_UNREADABLE = {
    ".xls": "save it as .xlsx or CSV",
    ".xlsb": "save it as .xlsx or CSV",
    ".ods": "save it as .xlsx or CSV",
    ".numbers": "export it as .xlsx or CSV",
    ".zip": "unzip it first",
    ".bz2": "decompress it first (only .gz is read as it is)",
    ".xz": "decompress it first (only .gz is read as it is)",
    ".zst": "decompress it first (only .gz is read as it is)",
}
_PEEK = 4096
#: More control characters than this share make it something else than text.
_CONTROL_SHARE = 0.05
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\b")
_WEB_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|table|head|meta)\b", re.IGNORECASE)
_DOCUMENTS = {b"%PDF-": "a PDF document", b"{\\rtf": "a text document (RTF)", b"BEGIN:VCARD": "an address book (vCard)"}
_TEXT_CONTROLS = b"\t\n\r\x0b\x0c\x1a\x1b"


def open_table(name: str | Path, settings: InputSettings) -> Table:
    """Open the file and read its header.

    Raises: InputError, SettingsError.
    """
    delimiter = _delimiter(settings.delimiter)
    source = Source(str(name))
    try:
        return _open(source, settings, delimiter)
    except BaseException:
        source.close()
        raise


def _open(source: Source, settings: InputSettings, delimiter: str | None) -> Table:
    content = source.content
    suffix = _suffix(source.name)
    if suffix in _UNREADABLE:
        raise InputError(f"{source.name}: {suffix} files are not read", fix=_UNREADABLE[suffix])
    said = _BY_SUFFIX.get(suffix)
    if source.peek(8).startswith(_OLE):
        raise InputError(
            f"{source.name} is encrypted, or an old .xls file", fix="save it as .xlsx without a password, or as CSV"
        )
    shown = _by_content(source)
    if said and shown and said is not shown:
        raise InputError(
            f"{source.name} is named like {said.value}, and is not",
            found=f"the content of {shown.value}",
            fix=f"rename it to end in {_SUFFIX_OF[shown]}",
        )
    if said in _BINARY and shown is None:
        head = source.peek(_PEEK)
        _check_document(source.name, head)
        if head and not _controls(head):
            raise InputError(
                f"{source.name} is named like {said.value}, and is not", found="text", fix="rename it to end in .csv"
            )
    chosen = said or shown or Format.delimited
    if chosen in _BINARY:
        if content.is_gzip:
            raise InputError(f"{source.name}: only text is read compressed", fix=f"gunzip {source.name}")
        return _open_binary(source, settings, chosen)
    head = content.peek(_PEEK)
    _check_document(source.name, head)
    _check_text(source.name, head, settings.encoding)
    if chosen is Format.jsonlines or (said is None and head.lstrip()[:1] == b"{"):
        _refuse_header_row(source.name, settings)
        return JsonLinesTable(source, encoding=settings.encoding)
    if suffix == ".json":
        raise InputError(
            f"{source.name} is one JSON document, not one object a line",
            fix=f"jq -c '.[]' {source.name} > {PurePath(source.name).stem}.jsonl",
        )
    return DelimitedTable(
        source,
        delimiter=delimiter,
        encoding=settings.encoding,
        quoted_max_bytes=settings.cell_max_bytes,
        fill_short_rows=settings.fill_short_rows,
        header_row=settings.header_row,
    )


def _open_binary(source: Source, settings: InputSettings, chosen: Format) -> Table:
    # Two libraries that take a while to load; text needs neither of them to open.
    if chosen is Format.parquet:
        from dispatcher.intake.tables import ParquetTable

        _refuse_header_row(source.name, settings)
        return ParquetTable(source, dates=settings.dates)
    from dispatcher.intake.workbook import WorkbookTable

    return WorkbookTable(source, sheet=settings.sheet, header_row=settings.header_row, dates=settings.dates)


def _refuse_header_row(name: str, settings: InputSettings) -> None:
    """Raises: InputError: a file whose columns have their names elsewhere is asked for a row of them."""
    if settings.header_row > 1:
        raise InputError(
            f"{name} has no header row: its columns are named by themselves", fix=Setting("input.header_row", 0)
        )


def _suffix(name: str) -> str:
    if name == STDIN:
        return ""
    path = PurePath(name)
    return (PurePath(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def _by_content(source: Source) -> Format | None:
    """What the first bytes prove; None: text, or anything."""
    head = source.peek(8)
    if head.startswith((b"PAR1", b"PARE")):
        return Format.parquet
    if head.startswith(b"PK\x03\x04"):
        return Format.workbook
    return None


def _check_text(name: str, head: bytes, encoding: str | None) -> None:
    """Refuse what is plainly no text, before it is called badly encoded text.

    Raises: InputError.
    """
    if encoding is not None or not head or has_mark(head):
        return
    controls = _controls(head)
    if controls <= len(head) * _CONTROL_SHARE:
        return
    nul = head.count(0)
    if 0.3 < nul / len(head) < 0.6 and controls == nul:
        # Of a Latin letter's two bytes the zero is the first in the one order, the second in the other.
        order = "be" if head[0::2].count(0) > head[1::2].count(0) else "le"
        raise InputError(
            f"{name} is not UTF-8 text",
            found="every other byte is zero",
            fix=Setting("input.encoding", f"utf-16-{order}"),
        )
    raise InputError(
        f"{name} is no table: it looks like binary data",
        found=f"it starts with {head[:4].hex(' ')}",
        fix="give a CSV, XLSX, Parquet or JSON Lines file",
    )


def _controls(head: bytes) -> int:
    return sum(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head)


def _check_document(name: str, head: bytes) -> None:
    """Many programs export a web page and call it a table; and some people a document. Raises: InputError."""
    kind = next((kind for start, kind in _DOCUMENTS.items() if head.startswith(start)), None)
    if kind is not None:
        raise InputError(f"{name} is {kind}, no table", fix="give a CSV, XLSX, Parquet or JSON Lines file")
    if _XML.match(head):
        how = "open it in a spreadsheet program and save it as CSV"
        raise InputError(f"{name} is an XML document, no table", fix=how)
    if _WEB_PAGE.match(head):
        raise InputError(
            f"{name} is a web page (HTML), no table",
            found=head.lstrip(b"\xef\xbb\xbf \t\r\n")[:20].decode("ascii", "replace"),
            fix="open it in a spreadsheet program and save it as CSV",
        )


def _delimiter(text: str | None) -> str | None:
    if text is None:
        return None
    delimiter = {"tab": "\t", "\\t": "\t", "space": " "}.get(text.lower(), text)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise SettingsError(
            f"[input] delimiter: {text!r} is not one character",
            fix=AnyOf(Setting("input.delimiter", ";"), Setting("input.delimiter", "tab")),
        )
    return delimiter

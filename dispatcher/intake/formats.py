"""Which reader reads a file: by its suffix, and by its first bytes where they say more."""

from __future__ import annotations

from pathlib import Path

from dispatcher.errors import SettingsError
from dispatcher.intake.delimited import DelimitedTable
from dispatcher.intake.plan import IntakeOptions
from dispatcher.intake.rows import Table
from dispatcher.intake.sources import Source


def open_table(name: str | Path, options: IntakeOptions) -> Table:
    """Open the file and read its header.

    Raises: InputError, SettingsError.
    """
    delimiter = _delimiter(options.delimiter)
    source = Source(str(name))
    try:
        return DelimitedTable(
            source,
            delimiter=delimiter,
            encoding=options.encoding,
            quoted_max_bytes=options.cell_max_bytes,
            fill_short_rows=options.fill_short_rows,
        )
    except BaseException:
        source.close()
        raise


def _delimiter(text: str | None) -> str | None:
    if text is None:
        return None
    delimiter = {"tab": "\t", "\\t": "\t"}.get(text.lower(), text)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise SettingsError(f"[input] delimiter: {text!r} is not one character", fix='[input] delimiter = ";" (or "tab")')
    return delimiter

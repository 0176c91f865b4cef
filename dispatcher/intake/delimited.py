"""CSV and its relatives: records of text with a delimiter, streamed."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter

from dispatcher.errors import InputError
from dispatcher.intake.records import Records
from dispatcher.intake.rows import CHUNK_BYTES, COLUMNS_MAX, Chunk, Malformed, RowChunk
from dispatcher.intake.sources import Source
from dispatcher.intake.text import Text, Undecodable, check_utf8, undecodable
from dispatcher.plurals import counted
from dispatcher.remedies import AnyOf, Setting

DELIMITERS = ",;\t|"
#: No record of a table is longer; a file without line ends is no table.
RECORD_MAX_BYTES = 64 << 20
_SNIFF_BYTES = 1 << 16
#: Excel's own way of saying it, in a first line that it does not show as a row.
_SEP_LINE = re.compile(rb'"?sep=(.)"?(?:\r\n|\r|\n)', re.IGNORECASE)
_IRREGULAR_ROWS = 2_000
#: Ctrl-Z, which ended a text under CP/M and DOS.
_END_OF_FILE = b"\x1a"


class DelimitedTable:
    """A delimited text file, its header read. Rows are as `rows.Table` says."""

    def __init__(
        self,
        source: Source,
        *,
        delimiter: str | None,
        encoding: str | None,
        quoted_max_bytes: int,
        fill_short_rows: bool = False,
        header_row: int = 0,
    ) -> None:
        """`quoted_max_bytes`: a quoted cell that has not ended by then is taken for a missing quotation mark.

        `header_row`: the row with the names, from 1; 0: the first that is not blank.

        Raises: InputError: there is no header, or it is no text.
        """
        self.notes: list[str] = []
        # Cells may be longer than csv's 128 KiB; how long is decided by whoever screens the rows.
        csv.field_size_limit(max(csv.field_size_limit(), RECORD_MAX_BYTES))
        self._source = source
        self._text = Text(source.content, encoding)
        self._buffer = b""
        self._at_end = False
        self._next_row = 1
        self._quoted_max_bytes = quoted_max_bytes
        self._fill_short_rows = fill_short_rows
        self._header_row = header_row
        self._delimiter = delimiter or ""
        self._fill(_SNIFF_BYTES)
        if not self._buffer:
            raise InputError(f"{source.name} is empty", fix="save the contacts into it, with a header line")
        self._check_utf8(self._buffer, self._next_row, self._at_end)
        if delimiter is None:
            self._delimiter = self._find_delimiter()
        self.header: Sequence[str] = self._read_header()

    @property
    def total_bytes(self) -> int | None:
        return self._source.total_bytes

    @property
    def done_bytes(self) -> int:
        return self._source.done_bytes

    def sha256(self) -> str:
        return self._source.sha256()

    def close(self) -> None:
        self._source.close()

    def check_used(self, to: int, used: Collection[int]) -> None:
        """Any column may be used: what is wrong is in single cells."""

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        self._fill(CHUNK_BYTES)
        if self._at_end:
            # Most files are small, and pandas takes longer to load than they take to read.
            while self._buffer:
                yield from self._irregular(kept)
            return
        from dispatcher.intake.blocks import regular_prefix
        from dispatcher.intake.tables import parse_block

        delimiter, width = ord(self._delimiter), len(self.header)
        while True:
            self._fill(CHUNK_BYTES)
            if not self._buffer:
                return
            prefix = regular_prefix(self._buffer, delimiter, width, self._at_end)
            if prefix.records:
                block, self._buffer = self._buffer[: prefix.end], self._buffer[prefix.end :]
                self._check_utf8(block, self._next_row)
                first, self._next_row = self._next_row, self._next_row + prefix.records
                yield parse_block(block, self._delimiter, width, kept, range(first, self._next_row))
            if prefix.rest_is_cut and prefix.records:
                continue
            if prefix.rest_is_cut and len(self._buffer) <= self._quoted_max_bytes:
                self._lengthen()
            elif self._buffer:
                yield from self._irregular(kept)

    def _irregular(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        records = Records(self._buffer, self._delimiter, self._at_end, self._quoted_max_bytes)
        self._check_utf8(self._buffer, self._next_row, self._at_end)
        width = len(self.header)
        numbers: list[int] = []
        rows: list[Sequence[str]] = []
        malformed: dict[int, Malformed] = {}
        while len(rows) < _IRREGULAR_ROWS and (record := records.read()) is not None:
            row_number, self._next_row = self._next_row, self._next_row + 1
            fields, problem = record.fields, record.problem
            if problem is None and any(field.strip() for field in fields):
                problem = self._count_fields(fields, record.text)
            if problem is not None:
                malformed[len(rows)] = Malformed(problem, record.text)
            if len(fields) != width:  # malformed, a blank row of any width, or a short one that may be filled up
                fields = (fields if problem is None and len(fields) < width else []) + [""] * width
                del fields[width:]
            numbers.append(row_number)
            rows.append(fields if kept is None else _pick(fields, kept))
        if records.used:
            self._buffer = self._buffer[records.used :]
        else:
            self._lengthen()
        if rows:
            yield RowChunk(numbers, rows, malformed)

    def _count_fields(self, fields: list[str], text: str) -> str | None:
        """Why the number of cells is wrong, if it is. Empty cells too many are taken off `fields`: nothing is lost."""
        width = len(self.header)
        while len(fields) > width and not fields[-1]:
            fields.pop()
        if len(fields) == width or (len(fields) < width and self._fill_short_rows):
            return None
        cells = counted(len(fields), "cell")
        message = f"the row has {cells}, and the header has {width}"
        if "\n" in text or "\r" in text:
            return f"{message}; it runs over several lines: a quotation mark may be missing"
        if len(fields) > width:
            return f"{message}: a cell with {_named(self._delimiter)} in it needs quotation marks"
        return message

    def _read_header(self) -> list[str]:
        while True:
            records = Records(self._buffer, self._delimiter, self._at_end, self._quoted_max_bytes)
            while (record := records.read()) is not None:
                self._next_row += 1
                if self._next_row <= self._header_row:
                    continue
                if self._header_row or record.problem is not None or any(field.strip() for field in record.fields):
                    break
            if record is not None:
                break
            if self._at_end:
                if self._header_row > 1:
                    raise InputError(
                        f"{self._source.name} has no row {self._header_row}",
                        found=counted(self._next_row - 1, "row"),
                        fix=Setting("input.header_row", 1),
                    )
                raise InputError(
                    f"{self._source.name} has no header line", fix="put the columns' names into the first row"
                )
            if records.used:
                self._buffer = self._buffer[records.used :]
                self._fill(_SNIFF_BYTES)
            else:
                self._lengthen()
            self._check_utf8(self._buffer, self._next_row, self._at_end)
        self._buffer = self._buffer[records.used :]
        if record.problem is not None:
            raise InputError(f"{self._source.name}: the header line cannot be read", found=record.problem)
        if len(record.fields) > COLUMNS_MAX:
            raise InputError(
                f"{self._source.name} has more than {COLUMNS_MAX:,} columns", found=f"{len(record.fields):,} columns"
            )
        return record.fields

    def _find_delimiter(self) -> str:
        sep = _SEP_LINE.match(self._buffer)
        if sep:
            self._buffer = self._buffer[sep.end() :]
            return sep[1].decode("ascii", "replace")
        widths = {delimiter: self._sample_widths(delimiter) for delimiter in DELIMITERS}
        fit = {
            delimiter: (sum(width == sample[0] for width in sample) / len(sample), sample[0])
            for delimiter, sample in widths.items()
            if sample and sample[0] > 1
        }
        if not fit:
            return DELIMITERS[0]
        best = max(fit.values())
        winners = [delimiter for delimiter, value in fit.items() if value == best]
        if len(winners) > 1:
            raise InputError(
                f"{self._source.name}: the delimiter is not clear",
                found=" or ".join(_named(winner) for winner in winners),
                fix=AnyOf(*[Setting("input.delimiter", "tab" if one == "\t" else one) for one in winners]),
            )
        return winners[0]

    def _sample_widths(self, delimiter: str) -> list[int]:
        """How many fields the first records have, the header's first."""
        records = Records(self._buffer, delimiter, self._at_end, self._quoted_max_bytes)
        widths: list[int] = []
        for _ in range(self._header_row - 1):
            records.read()
        while len(widths) < 100 and (record := records.read()) is not None:
            if any(field.strip() for field in record.fields):
                widths.append(len(record.fields))
        if not widths and self._buffer:
            line = self._buffer.splitlines()[0].decode("utf-8", "ignore")
            widths.append(line.count(delimiter) + 1)
        return widths

    def _fill(self, size: int) -> None:
        """Read until the buffer has `size` bytes or the file is at its end."""
        parts = [self._buffer]
        have = len(self._buffer)
        while have < size and not self._at_end:
            try:
                data = self._text.read(size - have)
            except Undecodable as error:
                row = self._next_row + _line_ends(b"".join(parts) + error.before)
                raise undecodable(self._source.name, self._text.encoding, row, error.found) from None
            if not data:
                self._at_end = True
            parts.append(data)
            have += len(data)
        self._buffer = b"".join(parts)
        if self._at_end and self._buffer.rstrip(b"\r\n").endswith(_END_OF_FILE):
            self._buffer = self._buffer.rstrip(b"\r\n\x1a")
            self.notes.append("a Ctrl-Z at the file's end, as old programs write it, left out")

    def _lengthen(self) -> None:
        """Read more, since the buffer holds no whole record.

        Raises: InputError: a record is longer than any table's.
        """
        if len(self._buffer) > RECORD_MAX_BYTES:
            raise InputError(
                f"{self._source.name}, row {self._next_row}: the row is longer than {RECORD_MAX_BYTES >> 20} MiB",
                found="no line end",
                fix="check that this is the right file",
            )
        self._fill(len(self._buffer) * 2)

    def _check_utf8(self, data: bytes, first_row: int, final: bool = True) -> None:
        broken = check_utf8(data, final)
        if broken is not None:
            row = first_row + _line_ends(data[: broken[0]])
            raise undecodable(self._source.name, self._text.encoding, row, broken[1])


def _line_ends(data: bytes) -> int:
    """Records that end in the data, by RFC 4180's quotation marks."""
    count = 0
    inside = False
    for part in data.split(b'"'):
        if not inside:
            count += part.count(b"\n") + part.count(b"\r") - part.count(b"\r\n")
        inside = not inside
    return count


def _pick(fields: list[str], kept: Sequence[int]) -> tuple[str, ...]:
    if len(kept) == 1:
        return (fields[kept[0]],)
    picked: tuple[str, ...] = itemgetter(*kept)(fields)
    return picked


def _named(delimiter: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar (|)"}.get(delimiter, repr(delimiter))

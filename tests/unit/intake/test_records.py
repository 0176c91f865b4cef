"""Blocks that pandas reads are those on which every parser agrees; where records end does not depend on the blocks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.errors import DispatcherError
from dispatcher.intake import delimited, tables
from dispatcher.intake.blocks import regular_prefix
from dispatcher.intake.delimited import DelimitedTable
from dispatcher.intake.sources import Source
from dispatcher.intake.tables import parse_block

#: What makes trouble, and a little that does not.
PIECES = st.sampled_from(
    [
        "a",
        "bb",
        '"',
        '""',
        ",",
        ",",
        ",",
        "\n",
        "\n",
        "\r\n",
        "\r",
        "é",
        " ",
        '"x"',
        ',"y,z",',
        '"q""q"',
        "\0",
        "\u2028",
    ]
)
CELLS = st.text(st.sampled_from('ab,"\n\r é\u2028;'), max_size=5)


def prefix_rows(text: str, width: int) -> list[tuple[str, ...]]:
    data = text.encode()
    prefix = regular_prefix(data, ord(","), width, final=True)
    if not prefix.records:
        return []
    chunk = parse_block(data[: prefix.end], ",", width, None, range(prefix.records))
    return list(zip(*map(chunk.column, range(width)), strict=True))


def table_rows(path: Path, data: bytes, block: int) -> list[tuple[int, Sequence[str], str | None]]:
    """Every row with its number and what is wrong with it, read in blocks of so many bytes."""
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "CHUNK_BYTES", block)
        patch.setattr(delimited, "_SNIFF_BYTES", block)
        table = DelimitedTable(Source(str(path)), delimiter=",", encoding=None, quoted_max_bytes=10**6)
        rows: list[tuple[int, Sequence[str], str | None]] = []
        for chunk in table.chunks(None):
            cells, _ = chunk.encode(len(table.header))
            columns = zip(*map(chunk.column, range(len(table.header))), strict=True)
            for position, (number, row) in enumerate(zip(chunk.row_numbers, columns, strict=True)):
                assert orjson.loads(cells[position]) == list(row)
                problem = chunk.malformed.get(position)
                rows.append((number, row, f"{problem.sentence}: {problem.text}" if problem else None))
        table.close()
    return rows


@given(st.lists(PIECES, max_size=40).map("".join), st.integers(1, 4))
@example('a,"b\nc,"d",e\n', 3)
@example('"a""b",c\r\n"d\r\ne",f\r', 2)
@example("a,b\0c\nd,e\n", 2)
@example('""\n""', 1)
def test_pandas_reads_what_strict_csv_reads(text: str, width: int) -> None:
    """Where pandas reads, the standard library's strict csv reads the same."""
    rows = prefix_rows(text, width)
    strict = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert [next(strict) for _ in rows] == [list(row) for row in rows]
    assert all(len(row) == width for row in rows)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_the_rows_are_the_same_whatever_the_blocks(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Rows, their numbers and what is wrong with them do not depend on the size of the blocks."""
    path = tmp_path_factory.getbasetemp() / "blocks.csv"
    data = ("h1,h2,h3\n" + text).encode()
    assert table_rows(path, data, 1 << 20) == table_rows(path, data, 11) == table_rows(path, data, 3)


@given(
    st.integers(2, 4).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=8)),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_what_a_writer_quotes_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], line_end: str, last_line_ends: bool
) -> None:
    """Cells that csv.writer has quoted are read back exactly, whatever the line ends and the blocks."""
    path = tmp_path_factory.getbasetemp() / "back.csv"
    header = [f"h{number}" for number in range(len(rows[0]))]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    text = file.getvalue() if last_line_ends else file.getvalue().removesuffix(line_end)
    expected = [(number, row, None) for number, row in enumerate(rows, 2)]
    assert table_rows(path, text.encode(), 1 << 20) == expected
    assert table_rows(path, text.encode(), 13) == expected


def test_a_regular_block_is_taken_whole() -> None:
    """All complete records of a regular block are taken, and the one that it cuts off is left."""
    prefix = regular_prefix(b"a,b\r\nc,d\r\ne,", ord(","), 2, final=False)
    assert (prefix.end, prefix.records, prefix.rest_is_cut) == (10, 2, True)


@pytest.mark.parametrize(
    ("rest", "cut"),
    [(b"e\n", False), (b"e,f,g\n", False), (b'e"x,f\n', False), (b'"e\n', True), (b"e,f\r", True), (b"", True)],
)
def test_the_prefix_ends_before_irregular_records(rest: bytes, cut: bool) -> None:
    """The prefix ends before what is irregular or cut off, and tells the one from the other."""
    prefix = regular_prefix(b"a,b\nc,d\n" + rest, ord(","), 2, final=False)
    assert (prefix.end, prefix.records, prefix.rest_is_cut) == (8, 2, cut)


def test_a_pandas_that_makes_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pandas that would read numbers out of text is refused."""
    tables._check_pandas.cache_clear()
    monkeypatch.setattr(tables, "_ARROW_OPTIONS", {**tables._ARROW_OPTIONS, "dtype": None})
    with pytest.raises(DispatcherError, match="cannot read text as it is written"):
        parse_block(b"+1555,a\n", ",", 2, None, range(1))
    tables._check_pandas.cache_clear()


@pytest.mark.parametrize("size", [1 << 19, (1 << 20) - 1, 1 << 20, 3 << 20])
def test_a_block_of_any_size_is_read_whole(size: int) -> None:
    """A block of any size is read whole, line ends in cells included.

    pyarrow works in blocks of a mebibyte, and would cut larger ones inside quotation marks.
    """
    row = b'"a\nb\r\nc",d\n'
    count = size // len(row)
    chunk = parse_block(row * count, ",", 2, None, range(count))
    assert set(zip(chunk.column(0), chunk.column(1), strict=True)) == {("a\nb\r\nc", "d")}


@pytest.mark.parametrize("count", [2, 40_000])
def test_a_mark_that_begins_a_block_is_kept(count: int) -> None:
    """An invisible mark that begins a block is its first cell's.

    A block may begin anywhere in a file. Both of pandas' readers take a byte-order mark there for the file's own.
    """
    row = "\ufeffa,+1202555000000,\ufeffb\n".encode()
    chunk = parse_block(row * count, ",", 3, None, range(count))
    assert set(chunk.column(0)) == {"\ufeffa"}
    assert set(chunk.column(2)) == {"\ufeffb"}

"""Whatever bytes a text file holds: rows, or an error with a sentence; nothing else is ever raised."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import DispatcherError
from dispatcher.intake import open_input
from tests.unit.intake.reading import options

SEEDS = {
    "a.csv": b'phone,a,"b"\n+12025550101,x,"y\nz"\n"0151 1234567/8","],[","="\n',
    "a.jsonl": b'{"phone":"+12025550101","v":[1,{"a":null}]}\n{"phone":"x","v":1e400}\n',
    "a.tsv": "phone\tname\n+12025550101\tZoë\n".encode("utf-16"),
}
PIECES = [
    *(b'"', b"\n", b",", b";", b"\t", b"|", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\x1a", b"'", b"/"),
    *(b"[[", b'{"phone":', b'="', b"\\ud800", b"9" * 30, b"sep=;\n", b"tel:+", b"(0)", b"00", b"+49", b"\\N"),
]
CHANGES = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(PIECES) | st.binary(min_size=1, max_size=2), st.integers(0, 3)),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(SEEDS)), changes=CHANGES)
def test_any_bytes_are_rows_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[int, bytes, int]]
) -> None:
    """Files that work, with pieces put in and taken out."""
    data = SEEDS[name]
    for at, piece, taken in changes:
        data = data[:at] + piece + data[at + taken :]
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    with contextlib.suppress(DispatcherError), open_input(path, options()) as opened:
        rows = sum(len(batch.row_numbers) for batch in opened.batches())
        assert rows
        assert all(note.isprintable() for note in opened.notes)


def test_the_seeds_are_read(tmp_path: Path) -> None:
    """Without a change each of them has rows: the test above begins with what works."""
    for name, data in SEEDS.items():
        (tmp_path / name).write_bytes(data)
        with open_input(tmp_path / name, options()) as opened:
            assert list(opened.batches())

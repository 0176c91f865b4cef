"""Whatever bytes a file holds: rows, or an error with a sentence, and in time; nothing else is ever raised."""

from __future__ import annotations

import contextlib
import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from dispatcher.errors import DispatcherError
from dispatcher.intake import open_input
from dispatcher.intake.child import SILENT_MAX_S
from tests.chaos.seeds import drawn
from tests.data.make_corpus import FOLDER
from tests.unit.intake.reading import options

LONG_S = 120.0
#: A refusal of any file comes before it: what reads has less.
REFUSED_WITHIN_S = SILENT_MAX_S + 15

TEXTS = {
    "a.csv": b'phone,a,"b"\n+12025550101,x,"y\nz"\n"0151 1234567/8","],[","="\n',
    "a.jsonl": b'{"phone":"+12025550101","v":[1,{"a":null}]}\n{"phone":"x","v":1e400}\n',
    "a.tsv": "phone\tname\n+12025550101\tZo\u00eb\n".encode("utf-16"),
}
BOOKS = ("plain", "dates", "durations", "errors", "formula-with-result", "merged", "numbers", "postcodes", "prefixed")
PARQUETS = ("plain", "decimals", "nested", "old-timestamps", "phones-as-integers", "zones")
OTHERS = [f"{name}.xlsx" for name in BOOKS] + [f"{name}.parquet" for name in PARQUETS]

PIECES = [
    *(b'"', b"\n", b",", b";", b"\t", b"|", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\x1a", b"'", b"/"),
    *(b"[[", b'{"phone":', b'="', b"\\ud800", b"9" * 30, b"sep=;\n", b"tel:+", b"(0)", b"00", b"+49", b"\\N"),
]
TAGS = [
    *(b"<", b">", b"</v>", b"</row>", b"<row>", b'<row r="1048576">', b'<c r="XFD2">', b'<c t="s">', b"<f>1+1</f>"),
    *(b"<v>", b"<is><t>", b"<x:", b"&#0;", b"&amp", b"&lol;", b"<!DOCTYPE a>", b"<![CDATA[", b"-1", b"1e400", b"NaN"),
    *(b' t="e"', b' t="d"', b' s="99"', b' r="A0"', b' hidden="1"', b' ref="A1:XFD1048576"', b"9" * 30, b"_x0000_"),
]


class Change(NamedTuple):
    """At the place, a share of the file in millionths: so many bytes taken out, and this put in."""

    at: int
    piece: bytes
    taken: int

    def made(self, data: bytes) -> bytes:
        at = len(data) * self.at // 1_000_000
        return data[:at] + self.piece + data[at + self.taken :]


def changes(pieces: list[bytes]) -> st.SearchStrategy[list[Change]]:
    piece = st.sampled_from(pieces) | st.binary(min_size=1, max_size=2)
    # As much is taken out as is put in where whatever follows stays in its place: offsets and lengths hold.
    change = st.builds(
        lambda at, piece, taken: Change(at, piece, len(piece) if taken is None else taken),
        st.integers(0, 1_000_000),
        piece,
        st.none() | st.integers(0, 3),
    )
    return st.lists(change, min_size=1, max_size=8)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, bytes]:
    """A text that can be read, changed."""
    name = draw(st.sampled_from(sorted(TEXTS)))
    return name, _changed(TEXTS[name], draw(changes(PIECES)))


@st.composite
def containers(draw: st.DrawFn) -> tuple[str, bytes]:
    """A workbook or Parquet file that can be read, changed; of a workbook mostly a part of it, packed again."""
    name = draw(st.sampled_from(OTHERS))
    data = (FOLDER / name).read_bytes()
    if not name.endswith(".xlsx") or draw(st.integers(0, 4)) == 0:
        return name, _changed(data, draw(changes(PIECES)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    part = draw(st.sampled_from([entry for entry in parts if "sheet" in entry] * 3 + list(parts)))
    parts[part] = _changed(parts[part], draw(changes(TAGS)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for entry, content in parts.items():
            archive.writestr(entry, content)
    return name, packed.getvalue()


def _changed(data: bytes, changes: list[Change]) -> bytes:
    for change in changes:
        data = change.made(data)
    return data


def check(folder: Path, name: str, data: bytes) -> None:
    """It is read, or refused with a sentence, and in time."""
    path = folder / name
    path.write_bytes(data)
    begun_s = time.monotonic()
    with contextlib.suppress(DispatcherError), open_input(path, options()) as opened:
        rows = sum(len(batch.row_numbers) for batch in opened.batches())
        assert rows
        assert all(note.isprintable() for note in opened.notes)
    assert time.monotonic() - begun_s < REFUSED_WITHIN_S


@settings(max_examples=200, deadline=None)
@given(file=texts())
def test_any_bytes_are_rows_or_an_error(tmp_path_factory: pytest.TempPathFactory, file: tuple[str, bytes]) -> None:
    """Text files that work, with pieces put in and taken out."""
    check(tmp_path_factory.getbasetemp(), *file)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(file=containers())
def test_any_workbook_and_parquet_file(tmp_path_factory: pytest.TempPathFactory, file: tuple[str, bytes]) -> None:
    """So are workbooks and Parquet files, and parts of them."""
    check(tmp_path_factory.getbasetemp(), *file)


@pytest.mark.chaos
def test_two_minutes_of_any_bytes(tmp_path: Path) -> None:
    """The long form: all kinds of files, each time others."""
    for number in _until(LONG_S):

        @seed(number)
        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(file=texts() | containers())
        def read(file: tuple[str, bytes]) -> None:
            check(tmp_path, *file)

        read()


def _until(seconds: float) -> Iterator[int]:
    end_s, number = time.monotonic() + seconds, drawn()
    while time.monotonic() < end_s:
        yield number
        number += 1


@pytest.mark.parametrize("name", [*TEXTS, *OTHERS])
def test_the_seeds_are_read(tmp_path: Path, name: str) -> None:
    """Without a change each of them has rows: the tests above begin with what works."""
    path = tmp_path / name
    path.write_bytes(TEXTS[name] if name in TEXTS else (FOLDER / name).read_bytes())
    with open_input(path, options()) as opened:
        assert list(opened.batches())

"""The readers' children: what a file may cost them."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dispatcher.errors import InputError
from dispatcher.intake import child, tables, workbook
from dispatcher.intake.child import Child
from tests.support.sheets import book
from tests.unit.intake.reading import ANN, read

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="bounds of a process are POSIX's")


def _endless(_module: str, *_arguments: str) -> Child:
    return Child("tests.support.endless_reader", "1")


@pytest.mark.parametrize(("room", "name"), [(workbook, "a.xlsx"), (tables, "a.parquet")])
def test_a_file_that_takes_for_ever_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: object, name: str
) -> None:
    """A reader that works without having anything to say is ended, and the file is named with a way out."""
    monkeypatch.setattr(room, "Child", _endless)
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04" if name == "a.xlsx" else b"PAR1")
    began = time.monotonic()
    with pytest.raises(InputError, match=r"a\.\w+ cannot be read: it takes too long") as caught:
        read(path)
    assert "CSV" in str(caught.value.fix)
    assert time.monotonic() - began < 30


def test_limits_of_whoever_started_it_are_kept(tmp_path: Path) -> None:
    """A shell or a service may allow less: the file is read all the same."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"phone": [ANN]}), path)
    limited = (
        "import resource as r, sys; r.setrlimit(r.RLIMIT_CPU, (20, 20)); r.setrlimit(r.RLIMIT_AS, (3 << 30, 3 << 30))"
    )
    program = f"{limited}; from tests.unit.intake.reading import read; print(read(sys.argv[1]).to)"
    found = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert (found.stdout.strip(), found.returncode) == (f"[{ANN!r}]", 0), found.stderr


def test_only_the_child_is_bounded() -> None:
    """Who reads with its functions and is none keeps its own limits: it would die a minute of work later, anywhere."""
    before = resource.getrlimit(resource.RLIMIT_CPU)
    try:
        child.go_on()
        assert resource.getrlimit(resource.RLIMIT_CPU) == before
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, before)


def test_a_refusal_comes_within_a_minute() -> None:
    """What is promised of every file."""
    assert child.SILENT_MAX_S < 60


#: Reads a file, and prints why not, and the largest child's peak memory.
PEAK = """
import resource, sys
from dispatcher.errors import InputError
from tests.unit.intake.reading import read
try:
    read(sys.argv[1])
except InputError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize("kind", ["one text for each row", "long texts", "a long cell"])
def test_a_few_bytes_do_not_fill_the_memory(tmp_path: Path, kind: str) -> None:
    """A small file that stands for gigabytes is refused for what it is, before it takes them."""
    rows, path = 100_000, tmp_path / "a.parquet"
    if kind == "one text for each row":
        texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 1_000_000])
        pq.write_table(pa.table({"phone": [ANN] * rows, "a": texts}), path, compression="zstd")
    elif kind == "long texts":
        columns = {"phone": [ANN] * 200, "a": ["x" * 5_000_000] * 200}
        pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=False)
    else:
        # Less than 400:1, which is refused before.
        noise = random.Random(1).randbytes(200_000).hex()
        cell = '<c r="A1" t="inlineStr"><is><t>phone</t></is></c>'
        path = book(
            tmp_path / "a.xlsx", f'<row r="1">{cell}</row><row r="2"><c r="A2"><v>{noise}{"x" * 10**8}</v></c></row>'
        )
    found = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=False)
    said, _, kib = found.stdout.strip().rpartition("\n")
    assert "needs too much memory" in said, found
    # Beside it whoever reads has some 130 MiB: 400 in all.
    assert int(kib) < 270 << (20 if sys.platform == "darwin" else 10)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts towards the limit what is not in use yet")
def test_what_libraries_take_is_not_the_file_s(tmp_path: Path) -> None:
    """On a machine with many processors they take gigabytes of address space before anything is read."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK")
    program = (
        "import mmap, pathlib, sys\nfrom dispatcher.intake import child\n"
        "libraries = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE)\nchild.bound(pathlib.Path(sys.argv[1]))\n"
        "half = mmap.mmap(-1, child.FILLED_MAX_BYTES // 2, flags=mmap.MAP_PRIVATE)\nprint('half')\n"
        "mmap.mmap(-1, child.FILLED_MAX_BYTES, flags=mmap.MAP_PRIVATE)"
    )
    found = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert found.stdout == "half\n", found.stderr
    assert found.returncode == 1
    assert "Cannot allocate memory" in found.stderr

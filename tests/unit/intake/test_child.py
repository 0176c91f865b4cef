"""The readers' children: what a file may cost them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from dispatcher.errors import InputError
from dispatcher.intake import child, tables, workbook
from dispatcher.intake.child import Child
from tests.unit.intake.reading import read

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


def test_a_refusal_comes_within_a_minute() -> None:
    """What is promised of every file."""
    assert child.SILENT_MAX_S < 60

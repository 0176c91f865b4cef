"""Copies that killed programs left in the system's temporary folder are removed, and nothing else ever is."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from dispatcher.ledger import open_ledger, open_rehearsal
from dispatcher.ledger.sqlite.leftovers import LEFT_OVER_S, remove_leftovers
from dispatcher.settings import StateSettings

LONG_AGO_S = time.time() - LEFT_OVER_S - 60


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def left(folder: Path, name: str, *files: str, at_s: float = LONG_AGO_S) -> Path:
    """A folder with such files."""
    path = folder / name
    path.mkdir(mode=0o700)
    for file in files:
        (path / file).write_bytes(b"+14155550100")
        os.utime(path / file, (at_s, at_s))
    return path


def test_an_earlier_version_s_copies_go(temporary: Path) -> None:
    """A ledger copied for a check or a dry run, and a file read from standard input: whole lists of contacts."""
    for name, files in (
        ("dispatcher-ab12_x9z", ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm")),
        ("dispatcher-00000000", ("ledger.sqlite3",)),
        ("dispatcher-zzzzzzzz", ("input",)),
    ):
        left(temporary, name, *files)
    remove_leftovers()
    assert list(temporary.iterdir()) == []


def test_what_may_be_in_use_or_another_s_stays(temporary: Path, tmp_path: Path) -> None:
    """One that was written to lately, other names, other contents, links: nothing of them is touched."""
    precious = left(tmp_path, "precious", "ledger.sqlite3")
    kept = [
        left(temporary, "dispatcher-ab12_x9a", "ledger.sqlite3", at_s=time.time()),
        left(temporary, "dispatcher-ab12_x9b", "ledger.sqlite3", "notes.txt"),
        left(temporary, "dispatcher-ab12_x9c"),
        left(temporary, "dispatcher-demo-ab12_x9", "ledger.sqlite3"),
        left(temporary, "my-dispatcher-ab12_x9d", "ledger.sqlite3"),
        temporary / "dispatcher-ab12_x9e",
        temporary / "dispatcher-ab12_x9f",
    ]
    kept[-2].symlink_to(precious)
    kept[-1].write_bytes(b"a file")
    remove_leftovers()
    assert sorted(temporary.iterdir()) == sorted(kept)
    assert (precious / "ledger.sqlite3").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_another_user_s_stays(temporary: Path) -> None:
    """Root, too, removes only its own."""
    folder = left(temporary, "dispatcher-ab12_x9a", "ledger.sqlite3")
    os.chown(folder, 12345, 12345)
    remove_leftovers()
    assert folder.exists()


async def test_every_opening_cleans(temporary: Path) -> None:
    """Whoever opens a ledger next removes them: nobody has to know of them."""
    for opening in (open_ledger, open_rehearsal):
        folder = left(temporary, "dispatcher-ab12_x9a", "ledger.sqlite3")
        arguments = ("spring",) if opening is open_rehearsal else ()
        await (await opening(StateSettings(dir="state"), *arguments)).close()
        assert not folder.exists()


def test_a_folder_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with the temporary folder is not this program's business here."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    remove_leftovers()

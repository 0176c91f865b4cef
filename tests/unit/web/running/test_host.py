"""Which host this is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dispatcher.web.running import host
from dispatcher.web.running.host import host_id


def test_a_copied_folder_is_another_host(tmp_path: Path) -> None:
    """The folder itself stays the same host, also under another name."""
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "web.sqlite3").write_bytes(b"x")
    before = host_id(folder)
    (folder / "ledger.sqlite3").write_bytes(b"y")
    assert host_id(folder) == before
    shutil.copytree(folder, tmp_path / "copy")
    assert host_id(tmp_path / "copy") != before
    assert host_id(folder.rename(tmp_path / "moved")) == before


def test_another_machine_is_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the machine's own number, which is not in the name."""
    numbers = [tmp_path / "gone", tmp_path / "machine-id"]
    numbers[1].write_text("1" * 32 + "\n", encoding="ascii")
    monkeypatch.setattr(host, "MACHINE_IDS", numbers)
    first = host_id(tmp_path)
    assert "1" * 32 not in first
    numbers[1].write_text("2" * 32 + "\n", encoding="ascii")
    assert host_id(tmp_path) != first

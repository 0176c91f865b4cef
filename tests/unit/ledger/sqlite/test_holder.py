"""Who holds the ledger's file: what is said is the program that is in the way, not a guess."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.ledger.sqlite import holder as module
from dispatcher.ledger.sqlite import ledger as sqlite_ledger
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.holder import holder
from tests.support.ledgers import campaign, opened

HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""

needs_locks = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="this system does not tell")


def hold(path: Path) -> subprocess.Popen[str]:
    """Another program that keeps the ledger locked until its stdin ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], text=True, **pipes)  # type: ignore[call-overload]
    assert process.stdout.readline() == "held\n"
    return process  # type: ignore[no-any-return]


@needs_locks
async def test_the_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name and number; while nobody holds it, nobody is named. Said once it has kept a write waiting."""
    monkeypatch.setattr(sqlite_ledger, "BLOCKED_TOLD_S", 0.2)
    ledger = await opened(tmp_path)
    await campaign(ledger)
    path = tmp_path / FILE_NAME
    assert holder(path) is None
    process = hold(path)
    try:
        assert str(process.pid) in str(holder(path))
        assert "python" in str(holder(path))
        assert ledger.blocked_by() is None  # nothing was to be written yet
        writing = asyncio.create_task(campaign(ledger, "summer"))
        await asyncio.sleep(0.5)
        assert ledger.blocked_by() == holder(path)
    finally:
        process.communicate()
    await writing
    assert ledger.blocked_by() is None
    assert holder(path) is None
    await ledger.close()


def test_only_another_s_write_lock_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers, other files, waiting processes and this process are not who is in the way."""
    path = tmp_path / FILE_NAME
    path.touch()
    found = path.stat()
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    lines = [
        f"1: POSIX  ADVISORY  READ 11 {place} 124 124",
        "2: POSIX  ADVISORY  WRITE 12 00:01:99 120 120",
        f"2: -> POSIX  ADVISORY  WRITE 13 {place} 120 120",
        f"3: POSIX  ADVISORY  WRITE {os.getpid()} {place} 120 120",
        f"4: OFDLCK ADVISORY  WRITE -1 {place} 120 120",
        "5: nonsense",
    ]
    locks = tmp_path / "locks"
    monkeypatch.setattr(module, "LOCKS", locks)
    assert holder(path) is None
    locks.write_text("\n".join(lines), encoding="ascii")
    assert holder(path) is None
    locks.write_text("\n".join([*lines, f"6: POSIX  ADVISORY  WRITE 4000000000 {place} 120 120"]), encoding="ascii")
    assert holder(path) == "process 4000000000"

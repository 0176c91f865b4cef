"""A backup is a whole ledger of one moment; a ledger that moves leaves nothing to go on with where it was."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from dispatcher.errors import AccountLocked, LedgerCorrupt, UsageError
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.copies import MOVED_NAME, back_up, move
from tests.support.ledgers import account, campaign, flaws, lines, opened, planned, raw


async def filled(folder: Path, rows: int = 50) -> Path:
    """A ledger with a campaign."""
    ledger = await opened(folder)
    await planned(ledger, await campaign(ledger), lines(*(f"+1415200{n:04d}" for n in range(rows))))
    await ledger.close()
    return folder


def names_in(folder: Path) -> set[str]:
    """The files of a folder but locks."""
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def rows_in(path: Path) -> int:
    with raw(path) as db:
        count: int = db.execute("SELECT count(*) FROM rows").fetchone()[0]
    return count


async def test_a_backup_of_a_ledger_in_use(tmp_path: Path) -> None:
    """What is committed and only in the log is in the copy; the copy opens as a ledger; only its owner may read it."""
    folder = tmp_path / "state"
    ledger = await opened(folder)
    record = await campaign(ledger)
    await planned(ledger, record, lines("+14152000001"))
    target = tmp_path / "copy.sqlite3"
    assert back_up(folder, target) == folder / FILE_NAME
    await planned(ledger, record, lines("+14152000002", "+14152000003"))
    await ledger.close()
    assert flaws(target) == []
    assert rows_in(target) == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names_in(tmp_path) == {"state", "copy.sqlite3"}


async def test_a_backup_while_another_writes(tmp_path: Path) -> None:
    """Each copy made beside a writer is sound, and none of them waits for a pause of the writer's."""
    folder = await filled(tmp_path / "state")
    done = threading.Event()

    def write() -> None:
        with raw(folder / FILE_NAME) as db:
            db.execute("PRAGMA busy_timeout = 5000")
            while not done.is_set():
                db.execute("BEGIN IMMEDIATE")
                db.execute("UPDATE campaigns SET report_path = hex(randomblob(2000))")
                db.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(10):
            target = tmp_path / f"copy-{number}"
            back_up(folder, target)
            assert flaws(target) == []
    finally:
        done.set()
        writer.join()


async def test_a_backup_replaces_nothing_unasked(tmp_path: Path) -> None:
    """A file of that name stays as it is, but where it is told to be replaced; the ledger itself always."""
    folder = await filled(tmp_path / "state")
    target = tmp_path / "contacts.csv"
    target.write_text("precious", encoding="utf-8")
    with pytest.raises(UsageError, match="there is a file of that name"):
        back_up(folder, target)
    assert target.read_text(encoding="utf-8") == "precious"
    back_up(folder, target, overwrite=True)
    assert flaws(target) == []
    with pytest.raises(UsageError, match="own place"):
        back_up(folder, folder / FILE_NAME, overwrite=True)
    with pytest.raises(UsageError, match="no ledger"):
        back_up(tmp_path, tmp_path / "x")


async def test_a_damaged_ledger_is_not_called_a_backup(tmp_path: Path) -> None:
    """The copy would be damaged, too, and take a sound one's place."""
    folder = await filled(tmp_path / "state", rows=2000)
    path = folder / FILE_NAME
    data = bytearray(path.read_bytes())
    data[8192:20480] = b"\xa5" * 12288
    path.write_bytes(data)
    target = tmp_path / "copy"
    target.write_bytes(b"the copy of yesterday")
    with pytest.raises(LedgerCorrupt):
        back_up(folder, target, overwrite=True)
    assert target.read_bytes() == b"the copy of yesterday"
    assert names_in(tmp_path) == {"state", "copy"}


async def test_a_ledger_that_moves(tmp_path: Path) -> None:
    """It is whole where it went, and where it was nobody finds one; the old file is kept under another name."""
    folder = await filled(tmp_path / "old")
    target = move(folder, tmp_path / "home" / "new")
    assert target == tmp_path / "home" / "new" / FILE_NAME
    assert flaws(target) == []
    assert rows_in(target) == 50
    assert names_in(folder) == {MOVED_NAME}
    assert names_in(target.parent) == {FILE_NAME}
    with pytest.raises(UsageError, match="no ledger"):
        move(folder, tmp_path / "elsewhere")


async def test_two_ledgers_are_never_made_one(tmp_path: Path) -> None:
    """Where one is already, both stay as they are."""
    old, new = await filled(tmp_path / "old"), await filled(tmp_path / "new", rows=3)
    with pytest.raises(UsageError, match="two cannot be made one"):
        move(old, new)
    assert (rows_in(old / FILE_NAME), rows_in(new / FILE_NAME)) == (50, 3)


async def test_a_ledger_in_use_does_not_move(tmp_path: Path) -> None:
    """A process that sends would go on writing to the file that was left behind."""
    folder = await filled(tmp_path / "old")
    ledger = await opened(folder)
    async with ledger.lease(await account(ledger), wait=False):
        with pytest.raises(AccountLocked):
            move(folder, tmp_path / "new")
    await ledger.close()
    assert (folder / FILE_NAME).exists()
    assert not (tmp_path / "new" / FILE_NAME).exists()
    move(folder, tmp_path / "new")

"""What a ledger was before it was upgraded is kept beside it, for some days, and for nobody else."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.errors import LedgerFull, LedgerTooNew
from dispatcher.ledger.sqlite import connection, upgraded
from dispatcher.ledger.sqlite.connection import FILE_NAME, SCHEMA_VERSION
from tests.support.ledgers import flaws, opened, raw

OLD = Path(__file__).parents[3] / "data" / "ledger-v3.sqlite3"
COPY = f"before-upgrade-3-{FILE_NAME}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder with a ledger of version 3."""
    shutil.copyfile(OLD, tmp_path / FILE_NAME)
    return tmp_path


@contextlib.contextmanager
def as_it_was() -> Iterator[sqlite3.Connection]:
    """The old file, to look into: nothing is put beside it."""
    with contextlib.closing(sqlite3.connect(f"{OLD.as_uri()}?immutable=1", uri=True)) as db:
        yield db


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def test_the_old_ledger_is_kept(folder: Path) -> None:
    """Whole, readable by its owner alone; a new ledger has none, and an upgraded one makes no second."""
    await (await opened(folder)).close()
    with raw(folder / COPY) as db, as_it_was() as old:
        assert list(db.iterdump()) == list(old.iterdump())
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
    assert stat.S_IMODE((folder / COPY).stat().st_mode) == 0o600
    before = (folder / COPY).stat()
    await (await opened(folder)).close()
    assert (folder / COPY).stat().st_mtime_ns == before.st_mtime_ns
    assert names(folder) == {FILE_NAME, COPY}
    await (await opened(folder / "new")).close()
    assert names(folder / "new") == {FILE_NAME}


@pytest.mark.parametrize(("age_s", "stays"), [(6.9 * 86_400, True), (7.1 * 86_400, False), (-8 * 86_400, False)])
async def test_it_goes_after_seven_days(folder: Path, age_s: float, stays: bool) -> None:
    """By whoever opens the ledger then; a clock that was set back does not keep it for ever."""
    await (await opened(folder)).close()
    then = time.time() - age_s
    os.utime(folder / COPY, (then, then))
    part = folder / f"{COPY}.part"
    part.write_bytes(b"what a killed upgrade left")
    os.utime(part, (then, then))
    await (await opened(folder)).close()
    assert ((folder / COPY).exists(), part.exists()) == (stays, stays)


def test_a_copy_that_does_not_fit_stops_the_upgrade(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old ledger stays as it was, whole, and nothing lies beside it."""

    def full(path: Path, version: int) -> None:
        upgraded.keep_copy(path, version)
        raise LedgerFull(found=os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(connection, "keep_copy", full)
        with pytest.raises(LedgerFull):
            connection.connect(folder / FILE_NAME)
    with raw(folder / FILE_NAME) as db, as_it_was() as old:
        assert list(db.iterdump()) == list(old.iterdump())
    connection.connect(folder / FILE_NAME).close()
    assert flaws(folder / FILE_NAME) == []


async def test_a_newer_ledger_names_its_program(tmp_path: Path) -> None:
    """Whoever cannot read it is told which version can."""
    await (await opened(tmp_path)).close()
    with raw(tmp_path / FILE_NAME) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        db.execute("UPDATE program SET version = '7.8.9'")
    with pytest.raises(LedgerTooNew) as refused:
        await opened(tmp_path)
    assert "upgrade dispatcher to 7.8.9 or newer" in repr(refused.value.fix)
    with raw(tmp_path / FILE_NAME) as db:
        db.execute("DROP TABLE program")
    with pytest.raises(LedgerTooNew):
        await opened(tmp_path)


async def test_an_upgraded_ledger_names_this_program(folder: Path) -> None:
    """Once, whatever it was before."""
    await (await opened(folder)).close()
    with raw(folder / FILE_NAME) as db, as_it_was() as old:
        assert len(db.execute("SELECT version FROM program").fetchall()) == 1
        with pytest.raises(sqlite3.OperationalError):
            old.execute("SELECT version FROM program")

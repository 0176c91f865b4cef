"""The ledger's file and folder: made for this user alone, durable, and refused where something is wrong with them."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dispatcher import clock
from dispatcher.errors import CampaignNotFound, LedgerCorrupt, LedgerError, LedgerGone, LedgerUnwritable
from dispatcher.ledger import check_ledger
from dispatcher.ledger.db import Db
from dispatcher.ledger.sqlite import connection
from dispatcher.ledger.sqlite.connection import APPLICATION_ID, FILE_NAME
from dispatcher.ledger.sqlite.db import SqliteDb
from dispatcher.ledger.sqlite.ledger import SqliteLedger, SqliteRehearsal
from dispatcher.model import RowState
from dispatcher.remedies import Advice
from dispatcher.settings import StateSettings
from tests.support.ledgers import NONE, campaign, flaws, lines, opened, planned, raw, report


async def test_files_are_for_this_user_alone(tmp_path: Path) -> None:
    """The folder and the file are for this user alone."""
    folder = tmp_path / "deep" / "state"
    ledger = SqliteLedger.open(folder)
    await campaign(ledger)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    await ledger.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes.keys() == {FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"}
    assert set(modes.values()) == {0o600}


async def test_the_connection_is_durable(tmp_path: Path) -> None:
    """What is committed survives a power cut: the tests of tests/chaos rest on these settings."""
    ledger = SqliteLedger.open(tmp_path)

    def pragmas(db: Db) -> list[object]:
        assert isinstance(db, SqliteDb)
        names = ("journal_mode", "synchronous", "fullfsync", "foreign_keys", "wal_autocheckpoint")
        return [db.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await ledger._writer.read(pragmas) == ["wal", 3, 1, 1, 1000]
    await ledger.close()


async def test_a_path_may_have_any_characters(tmp_path: Path) -> None:
    """A path may have any characters."""
    folder = tmp_path / "50 % ?off#1 é"
    ledger = SqliteLedger.open(folder)
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a"))
    assert len(await report(ledger, counts.input_id)) == 1
    await ledger.close()
    rehearsal = SqliteRehearsal.open(folder, "spring")
    assert len(await report(rehearsal, counts.input_id)) == 1
    await rehearsal.close()


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    """Without create a missing ledger is said and not made."""
    with pytest.raises(CampaignNotFound, match="there is no ledger yet"):
        SqliteLedger.open(tmp_path / "state", create=False)
    assert not (tmp_path / "state").exists()


async def test_an_empty_file_is_a_new_ledger(tmp_path: Path) -> None:
    """A process was killed between making the file and its first page."""
    (tmp_path / FILE_NAME).touch()
    ledger = SqliteLedger.open(tmp_path)
    await planned(ledger, await campaign(ledger), lines("a"))
    await ledger.close()
    with raw(ledger.path) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


async def test_an_empty_file_beside_its_log_is_refused(tmp_path: Path) -> None:
    """SQLite would throw the log away, and with it who was contacted."""
    wal = tmp_path / f"{FILE_NAME}-wal"
    (tmp_path / FILE_NAME).touch()
    wal.write_bytes(b"x" * 4128)
    with pytest.raises(LedgerCorrupt, match="empty, but its write-ahead log is not"):
        SqliteLedger.open(tmp_path)
    assert wal.stat().st_size == 4128


@pytest.mark.parametrize(
    "content",
    [b"phone,name\n+15550100001,Ann\n" * 100, random.Random(1).randbytes(8192), b"SQLite format 3\0" * 300],
    ids=["a table", "noise", "a header alone"],
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is refused and left as it is."""
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(LedgerCorrupt) as caught:
        SqliteLedger.open(tmp_path)
    assert caught.value.fix
    assert (tmp_path / FILE_NAME).read_bytes() == content


@pytest.mark.parametrize("version", [0, 1])
def test_another_programs_database_is_refused(tmp_path: Path, version: int) -> None:
    """Another program's database is refused and left as it is."""
    with raw(tmp_path / FILE_NAME) as db:
        db.execute("CREATE TABLE places (url TEXT)")
        db.execute(f"PRAGMA user_version = {version}")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(LedgerCorrupt, match="another program's"):
        SqliteLedger.open(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


async def test_damage_inside_the_file_is_said_when_it_is_met(tmp_path: Path) -> None:
    """Damage inside the file is said when it is met."""
    ledger = SqliteLedger.open(tmp_path)
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(*(f"k{n}" for n in range(3000))))
    await ledger.close()
    pages = bytearray(ledger.path.read_bytes())
    pages[8 * 4096 :] = b"\xa5" * (len(pages) - 8 * 4096)
    ledger.path.write_bytes(pages)
    with pytest.raises(LedgerCorrupt) as caught:
        await _everything(tmp_path, counts.input_id)
    assert caught.value.fix
    assert caught.value.exit_code == 2


async def _everything(folder: Path, input_id: int) -> None:
    ledger = SqliteLedger.open(folder)
    try:
        spring = await ledger.find_campaign("spring")
        run = await ledger.start_run(spring, window_limit=200, now_ms=1)
        while await ledger.begin_rows(run, 100, now_ms=5, input_id=None):
            pass
        await report(ledger, input_id)
    finally:
        await ledger.close()


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    """A folder in the file's place is refused."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(LedgerUnwritable):
        SqliteLedger.open(tmp_path)


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """A file in the folder's place is refused."""
    (tmp_path / "state").touch()
    for folder in (tmp_path / "state", tmp_path / "state" / "deeper"):
        with pytest.raises(LedgerUnwritable) as caught:
            SqliteLedger.open(folder)
        assert caught.value.fix == Advice("set [state] dir to a folder you may write")


NOBODY = 65534


@pytest.mark.skipif(not hasattr(os, "setuid") or os.getuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_may_not_be_written_is_refused(root: Path, exists: bool) -> None:
    """A folder that may not be written is refused."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        if exists:
            connection.connect(connection.ledger_path(state, create=True)).close()
            (state / FILE_NAME).chmod(0o644)
        state.chmod(0o755)
        program = f"""
import os, pathlib
from dispatcher.errors import LedgerUnwritable
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.ledger.sqlite.queries import queries
queries()  # the package itself may lie where that user may not read
os.setgid({NOBODY})
os.setuid({NOBODY})
try:
    SqliteLedger.open(pathlib.Path({name!r}))
except LedgerUnwritable as error:
    print(error.code, "|", error.found)
"""
        done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("state_unwritable | "), done.stderr


def test_an_old_sqlite_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite that is too old is said."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(LedgerError, match="too old"):
        SqliteLedger.open(tmp_path)


async def test_the_log_stays_bounded(tmp_path: Path) -> None:
    """A report that is read while rows are sent keeps the log from being reused; afterwards it shrinks again."""
    ledger = SqliteLedger.open(tmp_path)
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(*(f"k{n}" for n in range(600))))
    wal = ledger.path.with_name(f"{FILE_NAME}-wal")

    async def write(times: int) -> int:
        for n in range(times):
            text = str(n % 10) * 30_000
            await ledger.set_report_path(spring, text)
        return wal.stat().st_size

    calm = await write(200)
    async with ledger.snapshot() as snapshot:
        rows = snapshot.rows(counts.input_id)
        seen = len(await anext(rows))
        grown = await write(600)
        seen += sum([len(batch) async for batch in rows])
    assert seen == 600
    after = await write(200)
    assert calm < 3 * connection.WAL_PAGES * 4096
    assert grown > connection.WAL_KEPT_BYTES
    assert after <= connection.WAL_KEPT_BYTES
    await ledger.close()


async def test_nothing_is_begun_where_the_file_is_gone(tmp_path: Path) -> None:
    """Neither a row nor a test: the next run would know nothing of it. What is known is put back as the run ends."""
    ledger = SqliteLedger.open(tmp_path)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    ledger.path.unlink()
    with pytest.raises(LedgerGone):
        await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    with pytest.raises(LedgerGone):
        await ledger.begin_test(spring.account, to_address="+15550100099", now_ms=5)
    await ledger.stop_run(run, now_ms=9, reason="gone", totals=NONE)
    assert (await ledger.status(spring)).rows[RowState.planned] == 1
    await ledger.close()
    assert flaws(tmp_path / FILE_NAME) == []


async def test_the_ledger_says_where_it_lies(tmp_path: Path) -> None:
    """In words for people: the file's path."""
    ledger = await opened(tmp_path)
    assert ledger.location == str(tmp_path / FILE_NAME)
    await ledger.close()


async def test_a_ledger_is_checked_without_being_changed(tmp_path: Path) -> None:
    """None where there is none; version, size and campaigns where it is whole; else what is wrong."""
    state = StateSettings(dir=str(tmp_path))
    assert await check_ledger(state) is None
    ledger = await opened(tmp_path)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(*(f"k{n}" for n in range(3000))))
    await ledger.close()
    found = await check_ledger(state)
    assert found is not None
    assert (found.location, found.campaigns, found.problems) == (str(tmp_path / FILE_NAME), 1, ())
    assert found.version == found.version_known == connection.SCHEMA_VERSION
    with raw(tmp_path / FILE_NAME) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rows_sending'").fetchone()
    pages = bytearray((tmp_path / FILE_NAME).read_bytes())
    pages[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    (tmp_path / FILE_NAME).write_bytes(pages)
    found = await check_ledger(state)
    assert found is not None
    assert found.problems


async def test_times_are_the_programs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens to the wall clock while the program runs, what the ledger writes by itself is of one clock."""
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    before_ms = clock.now_ms()
    ledger = await opened(tmp_path)
    await planned(ledger, await campaign(ledger), lines("a"))
    await ledger.close()
    with raw(tmp_path / FILE_NAME) as db:
        (made_ms, begun_ms, ready_ms) = db.execute(
            "SELECT created_at_ms, begun_at_ms, ready_at_ms FROM campaigns JOIN inputs USING (campaign_id)"
        ).fetchone()
    assert before_ms <= made_ms <= begun_ms <= ready_ms <= clock.now_ms()

"""A rehearsal knows one campaign, changes nothing, and leaves nothing behind, however it ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.errors import CampaignNotFound, LedgerCorrupt, LedgerTooNew
from dispatcher.ledger import Ledger, open_rehearsal
from dispatcher.ledger.sqlite.connection import FILE_NAME, SCHEMA_VERSION
from dispatcher.ledger.sqlite.ledger import SqliteRehearsal
from dispatcher.model import Outcome, RowState
from dispatcher.remedies import Advice
from dispatcher.settings import StateSettings
from tests.support.ledgers import NONE, campaign, end, flaws_of, lines, opened, planned, raw, report


async def rehearsal(folder: Path, name: str = "spring") -> Ledger:
    return await open_rehearsal(StateSettings(dir=str(folder)), name)


def query(ledger: Ledger, sql: str) -> list[tuple[object, ...]]:
    assert isinstance(ledger, SqliteRehearsal)
    connection = ledger._writer.connection
    return ledger._writer.wait(lambda db: connection.execute(sql).fetchall())


async def sent(folder: Path) -> None:
    """Two campaigns: one with a row in every way, and another."""
    ledger = await opened(folder)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b", "c", "d", "e"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    a, b, c, _ = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    ends = [end(a, Outcome.created), end(b, Outcome.rejected, code=21211), end(c, Outcome.unknown)]
    await ledger.end_rows(run, ends, now_ms=6, totals=NONE)
    await planned(ledger, await campaign(ledger, "summer"), lines(*(f"k{number}" for number in range(500))))
    await ledger.close()


async def test_a_rehearsal_goes_on_as_the_ledger_would(tmp_path: Path) -> None:
    """A rehearsal has the same rows, states and history; what is done to them stays there."""
    await sent(tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()
    ledger = await rehearsal(tmp_path)
    spring = await ledger.find_campaign("spring")
    counts = await planned(ledger, spring, lines("b", "a", "new"))
    assert (counts.new, counts.left_planned) == (1, 1)
    told = await report(ledger, counts.input_id)
    assert [row.state for row in told] == [RowState.rejected, RowState.created, RowState.planned]
    run = await ledger.start_run(spring, window_limit=200, now_ms=9)
    assert run.recovered == 1
    assert [row.row_key for row in await ledger.begin_rows(run, 9, now_ms=9, input_id=None)] == ["e", "new"]
    assert len(await ledger.unknown_rows(spring)) == 2
    assert flaws_of(lambda sql: query(ledger, sql)) == []
    await ledger.close()
    assert (tmp_path / FILE_NAME).read_bytes() == before


async def test_a_rehearsal_has_no_other_campaigns_rows(tmp_path: Path) -> None:
    """A new name has no rows at all; names are known, so that one that is nearly right is told."""
    await sent(tmp_path)
    for name, rows in (("spring", 5), ("summer", 500), ("autumn", 0)):
        ledger = await rehearsal(tmp_path, name)
        for table in ("rows", "row_keys"):
            assert query(ledger, f"SELECT count(*) FROM {table}") == [(rows,)]
        assert bool(query(ledger, "SELECT * FROM chunks")) == bool(rows)
        assert len(query(ledger, "SELECT * FROM attempts")) == (4 if name == "spring" else 0)
        await ledger.close()
    ledger = await rehearsal(tmp_path, "sprin")
    with pytest.raises(CampaignNotFound) as caught:
        await ledger.find_campaign("sprin")
    assert caught.value.fix == Advice("did you mean 'spring'?")
    await ledger.close()


async def test_without_a_ledger_a_rehearsal_is_empty(tmp_path: Path) -> None:
    """Nor is a ledger made: neither where the folder is not there, nor where the file is empty."""
    for folder in (tmp_path / "nowhere", tmp_path / "empty"):
        if folder.name == "empty":
            folder.mkdir()
            (folder / FILE_NAME).touch()
        ledger = await rehearsal(folder)
        counts = await planned(ledger, await campaign(ledger), lines("a"))
        assert len(await report(ledger, counts.input_id)) == 1
        await ledger.close()
    assert not (tmp_path / "nowhere").exists()
    assert (tmp_path / "empty" / FILE_NAME).stat().st_size == 0


@pytest.mark.parametrize("version", [1, 3])
async def test_an_old_ledger_is_not_upgraded(tmp_path: Path, version: int) -> None:
    """Its copy is: a rehearsal goes on with it, and the ledger stays as the program that may still use it knows it."""
    source = Path(__file__).parents[3] / "data" / f"ledger-v{version}.sqlite3"
    shutil.copyfile(source, tmp_path / FILE_NAME)
    ledger = await rehearsal(tmp_path)
    spring = await ledger.find_campaign("spring")
    run = await ledger.start_run(spring, window_limit=200, now_ms=10_000)
    assert run.recovered == 20
    assert await ledger.begin_rows(run, 10, now_ms=10_000, input_id=None)
    assert query(ledger, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert flaws_of(lambda sql: query(ledger, sql)) == []
    await ledger.close()
    with raw(tmp_path / FILE_NAME) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (version,)


async def test_a_ledger_that_is_none_is_said(tmp_path: Path) -> None:
    """Damaged, another program's, cut to nothing, too new: as when it is opened itself."""
    (tmp_path / FILE_NAME).write_bytes(b"phone,name\n" * 500)
    with pytest.raises(LedgerCorrupt):
        await rehearsal(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    with raw(tmp_path / FILE_NAME) as db:
        db.execute("CREATE TABLE places (url TEXT)")
    with pytest.raises(LedgerCorrupt, match="another program's"):
        await rehearsal(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"")
    (tmp_path / f"{FILE_NAME}-wal").write_bytes(b"x" * 4128)
    with pytest.raises(LedgerCorrupt, match="empty, but its write-ahead log is not"):
        await rehearsal(tmp_path)
    (tmp_path / f"{FILE_NAME}-wal").unlink()
    (tmp_path / FILE_NAME).unlink()
    await sent(tmp_path)
    with raw(tmp_path / FILE_NAME) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(LedgerTooNew):
        await rehearsal(tmp_path)


async def test_damage_in_the_middle_is_said(tmp_path: Path) -> None:
    """What cannot be read cannot be copied, and is not passed over."""
    ledger = await opened(tmp_path)
    await planned(ledger, await campaign(ledger), lines(*(f"k{number}" for number in range(3000))))
    await ledger.close()
    pages = bytearray((tmp_path / FILE_NAME).read_bytes())
    pages[8 * 4096 :] = b"\xa5" * (len(pages) - 8 * 4096)
    (tmp_path / FILE_NAME).write_bytes(pages)
    with pytest.raises(LedgerCorrupt):
        await rehearsal(tmp_path)


async def test_a_rehearsals_lease_is_its_own(tmp_path: Path) -> None:
    """Whoever sends for the account goes on, and nobody is told that it is held."""
    await sent(tmp_path)
    ledger, copy = await opened(tmp_path), await rehearsal(tmp_path)
    record = (await ledger.find_campaign("spring")).account
    async with ledger.lease(record, wait=False), copy.lease(record, wait=False):
        assert not await copy.is_leased(record)
    async with copy.lease(record, wait=False):
        assert not await ledger.is_leased(record)
    await copy.close()
    await ledger.close()


PROGRAM = """
import asyncio, pathlib, sys, time
from dispatcher.ledger import open_rehearsal
from dispatcher.settings import StateSettings
from tests.support.ledgers import lines, planned

async def main(folder):
    ledger = await open_rehearsal(StateSettings(dir=folder), "summer")
    await planned(ledger, await ledger.find_campaign("summer"), lines(*(f"+1555{n:07}" for n in range(30_000))))
    print("planned", flush=True)
    time.sleep(60)

asyncio.run(main(sys.argv[1]))
"""


def test_a_kill_leaves_nothing(tmp_path: Path, root: Path) -> None:
    """SIGKILL in the middle of a rehearsal: no file of it is left, in the state folder or where temporary files are."""
    asyncio.run(sent(tmp_path / "state"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "state")]
    environment = {**os.environ, "TMPDIR": str(temporary), "SQLITE_TMPDIR": str(temporary)}
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "planned\n"
        if sys.platform == "linux":
            # It was there that SQLite worked: a file without a name.
            held = [str(fd.readlink()) for fd in Path(f"/proc/{process.pid}/fd").iterdir()]
            assert [path for path in held if path.startswith(str(temporary)) and path.endswith("(deleted)")]
        process.send_signal(signal.SIGKILL)
    assert list(temporary.iterdir()) == []
    # Whoever only reads cannot take the log away as it leaves; the next run does.
    left = {path.name: path.stat().st_size for path in (tmp_path / "state").iterdir()}
    assert left.pop(FILE_NAME)
    assert left.pop(f"{FILE_NAME}-wal", 0) == 0
    assert left.keys() <= {f"{FILE_NAME}-shm"}

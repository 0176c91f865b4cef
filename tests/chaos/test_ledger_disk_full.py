"""A full disk: nothing acknowledged is lost, nothing more is granted, and all goes on once there is space."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.errors import ExitCode, LedgerFull
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import CampaignRecord, GrantedRow, Run
from dispatcher.ledger.sqlite.db import SqliteDb
from dispatcher.ledger.sqlite.failures import mapped_os
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.model import Outcome, RowState
from dispatcher.remedies import Advice
from tests.support.ledgers import NONE, batch, campaign, end, flaws, lines, new_input, planned

KEYS = [f"+1555010{n:04}" for n in range(3_000)]


async def send(ledger: SqliteLedger, run: Run, granted: list[str]) -> list[GrantedRow]:
    """Claim and answer until no row is left or a write is refused; then those whose outcome is not written."""
    held: list[GrantedRow] = []
    try:
        while held := await ledger.begin_rows(run, 50, now_ms=5, input_id=None):
            granted += [row.row_key for row in held]
            await ledger.end_rows(run, [end(row, Outcome.created) for row in held], now_ms=6, totals=NONE)
            held = []
    except LedgerFull:
        pass
    return held


async def started(folder: Path) -> tuple[SqliteLedger, CampaignRecord, Run]:
    """A campaign with rows to send, and a run."""
    ledger = SqliteLedger.open(folder)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(*KEYS))
    return ledger, spring, await ledger.start_run(spring, window_limit=200, now_ms=1)


async def limit_pages(ledger: SqliteLedger, more: int | None) -> None:
    """Let the file grow by so many pages; None: as it likes."""

    def limit(db: Db) -> None:
        assert isinstance(db, SqliteDb)
        (pages,) = db.connection.execute("PRAGMA page_count").fetchone()
        db.connection.execute(f"PRAGMA max_page_count = {1 << 30 if more is None else pages + more}")

    await ledger._writer.read(limit)


@pytest.mark.parametrize("more", [0, 1, 3, 9, 17])
async def test_a_file_that_cannot_grow_loses_nothing(tmp_path: Path, more: int) -> None:
    """A file that cannot grow stops sending and loses nothing."""
    ledger, spring, run = await started(tmp_path)
    granted: list[str] = []
    await limit_pages(ledger, more)
    held = await send(ledger, run, granted)
    status = await ledger.status(spring)
    assert 0 < status.rows[RowState.planned] == len(KEYS) - len(granted)
    assert (status.rows[RowState.sending], status.rows[RowState.created]) == (len(held), len(granted) - len(held))
    assert flaws(ledger.path) == []
    # What is known is kept in memory and written as soon as that is possible; then each row is sent once.
    await limit_pages(ledger, None)
    await ledger.end_rows(run, [end(row, Outcome.created) for row in held], now_ms=7, totals=NONE)
    assert await send(ledger, run, granted) == []
    assert sorted(granted) == KEYS
    assert (await ledger.status(spring)).rows[RowState.created] == len(KEYS)
    await ledger.close()
    assert flaws(ledger.path) == []


@pytest.mark.parametrize("more", [0, 5, 40, 70])
async def test_a_file_that_does_not_fit_is_not_planned(tmp_path: Path, more: int) -> None:
    """A file that does not fit is not planned at all."""
    ledger = SqliteLedger.open(tmp_path)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("earlier"))
    await limit_pages(ledger, more)
    with pytest.raises(LedgerFull):
        await plan_in_batches(ledger, spring)
    assert flaws(ledger.path) == []
    assert (await ledger.status(spring)).rows[RowState.planned] == 1
    await limit_pages(ledger, None)
    await plan_in_batches(ledger, spring)
    assert (await ledger.status(spring)).rows[RowState.planned] == len(KEYS)
    await ledger.close()
    assert flaws(ledger.path) == []


async def plan_in_batches(ledger: SqliteLedger, record: CampaignRecord) -> None:
    """The keys as a file, some at a time."""
    loading = await ledger.begin_input(record, new_input())
    for start in range(0, len(KEYS), 500):
        await ledger.load_rows(loading.input_id, batch(lines(*KEYS[start : start + 500]), first=2 + start))
    await ledger.finish_input(loading.input_id, "sha")


PROGRAM = """
import asyncio, pathlib, resource, sys
from tests.chaos import test_ledger_disk_full as test
from dispatcher.model import RowState

async def main(folder, more):
    ledger, spring, run = await test.started(folder)
    sizes = [file.stat().st_size for file in folder.iterdir()]
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes) + more, hard))
    granted = []
    held = await test.send(ledger, run, granted)
    rows = (await ledger.status(spring)).rows
    assert rows[RowState.planned] == len(test.KEYS) - len(granted) > 0, rows
    assert rows[RowState.created] == len(granted) - len(held), rows
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await ledger.end_rows(run, [test.end(row, test.Outcome.created) for row in held], now_ms=8, totals=test.NONE)
    assert await test.send(ledger, run, granted) == []
    assert sorted(granted) == test.KEYS
    await ledger.close()
    print("refused after", len(granted), "whole")

asyncio.run(main(pathlib.Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.parametrize("more", [0, 20_000, 300_000])
def test_a_system_that_refuses_to_write_is_a_full_disk(tmp_path: Path, root: Path, more: int) -> None:
    """A system that refuses to write is a full disk.

    RLIMIT_FSIZE: the write itself fails, in the middle of a transaction or of copying the log.
    """
    pytest.importorskip("resource")
    state = tmp_path / "state"
    command = [sys.executable, "-c", PROGRAM, str(state), str(more)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.stdout.endswith("whole\n"), done.stderr
    assert flaws(state / "ledger.sqlite3") == []


def test_no_space_for_the_folder() -> None:
    """A folder that cannot be made for want of space is a full disk."""
    full = mapped_os(OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(full, LedgerFull)
    assert (full.exit_code, full.fix) == (ExitCode.STOPPED, Advice("free some disk space"))
    assert isinstance(mapped_os(OSError(errno.EDQUOT, "Disk quota exceeded")), LedgerFull)
    assert not isinstance(mapped_os(OSError(errno.EACCES, "Permission denied")), LedgerFull)

"""A rehearsal that is kept in a file: made anew by one process, opened as it was left by any number of others."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.errors import LedgerCorrupt, LedgerError
from dispatcher.ledger import Ledger, open_rehearsal, reopen_rehearsal
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.queries import queries
from dispatcher.model import RowState
from dispatcher.settings import StateSettings
from tests.support.ledgers import campaign, invalid, lines, opened, planned, report, suppressed


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "checks" / "one" / "ledger.sqlite3"


def state(folder: Path) -> StateSettings:
    return StateSettings(dir=str(folder / "state"))


async def made(folder: Path, scratch: Path, *keys: str) -> int:
    """Keep a rehearsal with these rows; returns the file's number."""
    ledger = await open_rehearsal(state(folder), "spring", scratch=scratch)
    counts = await planned(ledger, await campaign(ledger), [*lines(*keys), invalid(), suppressed("s")])
    await ledger.close()
    return counts.input_id


def modes(folder: Path) -> dict[str, int]:
    """A folder and what lies in it, each with its permissions."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


def left(scratch: Path, content: bytes) -> None:
    """What another process has left there."""
    scratch.parent.mkdir(parents=True)
    scratch.write_bytes(content)


@contextlib.asynccontextmanager
async def reopened(folder: Path, scratch: Path) -> AsyncIterator[Ledger]:
    ledger = await reopen_rehearsal(state(folder), scratch)
    yield ledger
    await ledger.close()


async def test_it_is_opened_as_it_was_left(tmp_path: Path, scratch: Path) -> None:
    """With its rows, by several at once; the user's ledger has nothing of it."""
    await (await opened(tmp_path / "state")).close()
    before = (tmp_path / "state" / FILE_NAME).read_bytes()
    input_id = await made(tmp_path, scratch, "a", "b")
    async with reopened(tmp_path, scratch) as one, reopened(tmp_path, scratch) as other:
        for ledger in (one, other):
            assert [row.row_number for row in await report(ledger, input_id)] == [2, 3, 4, 5]
    assert (tmp_path / "state" / FILE_NAME).read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="permissions of a POSIX system")
async def test_nobody_else_may_read_it(tmp_path: Path, scratch: Path) -> None:
    """The file is 0600, its folder 0700, whatever the umask; and nothing lies beside it."""
    mask = os.umask(0)
    try:
        await made(tmp_path, scratch, "a")
    finally:
        os.umask(mask)
    assert modes(scratch.parent) == {scratch.parent.name: 0o700, scratch.name: 0o600}


async def test_made_anew_it_has_nothing_of_before(tmp_path: Path, scratch: Path) -> None:
    """Nor of what a killed process has left beside it."""
    await made(tmp_path, scratch, "a", "b", "c")
    scratch.with_name(scratch.name + "-journal").write_bytes(b"left by a killed child")
    input_id = await made(tmp_path, scratch, "z")
    async with reopened(tmp_path, scratch) as ledger:
        assert [row.row_number for row in await report(ledger, input_id)] == [2, 3, 4]


async def test_what_was_never_whole_is_told(tmp_path: Path, scratch: Path) -> None:
    """No file, or one that its maker had only begun, is an error, and no empty campaign; none is made."""
    for _ in range(2):
        with pytest.raises(LedgerError, match="not there any more"):
            await reopen_rehearsal(state(tmp_path), scratch)
        if not (tmp_path / "checks").exists():
            left(scratch, b"")
    assert modes(scratch.parent).keys() == {scratch.parent.name, scratch.name}


async def test_another_programs_file_is_refused(tmp_path: Path, scratch: Path) -> None:
    """And stays as it is."""
    left(scratch, b"no database at all, whatever it is")
    with pytest.raises(LedgerCorrupt):
        await reopen_rehearsal(state(tmp_path), scratch)


async def test_the_first_row_is_the_first_each_time(tmp_path: Path, scratch: Path) -> None:
    """Asking which row would go first changes nothing: neither its state, nor what the next who asks is told."""
    input_id = await made(tmp_path, scratch, "a", "b")
    for _ in range(2):
        async with reopened(tmp_path, scratch) as ledger:
            spring = await ledger.find_campaign("spring")
            for _ in range(2):
                row = await ledger.foresight.first_row(spring, now_ms=5, input_id=input_id)
                assert row is not None
                assert (row.row_number, row.to_address, row.cells) == (2, "a", ["a", "Ann"])
            status = await ledger.status(spring)
            assert (status.rows[RowState.planned], status.attempts) == (2, 0)


@pytest.mark.parametrize("name", ["report_rows_left_out", "report_rows_left_out_by"])
async def test_rows_left_out_are_found_by_their_index(tmp_path: Path, scratch: Path, name: str) -> None:
    """A page far down a file of which few rows are left out goes through none of the others, and sorts nothing."""
    await made(tmp_path, scratch, "a")
    with contextlib.closing(sqlite3.connect(scratch)) as db:
        values = {"first": 1, "last": 2, "input_id": 1, "limit": 9, "reason": "x"}
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {queries()[name]}", values)]
    index = name.removeprefix("report_")
    assert steps[0].startswith(f"SEARCH r USING INDEX {index} (<expr>=?"), steps
    assert "row_id>? AND row_id<?" in steps[0], steps
    assert not [step for step in steps if "TEMP B-TREE" in step]

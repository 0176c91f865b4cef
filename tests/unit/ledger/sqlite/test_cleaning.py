"""The file is written anew: nothing that was taken out is left in it, in its log or in a copy."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from dispatcher.errors import LedgerFull, LedgerKeyLost, LedgerUnreachable, UsageError
from dispatcher.ledger.sqlite import cleaning
from dispatcher.ledger.sqlite.cleaning import clean
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.copies import MOVED_NAME, move
from dispatcher.ledger.sqlite.key import KEY_NAME, make_key, read_key
from dispatcher.ledger.sqlite.ledger import SqliteLedger, SqliteRehearsal
from dispatcher.ledger.striking import Person
from dispatcher.model import Outcome, RowState
from tests.support.ledgers import NONE, campaign, end, flaws, lines, planned, raw

ANN, BOB = "+12025550101", "+12025550102"
PERSON = Person(ANN, "2025550101")


def quietly(done: int, total: int) -> None:
    pass


async def filled(folder: Path, rows: int = 0) -> SqliteLedger:
    """A ledger that has reached two people, and as many more wait in another campaign."""
    ledger = SqliteLedger.open(folder)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(ANN, BOB))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    granted = await ledger.begin_rows(run, 9, now_ms=1, input_id=None)
    await ledger.end_rows(run, [end(row, Outcome.created) for row in granted], now_ms=2, totals=NONE)
    if rows:
        await planned(ledger, await campaign(ledger, "summer"), lines(*(f"+1202556{n:04}" for n in range(rows))))
    return ledger


def holds(folder: Path, text: str) -> list[str]:
    return [file.name for file in folder.iterdir() if file.is_file() and text.encode() in file.read_bytes()]


async def test_nothing_is_left_on_free_pages(tmp_path: Path) -> None:
    """Beside an open connection; in no copy that was left; and what lies aside is told and left alone."""
    ledger = await filled(tmp_path)
    left, young = tmp_path / f".{FILE_NAME}.abc.tmp", tmp_path / f".{FILE_NAME}.def.tmp"
    left.write_text(ANN)
    young.write_text("a copy that is being made")
    os.utime(left, (time.time() - 7200, time.time() - 7200))
    (tmp_path / f"before-upgrade-3-{FILE_NAME}").write_text(ANN)
    (tmp_path / MOVED_NAME).write_text("another ledger")
    # Some builds of SQLite wipe what they free by themselves; most do not.
    ledger._writer.connection.execute("PRAGMA secure_delete = OFF")
    await ledger.erasures.forget(PERSON, quietly, suppress=False, actor="me")
    with raw(tmp_path / FILE_NAME) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert FILE_NAME in holds(tmp_path, ANN)
    told: list[tuple[int, int]] = []
    assert clean(tmp_path, lambda done, total: told.append((done, total))) == [young, tmp_path / MOVED_NAME]
    assert holds(tmp_path, ANN) == []
    assert young.exists()
    assert told[-1][0] == told[-1][1] > 0
    await ledger.close()
    assert flaws(tmp_path / FILE_NAME) == []


async def test_a_reader_of_old_pages_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for ever; and a writer's transaction is waited for, too."""
    monkeypatch.setattr(cleaning, "PATIENCE_S", 0.2)
    monkeypatch.setattr(cleaning, "OPEN_WAIT_S", 0.2)
    ledger = await filled(tmp_path)
    with raw(tmp_path / FILE_NAME) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rows").fetchone()
        with pytest.raises(LedgerUnreachable, match="reads the ledger"):
            clean(tmp_path, quietly)
        reader.execute("ROLLBACK")
        reader.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnreachable):
            clean(tmp_path, quietly)
        reader.execute("ROLLBACK")
    clean(tmp_path, quietly)
    await ledger.close()


class Interrupting(sqlite3.Connection):
    """Rewrites the file halfway."""

    def set_progress_handler(self, handler: object, n: int, /) -> None:
        calls = 0

        def stop() -> int:
            nonlocal calls
            calls += 1
            return calls > 5

        super().set_progress_handler(stop if handler else None, 500)


async def test_interrupted_halfway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is as it was; the next one rewrites it."""
    ledger = await filled(tmp_path, rows=5000)
    await ledger.erasures.forget(PERSON, quietly, suppress=False, actor="me")
    connect = sqlite3.connect
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Interrupting, **k))
        with pytest.raises(Exception, match="interrupt"):
            clean(tmp_path, quietly)
    assert flaws(tmp_path / FILE_NAME) == []
    assert (await ledger.erasures.log())[0].cleaned_at_ms is None
    clean(tmp_path, quietly)
    assert holds(tmp_path, ANN) == []
    assert (await ledger.status(await ledger.find_campaign("summer"))).rows[RowState.planned] == 5000
    await ledger.close()


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """For its owner alone, whole, and never over another."""
    make_key(tmp_path)
    key = read_key(tmp_path / KEY_NAME)
    assert key is not None
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == 0o600
    make_key(tmp_path)
    assert read_key(tmp_path / KEY_NAME) == key
    assert [file.name for file in tmp_path.iterdir()] == [KEY_NAME]


async def test_a_lost_key_is_not_made_anew(tmp_path: Path) -> None:
    """With another one, all who were forgotten would be strangers: nobody is forgotten by it, and nothing pruned."""
    ledger = await filled(tmp_path)
    await ledger.erasures.forget(PERSON, quietly, suppress=False, actor="me")
    await ledger.close()
    for wrong in (None, "no key", "00" * 32):
        (tmp_path / KEY_NAME).unlink(missing_ok=True)
        if wrong:
            (tmp_path / KEY_NAME).write_text(wrong, encoding="ascii")
        ledger = SqliteLedger.open(tmp_path)
        with pytest.raises(LedgerKeyLost):
            await ledger.erasures.forget(Person(BOB, "2025550102"), quietly, suppress=True, actor="me")
        with pytest.raises(LedgerKeyLost):
            await ledger.erasures.prune(await campaign(ledger), actor="me")
        with pytest.raises(LedgerKeyLost):
            await planned(ledger, await campaign(ledger), lines(ANN))
        await ledger.close()
        assert read_key(tmp_path / KEY_NAME) == (bytes(32) if wrong == "00" * 32 else None)
        assert (tmp_path / KEY_NAME).exists() == bool(wrong)
    assert holds(tmp_path, BOB)


async def test_a_ledger_that_moves_takes_its_key_along(tmp_path: Path) -> None:
    """Else whom it has forgotten would be strangers; another ledger's key is not replaced."""
    old, new = tmp_path / "old", tmp_path / "new"
    ledger = await filled(old)
    await ledger.erasures.forget(PERSON, quietly, suppress=False, actor="me")
    await ledger.close()
    make_key_in(new)
    with pytest.raises(UsageError, match="another ledger's key"):
        move(old, new)
    (new / KEY_NAME).unlink()
    move(old, new)
    assert read_key(new / KEY_NAME) == read_key(old / KEY_NAME)
    assert stat.S_IMODE((new / KEY_NAME).stat().st_mode) == 0o600
    moved = SqliteLedger.open(new)
    counts = await planned(moved, await campaign(moved), lines(ANN))
    assert counts.rows[RowState.created] == 1
    await moved.close()


async def test_a_rehearsal_knows_who_is_forgotten(tmp_path: Path) -> None:
    """A check of the same file finds what a run would; without the key it is refused."""
    ledger = await filled(tmp_path)
    await ledger.erasures.forget(PERSON, quietly, suppress=False, actor="me")
    await ledger.close()
    rehearsal = SqliteRehearsal.open(tmp_path, "spring")
    counts = await planned(rehearsal, await campaign(rehearsal), lines(ANN, BOB))
    assert (counts.rows[RowState.created], counts.new) == (2, 0)
    await rehearsal.close()
    (tmp_path / KEY_NAME).unlink()
    rehearsal = SqliteRehearsal.open(tmp_path, "spring")
    with pytest.raises(LedgerKeyLost):
        await planned(rehearsal, await campaign(rehearsal), lines(ANN, BOB))
    await rehearsal.close()


@pytest.mark.parametrize("more", [0, 1, 4, 16])
async def test_a_full_disk_prunes_nothing(tmp_path: Path, more: int) -> None:
    """The old ledger stays whole, and so does what is forgotten of a person; with room again both go."""
    ledger = await filled(tmp_path, rows=3000)
    summer = await ledger.find_campaign("summer")
    await ledger.cancel_rows(summer, "no")
    before = dump(tmp_path)
    limit(ledger, more)
    with pytest.raises(LedgerFull):
        await ledger.erasures.prune(summer, actor="me")
    assert dump(tmp_path) == before
    assert flaws(tmp_path / FILE_NAME) == []
    limit(ledger, None)
    assert await ledger.erasures.prune(summer, actor="me") == 3000
    await ledger.close()
    assert flaws(tmp_path / FILE_NAME) == []


def make_key_in(folder: Path) -> None:
    folder.mkdir()
    make_key(folder)


def dump(folder: Path) -> list[str]:
    with raw(folder / FILE_NAME) as db:
        return list(db.iterdump())


def limit(ledger: SqliteLedger, more: int | None) -> None:
    """Let the file grow by so many pages; None: as it likes."""
    connection = ledger._writer.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {1 << 30 if more is None else pages + more}")

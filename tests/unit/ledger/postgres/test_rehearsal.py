"""A rehearsal of a campaign that a server's ledger knows: as of one in a file, and nothing of it is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dispatcher.clock import now_ms
from dispatcher.errors import LedgerError
from dispatcher.ledger import Ledger, open_ledger, open_rehearsal, reopen_rehearsal
from dispatcher.ledger.sqlite.ledger import SqliteRehearsal
from dispatcher.ledger.sqlite.rehearsal import TABLES
from dispatcher.ledger.striking import Person
from dispatcher.model import Outcome, RowState
from dispatcher.settings import StateSettings
from tests.support import postgres
from tests.support.ledgers import NONE, campaign, end, flaws_of, invalid, lines, planned, report

_HOUR_MS = 3_600_000


@pytest.fixture
def state() -> Iterator[StateSettings]:
    with postgres.shared().ledger() as url:
        yield StateSettings(url=url)


@pytest.fixture
def db(state: StateSettings) -> Iterator[psycopg.Connection[Any]]:
    with postgres.connected(state.url) as connection:
        yield connection


def query(ledger: Ledger, sql: str) -> list[tuple[Any, ...]]:
    assert isinstance(ledger, SqliteRehearsal)
    # Nothing is queued when a test looks: its thread may use the connection.
    return ledger._writer.connection.execute(sql).fetchall()


async def sent(state: StateSettings) -> None:
    """A campaign with a row in every way; one that has reached people just now, and one of long ago; a list."""
    ledger = await open_ledger(state)
    for name, at_ms in (("long ago", 1), ("today", now_ms())):
        other = await campaign(ledger, name)
        await planned(ledger, other, lines(*(f"{name} {number}" for number in range(500))))
        run = await ledger.start_run(other, window_limit=200, now_ms=at_ms)
        rows = await ledger.begin_rows(run, 10, now_ms=at_ms, input_id=None)
        await ledger.end_rows(run, [end(row, Outcome.created, at_ms=at_ms) for row in rows], now_ms=at_ms, totals=NONE)
        await ledger.stop_run(run, now_ms=at_ms, reason=None, totals=NONE)
    spring = await campaign(ledger)
    test = await ledger.begin_test(spring.account, to_address="+1777", now_ms=now_ms())
    await ledger.end_test(test, outcome=Outcome.created, sent_at_ms=now_ms(), ended_at_ms=now_ms())
    await planned(ledger, spring, [*lines("a", "b", "c", "d", "e"), invalid(name="\0")])
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    a, b, c, _ = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    ends = [end(a, Outcome.created), end(b, Outcome.rejected, code=21211), end(c, Outcome.unknown)]
    await ledger.end_rows(run, ends, now_ms=6, totals=NONE)
    await ledger.lists.add(spring.account, ["+1555"], reason="", actor="ann")
    await ledger.close()


def everything(db: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    names = [name for (name,) in db.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = 'dispatcher'")]
    return {
        name: sorted(db.execute(f"SELECT to_jsonb(t)::text FROM {name} AS t".encode()).fetchall()) for name in names
    }


async def test_it_goes_on_as_the_ledger_would(state: StateSettings, db: psycopg.Connection[Any]) -> None:
    """The same rows, states and history; what is done to them stays there."""
    await sent(state)
    before = everything(db)
    ledger = await open_rehearsal(state, "spring")
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
    assert everything(db) == before


@pytest.mark.parametrize("hours", [0, 16])
async def test_it_has_what_a_file_would_give(
    state: StateSettings, db: psycopg.Connection[Any], hours: int, tmp_path: Path
) -> None:
    """Of each table the rows that a rehearsal of a file's ledger has, by that one's own queries: of others no cells."""
    await sent(state)
    for name in ("spring", "today", "new"):
        ledger = await open_rehearsal(state, name, repeat_after_ms=hours * _HOUR_MS)
        from_file = await open_rehearsal(as_file(db, tmp_path / name), name, repeat_after_ms=hours * _HOUR_MS)
        for table in TABLES:
            mine = query(ledger, f"SELECT * FROM {table}")
            assert sorted(map(repr, mine)) == sorted(map(repr, query(from_file, f"SELECT * FROM {table}"))), table
        others = {"spring": 500 if hours else 0, "today": 0, "new": 500 if hours else 0}[name]
        own = {"spring": 6, "today": 500, "new": 0}[name]
        assert query(ledger, "SELECT count(*) FROM rows") == [(own + others,)]
        assert bool(query(ledger, "SELECT * FROM chunks")) == bool(own)
        await ledger.close()
        await from_file.close()


def as_file(db: psycopg.Connection[Any], folder: Path) -> StateSettings:
    """The server's ledger as one in a file."""
    from dispatcher.ledger.sqlite.connection import FILE_NAME, connect

    folder.mkdir(parents=True)
    (folder / FILE_NAME).touch()
    file = connect(folder / FILE_NAME)
    file.execute("PRAGMA foreign_keys = OFF")
    for table in (*TABLES, "contacts"):
        names = [name for (name,) in file.execute(f"SELECT name FROM pragma_table_info('{table}')")]
        rows = db.execute(f"SELECT {', '.join(names)} FROM {table}".encode()).fetchall()
        file.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
    file.close()
    return StateSettings(dir=str(folder))


async def test_forgotten_people_are_told(state: StateSettings, tmp_path: Path) -> None:
    """A file that names them again finds them sent, also where the rehearsal was kept and is opened anew."""
    await sent(state)
    ledger = await open_ledger(state)
    await ledger.erasures.forget(Person("a", ""), lambda done, total: None, suppress=False, actor="ann")
    await ledger.close()
    scratch = tmp_path / "checks" / "ledger.sqlite3"
    ledger = await open_rehearsal(state, "spring", scratch=scratch)
    await ledger.close()
    ledger = await reopen_rehearsal(state, scratch)
    counts = await planned(ledger, await ledger.find_campaign("spring"), lines("a", "b"))
    assert [row.state for row in await report(ledger, counts.input_id)] == [RowState.created, RowState.rejected]
    await ledger.close()
    assert b"forgotten_key" not in scratch.read_bytes()


async def test_an_empty_ledger_gives_an_empty_one(state: StateSettings) -> None:
    """Nor does it make anything."""
    ledger = await open_rehearsal(state, "spring")
    counts = await planned(ledger, await campaign(ledger), lines("a"))
    assert len(await report(ledger, counts.input_id)) == 1
    await ledger.close()


async def test_it_is_of_one_moment(
    state: StateSettings, db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others commit while it is read is not in it, by halves neither; and they do not wait for it."""
    from dispatcher.ledger.postgres.rehearsal import PostgresCampaign

    await sent(state)
    original = PostgresCampaign.tables

    def disturbed(self: PostgresCampaign, *given: Any) -> Iterator[Any]:
        for at, found in enumerate(original(self, *given)):
            if at == 0:
                db.execute("SET lock_timeout = '2s'")
                db.execute("UPDATE rows SET state = 'unknown' WHERE state = 'sending'")
                db.execute("UPDATE attempts SET outcome = 'unknown' WHERE outcome IS NULL")
                db.execute("DELETE FROM row_keys WHERE row_key = 'e'")
            yield found

    monkeypatch.setattr(PostgresCampaign, "tables", disturbed)
    ledger = await open_rehearsal(state, "spring")
    assert query(ledger, "SELECT count(*) FROM rows WHERE state = 'sending'") == [(1,)]
    assert flaws_of(lambda sql: query(ledger, sql)) == []
    await ledger.close()


async def test_a_server_that_is_gone_is_said(tmp_path: Path) -> None:
    """And nothing is left of what was begun."""
    scratch = tmp_path / "checks" / "ledger.sqlite3"
    with pytest.raises(LedgerError):
        await open_rehearsal(StateSettings(url="postgresql://postgres@127.0.0.1:1/none"), "spring", scratch=scratch)
    with pytest.raises(LedgerError, match="not there any more"):
        await reopen_rehearsal(StateSettings(url="postgresql://postgres@127.0.0.1:1/none"), scratch)
    assert sqlite3.connect(scratch).execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)

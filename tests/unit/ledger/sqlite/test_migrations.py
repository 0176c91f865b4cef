"""Ledgers of older versions are upgraded whole or not at all, with everything that they know."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import LedgerError, LedgerTooNew
from dispatcher.ledger.sqlite import connection
from dispatcher.ledger.sqlite.connection import FILE_NAME, SCHEMA_VERSION
from dispatcher.ledger.sqlite.queries import statements
from dispatcher.model import Outcome, RowState, dispatch_id
from dispatcher.rules.caps import Rooms
from dispatcher.rules.gate import Gate
from tests.support.ledgers import NONE, end, flaws, killed, opened, raw, report


@pytest.fixture(params=[1, 3])
def version(request: pytest.FixtureRequest) -> int:
    """A version of which there is a file in tests/data."""
    number: int = request.param
    return number


@pytest.fixture
def old(tmp_path: Path, version: int) -> Path:
    """A state folder with a ledger of that version."""
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copyfile(_file(version), folder / FILE_NAME)
    return folder


#: What has another name now.
_RENAMED = {"left_at_ms": "sent_at_ms"}


def _file(version: int) -> Path:
    return Path(__file__).parents[3] / "data" / f"ledger-v{version}.sqlite3"


def _tables(version: int) -> dict[str, list[str]]:
    """The tables of that version, and their columns then."""
    with contextlib.closing(sqlite3.connect(f"{_file(version).as_uri()}?immutable=1", uri=True)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        return {name: [column for _, column, *_ in db.execute(f"PRAGMA table_info({name})")] for name in names}


def _content(path: Path, version: int) -> dict[str, list[Any]]:
    """Everything that a ledger of that version knew."""
    content = {}
    with raw(path) as db:
        db.execute("PRAGMA query_only = ON")
        for table, columns in _tables(version).items():
            now = {name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")}
            names = [_RENAMED[name] if name not in now else name for name in columns]
            content[table] = db.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1, 2").fetchall()
    return content


def _version(path: Path) -> int:
    with raw(path) as db:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        return version


def test_the_old_file_has_a_row_in_every_state(old: Path, version: int) -> None:
    """The old file has a row in every state."""
    with raw(old / FILE_NAME) as db:
        states = {state for (state,) in db.execute("SELECT DISTINCT state FROM rows")}
    assert (states, _version(old / FILE_NAME)) == (set(RowState), version)


async def test_an_upgrade_keeps_everything(old: Path, version: int, tmp_path: Path) -> None:
    """An upgrade keeps everything and ends as a new ledger would be."""
    before = _content(old / FILE_NAME, version)
    for _ in range(2):
        await (await opened(old)).close()
        assert _content(old / FILE_NAME, version) == before
    await (await opened(tmp_path / "new")).close()
    assert _version(old / FILE_NAME) == _version(tmp_path / "new" / FILE_NAME) == SCHEMA_VERSION
    assert _schema(old / FILE_NAME) == _schema(tmp_path / "new" / FILE_NAME)
    assert flaws(old / FILE_NAME) == []


def _schema(path: Path) -> set[tuple[str, str, str]]:
    """Tables and indexes; columns as SQLite sees them, since an ALTER TABLE does not write as a CREATE TABLE does."""
    with raw(path) as db:
        made = db.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
        told = set(made)
        for kind, name, _ in made:
            pragma = "table_xinfo" if kind == "table" else "index_xinfo"
            told |= {(kind, name, repr(row)) for row in db.execute(f"PRAGMA {pragma}({name})")}
        return told


async def test_an_upgraded_campaign_goes_on(old: Path) -> None:
    """An upgraded campaign goes on."""
    ledger = await opened(old)
    spring, summer = await ledger.find_campaign("spring"), await ledger.find_campaign("summer")
    for record, recovered in ((spring, 20), (summer, 1)):
        run = await ledger.start_run(record, window_limit=200, now_ms=10_000)
        assert run.recovered == recovered
        assert len(await ledger.unknown_rows(record)) >= recovered
        rows = await ledger.begin_rows(run, 1000, now_ms=10_000, input_id=None)
        assert rows
        await ledger.end_rows(run, [end(row, Outcome.created) for row in rows], now_ms=10_001, totals=NONE)
        assert record.input_id is not None
        told = await report(ledger, record.input_id)
        assert [row.row_number for row in told] == list(range(2, 2 + len(told)))
        assert all(row.cells[1].startswith("Zoë ") for row in told)
    await ledger.close()
    assert flaws(old / FILE_NAME) == []


@pytest.fixture
def upgrade_steps(monkeypatch: pytest.MonkeyPatch, old: Path, tmp_path: Path) -> list[Path]:
    """Folders as a kill would leave them: before each statement of the upgrade, and after the last."""
    left: list[Path] = []

    def watched(script: str) -> Iterator[str]:
        for statement in statements(script):
            left.append(killed(old / FILE_NAME, tmp_path / f"step-{len(left)}"))
            yield statement
        left.append(killed(old / FILE_NAME, tmp_path / f"step-{len(left)}"))

    with monkeypatch.context() as patched:
        patched.setattr(connection, "statements", watched)
        # Pages are written to the file's log as soon as they change, not only when the transaction ends.
        patched.setattr(connection, "CACHE_KIB", 1)
        connection.connect(old / FILE_NAME).close()
    return left


def test_a_kill_during_an_upgrade(upgrade_steps: list[Path], version: int) -> None:
    """A kill in the middle of an upgrade leaves the old ledger which can be upgraded."""
    before = _content(_file(version), version)
    assert len(upgrade_steps) > 1
    for folder in upgrade_steps:
        assert _version(folder / FILE_NAME) == version
        assert _content(folder / FILE_NAME, version) == before
        connection.connect(folder / FILE_NAME).close()
        assert _version(folder / FILE_NAME) == SCHEMA_VERSION
        assert _content(folder / FILE_NAME, version) == before
        assert flaws(folder / FILE_NAME) == []


def test_an_upgrade_that_fails_leaves_the_old_ledger(old: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade that fails leaves the old ledger."""

    def broken(script: str) -> Iterator[str]:
        yield from statements(script)
        yield "CREATE TABLE rows (row_id INTEGER)"

    before = _content(old / FILE_NAME, version)
    monkeypatch.setattr(connection, "statements", broken)
    with pytest.raises(LedgerError, match="table rows already exists"):
        connection.connect(old / FILE_NAME)
    assert (_version(old / FILE_NAME), _content(old / FILE_NAME, version)) == (version, before)


async def test_a_newer_programs_ledger_is_refused(old: Path) -> None:
    """A ledger of a newer program is refused and left as it is."""
    with raw(old / FILE_NAME) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = (old / FILE_NAME).read_bytes()
    with pytest.raises(LedgerTooNew, match=f"version {SCHEMA_VERSION + 1}, this program knows {SCHEMA_VERSION}"):
        await opened(old)
    assert (old / FILE_NAME).read_bytes() == before


def test_every_version_has_its_script(root: Path) -> None:
    """Every version has its script."""
    scripts = sorted(path.name for path in (root / "dispatcher" / "ledger" / "sqlite" / "migrations").iterdir())
    assert scripts == [f"{version:04}.sql" for version in range(2, SCHEMA_VERSION + 1)]
    assert all(sqlite3.complete_statement(one) for name in scripts for one in statements(f"migrations/{name}"))


async def test_own_senders_of_an_old_ledger(old: Path) -> None:
    """In a file of which some rows have their own, the others get the file's; no other file is touched."""
    with raw(old / FILE_NAME) as db:
        some = "SELECT row_id FROM rows WHERE row_id >> 32 = 2 LIMIT 9"
        db.execute(f"UPDATE rows SET from_address = 'MG1' WHERE row_id IN ({some})")
    ledger = await opened(old)
    summer = await ledger.find_campaign("summer")
    run = await ledger.start_run(summer, window_limit=200, now_ms=10_000)
    full = Gate(rooms=Rooms(100, {"MG1": 100, "+15550100000": 97}))
    rows = await ledger.begin_rows(run, 1000, now_ms=10_000, input_id=2, gate=full)
    assert [row.from_address for row in rows] == ["+15550100000"] * 3
    await ledger.close()
    with raw(old / FILE_NAME) as db:
        assert db.execute("SELECT input_id, own_senders FROM inputs").fetchall() == [(1, 0), (2, 1), (3, 0)]
        found = db.execute(
            "SELECT DISTINCT row_id >> 32, from_address FROM rows WHERE row_key IS NOT NULL ORDER BY 1, 2"
        )
        assert found.fetchall() == [(1, None), (2, "+15550100000"), (2, "MG1"), (3, None)]


async def test_departures_of_an_old_ledger_are_found(old: Path) -> None:
    """The index by which an account's attempts are found is made for those that are there already."""
    ledger = await opened(old)
    spring, summer = await ledger.find_campaign("spring"), await ledger.find_campaign("summer")
    known = await ledger.departures(spring.account, since_ms=2_000, now_ms=9_000, unresolved=False)
    assert set(known) == {2_100}
    assert await ledger.departures(summer.account, since_ms=2_000, now_ms=9_000) == [9_000]
    await ledger.close()


#: One account of the old ledger as an older program may have kept it: under several spellings.
SPELLINGS = {
    "spring": ("AC" + "AB" * 16, "http://LOCALHOST:80"),
    "summer": ("AC" + "ab" * 16, "http://127.0.0.1"),
}


async def test_spellings_of_one_account_become_one(old: Path) -> None:
    """Its campaigns, runs and contacts are one account's; what is unknown is looked for under the id that was sent."""
    with raw(old / FILE_NAME) as db:
        for name, (account_sid, base_url) in SPELLINGS.items():
            (account_id,) = db.execute(
                "INSERT INTO accounts (account_sid, base_url, epoch) VALUES (?, ?, 5) RETURNING account_id",
                (account_sid, base_url),
            ).fetchone()
            db.execute(
                "UPDATE runs SET account_id = ? WHERE campaign_id = (SELECT campaign_id FROM campaigns WHERE name = ?)",
                (account_id, name),
            )
            db.execute("UPDATE campaigns SET account_id = ? WHERE name = ?", (account_id, name))
        unknown = db.execute(
            "SELECT last_attempt, row_key FROM rows WHERE state = 'unknown' AND row_id >> 32 ="
            " (SELECT input_id FROM campaigns WHERE name = 'spring')"
        ).fetchall()
        flow_sid = db.execute("SELECT flow_sid FROM campaigns WHERE name = 'spring'").fetchone()[0]
    assert unknown
    ledger = await opened(old)
    spring, summer = await ledger.find_campaign("spring"), await ledger.find_campaign("summer")
    assert spring.account == summer.account == await ledger.account("AC" + "aB" * 16, "http://[::1]:80/")
    assert (spring.account.account_sid, spring.account.base_url) == ("AC" + "ab" * 16, "http://127.0.0.1")
    sent = {row.attempt_id: row.dispatch_id for row in await ledger.unknown_rows(spring)}
    for attempt_id, row_key in unknown:
        assert sent[attempt_id] == dispatch_id(SPELLINGS["spring"][0], flow_sid, "spring", row_key)
    # No run of before holds it, and what any of them left behind is its.
    run = await ledger.start_run(spring, window_limit=200, now_ms=10_000)
    assert run.recovered == 21
    assert run.epoch == 7
    await ledger.close()
    assert flaws(old / FILE_NAME) == []
    with raw(old / FILE_NAME) as db:
        for table in ("campaigns", "runs", "contacts"):
            found = {account_id for (account_id,) in db.execute(f"SELECT DISTINCT account_id FROM {table}")}
            known = {account_id for (account_id,) in db.execute("SELECT account_id FROM accounts")}
            assert found <= known
            assert spring.account.account_id in found

"""A user's ledger, copied to a server: all of it or none, whatever interrupts it, and never two to send by."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from dispatcher.errors import AccountLocked, LedgerError, LedgerKeyLost, SettingsError, UsageError
from dispatcher.ledger import check_ledger, copy_ledger, copying, open_ledger, open_rehearsal
from dispatcher.ledger.postgres.target import Target
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.key import KEY_NAME, make_key, read_key
from dispatcher.ledger.sqlite.source import COPIED_NAME
from dispatcher.ledger.striking import Person
from dispatcher.ledger.tables import LEASE, OWN, TABLES
from dispatcher.model import Outcome, pseudonym_of
from dispatcher.remedies import Setting
from dispatcher.settings import StateSettings
from tests.support import postgres
from tests.support.ledgers import NONE, account, campaign, end, invalid, lines, opened, planned, raw


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.shared().ledger() as found:
        yield found


@pytest.fixture
def db(url: str) -> Iterator[psycopg.Connection[Any]]:
    with postgres.connected(url) as connection:
        yield connection


def target(url: str) -> Callable[[], AbstractContextManager[Target]]:
    @contextlib.contextmanager
    def opened_target() -> Iterator[Target]:
        with postgres.connected(url) as connection:
            yield Target(connection)

    return opened_target


def quiet(what: str, done: int, total: int) -> None:
    pass


def copy(folder: Path, url: str, tell: Callable[[str, int, int], None] = quiet, **more: Any) -> copying.Copied:
    return copying.copy(folder, target(url), url, tell, **more)


#: Of tables that nothing but a campaign that is sent for weeks would fill.
_MORE = """
INSERT INTO sent SELECT min(attempt_id), 1, '{"name": null}' FROM attempts;
INSERT INTO foreign_executions VALUES (1, 'FW1', '+1555', 'FN1', 5, 1), (1, 'FW1', '+1555', 'FN2', 6, NULL);
INSERT INTO looks VALUES (1, 'FW1', 1, 5, -6, 7);
INSERT INTO lists (account_id, kind, source, read_at_ms) VALUES (1, 'file', '/lists/ü.csv', NULL), (1, 'user', '', 5);
INSERT INTO suppressed VALUES (1, '+15551234567', 1), (1, 'sha256:00', 2);
INSERT INTO suppression_log (at_ms, account_id, action, kind, reason) VALUES (5, 1, 'read', 'file', 'é "x"');
INSERT INTO places (zones, country, area, source) VALUES ('["Europe/Paris"]', 'FR', '', 'number'), ('[]', '', '', '');
INSERT INTO executions SELECT max(attempt_id), 'ended', 5, 6, 7, NULL, 'x', 's', '["a"]', 8, 'text', '{}' FROM attempts;
INSERT INTO notices VALUES ('msg_b', 1, 1, 'finished', '{"a": "\\u0000"}', 'webhook:1', 5, NULL, NULL, 0, 2, NULL);
INSERT INTO notices VALUES ('msg_A', 1, 1, 'finished', '{}', 'webhook:1', 5, 6, NULL, 0, 2, NULL);
INSERT INTO canaries VALUES (1, 2, '["a", "é\\\\\\"b"]', NULL, 0, 'passed'), (2, 2, '[]', 5, 3, NULL);
INSERT INTO beginnings VALUES (1, 5, 6);
UPDATE accounts SET per_second = 12.5, hold_until_ms = 5, ceiling_per_s = 0.1;
UPDATE runs SET host = 'here', waits = 'for nothing', waits_until_ms = 7, rate_per_s = 19.9;
UPDATE campaigns SET settings = '{"rate": 1}', due_ms = 9, wish = 'pause';
UPDATE inputs SET removes = 1 WHERE input_id = 1;
"""


async def filled(folder: Path, rows: int = 50) -> Path:
    """A ledger with something in every table, at rest."""
    ledger = await opened(folder)
    spring = await campaign(ledger)
    await planned(ledger, spring, [*lines("a", 'é"b', "c", "d"), invalid(name="\0")])
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    a, b, c, d = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    ends = [end(a, Outcome.created), end(b, Outcome.rejected, code=21211), end(c, Outcome.unknown)]
    await ledger.end_rows(run, [*ends, end(d, Outcome.not_sent)], now_ms=6, totals=NONE)
    await ledger.stop_run(run, now_ms=7, reason=None, totals=NONE)
    await planned(ledger, await campaign(ledger, "Été"), lines(*(f"+1415200{n:04d}" for n in range(rows))))
    await ledger.erasures.forget(Person("d", ""), lambda done, total: None, suppress=True, actor="ann")
    await ledger.close()
    with raw(folder / FILE_NAME) as file:
        file.executescript(_MORE)
    return folder


def content(query: Callable[[str], Any], table: str, columns: str, key: str) -> list[tuple[Any, ...]]:
    return sorted(query(f"SELECT {columns} FROM {table}"), key=lambda row: [str(value) for value in row])


async def test_everything_comes_over(tmp_path: Path, url: str, db: psycopg.Connection[Any]) -> None:
    """Each row of each table, with its number; what is made next has a number above; forgotten people stay known."""
    folder = await filled(tmp_path / "state")
    steps: list[str] = []
    copied = copy(folder, url, lambda what, done, total: steps.append(what))
    assert list(dict.fromkeys(steps)) == ["looking at the texts", "copying", "comparing"]
    with raw(folder / COPIED_NAME) as file:
        rows = 0
        for table in TABLES:
            names = [name for (name,) in file.execute(f"SELECT name FROM pragma_table_info('{table.name}')")]
            columns, key = ", ".join(names), ", ".join(table.key)
            theirs = content(lambda sql: file.execute(sql).fetchall(), table.name, columns, key)
            ours = content(lambda sql: db.execute(sql.encode()).fetchall(), table.name, columns, key)
            if table.name == "canaries":
                theirs = [(*row[:2], orjson.loads(row[2]), *row[3:]) for row in theirs]
            assert theirs == ours, table.name
            assert theirs, table.name
            rows += len(theirs)
    assert (copied.rows, copied.rows_before, copied.aside) == (rows, 0, folder / COPIED_NAME)
    for table in TABLES:
        if table.is_numbered:
            (highest,) = db.execute(f"SELECT max({table.key[0]}) FROM {table.name}".encode()).fetchall()[0]
            text = f"SELECT nextval(pg_get_serial_sequence('{table.name}', '{table.key[0]}'))"
            assert db.execute(text.encode()).fetchone() == (highest + 1,)
    secret = read_key(folder / KEY_NAME)
    assert secret is not None
    assert db.execute("SELECT pseudonym('+1555')").fetchone() == (pseudonym_of("+1555", secret),)
    assert db.execute("SELECT pseudonym('') = key_check FROM erasures").fetchone() == (True,)


def test_every_table_and_column_is_copied(url: str, db: psycopg.Connection[Any]) -> None:
    """Both databases have the same, but for what is of their own."""
    found: dict[str, set[str]] = {}
    text = (
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'dispatcher'"
    )
    views = {name for (name,) in db.execute("SELECT viewname::text FROM pg_views WHERE schemaname = 'dispatcher'")}
    for table, column in db.execute(text):
        if table not in views:
            found.setdefault(table, set()).add(column)
    from dispatcher.ledger.sqlite.connection import lend_functions, upgrade

    with raw(Path(":memory:")) as file:
        lend_functions(file, lambda: None)
        upgrade(file)
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        theirs = {
            name: {column for (column,) in file.execute(f"SELECT name FROM pragma_table_info('{name}')")}
            for name in names
        }
    copied = {table.name for table in TABLES}
    assert found.keys() - copied == OWN["postgres"]
    assert theirs.keys() - copied == OWN["sqlite"]
    assert found["accounts"] - theirs["accounts"] == LEASE
    found["accounts"] -= LEASE
    assert {name: found[name] for name in copied} == {name: theirs[name] for name in copied}
    # Each after those that it points to.
    order = [table.name for table in TABLES]
    points = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
    for table, to in db.execute(points):
        assert order.index(to) < order.index(table)


async def test_the_old_one_is_not_used_any_more(tmp_path: Path, url: str) -> None:
    """An empty ledger in its place would know nobody: whoever looks there is told where it is now."""
    folder = await filled(tmp_path / "state")
    copy(folder, url)
    assert {path.name for path in folder.iterdir()} == {COPIED_NAME, "ledger-copied-to", KEY_NAME}
    state = StateSettings(dir=str(folder))
    for opening in (open_ledger(state), open_rehearsal(state, "spring"), check_ledger(state)):
        with pytest.raises(SettingsError, match="copied to a server") as caught:
            await opening
        assert caught.value.fix == Setting("state.url", url)
    with pytest.raises(UsageError, match="copied already"):
        copy(folder, url)
    with pytest.raises(UsageError, match="no ledger to be copied"):
        copy(tmp_path, url)


class Enough(Exception):
    """Stands for whatever interrupts a copy."""


def interrupted_after(batches: int) -> Callable[[str, int, int], None]:
    left = [batches]

    def tell(what: str, done: int, total: int) -> None:
        if what == "copying":
            left[0] -= 1
            if left[0] < 0:
                raise Enough

    return tell


async def test_it_goes_on_where_it_was(tmp_path: Path, url: str, db: psycopg.Connection[Any]) -> None:
    """Interrupted after any batch, the old ledger is the ledger, and the next call copies what is missing."""
    folder = await filled(tmp_path / "state")
    for _ in range(7):
        with pytest.raises(Enough):
            copy(folder, url, interrupted_after(2))
        assert db.execute("SELECT whole_at_ms FROM ledger_copy").fetchone() == (None,)
        assert (folder / FILE_NAME).exists()
        assert not (folder / "ledger-copied-to").exists()
    copied = copy(folder, url)
    assert 0 < copied.rows_before < copied.rows
    assert db.execute("SELECT whole_at_ms IS NULL FROM ledger_copy").fetchone() == (False,)


async def test_a_ledger_that_was_used_meanwhile_is_copied_anew(
    tmp_path: Path, url: str, db: psycopg.Connection[Any]
) -> None:
    """What was brought over before would not be true any more."""
    folder = await filled(tmp_path / "state")
    with pytest.raises(Enough):
        copy(folder, url, interrupted_after(8))
    ledger = await opened(folder)
    await ledger.set_report_path(await ledger.find_campaign("spring"), "elsewhere.csv")
    await ledger.close()
    copied = copy(folder, url)
    assert copied.rows_before == 0
    assert db.execute("SELECT report_path FROM campaigns WHERE name = 'spring'").fetchone() == ("elsewhere.csv",)


async def test_whatever_ends_it_after_the_last_row(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the note and the end neither ledger can be used; at any moment the next call ends it."""
    from dispatcher.ledger.sqlite.source import Source

    folder = await filled(tmp_path / "state")
    for of, name in ((Target, "end"), (Source, "set_aside")):
        with monkeypatch.context() as patch:

            def broken(self: object, *_: object) -> None:
                raise Enough

            patch.setattr(of, name, broken)
            with pytest.raises(Enough):
                copy(folder, url)
        with pytest.raises(SettingsError):
            await opened(folder)
    copied = copy(folder, url)
    assert copied.rows == copied.rows_before > 0
    assert copied.aside.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE rows SET state = 'skipped' WHERE state = 'planned'",
        "UPDATE rows SET row_key = 'ab' WHERE row_key = 'a'",
        "DELETE FROM notices WHERE notice_id = 'msg_A'",
        "UPDATE inputs SET removes = false",
        "UPDATE canaries SET row_keys = '{}'",
        "UPDATE chunks SET cells = cells || '\\x20'",
        "UPDATE accounts SET per_second = 12.6",
        "UPDATE attempts SET attempt_id = attempt_id + (1::bigint << 33) WHERE outcome = 'rejected'",
    ],
)
async def test_a_copy_that_is_not_the_same_is_no_ledger(
    tmp_path: Path, url: str, db: psycopg.Connection[Any], sql: str
) -> None:
    """Whatever differs is found by what is counted and summed; both stay as they are."""
    folder = await filled(tmp_path / "state")

    def tell(what: str, done: int, total: int) -> None:
        if what == "copying" and done == total:
            db.execute(sql.encode())

    with pytest.raises(LedgerError, match="not what was copied"):
        copy(folder, url, tell)
    assert db.execute("SELECT whole_at_ms FROM ledger_copy").fetchone() == (None,)
    await (await opened(folder)).close()


async def test_nothing_in_flight_is_copied(tmp_path: Path, url: str) -> None:
    """A request on the wire, a run that was killed, a process that is at work: each is refused, and said."""
    folder = tmp_path / "state"
    ledger = await opened(folder)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    async with ledger.lease(await account(ledger), wait=False):
        with pytest.raises(AccountLocked):
            copy(folder, url)
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    with pytest.raises(UsageError, match="in flight") as caught:
        copy(folder, url)
    assert "'spring'" in str(caught.value)
    await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    await ledger.stop_run(run, now_ms=7, reason=None, totals=NONE)
    with pytest.raises(UsageError, match="in flight"):
        copy(folder, url)
    await ledger.close()


async def test_two_ledgers_are_never_made_one(tmp_path: Path, url: str, db: psycopg.Connection[Any]) -> None:
    """Where there is one already, both stay as they are; an account that somebody has only looked at is none."""
    folder = await filled(tmp_path / "state")
    other = await filled(tmp_path / "other", rows=3)
    db.execute("INSERT INTO accounts (account_sid, base_url) VALUES ('AC1', 'http://x')")
    copy(other, url)
    with pytest.raises(UsageError, match="two cannot be made one"):
        copy(folder, url)
    db.execute("DELETE FROM ledger_copy")
    with pytest.raises(UsageError, match="two cannot be made one"):
        copy(folder, url)
    assert db.execute("SELECT count(*) FROM rows").fetchone() == (8,)
    await (await opened(folder)).close()


async def test_texts_that_cannot_be_stored(tmp_path: Path, url: str, db: psycopg.Connection[Any]) -> None:
    """Told before anything is copied, with which rows and without the text; replaced where nothing is told by it."""
    folder = await filled(tmp_path / "state")
    with raw(folder / FILE_NAME) as file:
        file.execute("UPDATE rows SET reason = 'x' || char(0) || 'y' WHERE state = 'invalid'")
        file.execute("UPDATE runs SET stop_reason = CAST(x'61ff62' AS TEXT)")
    with pytest.raises(UsageError, match="cannot hold some texts") as caught:
        copy(folder, url)
    assert caught.value.found == "1 text in rows.reason (row 6 of file 1); 1 text in runs.stop_reason (run 1)"
    assert db.execute("SELECT count(*) FROM ledger_copy").fetchone() == (0,)
    with raw(folder / FILE_NAME) as file:
        file.execute("UPDATE row_keys SET row_key = 'c' || char(0) WHERE row_key = 'c'")
        file.execute("UPDATE contacts SET row_key = hex(zeroblob(2000)) WHERE contact = 'c'")
    with pytest.raises(UsageError, match="cannot hold some texts") as caught:
        copy(folder, url, replace=True)
    assert "1 text in row_keys.row_key (campaign 1); 1 text in contacts.row_key" in str(caught.value)
    with raw(folder / FILE_NAME) as file:
        file.execute("UPDATE row_keys SET row_key = 'c' WHERE row_key = 'c' || char(0)")
        file.execute("UPDATE contacts SET row_key = '' WHERE contact = 'c'")
    assert copy(folder, url, replace=True).replaced == 2
    assert db.execute("SELECT reason FROM rows WHERE state = 'invalid'").fetchone() == ("x\ufffdy",)
    assert db.execute("SELECT stop_reason FROM runs").fetchone() == ("a\ufffdb",)


async def test_without_the_key_nobody_is_copied(tmp_path: Path, url: str) -> None:
    """Forgotten people would be strangers to the new ledger, and no key of before them would tell."""
    folder = await filled(tmp_path / "state")
    (folder / KEY_NAME).unlink()
    with pytest.raises(LedgerKeyLost):
        copy(folder, url)
    make_key(folder)
    with pytest.raises(LedgerKeyLost):
        copy(folder, url)


async def test_one_copies_at_a_time(tmp_path: Path, url: str) -> None:
    """A second that begins would empty what the first has brought over."""
    folder = await filled(tmp_path / "state")
    with target(url)(), pytest.raises(LedgerError, match="another process copies"):
        copy(folder, url)


async def test_nobody_looks_on(tmp_path: Path, url: str, db: psycopg.Connection[Any]) -> None:
    """A worker that had the empty ledger open would send by half of one: it is to end first, whenever it is met."""
    folder = await filled(tmp_path / "state")
    ledger = await open_ledger(StateSettings(url=url))
    with pytest.raises(LedgerError, match="other processes work") as caught:
        copy(folder, url)
    assert "dispatcher ledger" in str(caught.value)
    await (await open_ledger(StateSettings(url=url))).close()
    await ledger.close()
    with pytest.raises(Enough):
        copy(folder, url, interrupted_after(8))
    other = psycopg.connect(url, application_name="dispatcher jobs elsewhere:1")
    with contextlib.closing(other), pytest.raises(LedgerError, match="other processes work"):
        copy(folder, url)
    assert copy(folder, url).rows_before > 0


PROGRAM = """
import contextlib, sys, time
from pathlib import Path
from dispatcher.ledger import copying
from dispatcher.ledger.postgres.target import Target
from tests.support import postgres

@contextlib.contextmanager
def opened():
    with postgres.connected(sys.argv[2]) as connection:
        yield Target(connection)

def tell(what, done, total):
    print(what, done, flush=True)
    if what == "copying" and done > int(sys.argv[3]):
        time.sleep(60)

copying.copy(Path(sys.argv[1]), opened, sys.argv[2], tell)
"""


def test_killed_it_goes_on(tmp_path: Path, root: Path, url: str, db: psycopg.Connection[Any]) -> None:
    """SIGKILL, again and again: each call begins where the one before was killed, and the last ends it."""
    folder = asyncio.run(filled(tmp_path / "state", rows=30_000))
    seen = 0
    for _ in range(3):
        command = [sys.executable, "-c", PROGRAM, str(folder), url, str(seen)]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                what, _, done = line.rpartition(" ")
                if what == "copying" and int(done) > seen:
                    seen = int(done)
                    break
            process.send_signal(signal.SIGKILL)
    found = db.execute("SELECT progress FROM ledger_copy").fetchone()
    assert found is not None
    assert sum(n for n, _ in json.loads(found[0]).values()) == seen > 0
    copied = copy(folder, url)
    assert copied.rows_before == seen
    assert db.execute("SELECT count(*) FROM rows").fetchone() == (30_005,)


async def test_whoever_is_interrupted_does_not_wait(tmp_path: Path, url: str, db: psycopg.Connection[Any]) -> None:
    """Cancelled, the copy ends with the batch it is at, and the next call goes on."""
    folder = await filled(tmp_path / "state")
    began, seen = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def tell(what: str, done: int, total: int) -> None:
        seen.append(what)
        if what == "copying":
            loop.call_soon_threadsafe(began.set)
            time.sleep(0.2)

    copying_it = asyncio.create_task(copy_ledger(StateSettings(url=url), tell, folder=folder))
    await began.wait()
    copying_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying_it
    await asyncio.sleep(0.5)
    assert seen.count("copying") <= 2
    assert db.execute("SELECT whole_at_ms FROM ledger_copy").fetchone() == (None,)
    assert (await copy_ledger(StateSettings(url=url), quiet, folder=folder)).rows_before > 0

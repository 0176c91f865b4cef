"""A server's ledger from outside: what is said of it without working on it, who may do what, and what is not there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dispatcher.errors import ExtraMissing, LedgerError, LedgerGone, LedgerNotMigrated, SettingsError, UsageError
from dispatcher.ledger import (
    back_up_ledger,
    check_ledger,
    clean_ledger,
    copy_ledger,
    give_ledger_rights,
    has_rehearsals,
    is_leased,
    ledger_folder,
    migrate_ledger,
    move_ledger,
    open_ledger,
)
from dispatcher.ledger.postgres.roles import make_roles
from dispatcher.ledger.striking import Person
from dispatcher.remedies import Advice, AnyOf, Command
from dispatcher.settings import StateSettings
from tests.support import postgres
from tests.support.ledgers import ACCOUNT_SID, BASE_URL, account, campaign, lines, planned


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateSettings]:
    with postgres.shared().ledger() as url:
        yield StateSettings(url=url, dir=str(tmp_path / "state"))


@pytest.fixture
def db(state: StateSettings) -> Iterator[psycopg.Connection[Any]]:
    with postgres.connected(state.url) as connection:
        yield connection


async def filled(state: StateSettings) -> None:
    ledger = await open_ledger(state)
    await planned(ledger, await campaign(ledger), lines("a", "b"))
    await ledger.erasures.forget(Person("a", ""), lambda done, total: None, suppress=True, actor="ann")
    await ledger.close()


async def test_its_health(state: StateSettings, db: psycopg.Connection[Any]) -> None:
    """Whole, by which server, how it keeps what it confirms; broken, what is wrong, where it is looked at closely."""
    await filled(state)
    steps: list[int] = []
    health = await check_ledger(state, lambda done, total: steps.append(done))
    assert health is not None
    assert (health.problems, health.key_lost, health.campaigns) == ((), None, 1)
    assert health.location == state.shown_url
    assert health.kept_by.startswith("PostgreSQL ")
    assert "fsync = on, full_page_writes = on, synchronous_commit = on" in health.kept_by
    assert len(steps) > 5
    db.execute("UPDATE tallies SET n = n + 1")
    db.execute("DELETE FROM forgotten_key")
    health = await check_ledger(state, lambda done, total: None)
    assert health is not None
    assert [problem.partition(" (")[0] for problem in health.problems] == ["counts that are not those of the rows"]
    assert health.key_lost is not None
    short = await check_ledger(state)
    assert short is not None
    assert short.problems == ()


async def test_who_sends_is_told(state: StateSettings) -> None:
    """By whichever machine, however the account is spelled."""
    ledger = await open_ledger(state)
    record = await account(ledger)
    assert not await is_leased(state, ACCOUNT_SID, BASE_URL)
    async with ledger.lease(record, wait=False):
        assert await is_leased(state, ACCOUNT_SID.lower(), f"{BASE_URL}/")
        assert not await is_leased(state, "AC1", BASE_URL)
    assert not await is_leased(state, ACCOUNT_SID, BASE_URL)
    await ledger.close()


async def test_what_is_a_server_s_own(state: StateSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its backup is its own program's, without the key, which goes elsewhere; no file moves there; no page is ours."""
    with pytest.raises(UsageError, match="backed up by PostgreSQL") as caught:
        await back_up_ledger(state, tmp_path / "my copy")
    assert isinstance(caught.value.fix, Advice)
    assert "pg_dump, without the data of dispatcher.forgotten_key" in caught.value.fix.text
    with pytest.raises(UsageError, match="does not move there") as caught:
        await move_ledger(tmp_path, state)
    assert isinstance(caught.value.fix, AnyOf)
    assert isinstance(caught.value.fix.remedies[0], Command)
    assert caught.value.fix.remedies[0].name == "ledger copy"
    assert await clean_ledger(state, lambda done, total: None) == []
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    (tmp_path / "rehearsals").mkdir()
    (tmp_path / "rehearsals" / "ledger.sqlite3").touch()
    assert has_rehearsals(StateSettings())
    assert not has_rehearsals(StateSettings(url=state.url))


def test_a_folder_is_the_page_s_alone(state: StateSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ledger that lies in some folder stands in the way of a server's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dispatcher").mkdir()
    (tmp_path / ".dispatcher" / "ledger.sqlite3").touch()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger-copied-to").write_text(state.url, encoding="utf-8")
    assert ledger_folder(state) == tmp_path / "state"
    assert ledger_folder(StateSettings(url=state.url)).is_absolute()
    with pytest.raises(SettingsError):
        ledger_folder(StateSettings(dir=state.dir))


async def test_a_database_without_tables_is_told(tmp_path: Path) -> None:
    """By everything that would look; made, it is a ledger, and made again it is the same."""
    with postgres.shared().database() as url:
        state = StateSettings(url=url)
        for opening in (open_ledger(state), check_ledger(state), copy_ledger(state, _quiet, folder=tmp_path)):
            with pytest.raises((LedgerNotMigrated, UsageError)):
                await opening
        done = await migrate_ledger(state)
        assert (done.before, done.accepted) == (0, False)
        done = await migrate_ledger(state)
        assert (done.before, done.accepted) == (done.after, False)
        await (await open_ledger(state)).close()
    for making in (migrate_ledger(StateSettings()), give_ledger_rights(StateSettings())):
        with pytest.raises(SettingsError, match="no server is named"):
            await making


def _quiet(what: str, done: int, total: int) -> None:
    pass


async def test_a_copy_that_is_not_whole_is_no_ledger(state: StateSettings, db: psycopg.Connection[Any]) -> None:
    """Nobody opens it, whatever for, but whoever goes on with it."""
    db.execute("""INSERT INTO ledger_copy VALUES (true, '{"path": "/x"}', '{"rows": [5, [1]]}', NULL)""")
    for opening in (open_ledger(state), check_ledger(state), is_leased(state, ACCOUNT_SID, BASE_URL)):
        with pytest.raises(LedgerNotMigrated, match="not all of it is there") as caught:
            await opening
        assert caught.value.fix == Command("ledger copy", does="goes on with it")
    await migrate_ledger(state)
    db.execute("UPDATE ledger_copy SET whole_at_ms = 5")
    await (await open_ledger(state)).close()


async def test_who_may_make_no_roles_gets_the_text(state: StateSettings) -> None:
    """What is to be run is whole statements, each of them for one who may."""
    with postgres.connected(state.url) as connection:
        if connection.execute(
            "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = CURRENT_USER"
        ).fetchone() != (False,):
            pytest.skip("the tests' own user may make roles")
        script = make_roles(connection)
    assert script.count("$do$;") == 3
    for role in ("dispatcher_owner", "dispatcher_worker", "dispatcher_reader"):
        assert role in script
    assert await give_ledger_rights(state) == script


async def test_roles_have_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker writes all but whose history it is, a reader sees all but the key, an owner alters the tables."""
    monkeypatch.setattr(postgres, "_ROLE", "CREATE ROLE postgres LOGIN CREATEDB CREATEROLE")
    with postgres.PrivateServer() as server, server.database() as url:
        state = StateSettings(url=url)
        await migrate_ledger(state)
        await filled(state)
        assert await give_ledger_rights(state) == ""
        assert await give_ledger_rights(state) == "", "again, it changes nothing"
        assert (await migrate_ledger(state)).before == 1
        found = {
            role: {sql for sql in _TRIED if _may(url, role, sql)}
            for role in ("dispatcher_owner", "dispatcher_worker", "dispatcher_reader")
        }
    looks, key, writes, history, alters = _TRIED
    assert found["dispatcher_reader"] == {looks}
    assert found["dispatcher_worker"] == {looks, key, writes}
    assert found["dispatcher_owner"] == {looks, key, writes, history, alters}


_TRIED = (
    "SELECT count(*) FROM rows",
    "SELECT pseudonym('x')",
    "UPDATE rows SET attempts = attempts; CREATE TEMP TABLE planned (n integer)",
    "UPDATE ledger_meta SET timeline = timeline; UPDATE ledger_copy SET progress = progress",
    "ALTER TABLE rows ADD COLUMN more integer",
)


def _may(url: str, role: str, text: str) -> bool:
    with postgres.connected(url) as connection:
        connection.execute(f"GRANT {role} TO CURRENT_USER".encode())
        connection.execute(f"SET ROLE {role}".encode())
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(text.encode())
        except psycopg.errors.InsufficientPrivilege:
            return False
    return True


async def test_what_is_not_installed_is_told(state: StateSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, everything that needs it says so, with the command."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "psycopg" or ".ledger.postgres" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for opening in (open_ledger(state), check_ledger(state), migrate_ledger(state)):
        with pytest.raises(ExtraMissing) as caught:
            await opening
        assert 'pip install "dispatcher[cluster]"' in str(caught.value.fix)


async def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As a ledger's error, by whatever looks."""
    state = StateSettings(url="postgresql://postgres@127.0.0.1:1/none", dir=str(tmp_path))
    for opening in (open_ledger(state), check_ledger(state), is_leased(state, "AC1", BASE_URL), migrate_ledger(state)):
        with pytest.raises(LedgerError):
            await opening


async def test_a_dump_that_was_restored_is_another_history(state: StateSettings, db: psycopg.Connection[Any]) -> None:
    """Into the same server, too: it lacks whoever was contacted since. A person has to accept it."""
    await filled(state)
    db.execute("VACUUM FULL ledger_meta")
    await (await open_ledger(state)).close()
    # As pg_restore does: the same row in a table that is made anew.
    db.execute("ALTER TABLE ledger_meta RENAME TO dumped")
    db.execute("CREATE TABLE ledger_meta (LIKE dumped INCLUDING DEFAULTS, PRIMARY KEY (one))")
    db.execute("INSERT INTO ledger_meta SELECT * FROM dumped")
    for accepting in (open_ledger(state), check_ledger(state), migrate_ledger(state)):
        with pytest.raises(LedgerGone):
            await accepting
    assert (await migrate_ledger(state, accept_history=True)).accepted
    await (await open_ledger(state)).close()

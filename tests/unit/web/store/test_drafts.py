"""Drafts: every change names the version it was decided on, and has its line of the history or is not made."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from dispatcher.errors import LedgerError
from dispatcher.web.store import AuditLine, Draft, DraftChanges, Stage, Store, open_store
from dispatcher.web.store.connection import Db
from tests.unit.web.store.conftest import CHEAP


def line(what: str = "launched") -> AuditLine:
    return AuditLine(at_ms=5, who="Anna", source="127.0.0.1", what=what, campaign="spring", detail={"contacts": 3})


async def new(store: Store, name: str = "spring") -> Draft:
    return await store.drafts.create(name, created_by="Anna", now_ms=1, uploads=("u1",), audit=line("created"))


EVERYTHING: DraftChanges = {
    "name": "spring 2",
    "profile": "eu",
    "uploads": ("u1", "u2"),
    "planned": 1,
    "settings": {"columns.to": "phone", "rate.per_second": 2.5, "input.sheet": "Çä"},
    "stage": Stage.launched,
    "look": {"columns": ["a", "b"]},
    "check": {"planned": 3},
    "error": {"code": "input", "message": "m", "found": "f", "fix": "", "field": "file"},
    "test": {"sid": "FN"},
    "confirmed": 3,
    "revision": 7,
    "again": True,
    "due_ms": 99,
    "zone": "Europe/Berlin",
    "launched_at_ms": 8,
    "launched_by": "Bob",
}


async def test_every_field_is_kept(store: Store) -> None:
    """What was changed is what is read again, whatever it is, and the version has been raised."""
    draft = await new(store)
    changed = await store.drafts.change(draft.draft_id, 0, **EVERYTHING)
    assert changed is not None
    assert changed == await store.drafts.get(draft.draft_id)
    assert {name: getattr(changed, name) for name in EVERYTHING} == EVERYTHING
    assert (changed.version, changed.created_at_ms, changed.created_by) == (1, 1, "Anna")


async def test_an_old_version_changes_nothing(store: Store) -> None:
    """Whoever was second is told, and has no line in the history."""
    draft = await new(store)
    assert await store.drafts.change(draft.draft_id, 0, confirmed=3, audit=line()) is not None
    assert await store.drafts.change(draft.draft_id, 0, confirmed=4, audit=line()) is None
    found = await store.drafts.get(draft.draft_id)
    assert (found.confirmed, found.version) == (3, 1) if found else False
    assert [one.what for one in await store.audit.page()] == ["launched", "created"]


async def test_a_draft_that_is_not_there(store: Store) -> None:
    """It can neither be read, changed nor deleted."""
    assert await store.drafts.get("none") is None
    assert await store.drafts.change("none", 0, again=True, audit=line()) is None
    assert not await store.drafts.delete("none", 0, audit=line())
    assert await store.audit.page() == []


async def test_deleting_names_a_version_too(store: Store) -> None:
    """A draft that somebody has just changed is not deleted by somebody who has not seen that."""
    draft = await new(store)
    await store.drafts.change(draft.draft_id, 0, again=True)
    assert not await store.drafts.delete(draft.draft_id, 0, audit=line("deleted"))
    assert await store.drafts.delete(draft.draft_id, 1, audit=line("deleted"))
    assert await store.drafts.list() == []
    assert (await store.audit.page())[0].draft_id == draft.draft_id


async def test_the_newest_is_first(store: Store) -> None:
    """In the list, and among those of one name."""
    for n, name in enumerate(("a", "b", "a")):
        await store.drafts.create(name, created_by="Anna", now_ms=n)
    assert [draft.name for draft in await store.drafts.list()] == ["a", "b", "a"]
    assert [draft.created_at_ms for draft in await store.drafts.named("a")] == [2, 0]


async def test_no_change_without_its_line(store: Store) -> None:
    """A line that cannot be written takes the change with it."""
    draft = await new(store)
    refuse = "CREATE TEMP TRIGGER t BEFORE INSERT ON main.audit BEGIN SELECT RAISE(ABORT, 'no'); END"
    await store._thread.do(lambda db: db.connection.execute(refuse).close())
    with pytest.raises(LedgerError):
        await store.drafts.change(draft.draft_id, 0, stage=Stage.launched, audit=line())
    assert await store.drafts.get(draft.draft_id) == draft


def _killed_before_its_line(folder: Path, draft_id: str) -> None:
    """Launch the draft, and be killed when the draft is changed and its line is not written."""

    def arm(db: Db) -> None:
        db.connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
        db.connection.execute("CREATE TEMP TRIGGER t BEFORE INSERT ON main.audit BEGIN SELECT die(); END")

    async def work() -> None:
        store = await open_store(folder, cost=CHEAP)
        await store._thread.do(arm)
        await store.drafts.change(draft_id, 0, stage=Stage.launched, confirmed=3, audit=line())

    asyncio.run(work())


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
async def test_a_kill_between_change_and_line(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL between a change and its line: neither is there, and the next process launches it."""
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    store = await open_store(tmp_path, cost=CHEAP)
    draft = await new(store)
    await store.close()
    process = multiprocessing.get_context("spawn").Process(
        target=_killed_before_its_line, args=(tmp_path, draft.draft_id)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    store = await open_store(tmp_path, cost=CHEAP)
    assert await store.drafts.get(draft.draft_id) == draft
    assert [one.what for one in await store.audit.page()] == ["created"]
    assert await store.drafts.change(draft.draft_id, 0, stage=Stage.launched, audit=line()) is not None
    await store.close()


def _launch_again_and_again(folder: Path, draft_id: str, who: str, ready: Barrier, won: object) -> None:
    """Change the draft from each version it has, as fast as can be, and say which changes were ours."""

    async def work() -> None:
        store = await open_store(folder, cost=CHEAP)
        ready.wait(60)
        mine = []
        for version in range(100):
            if await store.drafts.change(draft_id, version, launched_by=who, audit=line(who)) is not None:
                mine.append(version)
        await store.close()
        won.put((who, mine))  # type: ignore[attr-defined]

    asyncio.run(work())


async def test_of_two_processes_one_is_first(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of a hundred versions is changed by exactly one of two processes, and has exactly one line."""
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    store = await open_store(tmp_path, cost=CHEAP)
    draft = await store.drafts.create("spring", created_by="Anna", now_ms=1)
    context = multiprocessing.get_context("spawn")
    ready, won = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_launch_again_and_again, args=(tmp_path, draft.draft_id, who, ready, won))
        for who in ("a", "b")
    ]
    for process in processes:
        process.start()
    changes = dict([won.get(timeout=60) for _ in processes])
    for process in processes:
        process.join(60)
    found = await store.drafts.get(draft.draft_id)
    lines = await store.audit.page(limit=500)
    assert not set(changes["a"]) & set(changes["b"])
    assert found is not None
    assert found.version == len(changes["a"]) + len(changes["b"]) == len(lines)
    assert {who: len(mine) for who, mine in changes.items()} == {
        who: sum(one.what == who for one in lines) for who in "ab"
    }
    await store.close()


async def test_the_history_is_never_changed(store: Store) -> None:
    """Neither by an UPDATE nor by a DELETE: the database refuses both."""
    await store.audit.write(line())
    for statement in ("UPDATE audit SET who = 'Bob'", "DELETE FROM audit"):
        with pytest.raises(LedgerError, match="refused an operation"):
            await store._thread.do(lambda db, statement=statement: db.connection.execute(statement).close())  # type: ignore[misc]
    (kept,) = await store.audit.page()
    assert (kept.who, kept.detail) == ("Anna", {"contacts": 3})


async def test_the_history_in_pages(store: Store) -> None:
    """The newest first, from where the page before ended, of one campaign where it is named; the export has all."""
    for n in range(2_050):
        campaign = "spring" if n % 2 else "may"
        await store.audit.write(AuditLine(at_ms=n, who="Anna", source="", what="w", campaign=campaign))
    first = await store.audit.page(limit=10)
    second = await store.audit.page(before=first[-1].line_id, limit=10)
    assert [one.at_ms for one in first + second] == list(range(2_049, 2_029, -1))
    assert [one.at_ms for one in await store.audit.page(limit=3, campaign="may")] == [2_048, 2_046, 2_044]
    assert await store.audit.campaigns() == ["may", "spring"]
    assert [one.at_ms async for one in store.audit.export()] == list(range(2_050))


def test_the_database_knows_every_stage(tmp_path: Path) -> None:
    """A stage that is added is added to the table, too."""
    schema = (Path(sys.modules[Store.__module__].__file__ or "").parent / "schema.sql").read_text("utf-8")
    with sqlite3.connect(":memory:") as db:
        db.executescript(schema)
        found = db.execute("SELECT sql FROM sqlite_master WHERE name = 'drafts'").fetchone()[0]
    db.close()
    assert f"stage IN ({', '.join(repr(stage.value) for stage in Stage)})" in found

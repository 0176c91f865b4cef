"""web.sqlite3 itself: durable, this user's alone, refused where it is not ours, told why where it cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from dispatcher.errors import (
    DispatcherError,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerTooNew,
    LedgerUnreachable,
    LedgerUnwritable,
    UsageError,
)
from dispatcher.web.store import AuditLine, Role, Store, open_store
from dispatcher.web.store.connection import APPLICATION_ID, FILE_NAME, SCHEMA_VERSION, Db
from dispatcher.web.store.failures import mapped, mapped_os
from tests.unit.web.store.conftest import CHEAP

LINE = AuditLine(at_ms=1, who="Anna", source="", what="paused")


async def opened(folder: Path) -> Store:
    return await open_store(folder, cost=CHEAP)


def change_file(folder: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / FILE_NAME)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def pragma(db: Db, name: str) -> object:
    return db.connection.execute(f"PRAGMA {name}").fetchone()[0]


async def test_it_is_durable(store: Store) -> None:
    """What was told is on disk: WAL with synchronous FULL; and people's sessions go with them."""
    found = await store._thread.read(
        lambda db: [pragma(db, name) for name in ("journal_mode", "synchronous", "foreign_keys", "user_version")]
    )
    assert found == ["wal", 2, 1, SCHEMA_VERSION]


async def test_it_is_this_users_alone(tmp_path: Path) -> None:
    """The folder and every file of it can be read by nobody else."""
    folder = tmp_path / "a" / "state"
    store = await opened(folder)
    await store.audit.write(LINE)
    files = [folder, *folder.iterdir()]
    assert {path.name for path in files} >= {FILE_NAME, f"{FILE_NAME}-wal"}
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in files)
    await store.close()


async def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    """Closed and opened, it has what it had."""
    store = await opened(tmp_path)
    await store.users.add("Anna", Role.sender, "correct horse battery", now_ms=1)
    await store.close()
    again = await opened(tmp_path)
    assert [user.name for user in await again.users.list()] == ["Anna"]
    await again.close()


async def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """A newer program's tables are not touched by an older one."""
    await (await opened(tmp_path)).close()
    change_file(tmp_path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(LedgerTooNew, match="newer version"):
        await opened(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


async def test_a_file_upgraded_meanwhile_is_refused(store: Store, tmp_path: Path) -> None:
    """Nothing is written by an older program that had it open before the newer one came."""
    change_file(tmp_path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(LedgerTooNew):
        await store.audit.write(LINE)
    change_file(tmp_path, f"PRAGMA user_version = {SCHEMA_VERSION}")
    assert await store.audit.page() == []


async def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    """A database that is not ours stays as it is."""
    change_file(tmp_path, "CREATE TABLE theirs (x)", f"PRAGMA application_id = {APPLICATION_ID + 1}")
    with pytest.raises(LedgerCorrupt, match="another program"):
        await opened(tmp_path)


@pytest.mark.parametrize("content", [b"no database at all" * 400, b"SQLite format 3\x00" + b"\xff" * 8000])
async def test_a_damaged_file_is_told(content: bytes, tmp_path: Path) -> None:
    """It is not replaced by an empty one."""
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(LedgerCorrupt):
        await opened(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


async def test_a_full_disk_is_told_and_got_over(store: Store) -> None:
    """The change is not made; with room again the next one is."""
    await store._thread.read(lambda db: db.connection.execute("PRAGMA max_page_count = 1").fetchone())
    with pytest.raises(LedgerFull, match="disk is full"):
        await store.audit.write(AuditLine(at_ms=1, who="a" * 400_000, source="", what="filled"))
    await store._thread.read(lambda db: db.connection.execute("PRAGMA max_page_count = 100000").fetchone())
    await store.audit.write(LINE)
    assert (await store.audit.page(limit=1))[0].what == "paused"


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """By the error of a state folder that cannot be written."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnwritable):
        await opened(tmp_path / "file" / "state")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SQLITE_BUSY", LedgerUnreachable),
        ("SQLITE_IOERR_FSYNC", LedgerUnreachable),
        ("SQLITE_IOERR_WRITE", LedgerFull),
        ("SQLITE_READONLY", LedgerUnwritable),
        ("SQLITE_CORRUPT_INDEX", LedgerCorrupt),
        ("SQLITE_ERROR", LedgerError),
    ],
)
def test_each_code_has_its_error(name: str, expected: type[LedgerError]) -> None:
    """By SQLite's own name of it; the error that came first stays to be seen."""
    error = sqlite3.OperationalError("said so")
    error.sqlite_errorname = name
    told = mapped(error)
    assert type(told) is expected
    assert told.__cause__ is error
    assert "ledger" not in str(told), "the page's file is not the ledger"


def test_the_systems_errors_are_ours() -> None:
    """A quota is a full disk; whatever is ours already stays as it is."""
    assert isinstance(mapped_os(OSError(122, "quota")), LedgerFull)
    assert isinstance(mapped_os(OSError(13, "denied")), LedgerUnwritable)
    own: DispatcherError = UsageError("no")
    assert mapped(own) is own


async def test_it_leaves_the_loops_threads_alone(tmp_path: Path) -> None:
    """Asyncio's default executor, whose few threads the sending needs, is not used: no thread of it is begun."""
    store = await opened(tmp_path)
    await store.users.add("Anna", Role.sender, "correct horse battery", now_ms=1)
    new = await store.uploads.begin("a.csv", "Anna", 1)
    new.path.write_bytes(b"x")
    await store.uploads.finish(new.upload_id, 1, "x")
    names = {thread.name for thread in threading.enumerate()}
    assert {"page-store", "page-files_0", "page-passwords_0"} <= names
    assert not [name for name in names if name.startswith("asyncio")]
    await store.close()


async def test_many_at_once_lose_nothing(store: Store) -> None:
    """Two hundred changes asked for at the same moment are all made, in order."""
    await asyncio.gather(*(store.audit.write(AuditLine(at_ms=n, who="a", source="", what="w")) for n in range(200)))
    assert [line.at_ms for line in await store.audit.page(limit=500)] == list(reversed(range(200)))


async def test_two_loops_in_two_threads(tmp_path: Path) -> None:
    """Two stores of one folder, each with a thread and a loop of its own, get on with each other."""
    failed: list[BaseException] = []

    async def work(who: str) -> None:
        store = await opened(tmp_path)
        for n in range(50):
            await store.audit.write(AuditLine(at_ms=n, who=who, source="", what="w"))
        await store.close()

    def run(who: str) -> None:
        try:
            asyncio.run(work(who))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(who,)) for who in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = await opened(tmp_path)
    assert not failed
    assert len(await store.audit.page(limit=500)) == 100
    await store.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Nothing waits for ever behind its end; closing it twice is no harm."""
    store = await opened(tmp_path)
    await store.close()
    await store.close()
    with pytest.raises(LedgerError, match="closed"):
        await store.drafts.list()


@pytest.mark.skipif(os.name == "nt", reason="there is no fork")
async def test_a_caller_that_leaves_undoes_nothing(store: Store) -> None:
    """A request that is cut off in the middle of a change has made it all the same, whole."""
    task = asyncio.create_task(store.audit.write(LINE))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert len(await store.audit.page()) == 1


async def test_a_servers_mark_is_kept(store: Store) -> None:
    """When it was alive last, and where: None before there was any."""
    mark = await store.server.mark()
    assert (mark.alive_at_ms, mark.host_id) == (None, None)
    await store.server.note(alive_at_ms=1, host_id="here")
    await store.server.note(alive_at_ms=2, host_id="there")
    mark = await store.server.mark()
    assert (mark.alive_at_ms, mark.host_id) == (2, "there")

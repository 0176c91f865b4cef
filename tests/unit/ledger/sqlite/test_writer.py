"""Group commit: what is asked for together is committed together, and one failure is one caller's."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from dispatcher.errors import LeaseLost, LedgerError, LedgerUnreachable
from dispatcher.ledger.db import Db
from dispatcher.ledger.group_commit import GROUP_MAX
from dispatcher.ledger.sqlite.db import SqliteDb
from dispatcher.ledger.sqlite.writer import Writer

Work = Callable[[Db], object]


class Watched(sqlite3.Connection):
    """A connection that counts its commits."""

    commits = 0

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql == "COMMIT":
            Watched.commits += 1
        return super().execute(sql, *values)  # type: ignore[arg-type]


def connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Watched)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE IF NOT EXISTS notes (note TEXT UNIQUE)")
    Watched.commits = 0
    return db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.sqlite3"


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    writer = Writer(connect(path))
    yield writer
    await asyncio.to_thread(writer.close)


def note(text: object) -> Work:
    return lambda db: execute(db, "INSERT INTO notes VALUES (?)", (text,)).rowcount


def execute(db: Db, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
    assert isinstance(db, SqliteDb)
    return db.connection.execute(sql, values)


def notes(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    try:
        return [text for (text,) in db.execute("SELECT note FROM notes ORDER BY rowid")]
    finally:
        db.close()


class Busy:
    """Keeps the writer's thread busy until it is left, so that what is asked for meanwhile is one group."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._leave = threading.Event()

    async def __aenter__(self) -> None:
        entered = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait(db: Db) -> None:
            loop.call_soon_threadsafe(entered.set)
            self._leave.wait(30)

        self._task = asyncio.create_task(self._writer.read(wait))
        await entered.wait()
        Watched.commits = 0

    async def __aexit__(self, *error: object) -> None:
        await asyncio.sleep(0)
        self._leave.set()
        await self._task


async def test_what_waits_is_committed_together_and_in_order(writer: Writer, path: Path) -> None:
    """What waits is committed together and in order."""
    async with Busy(writer):
        tasks = [asyncio.create_task(writer.do(note(str(n)))) for n in range(GROUP_MAX + 10)]
    assert await asyncio.gather(*tasks) == [1] * (GROUP_MAX + 10)
    assert Watched.commits == 1 + 2  # the one that kept it busy, a full group, and the rest
    assert notes(path) == [str(n) for n in range(GROUP_MAX + 10)]


async def test_one_failure_is_one_callers(writer: Writer, path: Path) -> None:
    """One failure is one caller's, and the others are written."""

    def lost(db: Db) -> None:
        execute(db, "INSERT INTO notes VALUES ('half')")
        raise LeaseLost

    async with Busy(writer):
        works: list[Work] = [note("a"), note("a"), lost, note("b"), lambda db: 1 // 0, note("c")]
        tasks = [asyncio.create_task(writer.do(work)) for work in works]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [int, LedgerError, LeaseLost, int, ZeroDivisionError, int]
    assert "UNIQUE constraint failed" in str(results[1])
    assert notes(path) == ["a", "b", "c"]
    assert await writer.do(note("d")) == 1


async def test_a_cancelled_caller_loses_no_write(writer: Writer, path: Path) -> None:
    """A caller that is cancelled does not lose its write."""
    async with Busy(writer):
        task = asyncio.create_task(writer.do(note("a")))
        failing = asyncio.create_task(writer.do(lambda db: 1 // 0))
        await asyncio.sleep(0)
        task.cancel()
        failing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert notes(path) == []
    await writer.do(note("b"))
    assert notes(path) == ["a", "b"]


async def test_what_a_cancelled_caller_has_asked_for_fails_without_a_word(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody asks why any more, and asyncio would print it as a bug's."""
    async with Busy(writer):
        failing = asyncio.create_task(writer.do(lambda db: 1 // 0))
        await asyncio.sleep(0)
        failing.cancel()
        await asyncio.wait([failing])
    await writer.do(note("a"))
    del failing
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def test_closing_finishes_what_is_queued(writer: Writer, path: Path) -> None:
    """Closing finishes what is asked for and takes nothing more."""
    async with Busy(writer):
        tasks = [asyncio.create_task(writer.do(note(str(n)))) for n in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(writer.close))
        await asyncio.sleep(0.01)
    await closing
    await asyncio.gather(*tasks)
    assert len(notes(path)) == 5
    for again in (writer.do, writer.read):
        with pytest.raises(LedgerError, match="closed"):
            await again(note("late"))
    await asyncio.to_thread(writer.close)


async def test_many_threads_may_ask_a_closing_writer(path: Path) -> None:
    """Whatever is accepted is answered: nothing waits for ever behind the end of the queue."""
    for _ in range(20):
        writer = Writer(connect(path))

        def ask(writer: Writer = writer) -> None:
            async def all_() -> None:
                await asyncio.gather(*(writer.do(lambda db: 1) for _ in range(5)), return_exceptions=True)

            asyncio.run(all_())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        await asyncio.to_thread(writer.close)
        for thread in threads:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()


def test_a_loop_that_is_gone_does_not_stop_the_thread(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl-C in the middle: the loop that asked is closed before the answer comes."""
    writer = Writer(connect(path))
    held = threading.Event()

    async def ask_and_leave() -> None:
        task = asyncio.create_task(writer.do(lambda db: held.wait(30)))
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(ask_and_leave())
    held.set()
    with caplog.at_level(logging.CRITICAL, logger="concurrent.futures"):
        assert asyncio.run(writer.do(note("a"))) == 1
    writer.close()
    assert notes(path) == ["a"]


def test_a_failing_callback_stops_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback that fails does not stop the thread."""
    failed = threading.Event()
    set_result = Future.set_result

    def fail(future: Future[object]) -> None:
        failed.set()
        raise RuntimeError("in a callback")

    def trapped(future: Future[object], result: object) -> None:
        future.add_done_callback(fail)
        set_result(future, result)

    writer = Writer(connect(path))
    with monkeypatch.context() as patched:
        patched.setattr(Future, "set_result", trapped)
        asyncio.run(writer.do(note("a")))
    assert failed.wait(10)
    asyncio.run(writer.do(note("b")))
    writer.close()
    assert notes(path) == ["a", "b"]


async def test_reading_does_not_wait_for_writers(writer: Writer, path: Path) -> None:
    """Reading does not wait for another process that writes."""
    await writer.do(note("a"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO notes VALUES ('b')")
    async with asyncio.timeout(5):
        assert await writer.read(lambda db: execute(db, "SELECT count(*) FROM notes").fetchone()) == (1,)
    writing = asyncio.create_task(writer.do(note("c")))
    await asyncio.sleep(0.05)
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    assert await writing == 1
    assert notes(path) == ["a", "b", "c"]


async def test_a_file_that_stays_locked_is_unreachable(path: Path) -> None:
    """A file that stays locked is said once for all who wait."""
    writer = Writer(connect(path), busy_wait_s=0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with Busy(writer):
        tasks = [asyncio.create_task(writer.do(note(str(n)))) for n in range(20)]
    started_s = asyncio.get_running_loop().time()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {LedgerUnreachable}
    assert all("another process kept the ledger locked" in str(result) for result in results)
    assert asyncio.get_running_loop().time() - started_s < 1.5
    other.execute("ROLLBACK")
    other.close()
    assert await writer.do(note("a")) == 1
    await asyncio.to_thread(writer.close)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # that is what is tested
async def test_a_forked_child_is_refused(writer: Writer, path: Path) -> None:
    """The child has the connection but not the thread: asking would wait for ever."""
    await writer.do(note("a"))
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    child = context.Process(target=_ask_in_child, args=(writer, told))
    child.start()
    answer = await asyncio.to_thread(told.get, timeout=20)
    await asyncio.to_thread(child.join, 20)
    assert (answer, child.exitcode) == ("the ledger is closed", 0)
    assert await writer.do(note("b")) == 1


def _ask_in_child(writer: Writer, told: multiprocessing.Queue[str]) -> None:
    async def ask() -> str:
        try:
            await writer.do(note("child"))
        except LedgerError as error:
            return error.message
        return "written"

    told.put(asyncio.run(ask()))
    writer.close()

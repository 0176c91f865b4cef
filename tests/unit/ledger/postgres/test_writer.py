"""One connection: what comes at once is committed together, and what becomes of it when the connection is lost."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest

from dispatcher import clock
from dispatcher.errors import LedgerError, LedgerGone, LedgerUnreachable
from dispatcher.ledger.db import Db
from dispatcher.ledger.postgres import writer
from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.model import Outcome, RowState
from tests.support.ledgers import NONE, campaign, end, lines, planned
from tests.support.postgres import PrivateServer, connected, query, shared
from tests.support.proxy import Proxy

TERMINATE = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[PostgresLedger]:
    opened = await asyncio.to_thread(PostgresLedger.open, url)
    yield opened
    await opened.close()


async def test_a_connection_that_was_cut_is_made_again(url: str, ledger: PostgresLedger) -> None:
    """Between two transactions nobody notices."""
    await campaign(ledger)
    query(url, TERMINATE)
    assert [one.name for one in await ledger.campaigns()] == ["spring"]
    query(url, TERMINATE)
    await campaign(ledger, "summer")
    assert len(await ledger.campaigns()) == 2


async def test_one_that_is_cut_in_a_transaction(url: str, ledger: PostgresLedger) -> None:
    """What was not committed is done again, whole."""
    tries = []

    def work(db: Db) -> None:
        tries.append(1)
        db.run("program_keep", version=f"{len(tries)}")
        if len(tries) == 1:
            query(url, TERMINATE)
        db.run("program_keep", version="end")

    await ledger._do(work)
    assert len(tries) == 2
    assert query(url, "SELECT version FROM program WHERE version IN ('1', '2', 'end') ORDER BY 1") == [("2",), ("end",)]


async def test_an_answer_that_does_not_come(url: str) -> None:
    """Of a commit without an answer nobody knows: nothing is granted, and the next run looks its rows up."""
    with Proxy(shared().port) as proxy:
        ledger = await asyncio.to_thread(PostgresLedger.open, proxy.url(url))
        try:
            spring = await campaign(ledger)
            await planned(ledger, spring, lines("a", "b"))
            run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
            proxy.lose_answers(after=b"COMMIT")
            claim = asyncio.create_task(ledger.begin_rows(run, 1, now_ms=2_000, input_id=None))
            assert await asyncio.to_thread(proxy.wait_lost)
            proxy.cut()
            proxy.keep_answers()
            with pytest.raises(LedgerUnreachable):
                await claim
            # It was: and no second time.
            assert query(url, "SELECT count(*) FROM attempts") == [(1,)]
            again = await ledger.start_run(spring, window_limit=200, now_ms=3_000)
            assert again.recovered == 1
            assert (await ledger.status(spring)).rows[RowState.unknown] == 1
        finally:
            await ledger.close()


async def test_an_outcome_that_is_written_twice(url: str) -> None:
    """As the recorder does where it does not know whether the first was: nothing changes."""
    with Proxy(shared().port) as proxy:
        ledger = await asyncio.to_thread(PostgresLedger.open, proxy.url(url))
        try:
            spring = await campaign(ledger)
            await planned(ledger, spring, lines("a", "b"))
            run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
            granted = await ledger.begin_rows(run, 2, now_ms=2_000, input_id=None)
            ends = [end(row, Outcome.created) for row in granted]
            proxy.lose_answers(after=b"COMMIT")
            writing = asyncio.create_task(ledger.end_rows(run, ends, now_ms=3_000, totals=NONE))
            assert await asyncio.to_thread(proxy.wait_lost)
            proxy.cut()
            proxy.keep_answers()
            with pytest.raises(LedgerUnreachable):
                await writing
            await ledger.end_rows(run, ends, now_ms=3_000, totals=NONE)
            rows = (await ledger.status(spring)).rows
            assert (rows[RowState.created], rows[RowState.sending]) == (2, 0)
        finally:
            await ledger.close()


def until_waits(url: str) -> None:
    """Until a session of this database waits for a lock."""
    waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    end_s = time.monotonic() + 10
    while not query(url, waits):
        assert time.monotonic() < end_s, "nobody waits"
        time.sleep(0.01)


async def test_two_that_lock_each_other(url: str, ledger: PostgresLedger) -> None:
    """The server ends one of them, and it is tried again."""
    first, second = await campaign(ledger), await campaign(ledger, "b", "AC" + "2" * 32)
    met, tries = threading.Barrier(2, timeout=10), []

    def work(db: Db) -> None:
        tries.append(1)
        db.run("account_set_rate", account_id=second.account.account_id, per_second=1.0)
        if len(tries) == 1:
            met.wait()
            until_waits(url)
        db.run("account_set_rate", account_id=first.account.account_id, per_second=1.0)

    def other() -> None:
        with connected(url) as connection, connection.transaction():
            # Whoever waits for longer than this looks, and is ended: the ledger's, which is the second to wait.
            connection.execute("SET LOCAL deadlock_timeout = '1min'")
            connection.execute("UPDATE accounts SET per_second = 2 WHERE account_id = %s", [first.account.account_id])
            met.wait()
            connection.execute("UPDATE accounts SET per_second = 2 WHERE account_id = %s", [second.account.account_id])

    await asyncio.gather(ledger._do(work), asyncio.to_thread(other))
    assert len(tries) > 1


async def test_accounts_are_locked_in_their_order(url: str, ledger: PostgresLedger) -> None:
    """Of those that come together: so no two processes wait for each other."""
    ids = [(await campaign(ledger, "a", f"AC{n:032x}")).account.account_id for n in range(6)]
    free, order = threading.Event(), list[int]()

    def work_of(account_id: int) -> asyncio.Future[None]:
        async def run() -> None:
            await ledger._do_for(account_id, lambda db: order.append(account_id))

        return asyncio.ensure_future(run())

    blocking = asyncio.ensure_future(ledger._do(lambda db: free.wait(10)))
    await asyncio.sleep(0.1)
    waiting = [work_of(account_id) for account_id in reversed(ids)]
    await asyncio.sleep(0.1)
    free.set()
    await asyncio.gather(blocking, *waiting)
    assert order == ids


async def test_one_that_fails_takes_nobody_with_it(url: str, ledger: PostgresLedger) -> None:
    """Of a group only the faulty one fails."""
    free = threading.Event()

    def faulty(db: Db) -> None:
        db.run("account_set_rate", account_id=1 << 70, per_second=1.0)

    blocking = asyncio.ensure_future(ledger._do(lambda db: free.wait(10)))
    await asyncio.sleep(0.1)
    works = [ledger._do(lambda db: db.run("program_keep", version="x")), ledger._do(faulty)]
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.sleep(0.1)
    free.set()
    await blocking
    assert await tasks[0] == 1
    with pytest.raises(LedgerError):
        await tasks[1]
    assert query(url, "SELECT count(*) FROM program WHERE version = 'x'") == [(1,)]


async def test_texts_that_no_server_can_keep(ledger: PostgresLedger) -> None:
    """Said so; the connection stays as it is."""
    for text in ("a\0b", "half \ud83d"):
        with pytest.raises(LedgerError, match="cannot keep a text"):
            await ledger._do(lambda db, text=text: db.run("program_keep", version=text))  # type: ignore[misc]
    await campaign(ledger)


async def test_a_server_that_comes_back() -> None:
    """While it is away each call says so; afterwards all goes on, as it was."""
    with PrivateServer() as server, server.ledger() as url:
        ledger = await asyncio.to_thread(PostgresLedger.open, url)
        try:
            await campaign(ledger)
            server.crash()
            for _ in range(2):
                with pytest.raises(LedgerUnreachable):
                    await ledger.campaigns()
            server.start()
            assert [one.name for one in await ledger.campaigns()] == ["spring"]
        finally:
            await ledger.close()


async def test_a_clock_that_was_set_meanwhile(url: str, ledger: PostgresLedger) -> None:
    """Times of one run would stand on two clocks: nothing more is begun."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
    clock.align(int(5e9))
    try:
        query(url, TERMINATE)
        with pytest.raises(LedgerGone, match="clock"):
            await ledger.campaigns()
        with pytest.raises(LedgerGone):
            await ledger.begin_rows(run, 1, now_ms=2_000, input_id=None)
    finally:
        clock.align(int(-5e9))


async def test_a_transaction_that_stands_still(url: str, ledger: PostgresLedger) -> None:
    """The server ends it before anybody's lease is over: whoever waits for the account goes on."""
    spring, frozen, go_on = await campaign(ledger), threading.Event(), threading.Event()
    other = await asyncio.to_thread(PostgresLedger.open, url)

    def stand(db: Db) -> None:
        frozen.set()
        go_on.wait(6)
        db.run("program_keep", version="stood still")

    standing = asyncio.ensure_future(ledger._do_for(spring.account.account_id, stand))
    await asyncio.to_thread(frozen.wait, 5)
    async with asyncio.timeout(5.5):
        assert await other.cancel_rows(spring, "enough") == 0
    go_on.set()
    # Its own work was tried again, as it was not committed.
    await standing
    await other.close()


async def test_a_commit_that_is_answered_with_a_rollback(url: str, ledger: PostgresLedger) -> None:
    """The server does so where a statement failed and nobody minded: nothing is there, so nothing is said to be."""

    def careless(db: Db) -> str:
        db.run("program_keep", version="careless")
        with contextlib.suppress(psycopg.Error):
            db.run("account_set_rate", account_id=1 << 70, per_second=1.0)
        return "kept"

    with pytest.raises(LedgerError, match="undone"):
        await ledger._do(careless)
    assert query(url, "SELECT count(*) FROM program WHERE version = 'careless'") == [(0,)]


@contextlib.contextmanager
def without_standby(server: PrivateServer) -> Iterator[None]:
    """Commits wait for one that is not there; so would whatever the test leaves behind, if it stayed so."""
    server._settings["synchronous_standby_names"] = "nobody"
    server.restart()
    try:
        yield
    finally:
        server._settings["synchronous_standby_names"] = ""
        server.restart()


def wait_for(comes: Callable[[], bool]) -> bool:
    """Whether it comes within ten seconds."""
    end_s = time.monotonic() + 10
    while not (came := comes()) and time.monotonic() < end_s:
        time.sleep(0.02)
    return came


async def test_a_standby_that_is_not_waited_for() -> None:
    """Whoever cancels that wait has it on one server alone, and the next may know nothing of it: nothing is granted."""
    waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with PrivateServer() as server, server.ledger() as url:
        ledger = await asyncio.to_thread(PostgresLedger.open, url)
        try:
            spring = await campaign(ledger)
            await planned(ledger, spring, lines("a"))
            run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
            with without_standby(server):
                claim = asyncio.create_task(ledger.begin_rows(run, 1, now_ms=2_000, input_id=None))
                assert await asyncio.to_thread(wait_for, lambda: bool(query(url, f"SELECT pid {waits}")))
                assert not claim.done()
                query(url, f"SELECT pg_cancel_backend(pid) {waits}")
                with pytest.raises(LedgerUnreachable, match="standby"):
                    await asyncio.wait_for(claim, 10)
            # It is there, as it happens: the next run looks it up.
            assert (await ledger.start_run(spring, window_limit=200, now_ms=3_000)).recovered == 1
        finally:
            await ledger.close()


async def test_a_locked_account_is_waited_for_by_its_own(url: str, ledger: PostgresLedger) -> None:
    """Whoever wants another goes on meanwhile, leases are renewed, and in the end it is done."""
    first, second = await campaign(ledger), await campaign(ledger, "b", "AC" + "2" * 32)
    with connected(url) as other, other.transaction():
        other.execute("SELECT FROM accounts WHERE account_id = %s FOR UPDATE", [first.account.account_id])
        done = list[int]()
        waiting = asyncio.ensure_future(ledger._do_for(first.account.account_id, lambda db: done.append(1)))
        for _ in range(3):
            await asyncio.wait_for(ledger.set_account_rate(second.account, 1.0), 4)
            await asyncio.sleep(0.5)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 5)
    assert done == [1]


async def test_one_that_stays_locked(url: str, ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once its time is over; of those that came with it nobody fails."""
    monkeypatch.setattr(writer, "LOCKED_MAX_S", 2.0)
    first, second = await campaign(ledger), await campaign(ledger, "b", "AC" + "2" * 32)
    with connected(url) as other, other.transaction():
        other.execute("SELECT FROM accounts WHERE account_id = %s FOR UPDATE", [first.account.account_id])
        works = [ledger.set_account_rate(one.account, 1.0) for one in (first, second)]
        failed, done = await asyncio.gather(*works, return_exceptions=True)
        assert isinstance(failed, LedgerUnreachable)
        assert done is None

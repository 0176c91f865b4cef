"""The engine on a real PostgreSQL: its tables, one waiting shift for each campaign, and a server that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest

from dispatcher.cluster import app
from dispatcher.cluster.app import Engine, migrate_engine, opened
from dispatcher.cluster.tick import queue_of
from dispatcher.errors import LedgerError, LedgerUnreachable
from dispatcher.ledger.records import Account
from tests.support import postgres

ONE = Account(account_id=7, account_sid="AC" + "1" * 32, base_url="https://studio.twilio.com")
TWO = Account(account_id=8, account_sid="AC" + "2" * 32, base_url="https://studio.twilio.com")


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.shared().database() as found:
        yield found


class Doing:
    """An engine at work; what it was given to do."""

    def __init__(self, engine: Engine, accounts: Sequence[Account], most: int) -> None:
        self.shifts: list[tuple[int, int]] = []
        self.ticks = 0
        self.lasts_s = 0.0
        self.at_once = self.most_at_once = 0
        queues = [queue_of(account.account_sid) for account in accounts]
        run = engine.run(queues, most=most, tick_s=1, on_shift=self._on_shift, on_tick=self._on_tick)
        self.task = asyncio.create_task(run)

    async def _on_shift(self, account_id: int, campaign_id: int) -> None:
        self.shifts.append((account_id, campaign_id))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.lasts_s)
        finally:
            self.at_once -= 1

    async def _on_tick(self) -> None:
        self.ticks += 1


@contextlib.asynccontextmanager
async def doing(engine: Engine, *accounts: Account, most: int = 4) -> AsyncIterator[Doing]:
    found = Doing(engine, accounts, most)
    try:
        yield found
    finally:
        found.task.cancel()
        await asyncio.gather(found.task, return_exceptions=True)


def statuses(url: str) -> list[str]:
    return [row[0] for row in postgres.query(url, "SELECT status::text FROM procrastinate.procrastinate_jobs")]


async def until(is_so: Callable[[], bool], *, most_s: float = 20.0) -> None:
    async with asyncio.timeout(most_s):
        while not is_so():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.02)


async def test_tables_are_made_once_whoever_makes_them(url: str) -> None:
    """In a schema of their own; by several at once, and again, nothing changes."""
    with pytest.raises(LedgerError, match="no job queue"):
        async with opened(url):
            pass
    done = await asyncio.gather(*[migrate_engine(url) for _ in range(3)])
    assert sorted(done) == [[], [], ["schema"]]
    assert await migrate_engine(url) == []
    schemas = postgres.query(
        url, "SELECT DISTINCT schemaname::text FROM pg_tables WHERE tablename LIKE 'procrastinate%'"
    )
    assert schemas == [(app.SCHEMA,)]
    async with opened(url):
        pass


async def test_tables_of_an_older_version_are_brought_up_to_date(url: str) -> None:
    """Change by change, in their order; until then nobody works with them."""
    await migrate_engine(url)
    last = app._changes()[-1]
    postgres.query(url, f"DELETE FROM procrastinate.dispatcher_applied WHERE change = '{last}'")
    with pytest.raises(LedgerError, match="no job queue of this version") as caught:
        async with opened(url):
            pass
    assert caught.value.found == "1 of its changes are missing"
    # The newest change of this version can be applied again.
    with contextlib.suppress(LedgerError):
        await migrate_engine(url)


async def test_a_shift_waits_once_and_is_taken_by_whom_it_is_for(url: str) -> None:
    """However often it is handed out; numbers alone are in it, and another account's stays where it is."""
    await migrate_engine(url)
    async with opened(url) as engine:
        for _ in range(3):
            await engine.defer(ONE, 3)
        await engine.defer(TWO, 4)
        assert await engine.queued() == {3, 4}
        jobs = postgres.query(url, "SELECT args::text, lock::text FROM procrastinate.procrastinate_jobs ORDER BY id")
        assert jobs == [
            ('{"account_id": 7, "campaign_id": 3}', None),
            ('{"account_id": 8, "campaign_id": 4}', None),
        ]
        async with doing(engine, ONE) as one:
            await until(lambda: len(one.shifts) == 1 and one.ticks >= 2)
            assert one.shifts == [(7, 3)]
            assert await engine.queued() == {4}


async def test_no_more_at_once_than_were_asked_for_and_ticks_all_the_same(url: str) -> None:
    """Shifts last for hours: they take no tick's place."""
    await migrate_engine(url)
    async with opened(url) as engine, doing(engine, ONE, most=2) as one:
        one.lasts_s = 60.0
        for campaign_id in range(4):
            await engine.defer(ONE, campaign_id)
        await until(lambda: len(one.shifts) == 2)
        before = one.ticks
        await until(lambda: one.ticks >= before + 2)
        assert (len(one.shifts), one.most_at_once) == (2, 2)


async def test_an_end_is_told_at_once_and_leaves_nothing_undone(url: str) -> None:
    """Who stops does not wait for a shift's job, which is gone; a shift that is handed out then is another's."""
    await migrate_engine(url)
    async with opened(url) as engine:
        async with doing(engine, ONE) as one:
            one.lasts_s = 60.0
            await engine.defer(ONE, 3)
            await until(lambda: len(one.shifts) == 1)
            begun_s = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - begun_s < 1.0
        assert "doing" not in statuses(url)
        await engine.defer(ONE, 3)
        async with doing(engine, ONE) as other:
            await until(lambda: len(other.shifts) == 1)


async def test_jobs_of_a_dead_worker_are_deleted(url: str) -> None:
    """They are nobody's to finish: the tick makes others."""
    await migrate_engine(url)
    async with opened(url) as engine:
        await engine.defer(ONE, 3)
        postgres.query(url, "SET search_path = procrastinate; UPDATE procrastinate_jobs SET status = 'doing'")
        assert await engine.sweep() == 1
        assert statuses(url) == []
        # And whose shift it was can be handed out again, whatever became of it.
        await engine.defer(ONE, 3)


async def test_a_server_that_crashes_ends_it_and_it_can_begin_again() -> None:
    """The library's worker ends with the first query that fails: whoever runs it hears of that, and begins it anew."""
    with postgres.PrivateServer() as server, server.database() as url:
        await migrate_engine(url)
        async with opened(url) as engine:
            async with doing(engine, ONE) as one:
                await until(lambda: one.ticks >= 1)
                await asyncio.to_thread(server.crash)
                with pytest.raises(LedgerUnreachable):
                    await asyncio.wait_for(asyncio.shield(one.task), 30)
                with pytest.raises(LedgerUnreachable):
                    await engine.defer(ONE, 3)
            async with doing(engine, ONE) as still:
                with pytest.raises(LedgerUnreachable):
                    await asyncio.wait_for(asyncio.shield(still.task), 30)
            await asyncio.to_thread(server.start)
            async with doing(engine, ONE) as again:
                await until(lambda: again.ticks >= 1)
                await engine.defer(ONE, 3)
                await until(lambda: len(again.shifts) == 1 and again.ticks >= 1)


async def test_a_server_that_is_not_there_is_told_within_seconds() -> None:
    """Also where nothing ever answered."""
    begun_s = asyncio.get_running_loop().time()
    with pytest.raises(LedgerUnreachable):
        async with opened("postgresql://postgres@127.0.0.1:1/x"):
            pass
    assert asyncio.get_running_loop().time() - begun_s < 10


async def test_a_job_that_was_swept_meanwhile_ends_without_a_word(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever stood still is taken for dead, and its job is deleted: it cannot be finished, and nothing is wrong."""
    gc.collect()  # what another test has left is not told as this one's
    caplog.clear()
    await migrate_engine(url)
    async with opened(url) as engine, doing(engine, ONE) as found:
        found.lasts_s = 0.3
        await engine.defer(ONE, 1)
        await until(lambda: found.at_once == 1)
        postgres.query(url, "SET search_path = procrastinate; DELETE FROM procrastinate_jobs WHERE task_name = 'shift'")
        await until(lambda: found.at_once == 0)
        await asyncio.sleep(0.3)
        gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []

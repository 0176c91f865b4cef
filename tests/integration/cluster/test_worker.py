"""Workers on a real ledger and a real Studio to send to: whatever becomes of jobs, each contact is reached once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.cluster import worker as module
from dispatcher.cluster.app import Engine
from dispatcher.cluster.credentials import Keys
from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.model import PausedBy, RowState
from dispatcher.sandbox import DEFAULT_FLOW_SID
from tests.integration.cluster.machines import SLOW, Cluster, cluster, until
from tests.support import postgres
from tests.support.rehearsal import ACCOUNT_SID

OTHER_SID = "AC" + "1" * 32


def job_statuses(c: Cluster) -> list[str]:
    return [row[0] for row in postgres.query(c.url, "SELECT status::text FROM procrastinate.procrastinate_jobs")]


async def runs(c: Cluster, campaign_id: int) -> int:
    found = postgres.query(c.url, f"SELECT count(*) FROM dispatcher.runs WHERE campaign_id = {campaign_id}")
    return int(found[0][0])


async def test_what_was_ordered_is_sent(tmp_path: Path) -> None:
    """From the ledger alone, on the next tick, in one run; no file of contacts is on the worker's machine."""
    async with cluster(tmp_path) as c, c.working() as machine:
        record = await c.order("spring", 200)
        (tmp_path / "spring.csv").unlink()
        await c.until_sent(record)
        await c.check_done(record, 200)
        c.check_each_once(200)
        assert await runs(c, record.campaign_id) == 1
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240 - a few files
        await until_empty(c)
        assert machine.told == ["AC…0000 spring: ended"]


async def until_empty(c: Cluster) -> None:
    async def is_empty() -> bool:
        return "doing" not in job_statuses(c)

    await until(is_empty)


async def test_a_hint_is_faster_than_a_tick(tmp_path: Path) -> None:
    """It is only that."""
    overrides = {"cluster": {"tick_s": 30}}
    async with cluster(tmp_path, overrides=overrides) as c, c.working():
        record = await c.order("spring", 20)
        await c.hint(record)
        await c.until_sent(record, most_s=10)
        c.check_each_once(20)


async def test_each_job_delivered_thrice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, meanwhile, and after its end: by two workers, too. One sends."""
    original = Engine.run

    async def thrice(self: Engine, queues: Any, *, on_shift: Any, on_tick: Any, **more: Any) -> None:
        async def shifts(account_id: int, campaign_id: int) -> None:
            again = asyncio.create_task(on_shift(account_id, campaign_id))
            await asyncio.sleep(0.05)
            await asyncio.gather(on_shift(account_id, campaign_id), again)
            await on_shift(account_id, campaign_id)

        async def ticks() -> None:
            await asyncio.gather(on_tick(), on_tick())
            await on_tick()

        await original(self, queues, on_shift=shifts, on_tick=ticks, **more)

    monkeypatch.setattr(Engine, "run", thrice)
    async with cluster(tmp_path, overrides=SLOW) as c, c.working(), c.working():
        record = await c.order("spring", 80)
        await c.until_sent(record)
        c.check_each_once(80)
        assert await runs(c, record.campaign_id) == 1


async def test_jobs_that_are_lost_cost_one_tick(tmp_path: Path) -> None:
    """All that the engine knows is deleted, again and again; what is wanted is in the ledger."""
    async with cluster(tmp_path, overrides=SLOW) as c, c.working():
        record = await c.order("spring", 60)
        async with asyncio.timeout(40):
            while (await c.status(record)).due_ms is not None:
                postgres.query(c.url, "SET search_path = procrastinate; DELETE FROM procrastinate_jobs")
                await asyncio.sleep(0.4)
        c.check_each_once(60)


async def test_a_job_that_a_dead_worker_was_at_blocks_nobody(tmp_path: Path) -> None:
    """It stands there as being done; the campaign's next job is handed out all the same, and it goes at a tick."""
    async with cluster(tmp_path) as c:
        record = await c.order("spring", 20)
        async with c.working() as machine:
            await c.until_sent(record)
            again = await c.order("spring", 30)
            await machine.stop()
        async with c.working():
            await c.hint(again)
            await c.until_sent(again)
        postgres.query(
            c.url,
            "SET search_path = procrastinate; SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('acct:x', 'shift', 0, NULL,"
            " NULL, '{}'::jsonb, NULL)::procrastinate_job_to_defer_v1]);"
            " UPDATE procrastinate_jobs SET status = 'doing'",
        )
        async with c.working():
            await until_empty(c)
        c.check_each_once(30)


async def test_a_stop_hands_over_at_once(tmp_path: Path) -> None:
    """The other machine goes on within a second of it, and nothing is in doubt: no row is looked up."""
    async with cluster(tmp_path, overrides=SLOW) as c, c.working() as first, c.working() as second:
        record = await c.order("spring", 160)
        await c.until_created(20)
        one, other = (first, second) if first.worker.shifts else (second, first)
        assert await one.stop() < 1.0
        begun_s = asyncio.get_running_loop().time()

        async def goes_on() -> bool:
            return bool(other.worker.shifts)

        await until(goes_on, most_s=1.0)
        assert asyncio.get_running_loop().time() - begun_s < 1.0
        status = await c.status(record)
        assert status.rows[RowState.unknown] == 0
        await c.until_sent(record)
        c.check_each_once(160)
        assert await runs(c, record.campaign_id) == 2


async def test_whoever_plans_gets_the_account_within_seconds(tmp_path: Path) -> None:
    """A shift makes room and goes on afterwards; while somebody plans nothing is sent."""
    async with cluster(tmp_path, overrides=SLOW) as c, c.working() as machine:
        record = await c.order("spring", 400)
        await c.until_created(20)
        begun_s = time.monotonic()

        async def plan(ledger: PostgresLedger) -> float:
            async with c.planning(ledger, "summer"):
                took_s = time.monotonic() - begun_s
                before = c.creates
                await asyncio.sleep(2.5)  # longer than ticks take
                assert (c.creates, machine.worker.shifts) == (before, [])
                return took_s

        assert await c.elsewhere(plan) < 5.0
        assert (await c.status(record)).due_ms is not None
        await c.until_sent(record)
        c.check_each_once(400)


async def test_campaigns_of_an_account_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second does not wait for the first one's end."""
    monkeypatch.setattr(module, "TURN_S", 1.0)
    async with cluster(tmp_path, overrides=SLOW) as c, c.working():
        first = await c.order("spring", 240)
        await c.until_created(5)
        second = await c.order("summer", 40, first=1001)

        async def second_is_sent_first() -> bool:
            assert (await c.status(first)).due_ms is not None
            return (await c.status(second)).due_ms is None

        await until(second_is_sent_first)
        await c.until_sent(first)
        c.check_each_once(280)


async def test_an_account_whose_credentials_are_elsewhere_is_left_alone(tmp_path: Path) -> None:
    """Its order waits for a machine that has them, and takes nobody's time meanwhile."""
    async with cluster(tmp_path) as c, c.working():
        other = await c.order("autumn", 10, sid=OTHER_SID)
        record = await c.order("spring", 20, first=101)
        await c.until_sent(record)
        await asyncio.sleep(1.5)
        status = await c.status(other)
        assert (status.due_ms is not None, status.paused, status.rows[RowState.planned]) == (True, None, 10)
        c.check_each_once(20)


async def test_credentials_of_a_folder(tmp_path: Path) -> None:
    """A file that comes later is served at once."""
    folder = tmp_path / "keys"
    folder.mkdir()
    async with cluster(tmp_path) as c:
        settings = c.settings(cluster={"credentials_dir": str(folder)})
        async with c.working(Keys(settings), cluster={"credentials_dir": str(folder)}):
            record = await c.order("spring", 20)
            await asyncio.sleep(1.5)
            assert c.creates == 0
            path = folder / "one"
            path.touch(mode=0o600)
            path.write_text(f"TWILIO_ACCOUNT_SID={ACCOUNT_SID}\nTWILIO_AUTH_TOKEN=x\n", encoding="utf-8")
            await c.until_sent(record)
            c.check_each_once(20)


async def test_a_finding_holds_the_campaign(tmp_path: Path) -> None:
    """With its reason and the machine that has found it, before another takes it; nothing is sent until it is lifted.

    Its credentials are refused.
    """
    accepted = {ACCOUNT_SID: "another-token"}
    async with cluster(tmp_path, credentials=accepted) as c, c.working() as one, c.working() as other:
        record = await c.order("spring", 20)

        async def is_held() -> bool:
            return (await c.status(record)).paused is not None

        await until(is_held)
        pause = (await c.status(record)).paused
        assert pause is not None
        assert (pause.by, "seen by the worker on" in pause.reason, c.creates) == (PausedBy.held, True, 0)
        await asyncio.sleep(1.5)
        assert len([text for text in (*one.told, *other.told) if "held" in text]) == 1


async def test_a_crash_of_the_server_stops_it_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    """Said once; nothing leaves within five seconds of it; it goes on by itself, and nobody is reached twice."""
    with postgres.PrivateServer() as server:
        async with cluster(tmp_path, server=server, overrides=SLOW) as c, c.working() as machine:
            record = await c.order("spring", 200)
            await c.until_created(20)
            await asyncio.to_thread(server.crash)
            await asyncio.sleep(5.5)
            at_5_s = c.creates
            await asyncio.sleep(2.0)
            assert c.creates == at_5_s
            await asyncio.to_thread(server.start)
            await c.until_sent(record, most_s=60)
            c.check_each_once(200)
            said = [text for text in machine.told if "ledger is" in text]
            assert ["away" in said[0], "back" in said[1], len(said)] == [True, True, 2]


async def test_what_the_ledger_says_of_the_host_does_not_count(tmp_path: Path) -> None:
    """Whoever can write to it is not sent credentials: they go to the host of the machine's own settings."""
    async with cluster(tmp_path) as c:
        record = await c.order("spring", 20)
        assert record.flow_sid == DEFAULT_FLOW_SID
        postgres.query(
            c.url,
            "UPDATE dispatcher.campaigns SET settings = jsonb_set(settings::jsonb, '{account,base_url}',"
            " '\"https://evil.example\"')::text",
        )
        async with c.working():
            await c.until_sent(record)
        c.check_each_once(20)

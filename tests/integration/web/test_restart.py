"""Whatever ends a server: what was wanted goes on by itself, or is held with a sentence that says why."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.clock import now_ms
from dispatcher.model import PausedBy, RowState
from dispatcher.web.running import State
from tests.integration.web.served import Served, served
from tests.support.ledgers import raw

SLOW = {"rate": {"per_second": 40, "in_flight": 4}}
MINUTE_MS = 60_000


@contextlib.asynccontextmanager
async def process(s: Served) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server of its own, on the same folder."""
    command = (sys.executable, "-m", "tests.integration.web.process", s.accounts.as_json())
    found = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[3])
    try:
        yield found
    finally:
        if found.returncode is None:
            found.kill()
        await found.wait()


async def test_kill_9_in_the_middle_of_two(tmp_path: Path) -> None:
    """Killed while two campaigns are sent on two accounts, started again: every row once, by the sandbox's count."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        drafts = [await s.launched("spring", 120), await s.launched("autumn", 120, profile="two")]
        await s.stop()
        for _ in range(2):
            goal = {profile: s.creates(profile) + 20 for profile in ("one", "two")}
            async with process(s) as server:
                for profile, count in goal.items():
                    await s.until_created(profile, count)
                assert server.returncode is None
                os.kill(server.pid, signal.SIGKILL)
                assert await server.wait() == -signal.SIGKILL
        assert max(s.creates(profile) for profile in ("one", "two")) < 120
        await s.start()
        for draft in drafts:
            await s.until_state(draft, State.finished)
            rows = (await s.status(draft)).rows
            assert (rows[RowState.created], sum(rows.values())) == (120, 120)
        s.check_each_once(120)
        s.check_each_once(120, "two")


async def test_kill_9_while_its_file_is_read(tmp_path: Path) -> None:
    """The next server reads it anew, and each row is there once."""
    rows = 60_000
    async with served(tmp_path) as s:
        draft = await s.draft("spring", rows)
        ledger = tmp_path / "state" / "ledger.sqlite3"
        await s.running.launch(draft, who="Anna", confirmed=1, due_ms=now_ms() + 2_000)
        await s.stop()
        async with process(s) as server:
            async with asyncio.timeout(40):
                while not loaded(ledger):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            server.kill()
            await server.wait()
        assert 0 < loaded(ledger) < rows
        await s.start()
        await s.until_state(draft, State.held)
        status = await s.status(draft)
        assert (status.rows[RowState.planned], sum(status.rows.values()), status.earlier_rows) == (rows, rows, {})
        assert s.creates() == 0


def loaded(ledger: Path) -> int:
    """Rows that are in the ledger, of a file that may not be there whole."""
    with raw(ledger) as db:
        return int(db.execute("SELECT count(*) FROM rows").fetchone()[0])


async def test_sigterm_ends_the_process(tmp_path: Path) -> None:
    """It ends by itself, soon, and what was wanted goes on in the next."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.launched("spring", 120)
        await s.stop()
        async with process(s) as server:
            await s.until_created("one", 20)
            server.terminate()
            async with asyncio.timeout(20):
                assert await server.wait() == 0
        await s.start()
        await s.until_state(draft, State.finished)
        s.check_each_once(120)


async def test_off_for_long_is_held(tmp_path: Path) -> None:
    """What was being sent is held with the times, not gone on with; whoever goes on has it sent."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.launched("spring", 80)
        await s.until_created("one", 10)
        await s.stop()
        sent = s.creates()
        s.now_ms = lambda: now_ms() + 40 * MINUTE_MS
        await s.start()
        await asyncio.sleep(2.5)
        assert (await s.state(draft), s.creates()) == (State.held, sent)
        why = await s.why(draft)
        assert why.startswith("dispatcher was off from ")
        assert (await s.status(draft)).paused is not None
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await s.until_state(draft, State.finished)
        s.check_each_once(80)


async def test_asleep_for_long_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that is opened again goes on with nothing by itself: what runs stops at its next rows."""
    monkeypatch.setattr("dispatcher.web.running.supervisor.ALIVE_EVERY_S", 0.1)
    async with served(tmp_path, overrides=SLOW, latency_s=0.02, start=False) as s:
        ahead_ms = 0
        s.now_ms = lambda: now_ms() + ahead_ms
        await s.start()
        draft = await s.launched("spring", 120)
        await s.until_created("one", 10)
        await asyncio.sleep(0.5)
        assert await s.state(draft) is State.sending
        ahead_ms = 40 * MINUTE_MS
        await s.until_state(draft, State.held)
        assert (await s.why(draft)).startswith("dispatcher was off from ")
        sent = s.creates()
        await asyncio.sleep(2.5)
        assert s.creates() == sent < 120


async def test_a_short_absence_goes_on(tmp_path: Path) -> None:
    """Fourteen minutes are a deploy that took its time."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.launched("spring", 60)
        await s.until_created("one", 10)
        await s.stop()
        s.now_ms = lambda: now_ms() + 14 * MINUTE_MS
        await s.start()
        await s.until_state(draft, State.finished)
        s.check_each_once(60)


async def test_a_schedule_is_kept_or_held(tmp_path: Path) -> None:
    """At its time it begins by itself, also after a restart; one that was missed by more than 15 minutes is held."""
    async with served(tmp_path) as s:
        soon = await s.launched("soon", 10, due_ms=now_ms() + 2_500, zone="Europe/Berlin")
        later = await s.launched("later", 10, first=1001, due_ms=now_ms() + 60 * MINUTE_MS, zone="Europe/Berlin")
        assert [await s.state(one) for one in (soon, later)] == [State.scheduled] * 2
        await s.stop()
        await s.start()
        assert s.creates() == 0
        await s.until_state(soon, State.finished)
        assert (await s.state(later), s.creates()) == (State.scheduled, 10)
        await s.stop()
        s.now_ms = lambda: now_ms() + 90 * MINUTE_MS
        await s.start()
        await s.until_state(later, State.held)
        assert (await s.why(later)).startswith("It was to begin at ")
        await asyncio.sleep(2.5)
        assert s.creates() == 10
        await s.running.go_on(await s.fresh(later), who="Anna", seen=await s.seen(later))
        await s.until_state(later, State.finished)
        s.check_each_once(20)


async def test_a_schedule_taken_back(tmp_path: Path) -> None:
    """It is a checked draft again, and is not sent; it can be launched anew."""
    async with served(tmp_path) as s:
        draft = await s.launched("spring", 10, due_ms=now_ms() + 1_500)
        draft = await s.running.unschedule(draft, who="Ben")
        await asyncio.sleep(4)
        assert (await s.state(draft), s.creates(), (await s.status(draft)).due_ms) == (State.checked, 0, None)
        draft = await s.running.launch(draft, who="Ben", confirmed=10)
        await s.until_state(draft, State.finished)
        s.check_each_once(10)


async def test_another_machine_holds_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copied folder sends nothing by itself, neither what runs nor what is scheduled; the machine itself does not."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        running = await s.launched("spring", 60)
        planned = await s.launched("summer", 10, first=1001, due_ms=now_ms() + 60 * MINUTE_MS)
        await s.until_created("one", 5)
        await s.stop()
        sent = s.creates()
        monkeypatch.setattr("dispatcher.web.running.supervisor.host_id", lambda folder: "f" * 32)
        await s.start()
        await asyncio.sleep(2.5)
        assert [await s.state(one) for one in (running, planned)] == [State.held] * 2
        assert "another machine" in await s.why(running)
        assert s.creates() == sent
        # Once somebody has looked, it is this machine's.
        await s.running.go_on(await s.fresh(running), who="Anna", seen=await s.seen(running))
        await s.running.go_on(await s.fresh(planned), who="Anna", seen=await s.seen(planned))
        await s.stop()
        await s.start()
        await s.until_state(running, State.finished)
        assert await s.state(planned) is State.scheduled


async def test_a_crash_between_draft_and_order(tmp_path: Path) -> None:
    """What was launched and not ordered yet is ordered by the next server."""
    async with served(tmp_path) as s:
        draft = await s.draft("spring", 10)
        await s.stop()
        await s.store.drafts.change(
            draft.draft_id,
            draft.version,
            stage=draft.stage.launched,
            confirmed=10,
            launched_by="Anna",
            launched_at_ms=now_ms(),
        )
        await s.start()
        await s.until_state(draft, State.finished)
        s.check_each_once(10)


async def test_a_pause_outlasts_a_restart(tmp_path: Path) -> None:
    """Neither a server's start nor its absence lifts it, or takes its reason away."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.launched("spring", 60)
        await s.until_created("one", 5)
        await s.running.pause(draft, who="Ben", reason="wrong price")
        await s.stop()
        sent = s.creates()
        s.now_ms = lambda: now_ms() + 40 * MINUTE_MS
        await s.start()
        await asyncio.sleep(2.5)
        assert (await s.state(draft), await s.why(draft), s.creates()) == (State.paused, "wrong price", sent)
        paused = (await s.status(draft)).paused
        assert paused is not None
        assert paused.by is PausedBy.user

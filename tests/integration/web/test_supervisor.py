"""What the page sends, without the page: accounts side by side, campaigns in order, paused, stopped, gone on with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.model import PausedBy, RowState
from dispatcher.web.running import State
from dispatcher.web.running.errors import NameTaken, SomebodyWasFirst
from tests.integration.web.served import served

#: So slow that a test can act meanwhile: a tenth of a second for a request, two at a time.
SLOW = {"rate": {"per_second": 40, "in_flight": 4}}


async def test_two_accounts_at_once_each_in_order(tmp_path: Path) -> None:
    """Campaigns of one account one after the other, as they were launched; another account's beside them."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        first = await s.launched("spring", 40)
        second = await s.launched("summer", 40, first=1001)
        beside = await s.launched("autumn", 40, profile="two")
        both = False
        async with asyncio.timeout(40):
            while await s.state(second) is not State.finished:
                queue = await s.running.queue()
                running = {one.name for one in queue if one.is_running}
                both = both or running == {"spring", "autumn"}
                assert not running >= {"spring", "summer"}
                if "spring" in running:
                    assert {one.name: one.position for one in queue if one.account == "…1111"} == {
                        "spring": 0,
                        "summer": 1,
                    }
                    assert s.running.running(first.draft_id) is not None
                await asyncio.sleep(0.02)
        await s.until_state(beside, State.finished)
        assert both
        s.check_each_once(80)
        s.check_each_once(40, "two")
        ended = [await s.status(one) for one in (first, second, beside)]
        assert [one.due_ms for one in ended] == [None, None, None]
        assert s.running.report_path(first.draft_id).read_text("utf-8").count(",created,") == 40


async def test_two_launches_at_once_start_one(tmp_path: Path) -> None:
    """Of two who have seen the same version, one launches it, and the other is told by whom."""
    async with served(tmp_path) as s:
        draft = await s.draft("spring", 20)
        both = [s.running.launch(draft, who=who, confirmed=20) for who in ("Anna", "Ben")]
        done = await asyncio.gather(*both, return_exceptions=True)
        (lost,) = [one for one in done if isinstance(one, BaseException)]
        assert isinstance(lost, SomebodyWasFirst)
        await s.until_state(draft, State.finished)
        winner = (await s.fresh(draft)).launched_by
        assert lost.found == f"{winner} has launched it"
        assert (await s.history()).count("launched") == 1
        s.check_each_once(20)
        with pytest.raises(SomebodyWasFirst):
            await s.running.launch(await s.fresh(draft), who="Ben", confirmed=20)
        # Another draft of that name is not that campaign, whatever its file holds.
        other = await s.draft("spring", 5, first=501)
        with pytest.raises(NameTaken):
            await s.running.launch(other, who="Ben", confirmed=5)
        assert s.creates() == 20


async def test_pause_stops_it_and_go_on_finishes(tmp_path: Path) -> None:
    """At its next rows; who has not seen that pause does not lift it, and nobody is reached twice."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.launched("spring", 100)
        before = await s.seen(draft)
        await s.until_created("one", 10)
        held = await s.running.pause(draft, who="Ben", reason="wrong price")
        at_pause = s.creates()
        await s.until_state(draft, State.paused)
        assert (held.by, held.reason, await s.why(draft)) == (PausedBy.user, "wrong price", "wrong price")
        async with asyncio.timeout(20):
            while s.running.running(draft.draft_id) is not None:  # noqa: ASYNC110 - as everywhere here
                await asyncio.sleep(0.02)  # what it waits for sets no event
        sent = s.creates()
        assert at_pause <= sent <= at_pause + 14
        await asyncio.sleep(2.5)  # longer than it takes to look for what is due
        assert (s.creates(), (await s.status(draft)).due_ms is not None) == (sent, True)
        with pytest.raises(SomebodyWasFirst):
            await s.running.go_on(draft, who="Anna", seen=before)
        draft = await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await s.until_state(draft, State.finished)
        s.check_each_once(100)
        assert await s.history() == ["launched", "paused", "went_on"]


async def test_a_foreign_lock_is_told_and_polled(tmp_path: Path) -> None:
    """Whoever else works for the account is waited for without a thread, and it goes on once that has ended."""
    async with served(tmp_path) as s:
        sends = s.accounts.of(await s.draft("elsewhere", 1))
        async with open_campaign("terminal", sends.settings, sends.credentials):
            draft = await s.launched("spring", 10)
            async with asyncio.timeout(20):
                while [one.waits_for for one in await s.running.queue()] in ([], [None]):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            shown = await s.running.look(draft)
            assert (shown.state, shown.place) == (State.queued, 0)
            assert "works for this account" in (shown.waits_for or "")
            assert s.creates() == 0
        await s.until_state(draft, State.finished)
        s.check_each_once(10)


async def test_stop_keeps_what_is_wanted(tmp_path: Path) -> None:
    """SIGTERM's way: the order stays, the rows in flight are known, and the next server goes on."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.launched("spring", 80)
        waits = await s.launched("summer", 20, first=1001)
        await s.until_created("one", 10)
        await s.stop()
        sent = s.creates()
        assert 10 <= sent < 80
        await asyncio.sleep(0.3)
        assert s.creates() == sent
        await s.start()
        status = await s.status(draft)
        assert (status.paused, status.due_ms is not None) == (None, True)
        assert status.rows[RowState.unknown] + status.rows[RowState.sending] == 0
        await s.until_state(waits, State.finished)
        s.check_each_once(100)

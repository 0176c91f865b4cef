"""Rows go when they may: what the feeder waits for, and what it tells of it."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.clock import now_ms
from dispatcher.errors import Interrupted, LedgerFull
from dispatcher.events import RateChanged, Resumed, Waiting, WaitKind
from dispatcher.model import RowState
from dispatcher.studio.outcomes import Answer
from tests.support.rig import NOT_CONNECTED, WINDOW_S, Rig, Rigs, busy, created, throttled, waits
from tests.support.simulation import worst_window

CREATED, PLANNED, BUSY = RowState.created, RowState.planned, RowState.busy


class TestWaits:
    """Each wait is told with its reason, and its end; that they come in pairs is looked at after every test."""

    async def test_a_full_window(self, rig: Rigs) -> None:
        """A spike waits for the window, and says how long."""
        r = await rig(120, per_second=5, pace="spike", in_flight=200)
        await r.send()
        told = waits(r.events, WaitKind.window)
        assert len(told) == 2
        assert all(wait.for_s is not None and 8 < wait.for_s <= 10.2 for wait in told)
        assert told[0].reason == "the limit of 50 requests in 10 s is used up"
        assert not waits(r.events, WaitKind.ceiling)

    async def test_even_sending(self, rig: Rigs) -> None:
        """The pauses that make the rate are no waits."""
        r = await rig(300, per_second=10)
        await r.send()
        assert not [event for event in r.events if isinstance(event, Waiting)]

    async def test_a_ceiling(self, rig: Rigs) -> None:
        """Where others use most of the limit, the reason of a wait is the ceiling, and not the window."""
        r, passed = await rig(500), list[float]()

        def answer(key: str, n: int) -> Answer:
            now_s = r.loop.time()
            if sum(at > now_s - WINDOW_S for at in passed) >= 80:
                return throttled()
            passed.append(now_s)
            return created(key)

        r.studio.answer = answer
        await r.send()
        assert await r.states() == {CREATED: 500}
        told = waits(r.events, WaitKind.ceiling)
        assert told
        assert "429" in told[0].reason
        assert not waits(r.events, WaitKind.window)
        assert any(isinstance(event, RateChanged) for event in r.events)

    async def test_busy_contacts(self, rig: Rigs) -> None:
        """Contacts that are asked again later are waited for, and that is said."""
        r = await rig(
            20,
            lambda key, n: busy() if n == 0 and int(key) % 10 == 3 else created(key),
            busy={"policy": "wait", "wait_s": 2, "give_up_s": 100},
        )
        await r.send()
        assert await r.states() == {CREATED: 20}
        (told, *more) = waits(r.events, WaitKind.busy)
        assert "2 contacts" in told.reason
        assert told.for_s is not None
        assert 0 < told.for_s <= 2.1
        assert len(more) <= 1
        assert not waits(r.events, WaitKind.due)

    async def test_rows_that_are_due_later(self, rig: Rigs) -> None:
        """A row that may be sent later is waited for, and a stop ends that wait, too."""
        r = await rig(3)
        with r.loop.real_work():
            r.query(f"UPDATE rows SET not_before_ms = {now_ms() + 3_600_000}")
        task = asyncio.create_task(r.send())
        await asyncio.sleep(60)
        r.stop(Interrupted())
        await task
        (told,) = waits(r.events, WaitKind.due)
        assert told.for_s == pytest.approx(3600, abs=5)
        assert await r.states() == {PLANNED: 3}

    @pytest.mark.parametrize("kind", ["throttled", "failures", "window"])
    async def test_a_stop_within_a_wait(self, rig: Rigs, kind: str) -> None:
        """A stop ends the run's own waits; a pause of the account ends with whoever has borrowed it."""
        answers = {"throttled": throttled(500), "failures": NOT_CONNECTED}
        r = await rig(100, lambda key, n: answers.get(kind, created(key)), per_second=5, pace="spike", in_flight=100)
        task = asyncio.create_task(r.send())
        await r.until(lambda: bool(waits(r.events, WaitKind(kind))))
        r.stop(Interrupted())
        await task
        resumed = [event.kind for event in r.events if isinstance(event, Resumed)]
        # A pause after a 429 belongs to the account, and outlives the run.
        assert (WaitKind(kind) in resumed) is (kind == "window")

    async def test_a_ledger_that_fails(self, rig: Rigs) -> None:
        """A wait ends where the feeder does, whatever ends it."""
        r = await rig(300, per_second=5, pace="spike", in_flight=200)

        def fault(method: str) -> None:
            if method == "begin_rows" and waits(r.events, WaitKind.window):
                raise LedgerFull(found="full", fix="make room")

        r.still.fault = fault
        task = asyncio.create_task(r.send())
        await r.until(lambda: bool(waits(r.events, WaitKind.window)))
        await task
        assert isinstance(r.sender.error, LedgerFull)


class TestPermits:
    async def test_a_request_that_was_never_sent(self, rig: Rigs) -> None:
        """The row of a request that was never sent is planned again, and its permit comes back."""

        def answer(key: str, n: int) -> Answer:
            return NOT_CONNECTED if n == 0 and int(key) % 2 else created(key)

        r = await rig(20, answer, pace="spike", in_flight=1)
        await r.send()
        assert await r.states() == {CREATED: 20}
        assert r.sender.totals().requests == 20
        assert r.limiter.window_now() <= 20
        never_sent = "SELECT count(*) FROM attempts WHERE outcome = 'not_sent' AND sent_at_ms IS NULL"
        assert r.query(never_sent) == [(10,)]
        await all_permits_are_there(r)

    async def test_a_stop_gives_all_permits_back(self, rig: Rigs) -> None:
        """After a stop, permits of rows that were queued, or still connecting, are there again."""
        r = await rig(200, pace="spike", in_flight=20)
        r.studio.connect_s = lambda: 100.0
        task = asyncio.create_task(r.send())
        await r.until(lambda: r.studio.in_flight == 20)
        r.stop(Interrupted())
        await task
        assert await r.states() == {PLANNED: 200}
        await all_permits_are_there(r)

    async def test_test_sends_count(self, rig: Rigs) -> None:
        """What was sent before, a test send say, and a spike stay within the limit together."""
        ages_s = [0.5, 1.0, 1.5]
        r = await rig(30, per_second=1, headroom=0, pace="spike", in_flight=30, sent_before_s=ages_s)
        started_s = r.loop.time()
        await r.send()
        assert await r.states() == {CREATED: 30}
        sent_at_s = sorted(started_s - age_s for age_s in ages_s) + r.studio.sent_at_s
        assert worst_window(sent_at_s) == 10
        assert r.sender.totals().worst_window == 10

    async def test_a_full_disk_under_a_claim(self, rig: Rigs) -> None:
        """Where a claim finds the disk full, nothing is sent."""
        r = await rig(100)

        def fault(method: str) -> None:
            if method == "begin_rows":
                raise LedgerFull(found="full", fix="make room")

        r.still.fault = fault
        with pytest.raises(LedgerFull):
            await r.send()
        assert r.studio.sent == []
        assert await r.states() == {PLANNED: 100}


async def all_permits_are_there(r: Rig) -> None:
    """A whole window's worth can be taken at once."""
    await asyncio.sleep(WINDOW_S * 1.02)
    taken = 0
    while taken < r.limiter.cap:
        taken += await asyncio.wait_for(r.limiter.acquire(r.limiter.cap - taken), 30)

"""One row's request: it leaves only when it may, and whatever happens to it, the row has its outcome."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher import clock
from dispatcher.errors import LeaseLost
from dispatcher.model import RowState
from dispatcher.sending.breaker import BreakerState
from dispatcher.sending.claims import CONFIRMED_FOR_S
from dispatcher.studio.outcomes import Answer
from tests.support.rig import BROKEN, WINDOW_S, Rigs, busy, created, throttled

CREATED, PLANNED, UNKNOWN, BUSY = RowState.created, RowState.planned, RowState.unknown, RowState.busy


class TestLeaving:
    async def test_a_pause_while_it_connects(self, rig: Rigs) -> None:
        """What is still connecting when a pause begins is not sent in it."""
        answers = iter([throttled(30)])
        r = await rig(60, lambda key, n: next(answers, created(key)), per_second=10_000)
        r.studio.connect_s = iter([0.0, *[1.0] * 9, *[0.0] * 1000]).__next__
        await r.send()
        assert await r.states() == {CREATED: 60}
        refused_s = r.studio.sent_at_s[0] + 0.05
        assert not any(refused_s < at < refused_s + 30 for at in r.studio.sent_at_s)
        assert r.limiter.window_now() == len([at for at in r.studio.sent_at_s if at > r.loop.time() - WINDOW_S])

    async def test_one_probe_however_slow_it_connects(self, rig: Rigs) -> None:
        """After a pause, what was connecting when it began does not go beside the probe."""
        answers = iter([throttled(2)])
        r = await rig(30, lambda key, n: next(answers, created(key)), per_second=10_000, in_flight=5)
        r.studio.connect_s = iter([0.0, *[4.0] * 4, *[0.0] * 1000]).__next__
        r.studio.latency_s = 1.0
        await r.send()
        assert await r.states() == {CREATED: 30}
        first_s, probe_s, after_s = r.studio.sent_at_s[:3]
        assert probe_s >= first_s + 1 + 2
        assert after_s >= probe_s + 1

    async def test_a_probe_that_must_confirm(self, rig: Rigs) -> None:
        """A probe that takes long to connect asks the ledger again and goes; it does not wait for itself."""
        answers = iter([throttled(1)])
        r = await rig(20, lambda key, n: next(answers, created(key)), per_second=10_000, in_flight=3)
        slow = iter([0.0, 0.0, 0.0, CONFIRMED_FOR_S + 1])
        r.studio.connect_s = lambda: next(slow, 0.0)
        await asyncio.wait_for(r.send(), 60)
        assert await r.states() == {CREATED: 20}

    async def test_a_lease_that_was_lost(self, rig: Rigs) -> None:
        """Where another run has taken the account over, nothing more is sent."""
        r = await rig(50, per_second=10_000)
        r.studio.connect_s = lambda: CONFIRMED_FOR_S + 1

        def fault(method: str) -> None:
            if method == "begin_rows" and r.studio.in_flight:
                raise LeaseLost(fix="nothing")

        r.still.fault = fault
        await r.send()
        assert isinstance(r.sender.error, LeaseLost)
        assert r.studio.sent == []
        assert await r.states() == {PLANNED: 50}

    async def test_a_machine_that_slept(self, rig: Rigs, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its timers knew nothing of it: the ledger is asked all the same before anything leaves."""
        r = await rig(20, per_second=10_000)
        counted_ns, slept_ns = clock._counted_ns, 0

        def connect_s() -> float:
            nonlocal slept_ns
            slept_ns = 600_000_000_000
            return 0.01

        def fault(method: str) -> None:
            if method == "begin_rows" and slept_ns:
                raise LeaseLost(fix="nothing")

        r.studio.connect_s = connect_s
        r.still.fault = fault
        # Put back in here: the rig's own clock ends before a fixture's changes do.
        with monkeypatch.context() as patched:
            patched.setattr(clock, "_counted_ns", lambda: counted_ns() + slept_ns)
            await r.send()
        assert isinstance(r.sender.error, LeaseLost)
        assert r.studio.sent == []

    async def test_a_lease_lost_by_who_only_connects(self, rig: Rigs) -> None:
        """The last rows of a run take long to connect, and nobody else asks the ledger meanwhile: they ask it."""
        r = await rig(3, per_second=10_000)
        r.studio.connect_s = lambda: CONFIRMED_FOR_S + 1
        asked_s: list[float] = []

        def fault(method: str) -> None:
            if method == "begin_rows" and r.loop.time() > begun_s + CONFIRMED_FOR_S:
                asked_s.append(r.loop.time())
                raise LeaseLost(fix="nothing")

        begun_s = r.loop.time()
        r.still.fault = fault
        await r.send()
        assert asked_s, "nobody asked: the test tests nothing"
        assert r.studio.sent == []
        assert isinstance(r.sender.error, LeaseLost)
        assert await r.states() == {PLANNED: 3}


class TestProbe:
    async def test_a_probe_that_is_given_up(self, rig: Rigs) -> None:
        """A run that is left while its probe is out does not keep the next run of the account from sending."""
        answers = iter([throttled(1)])
        r = await rig(20, lambda key, n: next(answers, created(key)), per_second=10_000, in_flight=3)
        task = asyncio.create_task(r.send())
        await r.until(lambda: r.breaker.state is BreakerState.half_open)
        r.studio.latency_s = 1000.0
        await r.until(lambda: r.studio.in_flight == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert r.breaker.needs_probe
        assert await asyncio.wait_for(r.breaker.wait_for_turn(), 1) is not None


class TestOutcomes:
    @pytest.mark.parametrize(
        ("answer", "state"),
        [(BROKEN, UNKNOWN), (Answer(400, b'{"code": 21211}'), RowState.rejected), (busy(), BUSY)],
    )
    async def test_states(self, rig: Rigs, answer: Answer, state: RowState) -> None:
        """What an answer proves is where its row goes, and the others go on."""
        r = await rig(10, lambda key, n: answer if key.endswith("3") else created(key))
        await r.send()
        assert await r.states() == {state: 1, CREATED: 9}

    async def test_a_row_that_was_busy(self, rig: Rigs) -> None:
        """A row that was busy and is created is not counted among those who are asked again."""
        waiting = []

        def answer(key: str, n: int) -> Answer:
            if key.endswith("3"):
                return busy() if n == 0 else created(key)
            if key.endswith("7"):
                return busy() if n < 3 else created(key)
            return created(key)

        r = await rig(10, answer, busy={"policy": "wait", "wait_s": 5, "give_up_s": 100})
        r.bus.subscribe(lambda event: waiting.append(getattr(event, "reason", "")))
        await r.send()
        assert await r.states() == {CREATED: 10}
        told = [reason for reason in waiting if "another execution" in reason]
        assert told[0].startswith("2 contacts")
        assert told[-1].startswith("1 contact ")

    async def test_busy_for_too_long(self, rig: Rigs) -> None:
        """A contact that stays busy is given up after the time of the settings."""
        r = await rig(3, lambda key, n: busy(), busy={"policy": "wait", "wait_s": 5, "give_up_s": 22})
        started_s = r.loop.time()
        await r.send()
        assert await r.states() == {BUSY: 3}
        assert 20 <= r.loop.time() - started_s <= 31

    @pytest.mark.parametrize("skew_s", [3_600.0, -3_600.0])
    async def test_busy_while_a_clock_is_wrong(self, rig: Rigs, skew_s: float) -> None:
        """Whatever a clock says: a busy contact is asked again when the wait is over, not at once or an hour late."""
        r = await rig(
            1, lambda key, n: busy() if n < 2 else created(key), busy={"policy": "wait", "wait_s": 5, "give_up_s": 100}
        )
        r.studio.clock_skew_s = skew_s
        await r.send()
        first_s, second_s, third_s = r.studio.sent_at_s
        assert 5 <= second_s - first_s <= 7
        assert 5 <= third_s - second_s <= 7

    async def test_a_night_is_no_waiting(self, rig: Rigs) -> None:
        """Time in which nobody could ask does not count: a contact who was busy at the closing is asked on after it."""
        asked = 0

        def answer(key: str, n: int) -> Answer:
            nonlocal asked
            asked = n + 1
            return busy() if n < 3 else created(key)

        r = await rig(1, answer, busy={"policy": "wait", "wait_s": 5, "give_up_s": 22})
        task = asyncio.create_task(r.send())
        await asyncio.sleep(1.0)
        r.loop.advance(12 * 3_600)
        await task
        assert (await r.states(), asked) == ({CREATED: 1}, 4)

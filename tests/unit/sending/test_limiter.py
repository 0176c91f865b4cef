"""No window holds more than the limit, whatever happens; and permits are neither lost nor handed out twice."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sending.arrivals import Arrivals
from dispatcher.sending.ceiling import PAUSE
from dispatcher.sending.limiter import CLAIM_MAX, SPIKE_MARGIN_SHARE, Limiter, Past
from dispatcher.sending.window import WindowLog
from tests.support import virtual_time
from tests.support.simulation import WINDOW_S, worst_window
from tests.support.virtual_time import VirtualTimeLoop


def limiter(per_second: float = 20, *, pace: str = "even", headroom: float = 0.01, **more: Any) -> Limiter:
    return Limiter(per_second=per_second, window_s=WINDOW_S, headroom=headroom, pace=pace, **more)


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(test())


async def take(source: Limiter, n: int) -> None:
    """`n` requests leave as soon as they may."""
    while n:
        permits = await source.acquire(n)
        for _ in range(permits):
            source.record_sent()
        n -= permits


class TestWindowLog:
    @given(st.lists(st.tuples(st.one_of(st.floats(0, 0.002), st.floats(0, 3)), st.integers(1, 5)), max_size=200))
    def test_count(self, steps: list[tuple[float, int]]) -> None:
        """A log never counts too few, and none for more than a millisecond too long."""
        log, now_s, entries = WindowLog(WINDOW_S), 100.0, list[tuple[float, int]]()
        for pause_s, n in steps:
            now_s += pause_s
            log.add(now_s, n)
            entries.append((now_s, n))
            counted = log.count(now_s)
            assert counted >= sum(n for at_s, n in entries if at_s + WINDOW_S > now_s)
            assert counted <= sum(n for at_s, n in entries if at_s + WINDOW_S > now_s - 0.001)

    def test_a_log_stays_small(self) -> None:
        """A log stays small, however much is sent."""
        log = WindowLog(WINDOW_S)
        for n in range(200_000):
            log.add(n / 10_000)
        assert len(log._entries) <= 20_000
        assert log.count(19.9999) == pytest.approx(100_000, abs=20)
        assert len(log._entries) <= 10_001

    def test_when_the_oldest_will_be_gone(self) -> None:
        """A log tells when the oldest n departures will have left the window."""
        log = WindowLog(WINDOW_S)
        for at_s in (1.0, 2.0, 3.0):
            log.add(at_s, 2)
        assert [log.frees_at(n) for n in (1, 2, 3, 6)] == [11.0, 11.0, 12.0, 13.0]
        assert log.frees_at(7) is None
        assert log.since(2.0) == 4


class TestNeverAboveTheLimit:
    @given(
        per_second=st.floats(0.1, 500),
        headroom=st.sampled_from([0.0, 0.01, 0.3]),
        pace=st.sampled_from(["even", "spike"]),
        past_s=st.lists(st.floats(0, 9.9), max_size=30),
        arrivals=st.booleans(),
        chance=st.randoms(use_true_random=False),
    )
    async def test_never_above_the_cap(
        self, per_second: float, headroom: float, pace: str, past_s: list[float], arrivals: bool, chance: Random
    ) -> None:
        """No window holds more than the cap.

        Whatever the demand, the pace, the 429s, and what was sent before.
        """
        loop = asyncio.get_running_loop()
        cap = max(1, int(int(max(1, per_second * WINDOW_S + 1e-9)) * (1 - headroom) + 1e-9))
        # What left before this start did so under the same limit.
        before = sorted(loop.time() - age_s for age_s in past_s)[:cap]
        tested = limiter(per_second, pace=pace, headroom=headroom, past=Past(sent_at_s=before), arrivals=arrivals)
        left_s, tasks = list(before), set()

        async def one(connecting_s: float, fate: str) -> None:
            await asyncio.sleep(connecting_s)
            if fate == "never":
                tested.release()
                return
            tested.record_sent()
            left_s.append(at_s := loop.time())
            if arrivals:
                await asyncio.sleep(connecting_s / 8)
                tested.record_answer(at_s)
            if fate == "refused":
                tested.refused(at_s)
            else:
                tested.passed()

        until_s = loop.time() + 65
        while loop.time() < until_s and len(left_s) < 2000:
            connecting_s = chance.choice([0.0, 0.0, 0.001, 0.2, 5.0, 40.0])
            fate = chance.choice(["passed", "passed", "passed", "refused", "never"])
            for _ in range(await tested.acquire(chance.choice([1, 3, 200]))):
                task = asyncio.create_task(one(connecting_s, fate))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if pause_s := chance.choice([0.0, 0.0, 0.0, 0.01, 3.0, 12.0]):
                await asyncio.sleep(pause_s)
        await asyncio.gather(*tasks)
        assert worst_window(left_s) <= cap
        assert tested.worst_window <= cap

    async def test_a_permit_counts(self) -> None:
        """A permit counts until its request is sent, however long that takes.

        Connections that take long, a process that is suspended: requests leave together, and late.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        tested, left_s = limiter(), list[float]()
        waiting = 0
        while waiting < 100:
            waiting += await tested.acquire(100 - waiting)
        loop.advance(60)
        for _ in range(waiting):
            tested.record_sent()
            left_s.append(loop.time())
        for _ in range(300):
            await tested.acquire(1)
            tested.record_sent()
            left_s.append(loop.time())
        assert worst_window(left_s) <= 198

    @pytest.mark.parametrize("pace", ["even", "spike"])
    async def test_what_was_sent_before_a_restart(self, pace: str) -> None:
        """What was sent before a restart counts."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        tested = limiter(past=Past(sent_at_s=[started_s - 4.0] * 198), pace=pace)
        assert tested.worst_window == tested.window_now() == 198
        await take(tested, 1)
        assert 6.0 <= loop.time() - started_s <= 6.11

    async def test_under_a_ceiling(self) -> None:
        """What others left us under a ceiling is not exceeded."""
        loop = asyncio.get_running_loop()
        tested, left_s = limiter(), list[float]()
        for n in range(160):
            await tested.acquire(1)
            tested.record_sent()
            left_s.append(loop.time())
            if n == 100:
                tested.refused(left_s[-1])
        # A hundred, the one that was refused, and a probe.
        assert worst_window(left_s) <= 102

    @pytest.mark.parametrize("window_s", [7.0, 10.0, 15.0, 100.0])
    async def test_a_ceiling_that_is_handed_on(self, window_s: float) -> None:
        """From one run to the next it is the same, however often, in whatever window."""
        rate: dict[str, Any] = {"per_second": 20, "window_s": window_s, "headroom": 0.01, "pace": "even"}
        cap = Limiter(**rate).cap
        for at in range(cap // 10 + 1, cap):
            past = Past(ceiling_per_s=at / window_s)
            assert Limiter(**rate, past=past).ceiling_per_s == past.ceiling_per_s

    async def test_spikes_keep_their_distance(self) -> None:
        """A hundredth of a window more than the law asks for: a spike takes a while to leave, and to arrive."""
        loop = asyncio.get_running_loop()
        tested = limiter(pace="spike")
        await take(tested, 198)
        last_s = loop.time()
        await take(tested, 1)
        assert loop.time() - last_s >= WINDOW_S * 1.01
        assert SPIKE_MARGIN_SHARE == 0.01

    async def test_a_ceiling_that_comes_while_the_bucket_fills(self) -> None:
        """A permit that was waited for at the bucket is not handed out above a ceiling that has come down meanwhile."""
        loop = asyncio.get_running_loop()
        tested, left_s = limiter(per_second=1), list[float]()
        for _ in range(4):
            await tested.acquire(1)
            tested.record_sent()
            left_s.append(loop.time())
        waiting = asyncio.create_task(tested.acquire(1))
        # At 0.9 a second, the bucket has its next permit in 0.1 s; the ceiling asks for a pause of 0.2.
        await asyncio.sleep(1.0)
        assert not waiting.done()
        refused_s = loop.time()
        tested.refused(left_s[-1])
        await waiting
        assert loop.time() - refused_s >= PAUSE * WINDOW_S

    async def test_past_that_cannot_be_counted(self) -> None:
        """Nothing leaves until it cannot be in the window any more."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + 7
        tested = limiter(past=Past(undated_until_s=until_s))
        await tested.acquire(1)
        assert until_s <= loop.time() <= until_s + 0.01


class TestArrivals:
    async def test_on_its_way_it_may_arrive(self) -> None:
        """However long it takes: what is not answered counts; what is, as if it had taken the longest way there."""
        loop = asyncio.get_running_loop()
        tested = limiter(per_second=1, headroom=0, pace="spike", arrivals=True)
        started_s = loop.time()
        for _ in range(10):
            await tested.acquire(1)
            tested.record_sent()
        waiting = asyncio.create_task(tested.acquire(1))
        await asyncio.sleep(0.1)
        for _ in range(9):
            tested.record_answer(started_s)
        await asyncio.sleep(20)
        # Nine are long gone, one is not answered: nine may leave.
        await waiting
        tested.record_sent()
        for _ in range(8):
            await tested.acquire(1)
            tested.record_sent()
        waiting = asyncio.create_task(tested.acquire(1))
        await asyncio.sleep(9)
        assert not waiting.done()
        tested.record_answer(started_s)
        answered_s = loop.time()
        await waiting
        # It took 19 s longer than the quickest, which took 0.1 s, and so may have arrived 0.1 s ago.
        assert loop.time() - answered_s <= 10

    async def test_a_run_before_may_arrive_late(self) -> None:
        """What earlier runs sent counts for as much longer as their requests took."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        past = Past(sent_at_s=[started_s - 4.0] * 200, spread_s=3.0)
        tested = limiter(headroom=0, past=past, arrivals=True)
        await take(tested, 1)
        assert 9.0 <= loop.time() - started_s <= 9.01

    @given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 3), st.floats(0, 1)), min_size=1, max_size=60))
    def test_never_more_in_any_window(self, requests: list[tuple[float, float, float]]) -> None:
        """Wherever between its way there and back each arrived, if one of them was as quick as can be."""
        least_s, window_s, limit = 0.2, 1.0, 5
        tested, now_s, arrived_s = Arrivals(limit, window_s), 100.0, list[float]()
        tested.sent()
        tested.answered(now_s, now_s + least_s)
        events = list[tuple[float, float]]()
        now_s += 2
        for pause_s, longer_s, share in requests:
            now_s += pause_s
            for answer_s, sent_s in sorted(event for event in events if event[0] <= now_s):
                tested.answered(sent_s, answer_s)
                events.remove((answer_s, sent_s))
            if tested.free(now_s) > 0:
                tested.sent()
                # Half of the least is the way there at its quickest; of the rest any share.
                arrived_s.append(now_s + least_s / 2 + longer_s * share)
                events.append((now_s + least_s + longer_s, now_s))
        assert worst_window(sorted(arrived_s), window_s) <= limit


class TestPermits:
    async def test_permits_that_come_back_may_be_taken_again(self) -> None:
        loop = asyncio.get_running_loop()
        tested = limiter(per_second=20, pace="spike")
        started_s, taken = loop.time(), 0
        while taken < 198:
            taken += await tested.acquire(198 - taken)
        waiting = asyncio.create_task(tested.acquire(1))
        await asyncio.sleep(30)
        assert not waiting.done()
        tested.release(198)
        assert await waiting == 1
        assert loop.time() - started_s == pytest.approx(30, abs=0.01)

    async def test_a_limit_of_one(self) -> None:
        """Under a limit of one, the second request waits a whole window after the first is sent."""
        loop = asyncio.get_running_loop()
        tested = limiter(per_second=0.1, headroom=0)
        await tested.acquire(1)
        waiting = asyncio.create_task(tested.acquire(1))
        await asyncio.sleep(3)
        tested.record_sent()
        left_s = loop.time()
        await waiting
        assert loop.time() - left_s == pytest.approx(WINDOW_S, abs=0.01)

    async def test_no_more_is_granted_than_was_asked_for(self) -> None:
        tested = limiter(per_second=1000)
        for most in (1, 2, 7):
            assert 1 <= await tested.acquire(most) <= most

    async def test_a_waiter_that_is_cancelled_takes_none_along(self) -> None:
        tested = limiter(per_second=1, headroom=0)
        await take(tested, 10)
        waiting = asyncio.create_task(tested.acquire(1))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.sleep(20)
        await take(tested, 10)
        assert tested.window_now() == 10

    async def test_a_ceiling_that_rises_wakes_who_waits_at_it(self) -> None:
        loop = asyncio.get_running_loop()
        tested = limiter()
        await take(tested, 60)
        tested.refused(loop.time() + 0.001)
        started_s = loop.time()
        for _ in range(30):
            await take(tested, 1)
            tested.passed()
        # Nothing of ours leaves the window in that time: it was probes that opened the ceiling.
        assert loop.time() - started_s < 5


class TestSizes:
    @pytest.mark.parametrize(("per_second", "size"), [(0.1, 1), (20, 4), (200, 49), (1e6, CLAIM_MAX)])
    async def test_a_claim_is_a_quarter_of_a_second(self, per_second: float, size: int) -> None:
        """A claim is a quarter of a second's rows, but one at least and so many at most."""
        assert limiter(per_second).claim_size == size

    async def test_a_spike_is_claimed_in_large_claims(self) -> None:
        assert limiter(20, pace="spike").claim_size == 198

    @pytest.mark.parametrize(("per_second", "ahead"), [(0.1, 1), (20, 1), (1000, 9), (1e6, 32)])
    async def test_few_permits_wait_for_a_worker(self, per_second: float, ahead: int) -> None:
        assert limiter(per_second).queue_depth == ahead

    @given(st.floats(0.01, 5000), st.sampled_from([0.0, 0.01, 0.5, 0.99]))
    async def test_limit_and_cap_are_whole_and_at_least_one(self, per_second: float, headroom: float) -> None:
        tested = limiter(per_second, headroom=headroom)
        assert tested.window_limit == max(1, math.floor(per_second * WINDOW_S + 1e-9))
        assert 1 <= tested.cap <= tested.window_limit
        assert tested.rate_per_s == tested.cap / WINDOW_S

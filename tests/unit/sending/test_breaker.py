"""The shared hold: how long a pause is, who may leave during it and after it, and what ends the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest
from dispatcher.sending.hold import Hold
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import BreakerOpen, StoppedEarly, StudioUnavailable
from dispatcher.events import Event, EventBus, RateChanged, Resumed, Waiting
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.retry import RETRY_AFTER_JITTER, after_throttle, pauses, reads
from dispatcher.settings import RetrySettings
from tests.support import virtual_time

BASE_S, MAX_S = 0.2, 30.0


class Held:
    """A hold, and what it told."""

    def __init__(self, **settings: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.bus = EventBus()
        self.events: list[Event] = []
        self.bus.subscribe(self.events.append)
        self.stops: list[StoppedEarly] = []
        self.hold = Hold(RetrySettings(**settings), self.bus, stop=self.stops.append)

    def throttle(self, retry_after_s: float | None = None) -> None:
        """A 429 to a create that has just left."""
        self.hold.throttled(retry_after_s, self.loop.time())

    def fail(self, *, connected: bool = True) -> None:
        self.hold.failed("it broke", connected=connected)

    async def pause_s(self) -> float:
        """How long the hold holds from now."""
        started_s = self.loop.time()
        await self.hold.wait()
        return self.loop.time() - started_s

    @contextmanager
    def no_new_pause(self) -> Iterator[None]:
        before = len(self.events)
        yield
        assert len(self.events) == before


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(test())


class TestPauses:
    @given(st.floats(0.01, 10), st.floats(10, 100))
    def test_they_double_from_the_base_up_to_the_longest_and_no_further(self, base_s: float, max_s: float) -> None:
        for n, pause_s in enumerate(islice(pauses(base_s, max_s), 40)):
            whole_s = min(base_s * 2**n, max_s)
            assert whole_s / 2 <= pause_s <= whole_s

    @given(st.floats(0, 10_000), st.floats(0, 30))
    def test_retry_after_is_never_shortened_and_hardly_lengthened(self, retry_after_s: float, pause_s: float) -> None:
        held_s = after_throttle(retry_after_s, pause_s)
        assert retry_after_s <= held_s <= retry_after_s * (1 + RETRY_AFTER_JITTER)

    def test_without_retry_after_the_next_pause_counts(self) -> None:
        assert after_throttle(None, 1.5) == 1.5

    @given(st.one_of(st.none(), st.floats(0.01, 100)))
    def test_the_hold_holds_that_long(self, retry_after_s: float | None) -> None:
        async def test() -> None:
            held = Held()
            held.throttle(retry_after_s)
            pause_s = await held.pause_s()
            if retry_after_s is None:
                assert BASE_S / 2 <= pause_s <= BASE_S + 0.01
            else:
                assert retry_after_s - 1e-5 <= pause_s <= retry_after_s * (1 + RETRY_AFTER_JITTER) + 0.01

        in_virtual_time(test)

    def test_without_an_answer_in_earnest_each_pause_is_longer_up_to_a_window(self) -> None:
        async def test() -> None:
            held = Held()
            held.hold.limiter = Limiter(per_second=20, window_s=10, headroom=0.01, pace="even")
            whole_s = BASE_S
            for _ in range(15):
                held.throttle()
                assert whole_s / 2 - 0.01 <= await held.pause_s() <= whole_s + 0.01
                whole_s = min(whole_s * 2, 10.0)

        in_virtual_time(test)

    def test_an_answer_in_earnest_lets_them_begin_anew(self) -> None:
        async def test() -> None:
            held = Held()
            for _ in range(6):
                held.throttle()
                await held.pause_s()
            held.hold.answered(held.loop.time())
            held.throttle()
            assert await held.pause_s() <= BASE_S + 0.01

        in_virtual_time(test)

    def test_a_later_429_never_shortens_a_pause(self) -> None:
        async def test() -> None:
            held = Held()
            started_s = held.loop.time()
            held.throttle(20.0)
            await asyncio.sleep(1)
            held.hold.throttled(0.5)  # a read's
            await held.hold.wait()
            assert held.loop.time() - started_s >= 20

        in_virtual_time(test)


class TestEcho:
    """Requests that had left when the pause began."""

    def test_their_429s_change_nothing(self) -> None:
        async def test() -> None:
            held = Held()
            held.hold.limiter = limiter = Limiter(per_second=20, window_s=10, headroom=0.01, pace="even")
            left_s = held.loop.time()
            await asyncio.sleep(0.1)
            held.hold.throttled(None, held.loop.time())
            rate = limiter.rate_per_s
            with held.no_new_pause():
                for _ in range(50):
                    held.hold.throttled(60.0, left_s)
            assert await held.pause_s() <= BASE_S + 0.01
            assert limiter.rate_per_s == rate

        in_virtual_time(test)

    def test_their_successes_do_not_end_the_caution(self) -> None:
        async def test() -> None:
            held = Held()
            left_s = held.loop.time()
            await asyncio.sleep(0.1)
            held.throttle()
            held.hold.answered(left_s)
            await held.hold.wait()
            assert held.hold.closed

        in_virtual_time(test)


class TestProbe:
    def test_after_a_pause_one_goes_and_the_others_when_it_is_answered(self) -> None:
        async def test() -> None:
            held = Held()
            held.throttle()
            await held.hold.wait()
            assert held.hold.closed
            lacked = held.hold.lacks_probe
            await held.hold.admit()
            assert (lacked, held.hold.lacks_probe) == (True, False)
            others = [asyncio.create_task(held.hold.admit()) for _ in range(5)]
            await asyncio.sleep(100)
            assert not any(other.done() for other in others)
            held.hold.answered(held.loop.time())
            await asyncio.gather(*others)
            assert not held.hold.closed

        in_virtual_time(test)

    def test_a_probe_that_is_refused_is_followed_by_a_pause_and_another_one(self) -> None:
        async def test() -> None:
            held = Held()
            held.throttle()
            waiting = {asyncio.create_task(held.hold.admit()) for _ in range(9)}
            for left in range(8, 0, -1):
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.sleep(0.05)
                assert sum(not task.done() for task in waiting) == left
                held.throttle()
                assert held.hold.held
            held.hold.answered(held.loop.time())
            await asyncio.wait(waiting)

        in_virtual_time(test)

    def test_a_probe_that_is_lost_is_followed_by_another_one(self) -> None:
        async def test() -> None:
            held = Held()
            held.throttle()
            await held.hold.admit()
            following = asyncio.create_task(held.hold.admit())
            await asyncio.sleep(1)
            assert not following.done()
            held.fail()
            await following
            assert held.hold.closed

        in_virtual_time(test)

    def test_reads_wait_for_the_pause_alone(self) -> None:
        async def test() -> None:
            held = Held()
            held.throttle()
            await held.hold.admit()
            assert await held.pause_s() == 0

        in_virtual_time(test)


class TestReads:
    def test_a_429_to_a_read_holds_and_leaves_the_rate_alone(self) -> None:
        async def test() -> None:
            held = Held()
            held.hold.limiter = limiter = Limiter(per_second=20, window_s=10, headroom=0.01, pace="even")
            for _ in range(20):
                held.hold.throttled(None)
                assert 0 < await held.pause_s() <= BASE_S + 0.01
            assert limiter.rate_per_s == limiter.full_rate_per_s

        in_virtual_time(test)

    def test_429s_to_reads_alone_do_not_end_a_run(self) -> None:
        async def test() -> None:
            held = Held(throttled_give_up_s=10)
            for _ in range(5):
                held.hold.throttled(6.0)
                await held.hold.wait()
            assert held.stops == []

        in_virtual_time(test)

    def test_reads_are_repeated_so_often_and_other_errors_are_not(self) -> None:
        async def test() -> None:
            calls = 0

            async def call() -> None:
                nonlocal calls
                calls += 1
                raise StudioUnavailable("no")

            retrying = reads(4, base_s=0.1, max_s=1, throttled_give_up_s=60)
            with pytest.raises(StudioUnavailable):
                await retrying(call)
            assert calls == 4

            async def broken() -> None:
                nonlocal calls
                calls += 1
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await retrying(broken)
            assert calls == 5

        in_virtual_time(test)

    def test_a_429_costs_a_read_no_attempt(self) -> None:
        async def test() -> None:
            answers = ["429"] * 12 + ["broken", "429", "fine"]

            async def call() -> str:
                answer = answers.pop(0)
                if answer == "fine":
                    return answer
                error = StudioUnavailable("no")
                error.throttled = answer == "429"
                raise error

            assert await reads(2, base_s=0.1, max_s=1, throttled_give_up_s=60)(call) == "fine"

        in_virtual_time(test)


class TestStops:
    def test_nothing_but_429_for_the_time_of_the_settings_stops_the_run(self) -> None:
        async def test() -> None:
            held = Held(throttled_give_up_s=100)
            started_s = held.loop.time()
            while not held.stops:
                held.throttle()
                await held.hold.wait()
            assert 100 < held.loop.time() - started_s < 165
            assert "nothing but 429" in held.stops[0].message
            assert held.stops[0].fix

        in_virtual_time(test)

    def test_429s_between_answers_do_not(self) -> None:
        async def test() -> None:
            held = Held(throttled_give_up_s=100)
            for _ in range(200):
                held.throttle()
                await held.hold.wait()
                held.hold.answered(held.loop.time())
                await asyncio.sleep(1)
            assert held.stops == []

        in_virtual_time(test)

    def test_so_many_failures_in_a_row_open_the_breaker_and_from_half_of_them_on_there_are_pauses(self) -> None:
        async def test() -> None:
            held = Held(breaker_failures=20)
            for n in range(1, 20):
                held.fail()
                assert held.hold.held == (n >= 10)
                await held.hold.wait()
                assert held.stops == []
            held.fail()
            assert isinstance(held.stops[0], BreakerOpen)
            assert "20 requests in a row" in held.stops[0].message

        in_virtual_time(test)

    @pytest.mark.parametrize("answer", ["answered", "throttled"])
    def test_an_answer_of_any_kind_ends_the_row_of_failures(self, answer: str) -> None:
        async def test() -> None:
            held = Held(breaker_failures=20)
            for _ in range(3):
                for _ in range(15):
                    held.fail()
                    await held.hold.wait()
                held.hold.answered(held.loop.time()) if answer == "answered" else held.throttle()
            assert held.stops == []

        in_virtual_time(test)

    def test_without_a_connection_each_failure_is_a_pause_and_so_many_of_them_stop_the_run(self) -> None:
        async def test() -> None:
            held = Held(connect_attempts=10)
            pauses_s = []
            while not held.stops:
                held.fail(connected=False)
                pauses_s.append(await held.pause_s())
            assert len(pauses_s) == 10
            assert pauses_s[6] > pauses_s[0]
            assert "10 attempts to connect" in held.stops[0].message

        in_virtual_time(test)

    def test_workers_that_fail_together_count_as_one_attempt_to_connect(self) -> None:
        async def test() -> None:
            held = Held(connect_attempts=10)
            for _ in range(50):
                held.fail(connected=False)
            assert held.stops == []

        in_virtual_time(test)


class TestEvents:
    def test_a_pause_is_told_with_its_reason_and_its_end(self) -> None:
        async def test() -> None:
            held = Held()
            held.throttle(5.0)
            assert "Retry-After 5 s" in (held.bus.progress.waiting or "")
            await held.hold.wait()
            waiting, resumed = held.events
            assert isinstance(waiting, Waiting)
            assert waiting.for_s is not None
            assert isinstance(resumed, Resumed)
            assert held.bus.progress.waiting is None

        in_virtual_time(test)

    def test_a_lower_rate_is_told_and_so_is_the_way_back(self) -> None:
        async def test() -> None:
            held = Held()
            held.hold.limiter = limiter = Limiter(per_second=20, window_s=10, headroom=0.01, pace="even")
            for _ in range(60):
                await limiter.acquire(1)
                limiter.left()
            # Probes that are refused: the ceiling stands for longer and longer.
            for _ in range(6):
                held.throttle()
                await held.hold.wait()
                await asyncio.sleep(0.5)
                await limiter.acquire(1)
                limiter.left()
                held.hold.answered(held.loop.time())
            rates = [event.rate_per_s for event in held.events if isinstance(event, RateChanged)]
            assert rates
            assert rates[0] < 19.8
            assert held.bus.progress.rate_allowed_per_s == limiter.rate_per_s
            await asyncio.sleep(60)
            for _ in range(250):
                await limiter.acquire(1)
                limiter.left()
                held.hold.answered(held.loop.time())
            assert limiter.rate_per_s == 19.8
            assert held.bus.progress.rate_allowed_per_s == 19.8

        in_virtual_time(test)

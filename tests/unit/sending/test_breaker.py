"""The account's breaker: how long a pause is, who may leave during it and after it, and what ends the run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import BreakerOpen, DispatcherError, StudioUnavailable
from dispatcher.events import Event, EventBus, Resumed, Waiting, WaitKind
from dispatcher.remedies import Command
from dispatcher.sending.borrowers import Borrower, Borrowers
from dispatcher.sending.breaker import Breaker, BreakerState
from dispatcher.sending.retry import RETRY_AFTER_JITTER, after_throttle, pauses, reads
from dispatcher.settings import RetrySettings
from tests.support.rig import WINDOW_S, assert_paired

BASE_S, MAX_S = 0.2, 30.0
CLOSED, OPEN, HALF_OPEN = BreakerState.closed, BreakerState.open, BreakerState.half_open


class Watched:
    """A breaker, and what it told."""

    def __init__(self, **settings: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.events: list[Event] = []
        self.stops: list[DispatcherError] = []
        borrowers, bus = Borrowers(), EventBus()
        borrowers.join(Borrower(bus, self.stops.append))
        bus.subscribe(self.events.append)
        self.breaker = Breaker(RetrySettings(**settings), borrowers, window_s=WINDOW_S)

    def throttle(self, retry_after_s: float | None = None) -> None:
        """A 429 to a create that has just left."""
        self.breaker.throttled(retry_after_s, self.loop.time())

    def fail(self, *, connected: bool = True) -> None:
        self.breaker.failed("it broke", connected=connected)

    def answer(self) -> None:
        """A definite answer to a create that has just left."""
        self.breaker.answered(self.loop.time())

    async def pause_s(self) -> float:
        """How long it is open from now."""
        started_s = self.loop.time()
        await self.breaker.wait_while_open()
        return self.loop.time() - started_s

    @contextmanager
    def no_new_pause(self) -> Iterator[None]:
        before = len(self.events)
        yield
        assert len(self.events) == before


class TestPauses:
    @given(st.floats(0.01, 10), st.floats(10, 100))
    def test_doubling(self, base_s: float, max_s: float) -> None:
        """Pauses double from the base up to the longest, and no further."""
        for n, pause_s in enumerate(islice(pauses(base_s, max_s), 40)):
            whole_s = min(base_s * 2**n, max_s)
            assert whole_s / 2 <= pause_s <= whole_s

    @given(st.floats(0, 10_000), st.floats(0, 30))
    def test_retry_after(self, retry_after_s: float, pause_s: float) -> None:
        """A Retry-After is never shortened, and hardly lengthened."""
        held_s = after_throttle(retry_after_s, pause_s)
        assert retry_after_s <= held_s <= retry_after_s * (1 + RETRY_AFTER_JITTER)

    def test_without_retry_after(self) -> None:
        """Where a 429 has no Retry-After, the next pause counts."""
        assert after_throttle(None, 1.5) == 1.5

    @given(st.one_of(st.none(), st.floats(0.01, 100)))
    async def test_open_for_that_long(self, retry_after_s: float | None) -> None:
        """The breaker is open for as long as the pause says."""
        b = Watched()
        b.throttle(retry_after_s)
        pause_s = await b.pause_s()
        if retry_after_s is None:
            assert BASE_S / 2 <= pause_s <= BASE_S + 0.01
        else:
            assert retry_after_s - 1e-5 <= pause_s <= retry_after_s * (1 + RETRY_AFTER_JITTER) + 0.01

    async def test_longer_and_longer(self) -> None:
        """Without a definite answer each pause is longer, up to a window."""
        b = Watched()
        whole_s = BASE_S
        for _ in range(15):
            b.throttle()
            assert whole_s / 2 - 0.01 <= await b.pause_s() <= whole_s + 0.01
            whole_s = min(whole_s * 2, 10.0)

    async def test_after_a_definite_answer(self) -> None:
        """A definite answer lets pauses begin anew."""
        b = Watched()
        for _ in range(6):
            b.throttle()
            await b.pause_s()
        b.answer()
        b.throttle()
        assert await b.pause_s() <= BASE_S + 0.01

    async def test_a_later_429(self) -> None:
        """A later 429 never shortens a pause."""
        b = Watched()
        started_s = b.loop.time()
        b.throttle(20.0)
        await asyncio.sleep(1)
        b.breaker.read_throttled(0.5)  # a read's
        await b.breaker.wait_while_open()
        assert b.loop.time() - started_s >= 20


class TestEcho:
    """Requests that had left when the pause began."""

    async def test_a_429_to_an_earlier_request(self) -> None:
        """429s to what was sent before the pause change nothing, and say so."""
        b = Watched()
        left_s = b.loop.time()
        await asyncio.sleep(0.1)
        b.breaker.throttled(None, b.loop.time())
        with b.no_new_pause():
            for _ in range(50):
                b.breaker.throttled(60.0, left_s)
        assert await b.pause_s() <= BASE_S + 0.01

    async def test_a_success_of_an_earlier_request(self) -> None:
        """A success of what was sent before the pause does not end the caution."""
        b = Watched()
        left_s = b.loop.time()
        await asyncio.sleep(0.1)
        b.throttle()
        b.breaker.answered(left_s)
        await b.breaker.wait_while_open()
        assert b.breaker.state is HALF_OPEN


class TestProbe:
    async def test_one_request_goes_first(self) -> None:
        """After a pause one request goes as the probe, and the others when it is answered."""
        b = Watched()
        b.throttle()
        await b.breaker.wait_while_open()
        assert b.breaker.state is HALF_OPEN
        lacked = b.breaker.needs_probe
        await b.breaker.wait_for_turn()
        assert (lacked, b.breaker.needs_probe) == (True, False)
        others = [asyncio.create_task(b.breaker.wait_for_turn()) for _ in range(5)]
        await asyncio.sleep(100)
        assert not any(other.done() for other in others)
        b.answer()
        await asyncio.gather(*others)
        assert b.breaker.state is CLOSED

    async def test_a_refused_probe(self) -> None:
        """After a probe that is refused, a pause follows, and another probe."""
        b = Watched()
        b.throttle()
        waiting = {asyncio.create_task(b.breaker.wait_for_turn()) for _ in range(9)}
        for left in range(8, 0, -1):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0.05)
            assert sum(not task.done() for task in waiting) == left
            b.throttle()
            assert b.breaker.state is OPEN
        b.answer()
        await asyncio.wait(waiting)

    async def test_a_failed_probe(self) -> None:
        """After a probe that fails, another one follows."""
        b = Watched()
        b.throttle()
        await b.breaker.wait_for_turn()
        following = asyncio.create_task(b.breaker.wait_for_turn())
        await asyncio.sleep(1)
        assert not following.done()
        b.fail()
        await following
        assert b.breaker.state is HALF_OPEN

    async def test_reads_wait_for_no_probe(self) -> None:
        """Reads wait for the pause alone, and not for the probe's answer."""
        b = Watched()
        b.throttle()
        await b.breaker.wait_for_turn()
        assert await b.pause_s() == 0


class TestReads:
    async def test_pauses_for_reads(self) -> None:
        """A 429 to a read is a pause, and no longer one than the first."""
        b = Watched()
        for _ in range(20):
            b.breaker.read_throttled(None)
            assert 0 < await b.pause_s() <= BASE_S + 0.01

    async def test_429s_to_reads_alone(self) -> None:
        """429s to reads do not stop anybody, however long they go on."""
        b = Watched(throttled_give_up_s=10)
        for _ in range(5):
            b.breaker.read_throttled(6.0)
            await b.breaker.wait_while_open()
        assert b.stops == []

    async def test_how_often_reads_are_repeated(self) -> None:
        """Reads are repeated as often as the settings say, and other errors are not."""
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

    async def test_a_429_costs_no_attempt(self) -> None:
        """A read that is answered 429 waits and is asked again, at no cost."""
        answers = ["429"] * 12 + ["broken", "429", "fine"]

        async def call() -> str:
            answer = answers.pop(0)
            if answer == "fine":
                return answer
            error = StudioUnavailable("no")
            error.throttled = answer == "429"
            raise error

        assert await reads(2, base_s=0.1, max_s=1, throttled_give_up_s=60)(call) == "fine"


class TestStops:
    async def test_nothing_but_429(self) -> None:
        """Nothing but 429 for the time of the settings stops everybody."""
        b = Watched(throttled_give_up_s=100)
        started_s = b.loop.time()
        while not b.stops:
            b.throttle()
            await b.breaker.wait_while_open()
        assert 100 < b.loop.time() - started_s < 165
        assert "nothing but 429" in b.stops[0].message
        assert b.stops[0].fix

    async def test_429s_between_answers(self) -> None:
        """429s with answers between them do not stop anybody."""
        b = Watched(throttled_give_up_s=100)
        for _ in range(200):
            b.throttle()
            await b.breaker.wait_while_open()
            b.answer()
            await asyncio.sleep(1)
        assert b.stops == []

    async def test_consecutive_failures(self) -> None:
        """Consecutive failures stop everybody, and from half as many on there are pauses."""
        b = Watched(breaker_failures=20)
        for n in range(1, 20):
            b.fail()
            assert (b.breaker.state is OPEN) == (n >= 10)
            await b.breaker.wait_while_open()
            assert b.stops == []
        b.fail()
        assert isinstance(b.stops[0], BreakerOpen)
        assert "20 consecutive requests" in b.stops[0].message

    @pytest.mark.parametrize("answer", ["answered", "throttled"])
    async def test_an_answer_between_failures(self, answer: str) -> None:
        """An answer of any kind lets failures be counted anew."""
        b = Watched(breaker_failures=20)
        for _ in range(3):
            for _ in range(15):
                b.fail()
                await b.breaker.wait_while_open()
            b.answer() if answer == "answered" else b.throttle()
        assert b.stops == []

    async def test_counting_after_a_stop(self) -> None:
        """Who goes on after a stop is not stopped for what was before it."""
        b = Watched(breaker_failures=5)
        for _ in range(5):
            b.fail()
        assert len(b.stops) == 1
        for _ in range(4):
            b.fail()
        assert len(b.stops) == 1

    async def test_a_day_of_retry_after(self) -> None:
        """A Retry-After of a day stops everybody, and who goes on all the same does not wait for a day."""
        b = Watched(throttled_give_up_s=100)
        b.throttle(86_400)
        assert "longer than anybody should wait" in b.stops[0].message
        assert await b.pause_s() <= 101

    async def test_no_connection(self) -> None:
        """Each failure to connect is a pause, and as many as the settings say stop everybody."""
        b = Watched(connect_attempts=10)
        pauses_s = []
        while not b.stops:
            b.fail(connected=False)
            pauses_s.append(await b.pause_s())
        assert len(pauses_s) == 10
        assert pauses_s[6] > pauses_s[0]
        assert "10 attempts to connect" in b.stops[0].message

    async def test_workers_that_fail_together(self) -> None:
        """Workers that fail to connect together count as one attempt to connect."""
        b = Watched(connect_attempts=10)
        for _ in range(50):
            b.fail(connected=False)
        assert b.stops == []


class TestEvents:
    async def test_a_pause(self) -> None:
        """A pause is told with its reason, and its end, whoever waits for it."""
        b = Watched()
        b.throttle(5.0)
        await asyncio.sleep(6)
        waiting, resumed = b.events
        assert isinstance(waiting, Waiting)
        assert waiting.kind is WaitKind.throttled
        assert "Retry-After 5 s" in waiting.reason
        assert waiting.for_s is not None
        assert 5.0 <= waiting.for_s <= 5.5
        assert resumed == Resumed(kind=WaitKind.throttled)

    async def test_pauses_of_two_kinds(self) -> None:
        """Failures are another reason than 429s, and one that takes over ends the one before."""
        b = Watched()
        b.fail(connected=False)
        b.breaker.read_throttled(60.0)
        await b.breaker.wait_while_open()
        kinds = [(type(event), event.kind) for event in b.events if isinstance(event, Waiting | Resumed)]
        assert kinds == [
            (Waiting, WaitKind.failures),
            (Resumed, WaitKind.failures),
            (Waiting, WaitKind.throttled),
            (Resumed, WaitKind.throttled),
        ]

    async def test_a_pause_within_a_longer_one(self) -> None:
        """A pause within a longer one is not told: what is waited for is the longer one."""
        b = Watched()
        b.throttle(60.0)
        b.breaker.read_throttled(1.0)
        (told,) = b.events
        assert isinstance(told, Waiting)
        assert "Retry-After 60 s" in told.reason

    @given(st.lists(st.tuples(st.sampled_from("trfca"), st.floats(0, 20)), max_size=30))
    async def test_always_in_pairs(self, steps: list[tuple[str, float]]) -> None:
        """Whatever happens, every wait has its end, once; and who leaves in the middle of one hears its end."""
        b = Watched(breaker_failures=8, connect_attempts=4)
        for what, then_s in steps:
            match what:
                case "t":
                    b.throttle()
                case "r":
                    b.breaker.read_throttled(then_s)
                case "f":
                    b.fail()
                case "c":
                    b.fail(connected=False)
                case _:
                    b.answer()
            await asyncio.sleep(then_s)
        b.breaker.close()
        assert_paired(b.events)


async def test_remedies() -> None:
    """What stops a run says how to go on, as a value that each front end words."""
    b = Watched(breaker_failures=1)
    b.fail()
    (error,) = b.stops
    assert Command("resume", ("CAMPAIGN",)) in error.fix.remedies  # type: ignore[union-attr]

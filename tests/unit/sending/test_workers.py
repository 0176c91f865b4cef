"""The sender on a virtual clock: a real ledger, limiter and hold, and a Studio that answers as the test says."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from dispatcher.sending.hold import Hold
from dispatcher.sending.workers import REJECTED_IN_A_ROW_MAX, Sender, SendPlan

from dispatcher.errors import BreakerOpen, DispatcherError, Interrupted, LedgerFull
from dispatcher.events import EventBus, Stopping
from dispatcher.ledger import SqliteLedger
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import AttemptEnd, Run
from dispatcher.model import Outcome, RowState
from dispatcher.sending.busy import BusyPolicy
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.recorder import FULL_GIVE_UP_S, Recorder
from dispatcher.settings import RetrySettings
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Answer, Failure
from tests.support import ledgers, virtual_time
from tests.support.simulation import worst_window
from tests.support.virtual_time import VirtualTimeLoop

WINDOW_S = 10.0


def created(key: str) -> Answer:
    return Answer(201, orjson.dumps({"sid": "FN" + key[1:].zfill(32)}))


def throttled(retry_after_s: float | None = None) -> Answer:
    return Answer(429, b"{}", retry_after=None if retry_after_s is None else str(retry_after_s))


class ScriptedStudio:
    """Connects, lets the request leave, answers; `answer(key, n)` says what to the key's n-th request."""

    def __init__(self, answer: Callable[[str, int], Answer]) -> None:
        self._loop = asyncio.get_running_loop()
        self.answer = answer
        self.connect_s: Callable[[], float] = lambda: 0.0
        self.latency_s = 0.05
        self.left: list[tuple[float, str]] = []
        self.asked: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.clock_skew_s: float | None = None

    async def create(self, flow_sid: str, form: bytes, leaving: Callable[[], None]) -> Answer:
        key = form.decode()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.connect_s())
            answer = self.answer(key, self.asked[key])
            self.asked[key] += 1
            if answer.failure is Failure.not_connected:
                return answer
            leaving()
            self.left.append((self._loop.time(), key))
            await asyncio.sleep(self.latency_s)
            return answer
        finally:
            self.in_flight -= 1

    @property
    def left_s(self) -> list[float]:
        return [at_s for at_s, _ in self.left]


class StillLedger:
    """A ledger whose thread takes no virtual time; `fault` may raise before a method runs."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self.fault: Callable[[str], None] = lambda method: None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)

        async def call(*arguments: Any, **named: Any) -> Any:
            self.fault(name)
            with loop.real_work():
                return await method(*arguments, **named)

        return call


class Rig:
    """Rows in a ledger, and everything that sends them."""

    def __init__(self, ledger: SqliteLedger, run: Run, answer: Callable[[str, int], Answer], **options: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.ledger, self.run, self.bus = ledger, run, EventBus()
        self.still = StillLedger(ledger)
        self.studio = ScriptedStudio(answer)
        self.hold = Hold(RetrySettings(), self.bus, stop=self.stop)
        self.limiter = Limiter(
            per_second=options.pop("per_second", 20),
            window_s=WINDOW_S,
            headroom=0.01,
            pace=options.pop("pace", "even"),
        )
        self.hold.limiter = self.limiter
        studio = cast(Studio, self.studio)
        busy = BusyPolicy(
            studio,
            flow_sid="FW",
            policy="skip",
            wait_s=1,
            give_up_s=1,
            id_parameter="",
            dispatch_id=lambda row: "",
        )
        form = options.pop("form", lambda row: row.row_key.encode())
        plan = SendPlan(flow_sid="FW", api_version="v2", form=form, **{"in_flight": 10, "stop_s": 5.0, **options})
        self.sender = Sender(
            plan,
            ledger=cast(Ledger, self.still),
            run=run,
            studio=studio,
            limiter=self.limiter,
            hold=self.hold,
            busy=busy,
            bus=self.bus,
        )

    def stop(self, error: DispatcherError) -> None:
        self.sender.stop(error)

    async def states(self) -> dict[RowState, int]:
        status = await self.ledger.status(self.run.campaign)
        return {state: n for state, n in status.rows.items() if n}

    async def until(self, true: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if true():
                return
            await asyncio.sleep(0.001)
        raise AssertionError


def sending(
    folder: Path,
    rows: int,
    test: Callable[[Rig], Awaitable[None]],
    answer: Callable[[str, int], Answer] = lambda key, n: created(key),
    **options: Any,
) -> None:
    """Run a test with so many rows planned."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        with loop.real_work():
            ledger = SqliteLedger.open(folder)
            record = await ledgers.campaign(ledger)
            await ledgers.planned(ledger, record, ledgers.lines(*(f"+1415{2_000_000 + n}" for n in range(rows))))
            record = await ledger.find_campaign(record.name)
            run = await ledger.start_run(record, window_limit=200, now_ms=1)
        rig = Rig(ledger, run, answer, **options)
        try:
            await test(rig)
        finally:
            with loop.real_work():
                await ledger.close()
        assert ledgers.flaws(ledger.path) == []

    virtual_time.run(main(), late_s=0.0003)


class TestSending:
    def test_every_row_is_sent_once_at_the_rate(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            await rig.sender.send()
            assert await rig.states() == {RowState.created: 100}
            assert set(rig.studio.asked.values()) == {1}
            assert rig.studio.left_s[-1] - rig.studio.left_s[0] == pytest.approx(100 / 19.8, rel=0.05)
            totals = rig.sender.totals()
            assert (totals.requests, totals.throttled, totals.window_limit) == (100, 0, 200)
            assert totals.worst_window == 100

        sending(tmp_path, 100, test)

    @pytest.mark.parametrize("in_flight", [1, 7])
    def test_no_more_are_in_flight_than_allowed_and_those_are_made_use_of(self, tmp_path: Path, in_flight: int) -> None:
        async def test(rig: Rig) -> None:
            await rig.sender.send()
            assert rig.studio.most_in_flight == in_flight
            assert rig.studio.left_s[-1] - rig.studio.left_s[0] == pytest.approx(69 // in_flight * 0.05, rel=0.05)

        sending(tmp_path, 70, test, per_second=10_000, in_flight=in_flight)

    def test_the_window_holds_when_connections_take_their_time(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            chance = random.Random(1)
            rig.studio.connect_s = lambda: chance.choice([0.0, 0.0, 0.1, 9.0])
            await rig.sender.send()
            assert await rig.states() == {RowState.created: 300}
            assert worst_window(rig.studio.left_s) <= 99
            assert rig.sender.totals().worst_window == worst_window(rig.studio.left_s)

        sending(tmp_path, 300, test, per_second=10, in_flight=100)

    def test_and_when_the_process_is_suspended(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            task = asyncio.create_task(rig.sender.send())
            for moment_s in (3.0, 7.0, 9.99):
                await asyncio.sleep(moment_s)
                cast(VirtualTimeLoop, rig.loop).advance(60)
            await task
            assert await rig.states() == {RowState.created: 300}
            assert worst_window(rig.studio.left_s) <= 99

        sending(tmp_path, 300, test, per_second=10, in_flight=100)

    @pytest.mark.parametrize("limit", [1, 30])
    def test_with_a_limit_so_many_rows_are_created_whatever_is_refused_meanwhile(
        self, tmp_path: Path, limit: int
    ) -> None:
        async def test(rig: Rig) -> None:
            await rig.sender.send()
            assert await rig.states() == {RowState.created: limit, RowState.planned: 60 - limit}

        sending(tmp_path, 60, test, lambda key, n: created(key) if n else throttled(), limit=limit)

    def test_rows_that_were_answered_429_are_sent_again_at_no_cost(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            await rig.sender.send()
            assert await rig.states() == {RowState.created: 20}
            assert rig.sender.totals().throttled == 20
            with ledgers.raw(rig.ledger.path) as db:
                assert db.execute("SELECT min(attempts), max(attempts) FROM rows").fetchall() == [(1, 1)]

        sending(tmp_path, 20, test, lambda key, n: created(key) if n else throttled())

    def test_nothing_to_send_is_no_trouble(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            await rig.sender.send()
            assert rig.sender.error is None

        sending(tmp_path, 0, test)


class TestHeld:
    def test_what_has_a_permit_and_has_not_left_waits_too_and_one_goes_first(self, tmp_path: Path) -> None:
        first = True

        def answer(key: str, n: int) -> Answer:
            nonlocal first
            refused, first = first, False
            return throttled(30) if refused else created(key)

        async def test(rig: Rig) -> None:
            rig.studio.latency_s = 0.5
            await rig.sender.send()
            assert await rig.states() == {RowState.created: 60}
            started_s = rig.studio.left_s[0]
            # What had left before the answer came, and then nothing for as long as it said.
            before = [at for at in rig.studio.left_s if at < started_s + 0.51]
            after = [at - started_s for at in rig.studio.left_s if at >= started_s + 0.51]
            assert len(before) + len(after) == 61
            assert after[0] >= 30.5
            # The others wait for the probe's answer.
            assert after[1] >= after[0] + 0.5

        sending(tmp_path, 60, test, answer, per_second=10_000, in_flight=2)

    def test_nor_does_what_is_still_connecting_when_a_pause_begins(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            rig.studio.connect_s = iter([0.0, *[1.0] * 9, *[0.0] * 1000]).__next__
            await rig.sender.send()
            assert await rig.states() == {RowState.created: 60}
            refused_s = rig.studio.left_s[0] + 0.05
            assert not any(refused_s < at < refused_s + 30 for at in rig.studio.left_s)
            assert rig.limiter.window_now() == len([at for at in rig.studio.left_s if at > rig.loop.time() - WINDOW_S])

        first: list[str] = []

        def answer(key: str, n: int) -> Answer:
            first.append(key)
            return throttled(30) if len(first) == 1 else created(key)

        sending(tmp_path, 60, test, answer, per_second=10_000)

    def test_a_storm_gets_one_request_a_pause(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            until_s = rig.loop.time() + 60
            rig.studio.answer = lambda key, n: throttled() if rig.loop.time() < until_s else created(key)
            await rig.sender.send()
            assert await rig.states() == {RowState.created: 100}
            assert 10 <= sum(at < until_s for at in rig.studio.left_s) <= 50 + 15

        sending(tmp_path, 100, test, per_second=200, in_flight=50)


class TestNotConnected:
    def test_a_request_that_never_left_is_planned_again_and_its_permit_comes_back(self, tmp_path: Path) -> None:
        refused = Answer(failure=Failure.not_connected, detail="refused")

        async def test(rig: Rig) -> None:
            await rig.sender.send()
            assert await rig.states() == {RowState.created: 20}
            totals = rig.sender.totals()
            assert totals.requests == 20
            assert rig.limiter.window_now() <= 20
            with ledgers.raw(rig.ledger.path) as db:
                never_left = "SELECT count(*) FROM attempts WHERE outcome = 'not_sent' AND left_at_ms IS NULL"
                assert db.execute(never_left).fetchone() == (10,)
            # All permits are there again: a whole window's worth can be taken at once.
            await asyncio.sleep(WINDOW_S)
            taken = 0
            while taken < rig.limiter.cap:
                taken += await rig.limiter.acquire(rig.limiter.cap - taken)

        def answer(key: str, n: int) -> Answer:
            return refused if n == 0 and int(key) % 2 else created(key)

        sending(tmp_path, 20, test, answer, pace="spike", in_flight=1)


class TestStop:
    def test_nothing_leaves_any_more_what_has_left_is_waited_for_and_the_rest_is_planned(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            rig.studio.latency_s = 2.0
            # Every second worker is still connecting.
            rig.studio.connect_s = iter([0.0, 50.0] * 100).__next__
            task = asyncio.create_task(rig.sender.send())
            await rig.until(lambda: rig.studio.in_flight == 10)
            left = len(rig.studio.left)
            rig.stop(Interrupted())
            rig.stop(BreakerOpen("later"))
            stopped_s = rig.loop.time()
            await task
            assert isinstance(rig.sender.error, Interrupted)
            assert 0 < left < 10
            assert len(rig.studio.left) == left
            assert rig.loop.time() - stopped_s < 2.5
            assert await rig.states() == {RowState.created: left, RowState.planned: 100 - left}

        sending(tmp_path, 100, test, per_second=10_000)

    def test_rows_waiting_at_the_hold_do_not_keep_it(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            task = asyncio.create_task(rig.sender.send())
            await rig.until(lambda: rig.hold.held)
            await asyncio.sleep(1)
            stopped_s = rig.loop.time()
            rig.stop(Interrupted())
            await task
            assert rig.loop.time() - stopped_s < 1
            assert await rig.states() == {RowState.planned: 100}

        sending(tmp_path, 100, test, lambda key, n: throttled(500), per_second=10_000)

    def test_before_the_start_nothing_is_sent(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            rig.stop(Interrupted())
            await rig.sender.send()
            assert rig.studio.left == []
            assert await rig.states() == {RowState.planned: 10}

        sending(tmp_path, 10, test)

    def test_an_answer_that_is_the_same_for_all_stops_the_run(self, tmp_path: Path) -> None:
        events: list[Any] = []

        async def test(rig: Rig) -> None:
            rig.bus.subscribe(events.append)
            await rig.sender.send()
            assert rig.sender.error is not None
            assert len(rig.studio.left) <= 10
            assert await rig.states() == {RowState.planned: 100}
            assert len([event for event in events if isinstance(event, Stopping)]) == 1

        sending(tmp_path, 100, test, lambda key, n: Answer(401, b'{"code": 20003}'), per_second=10_000)

    def test_the_same_refusal_of_the_first_rows_stops_the_run(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            await rig.sender.send()
            assert isinstance(rig.sender.error, BreakerOpen)
            states = await rig.states()
            assert REJECTED_IN_A_ROW_MAX <= states[RowState.rejected] <= REJECTED_IN_A_ROW_MAX + 10
            assert states[RowState.planned] == 200 - states[RowState.rejected]

        sending(tmp_path, 200, test, lambda key, n: Answer(400, b'{"code": 21212}'), per_second=10_000)

    def test_one_that_was_created_shows_that_it_is_the_rows(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            await rig.sender.send()
            assert rig.sender.error is None
            assert await rig.states() == {RowState.created: 1, RowState.rejected: 199}

        def answer(key: str, n: int) -> Answer:
            return created(key) if key.endswith("000003") else Answer(400, b'{"code": 21211}')

        sending(tmp_path, 200, test, answer, per_second=10_000)


class TestLeave:
    def test_what_is_in_flight_is_unknown_and_what_never_left_is_planned(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            rig.studio.latency_s = 1000.0
            rig.studio.connect_s = iter([0.0, 50.0] * 100).__next__
            task = asyncio.create_task(rig.sender.send())
            await rig.until(lambda: rig.studio.in_flight == 10)
            rig.stop(Interrupted())
            await asyncio.sleep(1)
            stopped_s = rig.loop.time()
            rig.sender.leave()
            await task
            assert rig.loop.time() - stopped_s < 1
            left = len(rig.studio.left)
            assert await rig.states() == {RowState.unknown: left, RowState.planned: 100 - left}
            with ledgers.raw(rig.ledger.path) as db:
                known = "SELECT count(*) FROM attempts WHERE outcome = 'unknown' AND left_at_ms IS NOT NULL"
                assert db.execute(known).fetchone() == (left,)

        sending(tmp_path, 100, test, per_second=10_000)

    def test_after_the_time_of_the_settings_it_comes_by_itself(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            rig.studio.latency_s = 1000.0
            task = asyncio.create_task(rig.sender.send())
            await rig.until(lambda: rig.studio.in_flight == 10)
            stopped_s = rig.loop.time()
            rig.stop(Interrupted())
            await task
            assert rig.loop.time() - stopped_s == pytest.approx(5.0, abs=0.1)
            assert await rig.states() == {RowState.unknown: 10, RowState.planned: 90}

        sending(tmp_path, 100, test, per_second=10_000)


class TestFaults:
    def test_a_worker_that_crashes_stops_the_run_and_the_bug_is_seen(self, tmp_path: Path) -> None:
        def form(row: Any) -> bytes:
            if row.row_key.endswith("000020"):
                raise ZeroDivisionError
            return cast(bytes, row.row_key.encode())

        async def test(rig: Rig) -> None:
            with pytest.raises(ZeroDivisionError):
                await rig.sender.send()
            states = await rig.states()
            # The bug's own row is left to the next start, which holds it for doubtful.
            assert states[RowState.sending] == 1
            assert states[RowState.created] >= 10
            assert states[RowState.planned] == 99 - states[RowState.created]

        sending(tmp_path, 100, test, form=form)

    def test_a_full_disk_stops_sending_and_what_is_known_is_written_once_there_is_room(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            full_until_s = rig.loop.time() + 20

            def fault(method: str) -> None:
                if method == "end_rows" and rig.studio.left and rig.loop.time() < full_until_s:
                    raise LedgerFull(found="full", fix="make room")

            rig.still.fault = fault
            await rig.sender.send()
            assert isinstance(rig.sender.error, LedgerFull)
            sent = len(rig.studio.left)
            assert sent < 20
            assert rig.loop.time() >= full_until_s
            assert await rig.states() == {RowState.created: sent, RowState.planned: 100 - sent}

        sending(tmp_path, 100, test, per_second=200)

    def test_a_disk_that_stays_full_ends_the_run_with_that_error(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            started_s = rig.loop.time()

            def fault(method: str) -> None:
                if method == "end_rows":
                    raise LedgerFull(found="full", fix="make room")

            rig.still.fault = fault
            with pytest.raises(LedgerFull):
                await rig.sender.send()
            assert rig.loop.time() - started_s == pytest.approx(FULL_GIVE_UP_S, abs=3)
            assert len(rig.studio.left) < 20

        sending(tmp_path, 100, test, per_second=200)

    @pytest.mark.parametrize("rows", [40, 300])
    def test_a_bug_where_outcomes_are_written_stops_sending_and_is_seen(self, tmp_path: Path, rows: int) -> None:
        """With the rows all sent, or with many still to come."""

        async def test(rig: Rig) -> None:
            def fault(method: str) -> None:
                if method == "end_rows" and rig.studio.left:
                    raise RuntimeError("a bug")

            rig.still.fault = fault
            with pytest.raises(RuntimeError, match="a bug"):
                await asyncio.wait_for(rig.sender.send(), 60)
            # What left before it was found out, and what was on its way then.
            assert len(rig.studio.left) <= 10
            assert rig.sender.totals().requests == len(rig.studio.left)

        sending(tmp_path, rows, test)

    def test_who_waits_for_outcomes_to_be_written_hears_that_they_cannot_be(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            def fault(method: str) -> None:
                if method == "end_rows":
                    raise RuntimeError("a bug")

            rig.still.fault = fault
            totals = rig.sender.totals
            recorder = Recorder(
                cast(Ledger, rig.still), rig.run, now_ms=lambda: 1, totals=totals, trouble=lambda error: None
            )
            recorder.add(AttemptEnd(1, 1, 1, Outcome.created, None, 1))
            for _ in range(2):
                with pytest.raises(RuntimeError, match="a bug"):
                    await asyncio.wait_for(recorder.flush(), 5)
            await rig.sender.send()

        sending(tmp_path, 0, test)

    def test_what_is_measured_of_the_server_s_clock_is_kept_with_the_results(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            rig.studio.clock_skew_s = -3599.9996
            await rig.sender.send()
            with ledgers.raw(rig.ledger.path) as db:
                assert db.execute("SELECT clock_skew_ms FROM runs").fetchall() == [(-3_600_000,)]

        sending(tmp_path, 3, test)

    def test_a_full_disk_under_a_claim_lets_nothing_leave(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            def fault(method: str) -> None:
                if method == "begin_rows":
                    raise LedgerFull(found="full", fix="make room")

            rig.still.fault = fault
            with pytest.raises(LedgerFull):
                await rig.sender.send()
            assert rig.studio.left == []
            assert await rig.states() == {RowState.planned: 100}

        sending(tmp_path, 100, test)


class TestProgress:
    def test_it_counts_as_the_ledger_does(self, tmp_path: Path) -> None:
        async def test(rig: Rig) -> None:
            progress = rig.bus.progress
            progress.rows = dict((await rig.ledger.status(rig.run.campaign)).rows)
            await rig.sender.send()
            assert {state: n for state, n in progress.rows.items() if n} == await rig.states()
            assert (progress.done, progress.requests, progress.throttled) == (50, 60, 10)
            assert progress.in_flight == 0
            assert progress.worst_window == rig.limiter.worst_window

        def answer(key: str, n: int) -> Answer:
            return throttled() if int(key) % 5 == 0 and n == 0 else created(key)

        sending(tmp_path, 50, test, answer)

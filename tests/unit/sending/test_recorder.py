"""Outcomes reach the disk, whatever the ledger does meanwhile; and each commit is told once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from dispatcher.errors import LedgerError, LedgerFull, LedgerUnreachable
from dispatcher.events import AttemptsEnded
from dispatcher.ledger.records import AttemptEnd
from dispatcher.model import Outcome, RowState
from dispatcher.sending.recorder import GATHER_S, GIVE_UP_S, Recorder
from dispatcher.sending.tally import Tally, states_after
from dispatcher.studio.outcomes import Answer
from tests.support.rig import Rig, Rigs, created, throttled

CREATED, PLANNED = RowState.created, RowState.planned
FULL = LedgerFull(found="full", fix="make room")
UNREACHABLE = LedgerUnreachable("the ledger cannot be reached", fix="look after it")


def failing(error: Exception, while_: Callable[[], bool] = lambda: True) -> Callable[[str], None]:
    def fault(method: str) -> None:
        if method == "end_rows" and while_():
            raise error

    return fault


class TestTrouble:
    @pytest.mark.parametrize("error", [FULL, UNREACHABLE])
    async def test_trouble_that_passes(self, rig: Rigs, error: LedgerError) -> None:
        """Sending stops with the ledger's error, and what is known is written once the ledger takes it."""
        r = await rig(100, per_second=200)
        until_s = r.loop.time() + 20
        r.still.fault = failing(error, lambda: bool(r.studio.sent) and r.loop.time() < until_s)
        await r.send()
        assert r.sender.error is error
        sent = len(r.studio.sent)
        assert sent < 20
        assert r.loop.time() >= until_s
        assert await r.states() == {CREATED: sent, PLANNED: 100 - sent}

    @pytest.mark.parametrize("error", [FULL, UNREACHABLE])
    async def test_trouble_that_stays(self, rig: Rigs, error: LedgerError) -> None:
        """Trouble of the ledger that stays ends the run with its error."""
        r = await rig(100, per_second=200)
        started_s = r.loop.time()
        r.still.fault = failing(error)
        with pytest.raises(type(error)):
            await r.send()
        assert r.loop.time() - started_s == pytest.approx(GIVE_UP_S, abs=3)
        assert len(r.studio.sent) < 20

    async def test_other_errors(self, rig: Rigs) -> None:
        """What will not pass by waiting is not waited for."""
        r = await rig(100, per_second=200)
        started_s = r.loop.time()
        r.still.fault = failing(LedgerError("it is damaged"))
        with pytest.raises(LedgerError):
            await r.send()
        assert r.loop.time() - started_s < 3

    @pytest.mark.parametrize("rows", [40, 300])
    async def test_a_bug(self, rig: Rigs, rows: int) -> None:
        """A bug stops sending and is seen, with the rows all sent, or with many still to come."""
        r = await rig(rows)
        r.still.fault = failing(RuntimeError("a bug"), lambda: bool(r.studio.sent))
        with pytest.raises(RuntimeError, match="a bug"):
            await asyncio.wait_for(r.send(), 60)
        # What left before it was found out, and what was on its way then.
        assert len(r.studio.sent) <= 10
        assert r.sender.totals().requests == len(r.studio.sent)

    async def test_who_waits_hears_of_it(self, rig: Rigs) -> None:
        """Who waits for outcomes to be written hears that they cannot be."""
        r = await rig(0)
        r.still.fault = failing(RuntimeError("a bug"))
        recorder = a_recorder(r)
        recorder.add(AttemptEnd(1, 1, Outcome.created, None, 1))
        for _ in range(2):
            with pytest.raises(RuntimeError, match="a bug"):
                await asyncio.wait_for(recorder.flush(), 5)


class TestEvents:
    async def test_events_add_up(self, rig: Rigs) -> None:
        """Events come to what the ledger counts, and the snapshot with them."""

        def answer(key: str, n: int) -> Answer:
            if key.endswith("1"):
                return Answer(400, b'{"code": 21211}', elapsed_s=0.3)
            return throttled() if int(key) % 5 == 0 and n == 0 else created(key)

        r = await rig(50, answer)
        await r.send()
        told = [event for event in r.events if isinstance(event, AttemptsEnded)]
        rows = Counter[RowState]()
        for event in told:
            rows.update(event.rows)
        assert dict(rows) == await r.states() == {CREATED: 45, RowState.rejected: 5}
        assert sum(event.requests for event in told) == 60
        assert sum(event.throttled for event in told) == 10
        assert told[-1].in_flight == 0
        assert told[-1].worst_window == r.limiter.worst_window
        snapshot = r.bus.snapshot()
        assert (snapshot.done, snapshot.requests, snapshot.throttled, snapshot.in_flight) == (50, 60, 10, 0)
        assert snapshot.latency_ms == {64: 55, 512: 5}

    async def test_one_event_a_commit(self, rig: Rigs) -> None:
        """There is one event for each commit, after it, and commits gather what came meanwhile."""
        r = await rig(400, per_second=500, in_flight=50)
        commits = Counter[str]()
        r.still.fault = lambda method: commits.update([method])
        seen_on_disk = []

        def look(event: object) -> None:
            if isinstance(event, AttemptsEnded):
                seen_on_disk.append(r.query("SELECT count(*) FROM rows WHERE state = 'created'")[0][0])

        r.bus.subscribe(look)
        started_s = r.loop.time()
        await r.send()
        told = [event for event in r.events if isinstance(event, AttemptsEnded)]
        assert len(told) == commits["end_rows"]
        assert len(told) <= (r.loop.time() - started_s) / GATHER_S + 2
        so_far = 0
        for event, on_disk in zip(told, seen_on_disk, strict=True):
            so_far += event.rows.get(CREATED, 0)
            assert on_disk >= so_far

    async def test_latencies(self) -> None:
        """Latencies are counted by the power of two (ms) that they stay under, and once."""
        tally = Tally()
        for elapsed_s in (0.0, 0.0009, 0.001, 0.0019, 0.1, 0.127, 0.128):
            tally.took(elapsed_s)
        event = tally.committed([], in_flight=0, window_now=0, worst_window=0)
        assert event.latency_ms == {1: 2, 2: 2, 128: 2, 256: 1}
        assert tally.committed([], in_flight=0, window_now=0, worst_window=0).latency_ms == {}

    async def test_rows_that_are_planned_again(self) -> None:
        """Rows that are planned again are not among those that have come to a state."""
        ends = [
            AttemptEnd(1, 1, Outcome.created, 1, 2),
            AttemptEnd(2, 2, Outcome.throttled, 1, 2),
            AttemptEnd(3, 3, Outcome.not_sent, None, 2),
            AttemptEnd(4, 4, Outcome.busy, 1, 2, not_before_ms=9),
            AttemptEnd(5, 5, Outcome.busy, 1, 2),
            AttemptEnd(6, 6, Outcome.unknown, 1, 2),
        ]
        assert states_after(ends) == {CREATED: 1, RowState.busy: 1, RowState.unknown: 1}


async def test_the_server_s_clock(rig: Rigs) -> None:
    """What is measured of the server's clock is kept with the results."""
    r = await rig(3)
    r.studio.clock_skew_s = -3599.9996
    await r.send()
    assert r.query("SELECT clock_skew_ms FROM runs") == [(-3_600_000,)]


def a_recorder(r: Rig) -> Recorder:
    return Recorder(
        r.still,
        r.run,
        totals=r.sender.totals,
        trouble=lambda error: None,
        committed=lambda ends: None,
    )

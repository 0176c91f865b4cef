"""Hours hold until the request leaves: over pauses, suspensions and clocks that are wrong."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.clock import now_ms
from dispatcher.model import RowState
from dispatcher.rules.gate import Schedule
from dispatcher.rules.hours import Hours
from dispatcher.rules.times import Moment
from tests.support.rig import Rig, Rigs, created, real_work, throttled

CREATED, PLANNED, SKIPPED = RowState.created, RowState.planned, RowState.skipped
NO_HOURS = Hours((), None, 0)


def until(end_ms: int, begin_ms: int | None = None) -> Schedule:
    """Open until then, and from then on: one place has all rows."""
    start = None if begin_ms is None else Moment(begin_ms, is_instant=True)
    return Schedule(NO_HOURS, {1: None}, start=start, deadline=Moment(end_ms, is_instant=True))


async def placed(r: Rig) -> Rig:
    """All its rows have a place."""
    assert r.run.campaign.input_id is not None
    with real_work():
        rows = await r.ledger.places.unplaced(r.run.campaign.input_id, after=0)
        await r.ledger.places.place(dict.fromkeys([row_id for row_id, _ in rows]))
        assert list(await r.ledger.places.all()) == [1]
    return r


def left_after(r: Rig, end_ms: int, begun_ms: int, begun_s: float) -> list[float]:
    """Requests that left when it was over."""
    return [at_s for at_s in r.studio.sent_at_s if begun_ms + (at_s - begun_s) * 1000 >= end_ms]


async def test_nothing_leaves_after_the_closing(rig: Rigs) -> None:
    """What was not sent by then stays out: at the deadline, as expired."""
    begun_ms, begun_s = now_ms(), asyncio.get_running_loop().time()
    end_ms = begun_ms + 5_000
    r = await placed(await rig(200, per_second=10, schedule=until(end_ms)))
    await r.send()
    states = await r.states()
    assert states.keys() == {CREATED, SKIPPED}
    assert 40 <= states[CREATED] <= 51
    assert left_after(r, end_ms, begun_ms, begun_s) == []
    assert r.query("SELECT DISTINCT reason_code FROM rows WHERE state = 'skipped'") == [("expired",)]


@pytest.mark.parametrize("pause_s", [3.0, 8.0])
async def test_a_storm_of_429s_over_the_closing(rig: Rigs, pause_s: float) -> None:
    """A pause that ends after the closing carries nothing over it."""
    begun_ms, begun_s = now_ms(), asyncio.get_running_loop().time()
    end_ms = begun_ms + 5_000
    answer = lambda key, n: throttled(pause_s) if n == 0 and int(key[-3:]) % 7 == 3 else created(key)  # noqa: E731
    r = await placed(await rig(200, answer, per_second=10, schedule=until(end_ms)))
    await r.send()
    assert (await r.states()).keys() == {CREATED, SKIPPED}
    assert left_after(r, end_ms, begun_ms, begun_s) == []


async def test_a_slow_connection_over_the_closing(rig: Rigs) -> None:
    """A row whose connection stands only after the closing is not sent: asked once more when its request leaves."""
    begun_ms, begun_s = now_ms(), asyncio.get_running_loop().time()
    end_ms = begun_ms + 5_000
    r = await placed(await rig(100, per_second=10, schedule=until(end_ms)))
    r.studio.connect_s = lambda: 2.0
    await r.send()
    assert left_after(r, end_ms, begun_ms, begun_s) == []
    assert (await r.states()).keys() == {CREATED, SKIPPED}


async def test_suspended_over_the_closing(rig: Rigs) -> None:
    """A process that was stopped before the closing and goes on after it sends nothing more."""
    begun_ms, begun_s = now_ms(), asyncio.get_running_loop().time()
    end_ms = begun_ms + 5_000
    r = await placed(await rig(200, per_second=10, schedule=until(end_ms)))
    task = asyncio.create_task(r.send())
    await asyncio.sleep(3.0)
    r.loop.advance(3_600)
    await task
    assert left_after(r, end_ms, begun_ms, begun_s) == []
    assert 20 <= (await r.states())[CREATED] <= 31


@pytest.mark.parametrize(("skew_s", "sent"), [(3_600.0, 0), (-3_600.0, 30), (30.0, 30)])
async def test_a_clock_that_is_wrong(rig: Rigs, skew_s: float, sent: int) -> None:
    """Where the clocks are more than a minute apart, Studio's says what hour it is."""
    r = await placed(await rig(30, schedule=until(now_ms() + 60_000)))
    r.studio.clock_skew_s = skew_s
    await r.send()
    assert (await r.states()).get(CREATED, 0) == sent


async def test_an_opening_that_is_near(rig: Rigs) -> None:
    """Rows whose hours begin in half a minute are waited for."""
    begin_ms = now_ms() + 30_000
    r = await placed(await rig(10, schedule=until(begin_ms + 3_600_000, begin_ms), wait_max_s=60.0))
    await r.send()
    assert await r.states() == {CREATED: 10}
    assert now_ms() >= begin_ms
    assert r.sender.next_at_ms is None


async def test_an_opening_that_is_far(rig: Rigs) -> None:
    """The round ends and says when to go on; nothing has left, and no time has passed."""
    begun_ms = now_ms()
    begin_ms = begun_ms + 2 * 3_600_000
    r = await placed(await rig(10, schedule=until(begin_ms + 3_600_000, begin_ms), wait_max_s=60.0))
    await r.send()
    assert await r.states() == {PLANNED: 10}
    assert r.sender.next_at_ms == begin_ms
    assert now_ms() - begun_ms < 5_000

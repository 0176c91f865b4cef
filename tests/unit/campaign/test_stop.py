"""Stop requests: the first reason wins, what runs hears it, and what runs afterwards does not."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.campaign.stop import StopRequest, StopRequests
from dispatcher.errors import Interrupted, StoppedEarly

FIRST, SECOND = StoppedEarly("first"), Interrupted("second")


async def test_first_reason_wins() -> None:
    """A later request does not take the first one's reason away."""
    stop = StopRequest()
    stop.request(FIRST)
    stop.request(SECOND)
    assert stop.error is FIRST
    with pytest.raises(StoppedEarly, match="first"):
        stop.raise_if_requested()


async def test_sleep_ends_early() -> None:
    """A sleep ends at once when a request comes, and says so; without one it takes its time."""
    stop = StopRequest()
    assert not await stop.sleep(0.01)
    asyncio.get_running_loop().call_later(0.01, stop.request, FIRST)
    async with asyncio.timeout(5):
        assert await stop.sleep(60)


async def test_race_returns_the_result() -> None:
    """Work that comes to its end gives its result, or raises what it raises."""
    stop = StopRequest()

    async def work() -> int:
        return 7

    async def fail() -> int:
        raise ValueError("of its own")

    assert await stop.race(work()) == 7
    with pytest.raises(ValueError, match="of its own"):
        await stop.race(fail())


async def test_race_cancels_and_waits() -> None:
    """Work that is stopped has put its things in order before `race` returns; the reason is raised."""
    stop = StopRequest()
    tidied = False

    async def work() -> None:
        nonlocal tidied
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            tidied = True

    asyncio.get_running_loop().call_later(0.01, stop.request, FIRST)
    async with asyncio.timeout(5):
        with pytest.raises(StoppedEarly, match="first"):
            await stop.race(work())
    assert tidied


async def test_race_grants_a_moment() -> None:
    """With `grace_s`, work that ends within it after a request gives its result."""
    stop = StopRequest()

    async def work() -> str:
        await asyncio.sleep(0.05)
        return "done"

    stop.request(FIRST)
    assert await stop.race(work(), grace_s=5) == "done"
    with pytest.raises(StoppedEarly):
        await stop.race(work(), grace_s=0.001)


async def test_cancelling_a_race_cancels_the_work() -> None:
    """Whoever waits for a race and is cancelled takes the work along."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.create_task(StopRequest().race(work()))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ended.is_set()


async def test_a_stop_belongs_to_what_runs() -> None:
    """Operations under way are stopped, and only they: the next one begins without a request."""
    stops = StopRequests()
    assert not stops.request(FIRST)
    with stops.operation() as one, stops.operation() as two:
        assert stops.request(FIRST)
        assert (one.error, two.error) == (FIRST, FIRST)
    with stops.operation() as three:
        assert three.error is None

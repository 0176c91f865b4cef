"""What may take a while: one at a time for each campaign, told when it has ended, whatever it ended with."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.errors import BreakerOpen
from dispatcher.web import errands as module
from dispatcher.web.errands import Errands, Said


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)


async def soon() -> int:
    """Work that is done at once."""
    return 7


async def test_what_is_quick_is_told_at_once() -> None:
    """Whoever asked sees the result with the next page; another campaign's is another."""
    errands = Errands()
    assert await errands.begin("a", soon, "{} rows".format)
    assert errands.said("a") == Said(tone="good", text="7 rows")
    assert not errands.is_running("a")
    assert errands.said("b") is None


async def test_one_at_a_time_for_a_campaign() -> None:
    """A second click begins nothing; another campaign's goes on beside; the old result is gone meanwhile."""
    errands, go = Errands(), asyncio.Event()
    begun: list[str] = []

    async def slow() -> int:
        begun.append("slow")
        await go.wait()
        return 1

    await errands.begin("a", soon, str)
    assert await errands.begin("a", slow, str)
    assert errands.is_running("a")
    assert errands.said("a") is None
    assert not await errands.begin("a", slow, str)
    assert await errands.begin("b", soon, str)
    assert begun == ["slow"]
    go.set()
    await until_done(errands, "a")
    assert errands.said("a") == Said(tone="good", text="1")
    assert await errands.begin("a", soon, str)
    await errands.close()


async def until_done(errands: Errands, draft_id: str) -> None:
    async with asyncio.timeout(10):
        while errands.is_running(draft_id):  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.01)


async def test_a_failure_in_a_page_s_words() -> None:
    """An error of ours in whole sentences; a bug in one that tells nothing. Then the next may go."""
    errands = Errands()

    async def refused() -> int:
        raise BreakerOpen("the first 20 rows were all refused: 21211", found="21211 (20 times)")

    async def bug() -> int:
        raise KeyError("+14155550000")

    def bad_text(_: int) -> str:
        raise ZeroDivisionError

    await errands.begin("a", refused, str)
    said = errands.said("a")
    assert said is not None
    assert said.tone == "bad"
    assert said.text.startswith("The first 20 rows were all refused: 21211. Found: 21211 (20 times). ")
    for work, text in ((bug, str), (soon, bad_text)):
        assert await errands.begin("a", work, text)
        assert errands.said("a") == Said(tone="bad", text="That did not work. It stands in the server's log.")
        assert not errands.is_running("a")


async def test_a_browser_that_leaves_stops_nothing() -> None:
    """Whoever asked may go: the errand goes on, and its result is there for the next who looks."""
    errands, go = Errands(), asyncio.Event()

    async def slow() -> int:
        await go.wait()
        return 1

    asked = asyncio.create_task(errands.begin("a", slow, str))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert errands.is_running("a")
    go.set()
    await until_done(errands, "a")
    assert errands.said("a") == Said(tone="good", text="1")


async def test_the_end_of_the_server() -> None:
    """What goes on is ended and awaited: nothing works on after it, and nothing is told of it."""
    errands, ended = Errands(), asyncio.Event()

    async def slow() -> int:
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()
        return 1

    await errands.begin("a", slow, str)
    async with asyncio.timeout(10):
        await errands.close()
    assert ended.is_set()
    assert not errands.is_running("a")
    assert errands.said("a") is None

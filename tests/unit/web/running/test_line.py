"""An account's line, where what happens depends on a moment that no server can be made to meet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign.turns import Came, Outcome
from dispatcher.errors import LedgerError
from dispatcher.web.running import line as module
from dispatcher.web.running.line import Line
from dispatcher.web.running.standing import Entry
from tests.unit.web.running.test_standing import NOW_MS, entry


class Orders:
    """One campaign is always ready; who asks waits until `let_go`."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.asked = 0
        self.error: LedgerError | None = None
        self.came: list[Came] = []

    async def ready(self, account_id: int) -> Sequence[Entry]:
        """See `line.Orders`."""
        self.asked += 1
        await self.let_go.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return [entry(NOW_MS)]

    async def ended(self, entry: Entry, outcome: Outcome) -> None:
        """See `line.Orders`."""
        self.came.append(outcome.came)


class Turn:
    """It ends at once."""

    taken = 0

    def __init__(self, draft: Any, share: Any) -> None:
        self.draft = replace(draft)

    def stop(self, error: Exception, *, hard: bool = False) -> None:
        """It ends at once anyway."""

    async def run(self) -> Outcome:
        """Nothing is sent."""
        Turn.taken += 1
        await asyncio.sleep(0)
        return Outcome(came=Came.ended)


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> Orders:
    """Turns that send nothing."""
    Turn.taken = 0
    monkeypatch.setattr(module, "Turn", Turn)
    monkeypatch.setattr(module, "POLL_S", 0.05)
    return Orders()


async def test_who_interrupts_comes_before_the_next_turn(orders: Orders, tmp_path: Path) -> None:
    """Also where that is about to begin: nobody waits for a run of hours that was not there when he asked."""
    line = Line(1, orders, None)  # type: ignore[arg-type]
    task = asyncio.create_task(line.run())
    while not orders.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    entered = asyncio.create_task(_between(line))
    await asyncio.sleep(0.01)
    orders.let_go.set()
    assert await entered == 0
    while not Turn.taken:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    line.stop()
    await task


async def _between(line: Line) -> int:
    """How many turns were taken by then."""
    async with line.between(interrupts=True, give_up_s=5):
        return Turn.taken


async def test_a_ledger_that_cannot_be_read(orders: Orders) -> None:
    """It is asked again, and the line goes on."""
    orders.error = LedgerError()
    orders.let_go.set()
    line = Line(1, orders, None)  # type: ignore[arg-type]
    task = asyncio.create_task(line.run())
    async with asyncio.timeout(5):
        while not Turn.taken:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    line.stop()
    await task
    assert orders.came[0] is Came.ended


async def test_the_same_again_waits_a_moment(orders: Orders) -> None:
    """A campaign whose turn ends at once, and is its turn again, does not keep the processor busy."""
    orders.let_go.set()
    line = Line(1, orders, None)  # type: ignore[arg-type]
    task = asyncio.create_task(line.run())
    await asyncio.sleep(0.3)
    line.stop()
    await task
    assert 2 <= Turn.taken <= 8

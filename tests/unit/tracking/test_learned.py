"""What was learned goes to the ledger in batches, and nothing of it is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from dispatcher.errors import LedgerError, LedgerFull, StudioUnavailable
from dispatcher.events import EventBus, Tracking
from dispatcher.ledger.executions import TrackedExecution
from dispatcher.model import ExecutionStatus
from dispatcher.tracking.learned import Learned


def seen(attempt_id: int) -> TrackedExecution:
    return TrackedExecution(attempt_id=attempt_id, status=ExecutionStatus.ended, seen_at_ms=1)


class Kept:
    """What was written, batch by batch; refuses while `full`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.full = False
        self.events: list[Tracking] = []
        bus = EventBus()
        bus.subscribe(lambda event: self.events.append(event) if isinstance(event, Tracking) else None)
        self.learned = Learned(self.save, bus, lambda: Tracking(done=1, total=2, detail="x"), batch_size=10)

    async def save(self, executions: Sequence[TrackedExecution]) -> None:
        await asyncio.sleep(0)
        if self.full:
            raise LedgerFull
        self.batches.append([one.attempt_id for one in executions])

    @property
    def all(self) -> list[int]:
        return [attempt for batch in self.batches for attempt in batch]


async def test_batches_and_the_rest() -> None:
    """What was learned is written ten at a time, and the rest when the work is over.

    Progress is emitted now and then, not for each.
    """
    kept = Kept()
    await kept.learned.save()

    async def work() -> None:
        for attempt in range(25):
            await kept.learned.add(seen(attempt))
        kept.learned.note(seen(25))

    assert await kept.learned.save_after(work()) is None
    assert kept.all == list(range(26))
    assert [len(batch) for batch in kept.batches] == [10, 10, 6]
    assert 1 <= len(kept.events) < 10


async def test_an_error_that_ends_the_work() -> None:
    """What ends the work is returned, and the rest is kept.

    An error of Studio is no reason to forget what was learned before it.
    """
    kept = Kept()
    error = StudioUnavailable(found="500")

    async def work() -> None:
        await kept.learned.save()
        kept.learned.note(seen(1))
        raise error

    assert await kept.learned.save_after(work()) is error
    assert kept.all == [1]


async def test_a_cancelled_work_keeps_what_it_learned() -> None:
    """The requests are paid for, and what was ended must be known."""
    kept = Kept()

    async def work() -> None:
        kept.learned.note(seen(1))
        await asyncio.sleep(60)

    working = asyncio.create_task(kept.learned.save_after(work()))
    await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert kept.all == [1]


async def test_what_could_not_be_written_is_written_later() -> None:
    """In the order in which it was learned: a later word about an execution counts more."""
    kept = Kept()
    kept.full = True

    async def work() -> None:
        for attempt in range(15):
            kept.learned.note(seen(attempt))

    assert isinstance(await kept.learned.save_after(work()), LedgerError)
    kept.learned.note(seen(15))
    kept.full = False
    await kept.learned.save()
    assert kept.batches == [list(range(16))]

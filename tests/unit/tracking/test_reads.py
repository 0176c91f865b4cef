"""Requests side by side: which failure ends them, and that what is under way is finished."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.errors import AuthenticationError, DispatcherError, Interrupted, LedgerFull, StudioUnavailable
from dispatcher.tracking.reads import FAILURES_MAX, Reads


class Work:
    """Items that take one round of the loop each; some of them fail."""

    def __init__(self, failures: dict[int, Exception]) -> None:
        self.failures = failures
        self.begun: list[int] = []
        self.finished: list[int] = []

    async def one(self, item: int) -> None:
        self.begun.append(item)
        await asyncio.sleep(0 if item % 2 else 0.001)
        self.finished.append(item)
        if item in self.failures:
            raise self.failures[item]


async def test_a_failure_is_counted_and_the_next_item_comes() -> None:
    """Failures that are not consecutive end nothing."""
    work = Work({n: StudioUnavailable(found=str(n)) for n in (3, 7)})
    reads = Reads(concurrency=4)
    await reads.each(range(20), work.one)
    assert len(work.finished) == 20
    assert reads.failed == 2
    assert reads.failure is work.failures[7]


async def test_many_consecutive_failures() -> None:
    """Many consecutive failures end the reads, and an answer between them makes them count anew."""
    errors: dict[int, Exception] = {n: StudioUnavailable(found=str(n)) for n in range(100)}
    work = Work(errors)
    reads = Reads(concurrency=1)
    with pytest.raises(StudioUnavailable):
        await reads.each(range(100), work.one)
    assert reads.failed == len(work.begun) == FAILURES_MAX
    reads.answered()
    with pytest.raises(StudioUnavailable):
        await reads.each(range(100), work.one)
    assert reads.failed == 2 * FAILURES_MAX


@pytest.mark.parametrize("error", [AuthenticationError(), LedgerFull()])
async def test_what_is_under_way_is_finished(error: DispatcherError) -> None:
    """An error that would be the same for all ends the reads; those on the wire come to their end first."""
    work = Work({5: error})
    with pytest.raises(type(error)):
        await Reads(concurrency=4).each(range(1_000), work.one)
    assert sorted(work.begun) == sorted(work.finished)
    assert len(work.begun) < 20


async def test_a_stop_finishes_what_is_under_way() -> None:
    """Nothing new is begun after a stop, and why it was stopped is raised."""
    stop = Interrupted()
    work = Work({})
    reads = Reads(concurrency=4, stopped=lambda: stop if len(work.finished) > 10 else None)
    with pytest.raises(Interrupted) as caught:
        await reads.each(range(1_000), work.one)
    assert caught.value is stop
    assert sorted(work.begun) == sorted(work.finished)
    assert 10 < len(work.begun) < 20


async def test_a_bug_is_raised_as_it_is() -> None:
    """A bug is raised as it is, and not as a group of one."""
    with pytest.raises(ZeroDivisionError):
        await Reads(concurrency=4).each(range(10), Work({5: ZeroDivisionError()}).one)

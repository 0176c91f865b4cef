"""Writing in a thread, fed from the loop: neither waits for the other, and whatever ends one ends both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dispatcher.errors import LedgerCorrupt, ReportError
from dispatcher.ledger.records import ReportRow
from dispatcher.reporting.feeding import in_thread
from dispatcher.reporting.report import write_report
from tests.unit.reporting.support import HEADER, OLD, row


class Source:
    """Numbers from 0 on, and what became of whoever gives them."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count = count
        self.error = error
        self.given = 0
        self.is_closed = False

    async def numbers(self) -> AsyncIterator[int]:
        try:
            while self.given < self.count:
                self.given += 1
                await asyncio.sleep(0)
                yield self.given - 1
            if self.error is not None:
                raise self.error
        finally:
            self.is_closed = True


async def test_all_batches_in_order() -> None:
    """The work gets all batches in order, in another thread, and what it returns is returned."""
    threads: set[int] = set()

    def work(batches: Iterator[int]) -> list[int]:
        threads.add(threading.get_ident())
        return list(batches)

    assert await in_thread(work, Source(100).numbers()) == list(range(100))
    assert threading.get_ident() not in threads


async def test_nothing_to_do() -> None:
    """A source without a batch is no trouble: the work finds nothing to do."""
    assert await in_thread(list, Source(0).numbers()) == []


async def test_the_loop_stays_free() -> None:
    """While a batch is written, timers go on; none is fetched meanwhile, so that memory does not grow."""
    source = Source(5)
    seen: list[int] = []

    def work(batches: Iterator[int]) -> None:
        for number in batches:
            time.sleep(0.05)
            seen.append(source.given - number)

    ticks = 0
    working = asyncio.create_task(in_thread(work, source.numbers()))
    while not working.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert ticks >= 5
    assert set(seen) == {1}


async def test_an_error_of_the_source_passes_through() -> None:
    """The work sees it, too, and can take away what it has begun."""
    seen: list[BaseException] = []

    def work(batches: Iterator[int]) -> None:
        try:
            list(batches)
        except LedgerCorrupt as error:
            seen.append(error)
            raise

    error = LedgerCorrupt(found="in the middle")
    with pytest.raises(LedgerCorrupt):
        await in_thread(work, Source(2, error).numbers())
    assert seen == [error]


async def test_an_error_of_the_work_ends_the_source() -> None:
    """Its owner can close it at once: nobody is fetching any more."""
    source = Source(1_000)

    def work(batches: Iterator[int]) -> None:
        next(batches)
        raise ReportError("the disk is full")

    async def run() -> None:
        async with contextlib.aclosing(source.numbers()) as numbers:  # type: ignore[type-var]
            await in_thread(work, numbers)

    with pytest.raises(ReportError, match="full"):
        await run()
    assert source.is_closed
    assert source.given == 1


async def test_a_cancelled_report_leaves_nothing(tmp_path: Path) -> None:
    """The old report stays, nothing lies beside it, and the rows' source is closed before the caller goes on."""
    path = tmp_path / "r.csv"
    path.write_text(OLD)
    is_closed = False
    begun = asyncio.Event()

    async def rows() -> AsyncIterator[list[ReportRow]]:
        nonlocal is_closed
        try:
            for number in range(2, 10_000):
                yield [row(number)]
                if number == 50:
                    begun.set()
                await asyncio.sleep(0.001)
        finally:
            is_closed = True

    async def report() -> None:
        async with contextlib.aclosing(rows()) as batches:  # type: ignore[type-var]
            await write_report(path, HEADER, batches, campaign="spring")

    writing = asyncio.create_task(report())
    await begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert is_closed
    assert path.read_text() == OLD
    assert os.listdir(tmp_path) == ["r.csv"]  # noqa: PTH208

"""A report reads the ledger as it was at one moment, as much of it as is asked for, beside everything else."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.errors import LedgerError
from dispatcher.ledger import Ledger, LedgerSnapshot
from dispatcher.model import Outcome, RowState
from tests.support.ledgers import NONE, campaign, end, invalid, lines, planned, report, suppressed
from tests.unit.ledger.conformance.harness import Harness

ROWS = 1_700


async def test_what_is_written_meanwhile_is_not_seen(ledger: Ledger, harness: Harness) -> None:
    """From the moment it is opened, before the first row is read, through every batch; a new one sees it."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(*(f"k{number}" for number in range(ROWS))))
    other = await harness.open()
    async with other.snapshot() as snapshot:
        run = await ledger.start_run(spring, window_limit=200, now_ms=1)
        while rows := await ledger.begin_rows(run, 500, now_ms=2, input_id=None):
            await ledger.end_rows(run, [end(row, Outcome.created) for row in rows], now_ms=3, totals=NONE)
        await planned(ledger, spring, lines("other"))
        states = {row.state async for batch in snapshot.rows(counts.input_id) for row in batch}
        assert states == {RowState.planned}
    latest = (await ledger.find_campaign("spring")).input_id
    assert latest is not None
    assert [row.state for row in await report(ledger, latest)] == [RowState.planned]
    # Rows of the earlier file stay its own.
    assert {row.state for row in await report(other, counts.input_id)} == {RowState.created}
    await other.close()


async def test_only_what_is_asked_for_is_read(ledger: Ledger) -> None:
    """By row number, state and reason, and by all of them together."""
    spring = await campaign(ledger)
    of = [*lines("a", "b", "a"), invalid("c"), suppressed("d"), invalid(), *lines("e")]
    counts = await planned(ledger, spring, of)

    async def numbers(**wanted: object) -> list[int]:
        return [row.row_number for row in await report(ledger, counts.input_id, **wanted)]

    assert await numbers() == [2, 3, 4, 5, 6, 7, 8]
    assert await numbers(after_row=6) == [7, 8]
    assert await numbers(after_row=8) == []
    assert await numbers(states=frozenset({RowState.planned})) == [2, 3, 8]
    assert await numbers(states=frozenset({RowState.invalid, RowState.skipped})) == [4, 5, 6, 7]
    assert await numbers(states=frozenset()) == []
    assert await numbers(reason="to_invalid") == [5, 7]
    assert await numbers(reason="duplicate", states=frozenset({RowState.skipped}), after_row=3) == [4]
    assert await numbers(reason="suppressed", after_row=6) == []


async def test_every_row_comes_once_over_many_batches(ledger: Ledger) -> None:
    """Batches end anywhere, and the next begins behind them: with and without a filter."""
    spring = await campaign(ledger)
    of = [invalid() if number % 3 else line for number, line in enumerate(lines(*map(str, range(ROWS))))]
    counts = await planned(ledger, spring, of)
    async with ledger.snapshot() as snapshot:
        for states in (None, frozenset({RowState.invalid})):
            batches = [batch async for batch in snapshot.rows(counts.input_id, states=states)]
            assert len(batches) > 2
            told = [row.row_number for batch in batches for row in batch]
            assert told == [2 + number for number in range(ROWS) if states is None or number % 3]


async def test_readers_of_one_snapshot_do_not_meet(ledger: Ledger) -> None:
    """Several are read by turns."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(*map(str, range(ROWS))))

    async def count(snapshot: LedgerSnapshot) -> int:
        return sum([len(batch) async for batch in snapshot.rows(counts.input_id)])

    async with ledger.snapshot() as snapshot:
        assert await asyncio.gather(*(count(snapshot) for _ in range(4))) == [ROWS] * 4


async def test_a_reader_may_leave_early(ledger: Ledger) -> None:
    """By a break, an error, or because its task is cancelled: the ledger goes on, and closes."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(*map(str, range(ROWS))))

    async def read() -> None:
        async with ledger.snapshot() as snapshot:
            while True:
                async for _ in snapshot.rows(counts.input_id):
                    await asyncio.sleep(0)

    async with ledger.snapshot() as snapshot:
        async for batch in snapshot.rows(counts.input_id):
            assert batch[0].row_number == 2
            break
    for pause_s in (0.0, 0.001, 0.01):
        task = asyncio.create_task(read())
        await asyncio.sleep(pause_s)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    assert len(await report(ledger, counts.input_id)) == ROWS


async def test_an_error_reaches_whoever_reads(ledger: Ledger, harness: Harness) -> None:
    """A ledger that has lost something says so where it is read."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a"))
    harness.query("UPDATE chunks SET chunk_id = chunk_id + 1000")
    with pytest.raises(LedgerError, match="cells"):
        await report(ledger, counts.input_id)
    harness.query("UPDATE chunks SET chunk_id = chunk_id - 1000")

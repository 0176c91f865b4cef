"""What is known of executions: kept, never lost to an older sight, found again for the report."""

from __future__ import annotations

from typing import Any

from dispatcher.ledger import Ledger
from dispatcher.ledger.executions import TrackedExecution
from dispatcher.ledger.records import CampaignRecord, RunTotals
from dispatcher.model import ExecutionStatus, Outcome
from tests.support import ledgers

ACTIVE, ENDED, GONE = ExecutionStatus


async def created(ledger: Ledger, *keys: str, name: str = "spring") -> CampaignRecord:
    """A campaign whose rows with these keys are created; one more is rejected."""
    record = await ledgers.campaign(ledger, name)
    await ledgers.planned(ledger, record, ledgers.lines(*keys, f"{name}-rejected"))
    run = await ledger.start_run(record, window_limit=10, now_ms=1_000)
    rows = await ledger.begin_rows(run, 100, now_ms=2_000, input_id=None)
    outcomes = [Outcome.rejected if row.row_key.endswith("rejected") else Outcome.created for row in rows]
    ends = [ledgers.end(row, outcome, at_ms=2_000) for row, outcome in zip(rows, outcomes, strict=True)]
    await ledger.end_rows(run, ends, now_ms=3_000, totals=RunTotals())
    await ledger.stop_run(run, now_ms=4_000, reason=None, totals=RunTotals())
    return await ledger.find_campaign(name)


async def to_track(ledger: Ledger, record: CampaignRecord, **query: Any) -> list[int]:
    found = await ledger.executions_to_track(record, **{"read_as": "x", "after": 0, "limit": 100, **query})
    return [one.attempt_id for one in found]


def seen(attempt_id: int, status: ExecutionStatus = ENDED, **more: Any) -> TrackedExecution:
    return TrackedExecution(**{"attempt_id": attempt_id, "status": status, "seen_at_ms": 5_000, **more})


async def test_what_is_left_to_track(ledger: Ledger) -> None:
    """What is left to track is what is not known whole."""
    record = await created(ledger, "a", "b", "c", "d", "e")
    other = await created(ledger, "z", name="autumn")
    first, second, third, fourth, fifth = await to_track(ledger, record)
    assert len(await to_track(ledger, other)) == 1
    await ledger.save_executions(
        [
            seen(first, read_as="x"),
            seen(second, ACTIVE),
            seen(third),
            seen(fourth, GONE),
        ]
    )
    assert await to_track(ledger, record) == [second, third, fifth]
    # With other settings all details are read again, and where only the status is asked, none is.
    assert await to_track(ledger, record, read_as="y") == [first, second, third, fifth]
    assert await to_track(ledger, record, read_as=None) == [second, fifth]
    assert await to_track(ledger, record, after=second, limit=1) == [third]
    one = (await ledger.executions_to_track(record, read_as="x", after=second, limit=1))[0]
    assert (one.execution_sid, one.begun_at_ms, one.answered_at_ms, one.status) == (
        f"FN{third:032x}",
        2000,
        2002,
        ENDED,
    )


async def test_an_older_sight_changes_nothing(ledger: Ledger) -> None:
    """An older sight changes nothing and details stay."""
    record = await created(ledger, "a")
    (attempt,) = await to_track(ledger, record)
    whole = seen(
        attempt,
        read_as="x",
        ended_at_ms=4_500,
        flow_version=3,
        last_step="bye",
        path=("hello", "bye"),
        error_code=30007,
        error_message="filtered",
        variables={"reply": "Yes ✓"},
    )
    await ledger.save_executions([seen(attempt, ACTIVE), whole])

    async def kept() -> TrackedExecution:
        async with ledger.snapshot() as snapshot:
            rows = [row async for batch in snapshot.rows(record.input_id or 0) for row in batch]
            (row_id,) = [row.row_id for row in rows if row.state == "created"]
            return (await snapshot.executions([row_id]))[row_id]

    assert await kept() == whole
    await ledger.save_executions([seen(attempt, ACTIVE)])
    assert await kept() == whole
    await ledger.save_executions([seen(attempt, ENDED, recalled_at_ms=4_400)])
    await ledger.save_executions([seen(attempt, GONE, recalled_at_ms=9_999)])
    after = await kept()
    assert (after.status, after.recalled_at_ms, after.ended_at_ms, after.path) == (GONE, 4_400, 4_500, whole.path)
    # Read again, with other settings: what is not there any more goes.
    await ledger.save_executions([seen(attempt, ENDED, read_as="y", last_step="hello")])
    again = await kept()
    assert (again.path, again.error_code, again.variables) == (None, None, {})


async def test_the_counts_add_up(ledger: Ledger) -> None:
    """The counts add up."""
    record = await created(ledger, *"abcdef")
    attempts = await to_track(ledger, record)
    nothing = await ledger.execution_counts(record)
    assert (nothing.created, nothing.unseen, nothing.seen_at_ms, await ledger.is_tracked(record)) == (6, 6, None, False)
    await ledger.save_executions(
        [
            seen(attempts[0], read_as="x", last_step="bye"),
            seen(attempts[1], read_as="x", last_step="bye", error_code=30003),
            seen(attempts[2], read_as="x", recalled_at_ms=1),
            seen(attempts[3], ACTIVE, seen_at_ms=7_000),
            seen(attempts[4], GONE),
        ]
    )
    counts = await ledger.execution_counts(record)
    assert (counts.created, counts.unseen, counts.recalled, counts.read) == (6, 1, 1, 3)
    assert counts.by_status == {ACTIVE: 1, ENDED: 3, GONE: 1}
    assert (counts.last_steps, counts.errors) == ({"bye": 2, "": 1}, {30003: 1})
    assert counts.seen_at_ms == 7_000
    assert await ledger.is_tracked(record)


async def test_a_row_keeps_its_execution(ledger: Ledger) -> None:
    """A row that came again in a newer file keeps what became of it."""
    record = await created(ledger, "a", "b")
    attempts = await to_track(ledger, record)
    await ledger.save_executions([seen(attempt, read_as="x", last_step="bye") for attempt in attempts])
    await ledgers.planned(ledger, record, ledgers.lines("new", "b", "a"))
    record = await ledger.find_campaign("spring")
    rows = await ledgers.report(ledger, record.input_id or 0)
    async with ledger.snapshot() as snapshot:
        found = await snapshot.executions([row.row_id for row in rows])
    assert [row.row_id in found for row in rows] == [False, True, True]
    assert [found[row.row_id].attempt_id for row in rows[1:]] == attempts[::-1]


async def test_a_thousand_at_once(ledger: Ledger) -> None:
    """A thousand at once."""
    record = await created(ledger, *[f"k{n}" for n in range(90)])
    attempts = await to_track(ledger, record)
    await ledger.save_executions([seen(attempt, ACTIVE) for attempt in attempts] * 12)
    assert (await ledger.execution_counts(record)).by_status[ACTIVE] == 90
    await ledger.save_executions([])

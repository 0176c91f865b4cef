"""A campaign's first rows: nothing else is granted before their verdict, whoever asks."""

from __future__ import annotations

import pytest

from dispatcher.errors import CanaryStopped, LeaseLost
from dispatcher.ledger import Ledger
from dispatcher.ledger.executions import TrackedExecution
from dispatcher.ledger.records import CampaignRecord, Run
from dispatcher.model import ExecutionStatus, Outcome, Pause, PausedBy, RowState
from dispatcher.rules.canary import Fate
from dispatcher.rules.gate import OPEN, Gate
from tests.support.ledgers import NONE, Line, campaign, end, lines, planned
from tests.unit.ledger.conformance.harness import Harness

KEYS = [f"+120255501{n:02d}" for n in range(10)]
STOPPED = Pause(at_ms=2_000, by=PausedBy.canary, reason="2 of 3 failed: 30007 2; more than 5 %")


async def begun(ledger: Ledger, wanted: int = 3, of: list[Line] | None = None) -> tuple[CampaignRecord, Run]:
    """Ten planned rows, of which so many are to go first."""
    record = await campaign(ledger)
    await planned(ledger, record, of or lines(*KEYS))
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    await ledger.canaries.begin(run, wanted)
    return record, run


async def choose(ledger: Ledger, run: Run, most: int | None = None, gate: Gate = OPEN) -> tuple[int, int]:
    return await ledger.canaries.choose(run, most=most, input_id=None, gate=gate, now_ms=1)


async def keys(ledger: Ledger, run: Run, gate: Gate = OPEN) -> list[str]:
    """Whom a claim of all grants."""
    return [row.row_key for row in await ledger.begin_rows(run, 100, now_ms=1, input_id=None, gate=gate)]


async def test_nothing_else_is_granted(harness: Harness, ledger: Ledger) -> None:
    """Not before they are chosen, and to no other process; all of it once they have passed."""
    record, run = await begun(ledger)
    assert await keys(ledger, run) == []
    assert await choose(ledger, run) == (0, 3)
    assert await keys(ledger, run) == [KEYS[1], KEYS[5], KEYS[8]]
    assert await keys(ledger, run) == []
    assert await choose(ledger, run) == (3, 0)
    other = await harness.open()
    again = await other.start_run(record, window_limit=200, now_ms=2)
    assert await keys(other, again) == []
    assert await choose(other, again) == (3, 0)
    with pytest.raises(LeaseLost):
        await ledger.canaries.settle(run, None)
    assert await other.canaries.settle(again, None) is None
    assert len(await keys(other, again)) == 7
    assert harness.flaws() == []
    await other.close()


async def test_others_take_their_place(ledger: Ledger) -> None:
    """Of those that are planned again, cannot go now, or are beyond what is asked for; never more than are wanted."""
    late = [Line(key, not_before_ms=9_000 if at < 5 else 0) for at, key in enumerate(KEYS)]
    _, run = await begun(ledger, of=late)
    assert await choose(ledger, run, most=1) == (0, 1)
    (row,) = await ledger.begin_rows(run, 100, now_ms=1, input_id=None)
    assert row.row_key in KEYS[5:]
    assert await choose(ledger, run) == (1, 2)
    rows = await ledger.begin_rows(run, 100, now_ms=1, input_id=None)
    await ledger.end_rows(run, [end(rows[0], Outcome.not_sent)], now_ms=5, totals=NONE)
    assert await choose(ledger, run, most=0) == (2, 0)
    assert await choose(ledger, run) == (2, 1)


async def test_a_newer_file(ledger: Ledger) -> None:
    """Holds them under other numbers: they are the same rows, and the others wait on; behind the verdict none does."""
    record, run = await begun(ledger)
    await choose(ledger, run)
    (first, *_) = await ledger.begin_rows(run, 1, now_ms=1, input_id=None)
    await ledger.end_rows(run, [end(first, Outcome.created)], now_ms=5, totals=NONE)
    await planned(ledger, record, lines("+12025550199", *KEYS))
    assert await keys(ledger, run) == [KEYS[5], KEYS[8]]
    assert await keys(ledger, run) == []
    await ledger.canaries.settle(run, None)
    await ledger.canaries.begin(run, 5)
    found = await ledger.canaries.of(record)
    assert found is not None
    assert (found.wanted, found.is_settled) == (3, True)
    assert len(await keys(ledger, run)) == 8


async def test_a_verdict_pauses(ledger: Ledger) -> None:
    """Both are written together; who lifts that has all the others sent."""
    record, run = await begun(ledger)
    assert await choose(ledger, run) == (0, 3)
    assert await ledger.canaries.settle(run, STOPPED) == STOPPED
    with pytest.raises(CanaryStopped, match="the canary has paused") as caught:
        await keys(ledger, run)
    assert (caught.value.code, caught.value.found) == ("canary", STOPPED.reason)
    assert await ledger.wishes.lift(record, await ledger.wishes.of(record))
    assert len(await keys(ledger, run)) == 10


async def test_what_became_of_them(ledger: Ledger) -> None:
    """Refusals, errors and opt-outs, of those that were sent alone."""
    record, run = await begun(ledger, wanted=4)
    await choose(ledger, run)
    refused, blocked, stop, silent = await ledger.begin_rows(run, 100, now_ms=1, input_id=None)
    ends = [end(refused, Outcome.rejected, code=21211), *(end(row, Outcome.created) for row in (blocked, stop, silent))]
    await ledger.end_rows(run, ends, now_ms=5, totals=NONE)
    seen = [
        TrackedExecution(
            attempt_id=row.attempt_id,
            status=ExecutionStatus.ended,
            seen_at_ms=9,
            read_as="x",
            error_code=code,
            opted_out=how,
        )
        for row, code, how in ((blocked, 30007, None), (stop, None, "STOP"))
    ]
    await ledger.save_executions(seen)
    assert await ledger.canaries.fates(record) == {
        refused.attempt_id: Fate(RowState.rejected, 21211),
        blocked.attempt_id: Fate(RowState.created, is_read=True, error_code=30007),
        stop.attempt_id: Fate(RowState.created, is_read=True, opted_out=True),
        silent.attempt_id: Fate(RowState.created),
    }


async def test_open_places_alone(ledger: Ledger) -> None:
    """They are chosen among the rows of open places, and granted through the gate."""
    _, run = await begun(ledger)
    assert await choose(ledger, run, gate=Gate({7: 0}, 1)) == (0, 0)
    assert await choose(ledger, run, gate=Gate({}, 1)) == (0, 0)
    assert await choose(ledger, run, gate=Gate({0: 0}, 1)) == (0, 3)
    assert await keys(ledger, run, Gate({7: 0}, 1)) == []
    assert await keys(ledger, run, Gate({0: 0}, 1)) == [KEYS[1], KEYS[5], KEYS[8]]
    assert await keys(ledger, run, Gate({0: 0}, 1)) == []


async def test_accepted_without_a_verdict(ledger: Ledger) -> None:
    """Whoever asks for it has all go; a verdict that is there stays."""
    record, run = await begun(ledger)
    await ledger.canaries.sent(run, 7)
    await ledger.canaries.sent(run, 8)
    await ledger.canaries.looked(run)
    found = await ledger.canaries.of(record)
    assert found is not None
    assert (found.sent_at_ms, found.looks, found.is_settled) == (7, 1, False)
    await ledger.canaries.accept(record)
    assert len(await keys(ledger, run)) == 10
    assert await ledger.canaries.of(await campaign(ledger, "summer")) is None

"""Rows on their way: begun once, ended by what was proved, recovered as unknown."""

from __future__ import annotations

from itertools import count

import pytest

from dispatcher.errors import LeaseLost, LedgerCorrupt
from dispatcher.ledger import SqliteLedger
from dispatcher.ledger.records import AttemptEnd, GrantedRow, RunTotals
from dispatcher.model import FoundBy, Outcome, RowState
from tests.support.ledgers import NONE, Line, batch, campaign, end, lines, new_input, planned, raw, report


async def test_a_granted_row_carries_what_its_request_needs(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, [Line("k1", to="+15550100001", sender="MG1", name="Zoë"), Line("+15550100002")])
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    first, second = await ledger.begin_rows(run, 10, now_ms=5, input_id=None)
    assert first == GrantedRow(1 << 32 | 2, 1, 1, 2, "k1", "+15550100001", "MG1", ["+15550100001", "Zoë"], 5)
    assert second == GrantedRow(1 << 32 | 3, 2, 1, 3, "+15550100002", "+15550100002", None, ["+15550100002", "Ann"], 5)


async def test_rows_are_granted_once_in_file_order_and_no_more_than_asked_for(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(*(f"k{number}" for number in range(10))))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    got = [await ledger.begin_rows(run, 4, now_ms=5, input_id=None) for _ in range(4)]
    assert [len(rows) for rows in got] == [4, 4, 2, 0]
    assert [row.row_number for rows in got for row in rows] == list(range(2, 12))
    assert await ledger.begin_rows(run, 0, now_ms=5, input_id=None) == []


async def test_rows_wait_for_their_time_and_then_go_first(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    waiting = [Line("late", not_before_ms=900), Line("soon", not_before_ms=500)]
    await planned(ledger, spring, [*waiting, *lines("now1", "now2")])
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    assert await ledger.next_due_ms(spring, None) == 500
    assert [row.row_key for row in await ledger.begin_rows(run, 1, now_ms=499, input_id=None)] == ["now1"]
    assert [row.row_key for row in await ledger.begin_rows(run, 9, now_ms=500, input_id=None)] == ["soon", "now2"]
    assert await ledger.next_due_ms(spring, spring.input_id) == 900
    assert [row.row_key for row in await ledger.begin_rows(run, 9, now_ms=900, input_id=None)] == ["late"]
    assert await ledger.next_due_ms(spring, None) is None


async def test_a_run_sends_one_files_rows_or_the_whole_campaigns(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    latest = await planned(ledger, spring, lines("b", "c"))
    assert (latest.left_planned, latest.new) == (1, 1)
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    of_file = await ledger.begin_rows(run, 9, now_ms=5, input_id=latest.input_id)
    assert [row.row_key for row in of_file] == ["b", "c"]
    assert [row.row_key for row in await ledger.begin_rows(run, 9, now_ms=5, input_id=None)] == ["a"]


@pytest.mark.parametrize(
    ("outcome", "state", "attempts"),
    [
        (Outcome.created, RowState.created, 1),
        (Outcome.rejected, RowState.rejected, 1),
        (Outcome.throttled, RowState.planned, 0),
        (Outcome.busy, RowState.busy, 1),
        (Outcome.not_sent, RowState.planned, 0),
        (Outcome.unknown, RowState.unknown, 1),
    ],
)
async def test_an_outcome_moves_its_row_and_costs_an_attempt_unless_nothing_was_processed(
    ledger: SqliteLedger, outcome: Outcome, state: RowState, attempts: int
) -> None:
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    (row,) = await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    assert (await ledger.status(spring)).rows[RowState.sending] == 1
    ended = AttemptEnd(
        row.row_id, row.attempt_id, row.input_id, outcome, 6, 7, "FN1", 201, 21211, "said", "RQ1", FoundBy.conflict
    )
    await ledger.end_rows(run, [ended], now_ms=8, totals=RunTotals(requests=1))
    (told,) = report(ledger, spring, counts.input_id)
    assert (told.state, told.attempts) == (state, attempts)
    assert (told.execution_sid, told.http_status, told.error_code, told.error_message) == ("FN1", 201, 21211, "said")
    assert (told.found_by, told.left_at_ms, told.ended_at_ms) == ("conflict", 6, 7)
    assert (await ledger.status(spring)).rows[state] == 1


async def test_a_lot_of_mixed_outcomes_moves_each_row_by_its_own(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(*(f"k{number}" for number in range(300))))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, 300, now_ms=5, input_id=None)
    outcomes = list(Outcome)
    ends = [end(row, outcomes[place % 6], 99 if place % 18 == 3 else None) for place, row in enumerate(rows)]
    await ledger.end_rows(run, ends, now_ms=8, totals=NONE)
    for place, told in enumerate(report(ledger, spring, counts.input_id)):
        expected = RowState.planned if place % 18 == 3 else _STATE[outcomes[place % 6]]
        assert told.state == expected, place
    status = await ledger.status(spring)
    assert status.rows[RowState.planned] == 50 + 50 + 17
    assert await ledger.next_due_ms(spring, None) == 99


_STATE = {
    Outcome.created: RowState.created,
    Outcome.rejected: RowState.rejected,
    Outcome.throttled: RowState.planned,
    Outcome.busy: RowState.busy,
    Outcome.not_sent: RowState.planned,
    Outcome.unknown: RowState.unknown,
}


async def test_what_a_killed_run_had_in_flight_is_unknown_in_every_campaign_of_the_account_only(
    ledger: SqliteLedger,
) -> None:
    spring, summer = await campaign(ledger, "spring"), await campaign(ledger, "summer")
    other = await campaign(ledger, "other", "AC" + "1" * 32)
    for record in (spring, summer, other):
        await planned(ledger, record, lines("a", "b"))
        run = await ledger.start_run(record, window_limit=200, now_ms=1)
        if record is spring:
            spring_run = run
        await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    again = await ledger.start_run(summer, window_limit=200, now_ms=9)
    assert again.recovered == 1  # summer's; starting summer had recovered spring's already
    for record, state in ((spring, RowState.unknown), (summer, RowState.unknown), (other, RowState.sending)):
        assert (await ledger.status(record)).rows[state] == 1, record.name
    assert spring_run.recovered == 0
    (doubtful,) = await ledger.unknown_rows(summer)
    assert (doubtful.row_key, doubtful.begun_at_ms, doubtful.ended_at_ms) == ("a", 5, 9)
    assert doubtful.error_message == "the program was stopped before the answer was known"


async def test_a_run_that_was_taken_over_is_granted_nothing(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    old = await ledger.start_run(spring, window_limit=200, now_ms=1)
    new = await ledger.start_run(spring, window_limit=200, now_ms=2)
    with pytest.raises(LeaseLost):
        await ledger.begin_rows(old, 1, now_ms=5, input_id=None)
    assert len(await ledger.begin_rows(new, 5, now_ms=5, input_id=None)) == 2


async def test_a_late_proof_of_a_run_that_was_taken_over_still_counts(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b", "c"))
    old = await ledger.start_run(spring, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(old, 3, now_ms=5, input_id=None)
    new = await ledger.start_run(spring, window_limit=200, now_ms=6)
    # Reconcile has found that b was not created, and b is on the wire again.
    await ledger.settle_rows(new, [end(rows[1], Outcome.not_sent)], now_ms=7)
    await ledger.begin_rows(new, 1, now_ms=8, input_id=None)
    await ledger.end_rows(old, [end(row, Outcome.created) for row in rows[:2]], now_ms=9, totals=NONE)
    status = await ledger.status(spring)
    assert (status.rows[RowState.created], status.rows[RowState.sending], status.rows[RowState.unknown]) == (1, 1, 1)


async def test_an_outcome_is_its_own_attempts_and_no_later_ones(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    (first,) = await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    await ledger.end_rows(run, [end(first, Outcome.throttled)], now_ms=6, totals=NONE)
    (second,) = await ledger.begin_rows(run, 1, now_ms=7, input_id=None)
    await ledger.end_rows(run, [end(first, Outcome.rejected)], now_ms=8, totals=NONE)
    assert (await ledger.status(spring)).rows[RowState.sending] == 1
    await ledger.end_rows(run, [end(second, Outcome.created)], now_ms=9, totals=NONE)
    assert (await ledger.status(spring)).rows[RowState.created] == 1


async def test_the_same_outcome_written_twice_counts_once(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, 2, now_ms=5, input_id=None)
    ends = [end(row, Outcome.created) for row in rows]
    await ledger.end_rows(run, [*ends, ends[0]], now_ms=9, totals=NONE)
    await ledger.end_rows(run, ends, now_ms=9, totals=NONE)
    assert (await ledger.status(spring)).rows[RowState.created] == 2


async def test_the_database_itself_refuses_a_second_live_attempt(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    with raw(ledger.path) as db:
        for outcome in ("NULL", "'unknown'", "'created'"):
            db.execute(f"UPDATE attempts SET outcome = {outcome}")
            with pytest.raises(Exception, match="UNIQUE constraint failed"):
                db.execute("INSERT INTO attempts (row_id, number, run_id, begun_at_ms) VALUES (4294967298, 1, 1, 1)")
        db.execute("UPDATE attempts SET outcome = NULL")


async def test_reconciles_word_moves_rows_in_doubt_and_no_others(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a", "b", "c", "d"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    await ledger.end_rows(run, [end(row, Outcome.unknown) for row in rows[:3]], now_ms=6, totals=NONE)
    assert [row.row_key for row in await ledger.unknown_rows(spring)] == ["a", "b", "c"]
    await ledger.note_unknown([(rows[2].attempt_id, "two executions may be it"), (rows[3].attempt_id, "not in doubt")])
    settled = [end(rows[0], Outcome.created), end(rows[1], Outcome.not_sent), end(rows[3], Outcome.created)]
    await ledger.settle_rows(None, settled, now_ms=7)
    told = report(ledger, spring, counts.input_id)
    assert [row.state for row in told] == [RowState.created, RowState.planned, RowState.unknown, RowState.sending]
    assert [row.attempts for row in told] == [1, 1, 1, 0]
    assert [row.error_message for row in told] == [None, None, "two executions may be it", None]


async def test_a_row_whose_cells_are_lost_is_not_sent_empty(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    with raw(ledger.path) as db:
        cells = db.execute("SELECT * FROM chunks").fetchone()
        db.execute("DELETE FROM chunks")
        with pytest.raises(LedgerCorrupt, match="lost a row's cells"):
            await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
        assert (await ledger.status(spring)).rows[RowState.planned] == 1
        with pytest.raises(LedgerCorrupt, match="lost a row's cells"):
            report(ledger, spring, counts.input_id)
        db.execute("INSERT INTO chunks VALUES (?, ?)", cells)


async def test_departures_are_those_of_the_window_of_all_runs_of_the_account(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    other = await campaign(ledger, "other", "AC" + "1" * 32)
    for record in (spring, other):
        await planned(ledger, record, lines(*(f"k{number}" for number in range(2500))))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    times = count(10_000, 10)
    for _ in range(5):
        rows = await ledger.begin_rows(run, 500, now_ms=9_000, input_id=None)
        ends = [_left(row, next(times)) for row in rows]
        await ledger.end_rows(run, ends, now_ms=50_000, totals=NONE)
    elsewhere = await ledger.start_run(other, window_limit=200, now_ms=0)
    row = (await ledger.begin_rows(elsewhere, 1, now_ms=34_000, input_id=None))[0]
    await ledger.end_rows(elsewhere, [_left(row, 34_500)], now_ms=35_000, totals=NONE)
    expected = list(range(25_000, 35_000, 10))
    assert await ledger.departures(spring.account, since_ms=25_000, now_ms=35_000) == expected
    assert await ledger.departures(other.account, since_ms=25_000, now_ms=35_000) == [34_500]


def _left(row: GrantedRow, at_ms: int) -> AttemptEnd:
    return AttemptEnd(row.row_id, row.attempt_id, row.input_id, Outcome.created, at_ms, at_ms + 1)


async def test_a_request_of_which_nothing_is_known_counts_as_late_as_it_can_have_left(ledger: SqliteLedger) -> None:
    """A row may be begun long before its request leaves (a hold): what counts is when the program was found dead."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b", "c", "d"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    rows = await ledger.begin_rows(run, 4, now_ms=1_000, input_id=None)
    never_left = AttemptEnd(rows[3].row_id, rows[3].attempt_id, 1, Outcome.not_sent, None, 60_000)
    await ledger.end_rows(run, [never_left], now_ms=60_000, totals=NONE)
    assert await ledger.departures(spring.account, since_ms=50_000, now_ms=60_100) == [60_100] * 3
    again = await ledger.start_run(spring, window_limit=200, now_ms=60_200)
    found = AttemptEnd(rows[0].row_id, rows[0].attempt_id, 1, Outcome.created, None, 60_300, "FN1")
    not_found = AttemptEnd(rows[1].row_id, rows[1].attempt_id, 1, Outcome.not_sent, None, 60_400)
    await ledger.settle_rows(again, [found, not_found], now_ms=60_400)
    since_ms, now_ms = 50_000, 60_500
    assert await ledger.departures(spring.account, since_ms=since_ms, now_ms=now_ms) == [60_200, 60_200, 60_300]
    assert await ledger.departures(spring.account, since_ms=since_ms, now_ms=now_ms, doubtful=False) == [60_200]
    assert await ledger.departures(spring.account, since_ms=60_401, now_ms=70_000) == []


async def test_a_clock_set_back_makes_past_departures_count_as_now(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    (row,) = await ledger.begin_rows(run, 4, now_ms=3_600_000, input_id=None)
    await ledger.end_rows(run, [_left(row, 3_600_001)], now_ms=3_600_002, totals=NONE)
    assert await ledger.departures(spring.account, since_ms=90_000, now_ms=100_000) == [100_000]
    await ledger.stop_run(run, now_ms=100_000, reason=None, totals=RunTotals(requests=1))
    status = await ledger.status(spring)
    assert status.duration_s >= 0


async def test_a_row_in_doubt_tells_which_clock_its_times_are_of(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    first = await ledger.start_run(spring, window_limit=200, now_ms=0)
    await ledger.begin_rows(first, 1, now_ms=1, input_id=None)
    await ledger.end_rows(first, [], now_ms=2, totals=RunTotals(clock_skew_ms=-7_000))
    # One that measures nothing more takes nothing back.
    await ledger.end_rows(first, [], now_ms=3, totals=RunTotals())
    second = await ledger.start_run(spring, window_limit=200, now_ms=4)
    await ledger.begin_rows(second, 1, now_ms=5, input_id=None)
    third = await ledger.start_run(spring, window_limit=200, now_ms=6)
    doubts = await ledger.unknown_rows(spring)
    assert [(row.run_id, row.clock_skew_ms) for row in doubts] == [(first.run_id, -7_000), (second.run_id, None)]
    assert third.run_id not in {row.run_id for row in doubts}


async def test_rows_of_a_load_that_is_not_finished_are_not_sent(ledger: SqliteLedger) -> None:
    spring = await campaign(ledger)
    loading = await ledger.begin_input(spring, new_input())
    await ledger.load_rows(loading.input_id, batch(lines("a")))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    assert await ledger.begin_rows(run, 9, now_ms=1, input_id=None) == []
    assert sum((await ledger.status(spring)).rows.values()) == 0

"""Rows on their way: begun once, ended by what was proved, recovered as unknown."""

from __future__ import annotations

from itertools import count

import pytest

from dispatcher.errors import LeaseLost, LedgerCorrupt
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import AttemptEnd, GrantedRow, RunTotals, SentExecution
from dispatcher.model import Absence, FoundBy, Outcome, RowState
from tests.support.ledgers import NONE, SENDER, Line, account, batch, campaign, end, lines, new_input, planned, report
from tests.unit.ledger.conformance.harness import Harness


async def test_a_granted_row_carries_what_its_request_needs(ledger: Ledger) -> None:
    """A granted row carries what its request needs."""
    spring = await campaign(ledger)
    await planned(ledger, spring, [Line("k1", to="+15550100001", sender="MG1", name="Zoë"), Line("+15550100002")])
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    first, second = await ledger.begin_rows(run, 10, now_ms=5, input_id=None)
    assert first == GrantedRow(1 << 32 | 2, 1, 1, 2, "k1", "+15550100001", "MG1", ["+15550100001", "Zoë"])
    assert second == GrantedRow(1 << 32 | 3, 2, 1, 3, "+15550100002", "+15550100002", SENDER, ["+15550100002", "Ann"])


async def test_rows_are_granted_once_in_order(ledger: Ledger) -> None:
    """Rows are granted once in file order and no more than asked for."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(*(f"k{number}" for number in range(10))))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    got = [await ledger.begin_rows(run, 4, now_ms=5, input_id=None) for _ in range(4)]
    assert [len(rows) for rows in got] == [4, 4, 2, 0]
    assert [row.row_number for rows in got for row in rows] == list(range(2, 12))
    assert await ledger.begin_rows(run, 0, now_ms=5, input_id=None) == []


async def test_rows_wait_for_their_time_and_then_go_first(ledger: Ledger) -> None:
    """Rows wait for their time and then go first."""
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


async def test_one_file_or_the_whole_campaign(ledger: Ledger) -> None:
    """A run sends one file's rows or the whole campaign's."""
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
async def test_an_outcome_moves_its_row(ledger: Ledger, outcome: Outcome, state: RowState, attempts: int) -> None:
    """An outcome moves its row and costs an attempt unless nothing was processed."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    (row,) = await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    assert (await ledger.status(spring)).rows[RowState.sending] == 1
    ended = AttemptEnd(row.row_id, row.attempt_id, outcome, 6, 7, "FN1", 201, 21211, "said", "RQ1", FoundBy.conflict)
    await ledger.end_rows(run, [ended], now_ms=8, totals=RunTotals(requests=1))
    (told,) = await report(ledger, counts.input_id)
    assert (told.state, told.attempts) == (state, attempts)
    assert (told.execution_sid, told.http_status, told.error_code, told.error_message) == ("FN1", 201, 21211, "said")
    assert (told.found_by, told.sent_at_ms, told.ended_at_ms) == ("conflict", 6, 7)
    assert (await ledger.status(spring)).rows[state] == 1


async def test_mixed_outcomes_in_one_lot(ledger: Ledger) -> None:
    """A lot of mixed outcomes moves each row by its own."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(*(f"k{number}" for number in range(300))))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, 300, now_ms=5, input_id=None)
    outcomes = list(Outcome)
    ends = [end(row, outcomes[place % 6], 99 if place % 18 == 3 else None) for place, row in enumerate(rows)]
    await ledger.end_rows(run, ends, now_ms=8, totals=NONE)
    for place, told in enumerate(await report(ledger, counts.input_id)):
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


async def test_a_killed_runs_rows_are_unknown(
    ledger: Ledger,
) -> None:
    """What a killed run had in flight is unknown in every campaign of the account only."""
    spring, summer = await campaign(ledger, "spring"), await campaign(ledger, "summer")
    other = await campaign(ledger, "other", "AC" + "1" * 32)
    for record in (spring, summer, other):
        await planned(ledger, record, lines("a", "b"))
        run = await ledger.start_run(record, window_limit=200, now_ms=1)
        if record is spring:
            spring_run = run
        await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    summer_input = (await ledger.find_campaign("summer")).input_id
    again = await ledger.start_run(summer, window_limit=200, now_ms=9)
    assert again.recovered == 1  # summer's; starting summer had recovered spring's already
    for record, state in ((spring, RowState.unknown), (summer, RowState.unknown), (other, RowState.sending)):
        assert (await ledger.status(record)).rows[state] == 1, record.name
    assert spring_run.recovered == 0
    (found,) = await ledger.unknown_rows(summer)
    assert (found.row_key, found.begun_at_ms, found.ended_at_ms) == ("a", 5, 9)
    assert summer_input is not None
    (told, _) = await report(ledger, summer_input)
    assert told.error_message == "the program was stopped before the answer was known"


async def test_a_run_that_was_taken_over_is_granted_nothing(ledger: Ledger) -> None:
    """A run that was taken over is granted nothing."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    old = await ledger.start_run(spring, window_limit=200, now_ms=1)
    new = await ledger.start_run(spring, window_limit=200, now_ms=2)
    with pytest.raises(LeaseLost):
        await ledger.begin_rows(old, 1, now_ms=5, input_id=None)
    assert len(await ledger.begin_rows(new, 5, now_ms=5, input_id=None)) == 2


async def test_a_late_proof_still_counts(ledger: Ledger) -> None:
    """A late proof of a run that was taken over still counts."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b", "c"))
    old = await ledger.start_run(spring, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(old, 3, now_ms=5, input_id=None)
    new = await ledger.start_run(spring, window_limit=200, now_ms=6)
    # Reconcile has found that b was not created, and b is on the wire again.
    await ledger.resolve_rows(new, [end(rows[1], Outcome.not_sent)])
    await ledger.begin_rows(new, 1, now_ms=8, input_id=None)
    await ledger.end_rows(old, [end(row, Outcome.created) for row in rows[:2]], now_ms=9, totals=NONE)
    status = await ledger.status(spring)
    assert (status.rows[RowState.created], status.rows[RowState.sending], status.rows[RowState.unknown]) == (1, 1, 1)


async def test_an_outcome_is_its_own_attempts(ledger: Ledger) -> None:
    """An outcome is its own attempt's, and no later one's."""
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


async def test_the_same_outcome_written_twice_counts_once(ledger: Ledger) -> None:
    """The same outcome written twice counts once."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, 2, now_ms=5, input_id=None)
    ends = [end(row, Outcome.created) for row in rows]
    await ledger.end_rows(run, [*ends, ends[0]], now_ms=9, totals=NONE)
    await ledger.end_rows(run, ends, now_ms=9, totals=NONE)
    assert (await ledger.status(spring)).rows[RowState.created] == 2


async def test_the_database_refuses_a_second_attempt(ledger: Ledger, harness: Harness) -> None:
    """The database itself refuses a second live attempt."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    for outcome in ("NULL", "'unknown'", "'created'"):
        harness.query(f"UPDATE attempts SET outcome = {outcome}")
        with pytest.raises(harness.refusal, match=r"(?i)unique"):
            harness.query("INSERT INTO attempts (row_id, number, run_id, begun_at_ms) VALUES (4294967298, 1, 1, 1)")
    harness.query("UPDATE attempts SET outcome = NULL")


async def test_resolve_moves_unknown_rows_only(ledger: Ledger) -> None:
    """Reconcile's word moves unknown rows and no others."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a", "b", "c", "d"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    await ledger.end_rows(run, [end(row, Outcome.unknown) for row in rows[:3]], now_ms=6, totals=NONE)
    assert [row.row_key for row in await ledger.unknown_rows(spring)] == ["a", "b", "c"]
    await ledger.note_unknown([(rows[2].attempt_id, "two executions may be it"), (rows[3].attempt_id, "not unknown")])
    settled = [end(rows[0], Outcome.created), end(rows[1], Outcome.not_sent), end(rows[3], Outcome.created)]
    await ledger.resolve_rows(run, settled)
    told = await report(ledger, counts.input_id)
    assert [row.state for row in told] == [RowState.created, RowState.planned, RowState.unknown, RowState.sending]
    assert [row.attempts for row in told] == [1, 1, 1, 0]
    assert [row.error_message for row in told] == [None, None, "two executions may be it", None]


@pytest.mark.parametrize("absence", list(Absence))
async def test_an_execution_may_be_older_than_its_attempt(ledger: Ledger, absence: Absence) -> None:
    """What a second attempt was answered with may be the first one's: as a witness it is no later than that.

    A row counts as not created and is sent again; a 409 then names its own execution, which was hidden.
    """
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    first, other = await ledger.begin_rows(run, 2, now_ms=5, input_id=None)
    await ledger.end_rows(run, [end(first, Outcome.unknown)], now_ms=6, totals=NONE)
    await ledger.resolve_rows(run, [end(first, Outcome.not_sent)._replace(absence=absence)])
    await ledger.end_rows(run, [end(other, Outcome.unknown, at_ms=20)], now_ms=22, totals=NONE)
    later = await ledger.start_run(spring, window_limit=200, now_ms=100)
    (again,) = await ledger.begin_rows(later, 1, now_ms=101, input_id=None)
    created = end(again, Outcome.created, at_ms=102)._replace(found_by=FoundBy.conflict, http_status=409)
    await ledger.end_rows(later, [created], now_ms=110, totals=NONE)
    sid = created.execution_sid or ""
    assert await ledger.sent_executions([sid], after=0) == {sid: SentExecution(run.run_id, 5)}
    assert await ledger.last_created(spring, after=0) is None


async def test_a_row_whose_cells_are_lost_is_not_sent_empty(ledger: Ledger, harness: Harness) -> None:
    """A row whose cells are lost is not sent empty."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    # As if a part of the file had been lost: no chunk begins before the row.
    harness.query("UPDATE chunks SET chunk_id = chunk_id + 1000")
    with pytest.raises(LedgerCorrupt, match="lost a row's cells"):
        await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    assert (await ledger.status(spring)).rows[RowState.planned] == 1
    with pytest.raises(LedgerCorrupt, match="lost a row's cells"):
        await report(ledger, counts.input_id)
    harness.query("UPDATE chunks SET chunk_id = chunk_id - 1000")


async def test_departures_of_the_window(ledger: Ledger) -> None:
    """Departures are those of the window of all runs of the account."""
    spring = await campaign(ledger)
    other = await campaign(ledger, "other", "AC" + "1" * 32)
    for record in (spring, other):
        await planned(ledger, record, lines(*(f"k{number}" for number in range(2500))))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    times = count(10_000, 10)
    for _ in range(5):
        rows = await ledger.begin_rows(run, 500, now_ms=9_000, input_id=None)
        ends = [_sent_at(row, next(times)) for row in rows]
        await ledger.end_rows(run, ends, now_ms=50_000, totals=NONE)
    elsewhere = await ledger.start_run(other, window_limit=200, now_ms=0)
    row = (await ledger.begin_rows(elsewhere, 1, now_ms=34_000, input_id=None))[0]
    await ledger.end_rows(elsewhere, [_sent_at(row, 34_500)], now_ms=35_000, totals=NONE)
    expected = list(range(25_000, 35_000, 10))
    assert await ledger.departures(spring.account, since_ms=25_000, now_ms=35_000) == expected
    assert await ledger.departures(other.account, since_ms=25_000, now_ms=35_000) == [34_500]


def _sent_at(row: GrantedRow, at_ms: int) -> AttemptEnd:
    return AttemptEnd(row.row_id, row.attempt_id, Outcome.created, at_ms, at_ms + 1)


async def test_departures_amid_other_accounts(ledger: Ledger) -> None:
    """However many attempts of other accounts lie between or after them, an account's own are all found."""
    spring = await campaign(ledger)
    other = await campaign(ledger, "other", "AC" + "1" * 32)
    await planned(ledger, spring, lines(*(f"k{number}" for number in range(200))))
    await planned(ledger, other, lines(*(f"k{number}" for number in range(5_000))))
    mine = await ledger.start_run(spring, window_limit=200, now_ms=0)
    theirs = await ledger.start_run(other, window_limit=200, now_ms=0)
    for part in range(20):
        rows = await ledger.begin_rows(mine, 10, now_ms=99_000 + part, input_id=None)
        await ledger.end_rows(mine, [_sent_at(row, 99_000 + part) for row in rows], now_ms=99_900, totals=NONE)
        # Sent long ago: nothing of them is in the window.
        rows = await ledger.begin_rows(theirs, 250, now_ms=1_000, input_id=None)
        await ledger.end_rows(theirs, [_sent_at(row, 1_001) for row in rows], now_ms=1_002, totals=NONE)
    assert len(await ledger.departures(spring.account, since_ms=90_000, now_ms=100_000)) == 200
    assert await ledger.departures(other.account, since_ms=90_000, now_ms=100_000) == []


async def test_departures_of_several_runs(ledger: Ledger) -> None:
    """A run of a thousand attempts of long ago, and newer runs of one each, hide nothing of an older run's window."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await planned(ledger, spring, lines(*(f"k{number}" for number in range(30))))
    await planned(ledger, summer, lines(*(f"k{number}" for number in range(30))))
    expected = []
    for part in range(30):
        record = (spring, summer)[part % 2]
        run = await ledger.start_run(record, window_limit=200, now_ms=50_000 + part)
        (row,) = await ledger.begin_rows(run, 1, now_ms=50_000 + part, input_id=None)
        at_ms = 50_000 + part if part % 3 else 1_000
        await ledger.end_rows(run, [_sent_at(row, at_ms)], now_ms=50_000 + part, totals=NONE)
        expected += [at_ms] if part % 3 else []
    assert await ledger.departures(spring.account, since_ms=50_000, now_ms=60_000) == expected


async def test_departures_behind_other_runs(ledger: Ledger) -> None:
    """However many attempts of newer runs lie between, an hour behind, those of the window are found."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await planned(ledger, spring, lines(*(f"k{number}" for number in range(200))))
    await planned(ledger, summer, lines(*(f"k{number}" for number in range(2_000))))
    hour_ms = 3_600_000
    run = await ledger.start_run(spring, window_limit=200, now_ms=hour_ms)
    rows = await ledger.begin_rows(run, 200, now_ms=hour_ms, input_id=None)
    await ledger.end_rows(run, [_sent_at(row, hour_ms + 1) for row in rows], now_ms=hour_ms + 2, totals=NONE)
    await ledger.stop_run(run, now_ms=hour_ms + 2, reason=None, totals=NONE)
    behind = await ledger.start_run(summer, window_limit=200, now_ms=100)
    rows = await ledger.begin_rows(behind, 2_000, now_ms=100, input_id=None)
    await ledger.end_rows(behind, [_sent_at(row, 200) for row in rows], now_ms=300, totals=NONE)
    await ledger.stop_run(behind, now_ms=300, reason=None, totals=NONE)
    found = await ledger.departures(spring.account, since_ms=hour_ms - 5_000, now_ms=hour_ms + 5_000)
    assert found == [hour_ms + 1] * 200


async def test_what_was_ever_sent(ledger: Ledger) -> None:
    """By an account of its own, a test send too; a run that sent nothing is nothing."""
    spring, other = await campaign(ledger), await account(ledger, "AC" + "1" * 32)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    assert not await ledger.has_sent(spring.account)
    await ledger.begin_rows(run, 1, now_ms=2, input_id=None)
    assert await ledger.has_sent(spring.account)
    assert not await ledger.has_sent(other)
    await ledger.begin_test(other, to_address="+15550100099", now_ms=3)
    assert await ledger.has_sent(other)


async def test_an_old_attempt_on_the_wire_departs_now(ledger: Ledger) -> None:
    """It counts though more than a thousand newer attempts have ended before the window."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(*(f"k{number}" for number in range(3_000))))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    rows = await ledger.begin_rows(run, 3_000, now_ms=1_000, input_id=None)
    await ledger.end_rows(run, [_sent_at(row, 1_100) for row in rows[1:]], now_ms=1_200, totals=NONE)
    assert await ledger.departures(spring.account, since_ms=90_000, now_ms=99_000) == [99_000]
    await ledger.start_run(spring, window_limit=200, now_ms=99_500)
    assert await ledger.departures(spring.account, since_ms=90_000, now_ms=100_000) == [99_500]


async def test_an_unresolved_departure_counts_late(ledger: Ledger) -> None:
    """A row may be begun long before its request leaves (a hold): what counts is when the program was found dead."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b", "c", "d"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    rows = await ledger.begin_rows(run, 4, now_ms=1_000, input_id=None)
    never_left = AttemptEnd(rows[3].row_id, rows[3].attempt_id, Outcome.not_sent, None, 60_000)
    await ledger.end_rows(run, [never_left], now_ms=60_000, totals=NONE)
    assert await ledger.departures(spring.account, since_ms=50_000, now_ms=60_100) == [60_100] * 3
    again = await ledger.start_run(spring, window_limit=200, now_ms=60_200)
    found = AttemptEnd(rows[0].row_id, rows[0].attempt_id, Outcome.created, None, 60_300, "FN1")
    not_found = AttemptEnd(rows[1].row_id, rows[1].attempt_id, Outcome.not_sent, None, 60_400)
    await ledger.resolve_rows(again, [found, not_found])
    since_ms, now_ms = 50_000, 60_500
    assert await ledger.departures(spring.account, since_ms=since_ms, now_ms=now_ms) == [60_200, 60_200, 60_300]
    assert await ledger.departures(spring.account, since_ms=since_ms, now_ms=now_ms, unresolved=False) == [60_200]
    assert await ledger.departures(spring.account, since_ms=60_401, now_ms=70_000) == []


async def test_a_clock_set_back(ledger: Ledger) -> None:
    """A clock set back makes past departures count as now."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    (row,) = await ledger.begin_rows(run, 4, now_ms=3_600_000, input_id=None)
    await ledger.end_rows(run, [_sent_at(row, 3_600_001)], now_ms=3_600_002, totals=NONE)
    assert await ledger.departures(spring.account, since_ms=90_000, now_ms=100_000) == [100_000]
    await ledger.stop_run(run, now_ms=100_000, reason=None, totals=RunTotals(requests=1))
    status = await ledger.status(spring)
    assert status.duration_s >= 0


async def test_an_unknown_row_tells_its_clock(ledger: Ledger) -> None:
    """An unknown row tells which clock its times are of."""
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
    found = await ledger.unknown_rows(spring)
    assert [(row.run_id, row.clock_skew_ms) for row in found] == [(first.run_id, -7_000), (second.run_id, None)]
    assert third.run_id not in {row.run_id for row in found}


async def test_rows_of_an_unfinished_load_are_not_sent(ledger: Ledger) -> None:
    """Rows of a load that is not finished are not sent."""
    spring = await campaign(ledger)
    loading = await ledger.begin_input(spring, new_input())
    await ledger.load_rows(loading.input_id, batch(lines("a")))
    run = await ledger.start_run(spring, window_limit=200, now_ms=0)
    assert await ledger.begin_rows(run, 9, now_ms=1, input_id=None) == []
    assert sum((await ledger.status(spring)).rows.values()) == 0

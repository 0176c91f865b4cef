"""The live state: what a terminal, a page and JSON read is the fold of the events, and seconds are from now."""

from __future__ import annotations

import json
from dataclasses import fields

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.events import (
    Phase,
    PhaseChanged,
    Planned,
    PlanProgress,
    RateChanged,
    Reconciling,
    ReportWritten,
    RowsCounted,
    RowsSkipped,
    RunStopped,
    Snapshot,
    Stopping,
    Tracking,
    WaitKind,
)
from dispatcher.events.live import RATE_OVER_S, Speed
from dispatcher.model import RowState
from tests.unit.events.support import Watched, ended, started


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_answers_move_rows_out_of_planned(watched: Watched) -> None:
    """The rows shown always add up to the rows there are; requests and 429s are summed, in_flight is the latest."""
    watched.bus.emit(started(10))
    watched.bus.emit(ended(5, created=3, rejected=1, throttled=1))
    watched.bus.emit(ended(2, created=1, unknown=1))
    now = watched.bus.snapshot()
    assert {state: n for state, n in now.rows.items() if n} == {
        RowState.planned: 4,
        RowState.created: 4,
        RowState.rejected: 1,
        RowState.unknown: 1,
    }
    assert (now.done, now.to_send, now.requests, now.throttled, now.in_flight) == (6, 10, 7, 1, 3)


def test_rows_left_out_are_done(watched: Watched) -> None:
    """A row that is skipped where it would be sent leaves `planned` too: what is shown as done comes to its end."""
    watched.bus.emit(started(3))
    watched.bus.emit(ended(0, created=1))
    watched.bus.emit(RowsSkipped(rows=2))
    now = watched.bus.snapshot()
    assert (now.done, now.to_send, now.rows[RowState.planned], now.rows[RowState.skipped]) == (3, 3, 0, 2)


def test_a_count_of_the_ledger_corrects_the_fold(watched: Watched) -> None:
    """What was looked up moved rows without an answer of a create: the ledger's own count replaces the sums."""
    watched.bus.emit(started(2))
    watched.bus.emit(ended(2, unknown=2))
    watched.bus.emit(RowsCounted(campaign="spring", rows={RowState.created: 2}))
    rows = watched.bus.snapshot().rows
    assert (rows[RowState.created], rows[RowState.unknown]) == (2, 0)
    assert set(rows) == set(RowState)


def test_a_second_run_begins_anew(watched: Watched) -> None:
    """Requests, latencies, the reason for stopping and the rate are the run's; the worst window is the account's."""
    watched.bus.emit(started(10))
    watched.bus.emit(ended(9, created=9, throttled=2, window_now=9, latency_ms={64: 9}))
    watched.bus.emit(RunStopped(campaign="spring", reason="asked to"))
    watched.clock.now_s += 60
    watched.bus.emit(started(1))
    now = watched.bus.snapshot()
    assert (now.to_send, now.done, now.requests, now.throttled) == (1, 0, 0, 0)
    assert (now.stop_reason, now.latency_ms, now.rate_per_s, now.elapsed_s) == (None, {}, 0.0, 0.0)
    assert now.worst_window == 9


def test_remaining_seconds_count_down(watched: Watched) -> None:
    """A wait's end is told in seconds from the snapshot, never below 0: no reader needs our clock."""
    watched.bus.wait(WaitKind.throttled, "Studio asks for 4 s", 4.0)
    for passed_s, remaining_s in ((0.0, 4.0), (3.0, 1.0), (9.0, 0.0)):
        watched.clock.now_s = 1_000.0 + passed_s
        wait = watched.bus.snapshot().waiting
        assert wait is not None
        assert wait.remaining_s == remaining_s


@pytest.mark.parametrize(
    ("waits", "shown"),
    [
        ({WaitKind.window: 2.0, WaitKind.throttled: 5.0}, WaitKind.throttled),
        ({WaitKind.throttled: 5.0, WaitKind.window: 2.0}, WaitKind.throttled),
        ({WaitKind.account: None, WaitKind.throttled: 5.0}, WaitKind.account),
    ],
)
def test_the_longest_wait_is_the_reason(watched: Watched, waits: dict[WaitKind, float | None], shown: WaitKind) -> None:
    """Of several waits the one that lasts longest is shown, and one whose end is not known outlasts all."""
    for kind, for_s in waits.items():
        watched.bus.wait(kind, "because", for_s)
    wait = watched.bus.snapshot().waiting
    assert wait is not None
    assert wait.kind is shown
    watched.bus.resume(shown)
    wait = watched.bus.snapshot().waiting
    assert wait is not None
    assert wait.kind is not shown


def test_eta_is_what_is_left_at_the_rate(watched: Watched) -> None:
    """90 rows at 10 a second are 9 s; nothing is foretold before sending, at its end, or while nothing is allowed."""
    assert watched.bus.snapshot().eta_s is None
    watched.bus.emit(started(110))
    watched.bus.emit(PhaseChanged(phase=Phase.sending))
    assert watched.bus.snapshot().eta_s == pytest.approx(11.0)  # by the limit: nothing was measured yet
    for _ in range(2):
        watched.clock.now_s += 1
        watched.bus.emit(ended(10, created=10))
    assert watched.bus.snapshot().eta_s == pytest.approx(9.0)
    watched.bus.emit(RateChanged(rate_per_s=5.0, reason="429"))
    assert watched.bus.snapshot().eta_s == pytest.approx(18.0)
    watched.bus.emit(ended(90, created=90))
    assert watched.bus.snapshot().eta_s is None


def test_the_window_empties_by_itself(watched: Watched) -> None:
    """No event comes where nothing is sent: a window after the last one, nothing is in the window."""
    watched.bus.emit(started(10))
    watched.bus.emit(ended(8, created=8, window_now=8))
    watched.clock.now_s += 9.9
    assert watched.bus.snapshot().window_now == 8
    watched.clock.now_s += 0.2
    assert (watched.bus.snapshot().window_now, watched.bus.snapshot().worst_window) == (0, 8)


def test_events_beside_sending_are_shown(watched: Watched) -> None:
    """Reading, looking up, tracking, stopping and the report each have their place."""
    watched.bus.emit(PlanProgress(rows=7, done_bytes=70, total_bytes=None))
    watched.bus.emit(Planned(total=9, rows={RowState.planned: 7, RowState.invalid: 2}))
    watched.bus.emit(Tracking(done=3, total=5, detail="3 of 5"))
    watched.bus.emit(Stopping(reason="asked to"))
    watched.bus.emit(ReportWritten(path="spring-report.csv", rows=9))
    now = watched.bus.snapshot()
    assert (now.plan_rows, now.plan_done_bytes, now.plan_total_bytes) == (7, 70, None)
    assert (now.rows[RowState.planned], now.rows[RowState.invalid]) == (7, 2)
    assert (now.tracked, now.to_track, now.detail) == (3, 5, "3 of 5")
    assert (now.stop_reason, now.report) == ("asked to", "spring-report.csv")
    watched.bus.emit(Reconciling(unknown=1_200, resolved=3, detail="the list"))
    assert watched.bus.snapshot().detail == "1,200 rows unknown: the list"
    watched.bus.emit(PhaseChanged(phase=Phase.sending))
    assert watched.bus.snapshot().detail is None


def test_a_snapshot_is_json(watched: Watched) -> None:
    """`json.dumps` takes it as it is, every field is in it, and keys are the words of the states."""
    watched.bus.emit(started(10))
    watched.bus.emit(ended(3, created=3, latency_ms={128: 2, 64: 1}))
    watched.bus.wait(WaitKind.busy, "contacts are in another execution", None)
    found = watched.bus.snapshot().as_json()
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {item.name for item in fields(Snapshot)}
    assert found["phase"] == "planning"
    assert set(found["rows"]) == {state.value for state in RowState}
    assert list(found["latency_ms"].items()) == [("64", 1), ("128", 2)]
    assert found["waiting"] == {
        "kind": "busy",
        "reason": "contacts are in another execution",
        "remaining_s": None,
    }
    assert type(found["phase"]) is str
    json.dumps(Watched().bus.snapshot().as_json(), allow_nan=False)


def test_a_snapshot_does_not_change(watched: Watched) -> None:
    """What was handed out is the state of its moment, whatever comes after."""
    watched.bus.emit(started(10))
    watched.bus.emit(ended(1, created=1, latency_ms={64: 1}))
    before = watched.bus.snapshot()
    watched.bus.emit(ended(5, created=5, latency_ms={64: 5}))
    assert before.rows[RowState.created] == 1
    assert before.latency_ms == {64: 1}


def test_speed_is_that_of_the_last_seconds() -> None:
    """An hour at 100 a second is forgotten within seconds of 10 a second."""
    speed = Speed()
    count = 0
    for tenth in range(600):
        count += 10
        speed.add(tenth / 10, count)
    assert speed.per_s(59.9) == pytest.approx(100.0, rel=0.02)
    for tenth in range(600, 600 + round(RATE_OVER_S * 10) + 1):
        count += 1
        speed.add(tenth / 10, count)
    assert speed.per_s(60.0 + RATE_OVER_S) == pytest.approx(10.0, rel=0.05)


def test_speed_falls_while_nothing_comes() -> None:
    """No news is a rate that goes down, not the last one for ever."""
    speed = Speed()
    speed.add(0.0, 0)
    speed.add(1.0, 100)
    rates = [speed.per_s(now_s) for now_s in (1.5, 3.0, 10.0, 100.0)]
    assert rates[0] == pytest.approx(100.0)
    assert rates[1] == pytest.approx(100 / 3)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 2.0


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 100)), max_size=40), st.floats(0, 20))
def test_speed_is_never_negative(steps: list[tuple[float, int]], idle_s: float) -> None:
    """Whatever comes whenever, also several at one instant: a rate, never below 0 and never infinite."""
    speed = Speed()
    now_s, count = 0.0, 0
    for pause_s, more in steps:
        now_s += pause_s
        count += more
        speed.add(now_s, count)
    rate = speed.per_s(now_s + idle_s)
    assert 0 <= rate < float("inf")

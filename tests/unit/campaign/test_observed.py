"""What a status of the ledger comes to for whoever looks on, and the events between two of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.campaign.observed import UNSERVED_S, Came, Course, Pace, came, wait_of, waits_until_ms
from dispatcher.events import AttemptsEnded, EventBus, RateChanged, RowsSkipped, SentBy, WaitKind
from dispatcher.ledger.records import CampaignStatus, LatestRun
from dispatcher.model import Pause, PausedBy, RowState
from tests.unit.campaign import values

NOW_MS = 1_000_000
PACE = Pace(per_second=50, window_s=10)
PAUSE = Pause(at_ms=NOW_MS, by=PausedBy.held, reason="the flow has no such variable")


def status(
    rows: dict[RowState, int] | None = None, earlier: dict[RowState, int] | None = None, **changes: Any
) -> CampaignStatus:
    """Ordered, and nobody sends it."""
    return replace(values.status(rows or {}, earlier), **({"due_ms": NOW_MS - 1, "is_settled": True} | changes))


PLANNED, SENDING, UNKNOWN = ({state: 3} for state in (RowState.planned, RowState.sending, RowState.unknown))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (status(PLANNED), Came.going),
        (status(PLANNED, running=True), Came.going),
        # A run ends by itself once it is paused, and says what it has done.
        (status(PLANNED, running=True, paused=PAUSE), Came.going),
        (status(PLANNED, paused=PAUSE), Came.paused),
        (status(SENDING, paused=PAUSE), Came.paused),
        (status(UNKNOWN, paused=PAUSE), Came.paused),
        (status(paused=PAUSE, due_ms=None), Came.done),
        (status(due_ms=None), Came.done),
        (status(UNKNOWN, due_ms=None), Came.done),
        # Cancelled: no run has said so.
        (status({RowState.skipped: 3}), Came.done),
        (status(UNKNOWN), Came.going),
        (status(SENDING), Came.going),
        (status(PLANNED, due_ms=None), Came.withdrawn),
        (status({}, PLANNED, due_ms=None), Came.withdrawn),
        # A file came, and whoever has planned it did not order it.
        (status(PLANNED, is_settled=False), Came.withdrawn),
        (status(PLANNED, next_at_ms=NOW_MS + 1), Came.waiting),
        (status(PLANNED, next_at_ms=NOW_MS), Came.going),
        (status(PLANNED, due_ms=NOW_MS + 1), Came.waiting),
        (status(PLANNED | SENDING, next_at_ms=NOW_MS + 1), Came.going),
    ],
)
def test_what_it_has_come_to(found: CampaignStatus, expected: Came) -> None:
    """Whoever looks on leaves where nothing moves any more without a person, or a time, and not before."""
    assert came(found, NOW_MS) is expected


def test_rows_wait_until_the_later_of_both() -> None:
    """An order for later holds, whatever an earlier run has said of its rows; so does what the rows wait for."""
    assert waits_until_ms(status(PLANNED, due_ms=9, next_at_ms=5)) == 9
    assert waits_until_ms(status(PLANNED, due_ms=5, next_at_ms=9)) == 9


def test_what_it_waits_for() -> None:
    """The worker's own words while one sends; else why none does."""
    run = LatestRun(run_id=1, host="alpha", waits="Studio answered 429", waits_until_ms=NOW_MS + 5)

    def seen(found: CampaignStatus, *, is_held: bool = False, idle_s: float = 0.0) -> Any:
        return wait_of(found, is_held=is_held, idle_s=idle_s, now_ms=NOW_MS)

    assert seen(status(PLANNED, running=True, run=run)) == (WaitKind.worker, "Studio answered 429", NOW_MS + 5)
    assert seen(status(PLANNED, running=True, run=replace(run, waits=None))) is None
    assert seen(status(PLANNED)) == (WaitKind.worker, "a worker is to take it", None)
    assert seen(status(PLANNED), idle_s=UNSERVED_S).reason == "no worker has taken it for 30 seconds"
    assert seen(status(PLANNED), is_held=True).kind is WaitKind.account
    assert "interrupted" in seen(status(PLANNED, stop_reason="interrupted")).reason
    assert seen(status(PLANNED, next_at_ms=NOW_MS + 7)) == (
        WaitKind.due,
        "the rows that are left wait for their time",
        NOW_MS + 7,
    )


def test_the_live_view_shows_what_a_worker_does() -> None:
    """Counts, rate, and who sends: as if it were sent here."""
    first = status({RowState.planned: 10})
    bus, course = EventBus(), Course(first, PACE)
    bus.emit(course.begin())
    run = LatestRun(run_id=1, host="alpha", rate_per_s=20.0)
    at_work: dict[str, Any] = {"running": True, "run": run}
    second = status(
        {RowState.planned: 3, RowState.sending: 2, RowState.created: 3, RowState.unknown: 1, RowState.skipped: 1},
        attempts=5,
        throttled=1,
        **at_work,
    )
    # The rate is not that since the order, which nobody may have taken for an hour.
    assert [type(event) for event in course.changes(second, 0.5)] == [SentBy, AttemptsEnded]
    bus.emit(SentBy(host="alpha"))
    for event in course.changes(second, 1.0):
        bus.emit(event)
    now = bus.snapshot()
    assert (now.to_send, now.done, now.requests, now.throttled, now.in_flight) == (10, 5, 6, 1, 2)
    assert (now.rows, now.sent_by, now.rate_allowed_per_s) == (second.rows, "alpha", 20.0)
    assert (now.window_now, now.window_limit) == (6, 500)
    third = status({RowState.created: 8, RowState.rejected: 1, RowState.skipped: 1}, attempts=8, throttled=1, run=run)
    told = list(course.changes(third, 2.0))
    for event in told:
        bus.emit(event)
    now = bus.snapshot()
    assert (now.done, now.requests, now.rows, now.sent_by) == (10, 9, third.rows, None)
    # The row in doubt was found to exist: nobody has answered a request of its.
    (ended,) = [event for event in told if isinstance(event, AttemptsEnded)]
    assert ended.rows == {RowState.created: 4, RowState.rejected: 1}


def test_nothing_is_told_twice() -> None:
    """Where nothing has changed there is no event."""
    found = status({RowState.planned: 1}, running=True, run=LatestRun(run_id=1, host="alpha", rate_per_s=9.0))
    course = Course(status({RowState.planned: 1}), PACE)
    assert [type(event) for event in course.changes(found, 1.0)] == [SentBy, AttemptsEnded]
    assert [type(event) for event in course.changes(found, 2.0)] == [RateChanged]
    assert list(course.changes(found, 3.0)) == []


def test_a_window_is_what_left_in_it() -> None:
    """What is older has left it, and it is never shown above the limit."""
    first = status({RowState.planned: 9_000})
    course = Course(first, PACE)
    seen = []
    for second in range(1, 30):
        found = status({RowState.planned: 9_000 - 40 * second, RowState.created: 40 * second}, attempts=40 * second)
        (ended,) = [event for event in course.changes(found, float(second)) if isinstance(event, AttemptsEnded)]
        seen.append(ended.window_now)
    assert seen[:3] == [40, 80, 120]
    assert set(seen[12:]) == {400}


_COUNTS = st.lists(st.integers(0, 20), min_size=len(RowState), max_size=len(RowState))


@given(st.lists(_COUNTS, min_size=1, max_size=8))
def test_no_more_is_done_than_there_is(looks: list[list[int]]) -> None:
    """Whatever is read: progress never goes back, and what is shown at the end is what the ledger says."""
    found = [status(dict(zip(RowState, counts, strict=True))) for counts in looks]
    course, bus, done = Course(found[0], PACE), EventBus(), 0
    bus.emit(course.begin())
    for at, one in enumerate(found):
        for event in course.changes(one, float(at)):
            if isinstance(event, AttemptsEnded):
                assert all(n > 0 for n in event.rows.values())
                assert event.requests >= 0
            if isinstance(event, RowsSkipped):
                assert event.rows > 0
            bus.emit(event)
        now = bus.snapshot()
        assert done <= now.done <= now.to_send
        assert now.rows == one.rows
        done = now.done

"""How far rows come before their places close: by place, at a rate."""

from __future__ import annotations

import math
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dispatcher.campaign.estimate import Closing, Estimate, estimate
from dispatcher.ledger.senders import DueOf
from dispatcher.rules.caps import DailyCap, SenderCap
from dispatcher.rules.clocks import zones_by_country
from dispatcher.rules.gate import Due, Schedule
from dispatcher.rules.hours import Hours, read_hours
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.times import Moment, read_moment

NO_HOURS = Hours((), None, 0)
NINE_TO_FIVE = read_hours([], own="09:00-17:00")
ZONES = ("America/New_York", "America/Denver", "America/Los_Angeles", "Europe/Berlin")


def at(*zones: str) -> Place:
    return Place(zones, None, None, PlaceSource.column)


PLACES: dict[int, Place | None] = {number: at(zone) for number, zone in enumerate(ZONES, 1)}


def ms(text: str, zone: str = "America/New_York") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def ahead(
    rows: dict[int, int], now: str, per_s: float = 1.0, *, limit: int | None = None, cap: DailyCap | None = None
) -> Estimate:
    waiting = [DueOf("", Due(place_id, 0), n) for place_id, n in rows.items()]
    return estimate(waiting, Schedule(NINE_TO_FIVE, PLACES), ms(now), per_s, limit=limit, cap=cap)


def test_all_leave_in_time() -> None:
    """What leaves before the closing is not held back, and it is done once the last has left."""
    found = ahead({1: 3600}, "2026-07-15T16:00")
    assert (found.open_now, found.held_back, found.closing, found.expired) == (3600, 0, None, 0)
    assert found.done_ms == ms("2026-07-15T17:00")


def test_what_the_closing_holds_back() -> None:
    """The rest goes from the next opening on; what closes first goes first, and what opens later takes its turn."""
    found = ahead({1: 5000, 2: 1000, 3: 100}, "2026-07-15T16:00")
    assert (found.rows, found.open_now, found.held_back) == (6100, 6100, 1400)
    assert found.closing == Closing(ms("2026-07-15T17:00"), 1)
    # Denver and Los Angeles follow once New York has closed; New York's rest goes at its next opening.
    assert found.done_ms == ms("2026-07-16T09:00") + 1_400_000


def test_what_opens_later() -> None:
    """Those that wait for their hours are not among those that may go now; what runs past their day is told apart."""
    found = ahead({1: 100, 3: 30_000}, "2026-07-15T09:00")
    assert (found.open_now, found.held_back, found.over) == (100, 0, 30_000 - 8 * 3600)
    assert found.over_at == Closing(ms("2026-07-15T17:00", "America/Los_Angeles"), 3)
    assert ahead({}, "2026-07-15T09:00").done_ms is None


def test_a_deadline_comes_before_the_rest() -> None:
    """Rows whose turn would come behind the deadline are told as expired, and do not count for the end."""
    deadline = read_moment("2026-07-15T16:30")
    assert isinstance(deadline, Moment)
    schedule = Schedule(NINE_TO_FIVE, PLACES, deadline=deadline)
    found = estimate([DueOf("", Due(1, 0), 5000)], schedule, ms("2026-07-15T16:00"), 1.0)
    assert (found.held_back, found.expired) == (3200, 3200)
    assert found.done_ms == ms("2026-07-15T16:30")
    # Over already.
    assert estimate([DueOf("", Due(1, 0), 5)], schedule, ms("2026-07-15T16:30"), 1.0).expired == 5


def test_rows_with_times_of_their_own() -> None:
    """Those are later than their place's opening."""
    waiting = [DueOf("", Due(1, 0), 10), DueOf("", Due(1, ms("2026-07-16T12:00")), 10)]
    found = estimate(waiting, Schedule(NINE_TO_FIVE, PLACES), ms("2026-07-15T16:00"), 1.0)
    assert (found.open_now, found.done_ms) == (10, ms("2026-07-16T12:00") + 10_000)


def test_a_limit_is_all_that_goes() -> None:
    """Of what a limit leaves out nothing is told."""
    assert ahead({1: 5000}, "2026-07-15T16:00", limit=100).held_back == 0
    assert ahead({1: 5000}, "2026-07-15T16:59", limit=100).held_back == 40
    assert ahead({1: 5000}, "2026-07-15T16:00", limit=100).done_ms == ms("2026-07-15T16:00") + 100_000


def test_a_cap_takes_days() -> None:
    """No more than it leaves today, and so many on each day behind it."""
    cap = DailyCap(1000, "America/New_York")
    cap.seed(400, ms("2026-07-15T16:00"))
    found = ahead({1: 2500}, "2026-07-15T16:00", cap=cap)
    assert found.held_back == 1900
    assert found.done_ms == ms("2026-07-17T09:00") + 900_000


ONE, TWO = "+12025550101", "+12025550102"


def by_sender(
    rows: dict[tuple[str, int], int],
    now: str,
    per_s: float = 1.0,
    begun: dict[str, int] | None = None,
    per_day: int = 1000,
) -> Estimate:
    """Rows by sender and place; each sender may begin so many a day, and has begun some."""
    cap = SenderCap(per_day, "America/New_York")
    cap.seed(begun or {}, ms(now))
    waiting = [DueOf(sender, Due(place_id, 0), n) for (sender, place_id), n in rows.items()]
    return estimate(waiting, Schedule(NINE_TO_FIVE, PLACES), ms(now), per_s, sender_cap=cap)


@pytest.mark.parametrize(
    ("rows", "begun", "held_back", "done", "after_s"),
    [
        # One sender takes its days, as all do with a cap of that size.
        ({(ONE, 1): 2500}, {ONE: 400}, 1900, "2026-07-17T09:00", 900),
        # Two share a day: each its own.
        ({(ONE, 1): 1000, (TWO, 1): 1000}, {}, 0, "2026-07-15T16:00", 2000),
        # One is full for today: the other goes, and the first on the next day.
        ({(ONE, 1): 100, (TWO, 1): 100}, {ONE: 1000}, 100, "2026-07-16T09:00", 100),
        # More than the cap was begun, by other settings.
        ({(ONE, 1): 100}, {ONE: 5000}, 100, "2026-07-16T09:00", 100),
        # The end is that of the one that has most.
        ({(ONE, 1): 3100, (TWO, 1): 10}, {}, 2100, "2026-07-18T09:00", 100),
        # What closes later is not kept back by a full sender whose place closes first.
        ({(ONE, 1): 5, (TWO, 3): 500}, {ONE: 1000}, 5, "2026-07-16T09:00", 5),
        # The day begins in the night of one zone, where another has day.
        ({(ONE, 4): 1500}, {ONE: 1000}, 1500, "2026-07-17T03:00", 500),
        ({(ONE, 1): 100}, {TWO: 1000}, 0, "2026-07-15T16:00", 100),
    ],
)
def test_senders_take_days(
    rows: dict[tuple[str, int], int], begun: dict[str, int], held_back: int, done: str, after_s: int
) -> None:
    """Of a sender that has begun enough nothing goes before the next day; the others go meanwhile."""
    now = "2026-07-15T10:00" if (ONE, 4) in rows else "2026-07-15T16:00"
    found = by_sender(rows, now, begun=begun)
    assert (found.held_back, found.done_ms) == (held_back, ms(done) + after_s * 1000)
    assert found.rows == sum(rows.values())


def test_a_sender_beside_a_cap_of_all() -> None:
    """Both hold: so many in all, and of each no more than its own."""
    cap, each = DailyCap(150, "America/New_York"), SenderCap(100, "America/New_York")
    waiting = [DueOf(sender, Due(1, 0), 200) for sender in (ONE, TWO)]
    found = estimate(waiting, Schedule(NINE_TO_FIVE, PLACES), ms("2026-07-15T16:00"), 1.0, cap=cap, sender_cap=each)
    assert found.held_back == 250
    # 150, 150, and 100 more: 100 of one and 50 of the other, twice, and then of the other alone.
    assert found.done_ms == ms("2026-07-17T09:00") + 100_000


def test_looking_ahead_changes_no_cap() -> None:
    """What was begun today still is when the same is asked once more, however many days the first look went through."""
    cap, each = DailyCap(1000, "America/New_York"), SenderCap(1000, "America/New_York")
    now_ms, schedule = ms("2026-07-15T16:00"), Schedule(NINE_TO_FIVE, PLACES)
    cap.seed(400, now_ms)
    each.seed({ONE: 700}, now_ms)
    first, again = (
        estimate([DueOf(ONE, Due(1, 0), 2500)], schedule, now_ms, 1.0, cap=cap, sender_cap=each) for _ in range(2)
    )
    assert first == again
    assert (cap.room(now_ms), each.room(ONE, now_ms)) == (600, 300)


def test_many_senders_are_quick() -> None:
    """A thousand senders with four places each, over weeks of days that each of them fills."""
    waiting = [DueOf(f"+1202555{n:04}", Due(place_id, 0), 500) for n in range(1000) for place_id in PLACES]
    cap = SenderCap(100, "America/New_York")
    begun_s = time.perf_counter()
    found = estimate(waiting, Schedule(NINE_TO_FIVE, PLACES), ms("2026-07-15T09:00"), 100.0, sender_cap=cap)
    assert time.perf_counter() - begun_s < 5
    assert (found.rows, found.done_ms is not None) == (2_000_000, True)


def test_a_place_that_is_always_open() -> None:
    """Where no hours hold nothing is held back, however long it takes; beyond two months no end is named."""
    schedule = Schedule(NO_HOURS, {1: None})
    found = estimate([DueOf("", Due(1, 0), 86_400 * 20)], schedule, ms("2026-07-15T16:00"), 1.0)
    assert (found.held_back, found.done_ms) == (0, ms("2026-08-04T16:00"))
    assert estimate([DueOf("", Due(1, 0), 86_400 * 200)], schedule, ms("2026-07-15T16:00"), 1.0).done_ms is None


def test_days_behind_the_horizon() -> None:
    """A million rows at one a second take more days than are worked out at once."""
    found = ahead({1: 8 * 3600 * 20}, "2026-07-15T09:00")
    assert found.done_ms == ms("2026-08-03T17:00")


def test_it_is_quick() -> None:
    """By places, so that a million rows are told before the question as quickly as ten are."""
    names = [name for names in zones_by_country().values() for name in names]
    places: dict[int, Place | None] = {number: at(name) for number, name in enumerate(names, 1)}
    schedule = Schedule(read_hours(["floor"]), places)
    waiting = [DueOf("", Due(number, 0), 2500) for number in places]
    begun_s = time.perf_counter()
    found = estimate(waiting, schedule, ms("2026-07-15T16:00"), 1.0)
    assert time.perf_counter() - begun_s < 5
    assert found.rows > 10**6


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from(list(PLACES)), st.integers(1, 400), min_size=1),
    st.integers(0, 48 * 60),
    st.sampled_from([0.005, 0.02, 1.0]),
)
def test_it_is_what_a_run_would_do(rows: dict[int, int], minute: int, per_s: float) -> None:
    """Row by row, the first to close first: as many are held back, and the last leaves then (to a row)."""
    now_ms, schedule = ms("2026-07-15T00:00") + minute * 60_000, Schedule(NINE_TO_FIVE, PLACES)
    found = estimate([DueOf("", Due(place_id, 0), n) for place_id, n in rows.items()], schedule, now_ms, per_s)
    left, t_ms, held_back, first = dict(rows), float(now_ms), 0, dict[int, int]()
    open_now = schedule.gate(now_ms).places or {}
    clock = Schedule(NINE_TO_FIVE, PLACES)
    done_ms = t_ms
    while any(left.values()):
        gate = clock.gate(math.ceil(t_ms)).places or {}
        for place_id, closes_ms in open_now.items():
            if place_id in left and place_id not in first and t_ms >= closes_ms:
                first[place_id] = left[place_id]
        place_id = next((one for one in gate if left.get(one)), 0)
        if not place_id:
            t_ms = clock.next_ms([Due(one, 0) for one in left if left[one]], math.ceil(t_ms)) or 0
            continue
        left[place_id] -= 1
        t_ms += 1000 / per_s
        done_ms = t_ms
    held_back = sum(first.values())
    assert abs(found.held_back - held_back) <= len(rows)
    assert found.open_now == sum(n for place_id, n in rows.items() if place_id in open_now)
    assert found.done_ms is not None
    # The closing cuts a row's time in two, once for each day and place.
    days = len(rows) * (1 + (done_ms - now_ms) / 86_400_000)
    if per_s == 1.0:
        assert abs(found.done_ms - done_ms) <= days * 1000 / per_s + 1000


@pytest.mark.parametrize("per_s", [0.1, 19.8, 1000])
def test_nobody_is_lost(per_s: float) -> None:
    """Without a deadline all leave, at any rate."""
    found = ahead({1: 777, 4: 12_345}, "2026-07-15T03:00", per_s)
    assert (found.expired, found.rows) == (0, 13_122)
    assert found.done_ms is not None

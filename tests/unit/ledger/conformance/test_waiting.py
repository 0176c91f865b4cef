"""Rows wait for their places and times: nothing is claimed outside, and nothing is written while they wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from dispatcher.errors import LeaseLost
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord, GrantedRows, RowBatch, Run
from dispatcher.model import Outcome, Reason, RowState
from dispatcher.rules.gate import OPEN, Due, Gate, Schedule
from dispatcher.rules.hours import Hours, read_hours
from dispatcher.rules.places import NOWHERE, Place, PlaceSource
from dispatcher.rules.starts import Begin, MissedLocal
from dispatcher.rules.times import Moment
from tests.support.ledgers import NONE, Line, batch, campaign, end, lines, new_input, planned, report
from tests.unit.ledger.conformance.harness import Harness

EAST = Place(("America/New_York",), "US", "US-NY", PlaceSource.area_code)
WEST = Place(("America/Los_Angeles",), "US", "US-CA", PlaceSource.area_code)
KEYS = [f"+1555010{n:04}" for n in range(1, 10)]
NO_HOURS = Hours((), None, 0)


async def load(
    ledger: Ledger,
    record: CampaignRecord,
    of: Sequence[Line],
    places: Sequence[Place | None],
    not_after_ms: Mapping[int, int] | None = None,
) -> int:
    """The lines as a file of the campaign, each with its place."""
    rows = batch(of)
    made = await ledger.begin_input(record, new_input())
    fields = {name: getattr(rows, name) for name in rows.__dataclass_fields__}
    fields |= {"places": places, "not_after_ms": dict(not_after_ms or {})}
    await ledger.load_rows(made.input_id, RowBatch(**fields))
    await ledger.finish_input(made.input_id, f"{of}")
    return made.input_id


async def run_of(ledger: Ledger, record: CampaignRecord) -> Run:
    return await ledger.start_run(record, window_limit=200, now_ms=1)


async def claim(ledger: Ledger, run: Run, gate: Gate, limit: int = 100) -> GrantedRows:
    return await ledger.begin_rows(run, limit, now_ms=1_000, input_id=None, gate=gate)


async def numbers(ledger: Ledger) -> dict[Place | None, int]:
    return {place: number for number, place in (await ledger.places.all()).items()}


async def reasons(ledger: Ledger, input_id: int) -> list[str | None]:
    return [row.reason_code for row in await report(ledger, input_id)]


async def test_only_open_places_and_in_their_order(ledger: Ledger) -> None:
    """The first to close goes first, whatever the file's order; a closed place's rows stay planned."""
    spring = await campaign(ledger)
    await load(ledger, spring, lines(*KEYS[:5]), [EAST, WEST, None, WEST, EAST])
    of = await numbers(ledger)
    run = await run_of(ledger, spring)
    both = Gate({of[WEST]: 5_000, of[EAST]: 9_000})
    first = [*await claim(ledger, run, both, limit=3), *await claim(ledger, run, both, limit=1)]
    assert [(row.to_address, row.leave_by_ms) for row in first] == [
        (KEYS[1], 5_000),
        (KEYS[3], 5_000),
        (KEYS[0], 9_000),
    ]
    assert await claim(ledger, run, Gate({})) == []
    assert await claim(ledger, run, Gate({of[WEST]: 5_000})) == []
    assert [row.to_address for row in await claim(ledger, run, Gate({of[None]: 99_000}))] == [KEYS[2]]
    # Hours are off for the rest of it.
    assert [(row.to_address, row.leave_by_ms) for row in await claim(ledger, run, OPEN)] == [(KEYS[4], 0)]


async def test_what_comes_back_keeps_its_turn(ledger: Ledger) -> None:
    """A row that was answered 429 goes before those of places that close later, wherever the file was gone to."""
    spring = await campaign(ledger)
    await load(ledger, spring, lines(*KEYS[:6]), [WEST, EAST, WEST, EAST, WEST, EAST])
    of = await numbers(ledger)
    both = Gate({of[WEST]: 5_000, of[EAST]: 9_000})
    run = await run_of(ledger, spring)
    first = await claim(ledger, run, both)
    assert [row.to_address for row in first] == [KEYS[0], KEYS[2], KEYS[4]]
    (second,) = await claim(ledger, run, both, limit=1)
    assert second.to_address == KEYS[1]
    await ledger.end_rows(run, [end(first[1], Outcome.throttled)], now_ms=5, totals=NONE)
    assert [row.to_address for row in await claim(ledger, run, both)] == [KEYS[2]]
    assert [row.to_address for row in await claim(ledger, run, both)] == [KEYS[3], KEYS[5]]
    assert await claim(ledger, run, both) == []


async def test_places_are_kept_once(ledger: Ledger) -> None:
    """Rows of many files and campaigns share their places."""
    for name in ("spring", "summer"):
        await load(
            ledger, await campaign(ledger, name), [*lines(*KEYS[:3]), Line(None, "invalid")], [EAST, WEST, EAST, None]
        )
    assert sorted(map(str, await numbers(ledger))) == sorted(map(str, [EAST, WEST, None]))


async def test_own_times_hold_at_the_claim(ledger: Ledger) -> None:
    """A row is not granted before its time, nor once that is over; until then it must leave."""
    spring = await campaign(ledger)
    of = [Line(KEYS[0], not_before_ms=2_000), Line(KEYS[1]), Line(KEYS[2]), Line(KEYS[3])]
    await load(ledger, spring, of, [EAST] * 4, {1: 900, 2: 1_001, 3: 7_000})
    east = (await numbers(ledger))[EAST]
    run = await run_of(ledger, spring)
    for gate in (Gate({east: 6_000}), OPEN):
        granted = await claim(ledger, run, gate)
        closes = 6_000 if gate.places else 7_000
        assert [(row.to_address, row.leave_by_ms) for row in granted] == [(KEYS[2], 1_001), (KEYS[3], closes)]
        ends = [end(row, Outcome.not_sent) for row in granted]
        await ledger.end_rows(run, ends, now_ms=5, totals=NONE)
    later = await claim(ledger, run, Gate({east: 6_000}, at_ms=2_000))
    assert {row.to_address for row in later} == {KEYS[0], KEYS[3]}


async def test_what_waits_is_told(ledger: Ledger) -> None:
    """Which places have rows that wait, from when on, and how many."""
    spring = await campaign(ledger)
    of = [Line(KEYS[0], not_before_ms=2_000), Line(KEYS[1], not_before_ms=3_000), *lines(*KEYS[2:5])]
    await load(ledger, spring, of, [EAST, EAST, WEST, WEST, None])
    at = await numbers(ledger)
    assert sorted(await ledger.places.due(spring, None)) == sorted(
        [Due(at[EAST], 2_000), Due(at[WEST], 0), Due(at[None], 0)]
    )
    told = {(due.place_id, due.first_ms): n for due, n in await ledger.places.waiting(spring, None)}
    assert told == {(at[EAST], 2_000): 1, (at[EAST], 3_000): 1, (at[WEST], 0): 2, (at[None], 0): 1}


async def test_a_closing_writes_nothing(ledger: Ledger, harness: Harness) -> None:
    """However many rows wait: when their place closes none of them changes."""
    spring = await campaign(ledger)
    await load(ledger, spring, lines(*KEYS), [EAST] * len(KEYS))
    run = await run_of(ledger, spring)
    before = harness.query("SELECT * FROM rows")
    for _ in range(3):
        assert await claim(ledger, run, Gate({})) == []
        await ledger.places.due(spring, None)
    assert harness.query("SELECT * FROM rows") == before


def schedule(places: Mapping[int, Place | None], hours: Hours = NO_HOURS, deadline_ms: int | None = None) -> Schedule:
    deadline = None if deadline_ms is None else Moment(deadline_ms, is_instant=True)
    return Schedule(hours, places, deadline=deadline)


async def test_rows_whose_time_is_over_expire(ledger: Ledger) -> None:
    """At the next sweep, with the reason; the others stay."""
    spring = await campaign(ledger)
    input_id = await load(ledger, spring, lines(*KEYS[:3]), [EAST] * 3, {0: 500, 1: 5_000})
    run = await run_of(ledger, spring)
    assert await ledger.places.sweep(run, None, schedule(await ledger.places.all()), 1_000) == 1
    assert await reasons(ledger, input_id) == ["expired", None, None]
    assert (await ledger.status(spring)).rows[RowState.skipped] == 1
    assert await ledger.places.expire(run, None, 5_000) == 1


async def test_after_the_deadline_all_expire(ledger: Ledger) -> None:
    """Whatever their places are; rows in flight are not recalled, and expire if nothing came of them."""
    spring = await campaign(ledger)
    input_id = await load(ledger, spring, lines(*KEYS[:4]), [EAST, WEST, None, EAST])
    run = await run_of(ledger, spring)
    at = await numbers(ledger)
    (flying,) = await claim(ledger, run, Gate({at[EAST]: 9_000}), limit=1)
    of = schedule(await ledger.places.all(), deadline_ms=2_000)
    assert await ledger.places.sweep(run, None, of, 1_999) == 0
    assert await ledger.places.sweep(run, None, of, 2_000) == 3
    assert await reasons(ledger, input_id) == [None, "expired", "expired", "expired"]
    await ledger.end_rows(run, [end(flying, Outcome.throttled)], now_ms=5, totals=NONE)
    assert await ledger.places.sweep(run, None, of, 2_000) == 1
    # As for any row that was left out: a person may say that it is to be sent all the same.
    assert await ledger.retry_rows(spring, skipped=[Reason.expired]) == 4


async def test_rows_that_expire_before_the_opening(ledger: Ledger) -> None:
    """They cannot be sent any more, so they need not wait for it."""
    spring = await campaign(ledger)
    now_ms = 1_790_000_000_000  # 14:13 UTC: 10:13 in New York
    hours = read_hours([], own="12:00-13:00")
    input_id = await load(
        ledger, spring, lines(*KEYS[:2]), [EAST] * 2, {0: now_ms + 3_600_000, 1: now_ms + 2 * 3_600_000}
    )
    run = await run_of(ledger, spring)
    assert await ledger.places.sweep(run, None, schedule(await ledger.places.all(), hours), now_ms) == 1
    assert await reasons(ledger, input_id) == ["expired", None]


async def test_rows_whose_own_time_is_too_late(ledger: Ledger) -> None:
    """Rows that by themselves may go only when their place opens no more before the deadline do not wait for ever."""
    spring = await campaign(ledger)
    now_ms = 1_790_000_000_000  # 14:13 UTC: 10:13 in New York
    hours, hour_ms = read_hours([], own="09:00-13:00"), 3_600_000
    own_ms = [now_ms + hour_ms, now_ms + 3 * hour_ms, now_ms + 30 * hour_ms]
    of = [Line(key, not_before_ms=at_ms) for key, at_ms in zip(KEYS, own_ms, strict=False)]
    input_id = await load(ledger, spring, of, [EAST] * 3)
    run = await run_of(ledger, spring)
    ends = schedule(await ledger.places.all(), hours, deadline_ms=now_ms + 5 * hour_ms)
    assert await ledger.places.sweep(run, None, ends, now_ms) == 2
    assert await reasons(ledger, input_id) == [None, "expired", "expired"]
    assert (await ledger.status(spring)).rows[RowState.planned] == 1


async def test_a_place_that_never_opens(ledger: Ledger) -> None:
    """Its rows are left out, with that as reason."""
    spring = await campaign(ledger)
    both = Place(("Pacific/Auckland", "Europe/London"), None, None, PlaceSource.several_zones)
    input_id = await load(ledger, spring, lines(*KEYS[:2]), [both, EAST])
    run = await run_of(ledger, spring)
    of = schedule(await ledger.places.all(), read_hours([], own="10:00-12:00"))
    assert await ledger.places.sweep(run, None, of, 1_790_000_000_000) == 1
    assert await reasons(ledger, input_id) == ["no_window", None]


async def test_a_sweep_asks_for_the_lease(ledger: Ledger) -> None:
    """A run that has lost the account leaves nothing out."""
    spring = await campaign(ledger)
    await load(ledger, spring, lines(KEYS[0]), [EAST], {0: 5})
    run = await run_of(ledger, spring)
    await run_of(ledger, spring)
    with pytest.raises(LeaseLost):
        await ledger.places.expire(run, None, 1_000)


async def test_rows_of_an_earlier_program_get_places(ledger: Ledger) -> None:
    """Rows that were planned without are found, and placed or left out; a sent one is left as it is."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(*KEYS[:4]))
    run = await run_of(ledger, spring)
    (sent,) = await claim(ledger, run, OPEN, limit=1)
    await ledger.end_rows(run, [end(sent, Outcome.created)], now_ms=5, totals=NONE)
    found = await ledger.places.unplaced(counts.input_id, after=0)
    assert [address for _, address in found] == KEYS[1:4]
    (a, _), (b, _), (c, _) = found
    assert await ledger.places.unplaced(counts.input_id, after=b) == [(c, KEYS[3])]
    await ledger.places.place({a: EAST, b: None, c: NOWHERE})
    at = await numbers(ledger)
    assert [row.to_address for row in await claim(ledger, run, Gate({at[EAST]: 9_000, at[None]: 9_000}))] == KEYS[1:3]
    of = schedule(await ledger.places.all(), read_hours([], own="00:00-24:00"))
    assert await ledger.places.sweep(run, None, of, 10) == 1
    assert await reasons(ledger, counts.input_id) == [None, None, None, "zone_unknown"]
    assert (await ledger.status(spring)).rows[RowState.planned] == 0


async def test_a_newer_file_brings_its_places(ledger: Ledger) -> None:
    """A row's place is what its latest file says, under whatever number it stands there."""
    spring = await campaign(ledger)
    await load(ledger, spring, lines(*KEYS[:2]), [EAST, EAST])
    await load(ledger, spring, lines(KEYS[5], KEYS[0], KEYS[1]), [WEST, WEST, EAST])
    at = await numbers(ledger)
    granted = await claim(ledger, await run_of(ledger, spring), Gate({at[WEST]: 9_000}))
    assert [row.to_address for row in granted] == [KEYS[5], KEYS[0]]


async def test_a_campaign_begins_once(ledger: Ledger) -> None:
    """The first run with a start says when that was, whatever comes later; another start begins anew."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    first = await run_of(ledger, spring)
    assert await ledger.places.begun_ms(spring, 9_000) is None
    assert await ledger.places.begin(first, 9_000, 5) == 5
    second = await run_of(ledger, spring)
    assert await ledger.places.begin(second, 9_000, 6) == 5
    assert await ledger.places.begin(second, 12_000, 7) == 7
    assert await ledger.places.begun_ms(spring, 9_000) == 5
    assert await ledger.places.begun_ms(summer, 9_000) is None
    with pytest.raises(LeaseLost):
        await ledger.places.begin(first, 15_000, 8)


async def test_a_missed_start_is_told_in_the_report(ledger: Ledger) -> None:
    """Rows of a place that has missed the start are left out as expired, with that as the reason; the others stay."""
    spring = await campaign(ledger)
    input_id = await load(ledger, spring, lines(*KEYS[:2]), [EAST, WEST])
    run = await run_of(ledger, spring)
    # 09:00 on each clock; 12:00 in New York, 09:00 in Los Angeles.
    start, now_ms = Moment(9 * 3_600_000, is_instant=False), 17 * 3_600_000
    begin = Begin(now_ms, 3_600_000, MissedLocal.skip)
    schedule = Schedule(NO_HOURS, await ledger.places.all(), start=start, begin=begin)
    assert await ledger.places.sweep(run, None, schedule, now_ms) == 1
    rows = await report(ledger, input_id)
    assert [(row.state, row.reason_code) for row in rows] == [
        (RowState.skipped, Reason.expired.value),
        (RowState.planned, None),
    ]
    assert "start had passed" in (rows[0].reason or "")

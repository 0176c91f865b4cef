"""No sender above its room, and none in the way of another: whatever the file's order, its places and its canary."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Collection

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord, GrantedRow, Run
from dispatcher.ledger.senders import DueOf
from dispatcher.model import Outcome, RowState
from dispatcher.rules.caps import Rooms
from dispatcher.rules.gate import Due, Gate
from dispatcher.rules.places import Place, PlaceSource
from tests.support.ledgers import NONE, SENDER, Line, campaign, end, lines, new_input, planned
from tests.unit.ledger.conformance.harness import Harness
from tests.unit.ledger.conformance.test_waiting import load

MG, OTHER = "MG" + "a" * 32, "+15550100009"
NOW_MS = 1_790_000_000_000
EAST = Place(("America/New_York",), "US", "US-NY", PlaceSource.area_code)
WEST = Place(("America/Los_Angeles",), "US", "US-CA", PlaceSource.area_code)


def rooms(per_day: int, **begun: int) -> Rooms:
    names = {"mg": MG, "other": OTHER, "sender": SENDER}
    return Rooms(per_day, {names[name]: n for name, n in begun.items()})


def of(senders: str, first: int = 0) -> list[Line]:
    """A line for each letter: M the service's, O the other's, a dot the file's own."""
    by = {"M": MG, "O": OTHER, ".": None}
    return [Line(f"+1555020{first + n:04}", sender=by[letter]) for n, letter in enumerate(senders)]


async def run_of(ledger: Ledger, record: CampaignRecord, now_ms: int = NOW_MS) -> Run:
    return await ledger.start_run(record, window_limit=200, now_ms=now_ms)


async def claim(
    ledger: Ledger, run: Run, gate: Gate, limit: int = 100, input_id: int | None = None, now_ms: int = NOW_MS
) -> list[GrantedRow]:
    return await ledger.begin_rows(run, limit, now_ms=now_ms, input_id=input_id, gate=gate)


def senders(rows: Collection[GrantedRow]) -> Counter[str]:
    return Counter(row.from_address or SENDER for row in rows)


async def test_none_above_its_room(ledger: Ledger) -> None:
    """Each sender as many as it may begin, in one claim; the file's own, in rows that name none, like any other."""
    spring = await campaign(ledger)
    await planned(ledger, spring, of("MMMMMOOOO......"))
    run = await run_of(ledger, spring)
    rows = await claim(ledger, run, Gate(rooms=rooms(3, mg=1, sender=2)))
    assert senders(rows) == {MG: 2, OTHER: 3, SENDER: 1}
    assert await claim(ledger, run, Gate(rooms=rooms(3, mg=3, other=3, sender=3))) == []
    assert senders(await claim(ledger, run, Gate(rooms=rooms(4, mg=3, other=9, sender=4)))) == {MG: 1}


async def test_a_file_of_one_sender(ledger: Ledger) -> None:
    """In the file's order, up to its room; of two files only that goes whose sender has room."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(*[f"+1555010{n:04}" for n in range(5)]))
    await planned(ledger, spring, lines(*[f"+1555030{n:04}" for n in range(5)]), new_input(OTHER))
    run = await run_of(ledger, spring)
    rows = await claim(ledger, run, Gate(rooms=rooms(3, sender=1)))
    assert [row.row_key for row in rows] == ["+15550100000", "+15550100001", *[f"+1555030{n:04}" for n in range(3)]]
    rows = await claim(ledger, run, Gate(rooms=rooms(3, sender=3, other=2)))
    assert [row.row_key for row in rows] == ["+15550300003"]


async def test_two_files_share_a_room(ledger: Ledger) -> None:
    """What a claim takes of one file is gone for the next."""
    spring = await campaign(ledger)
    await planned(ledger, spring, of("MMO"))
    await planned(ledger, spring, of("MMOO", first=100))
    run = await run_of(ledger, spring)
    rows = await claim(ledger, run, Gate(rooms=rooms(3)))
    assert senders(rows) == {MG: 3, OTHER: 3}


async def test_a_small_claim_is_spread(ledger: Ledger) -> None:
    """Senders take turns: a claim is not all of the first one's."""
    spring = await campaign(ledger)
    await planned(ledger, spring, of("M" * 50 + "O" * 50))
    run = await run_of(ledger, spring)
    assert senders(await claim(ledger, run, Gate(rooms=rooms(100)), limit=10)) == {MG: 5, OTHER: 5}
    assert senders(await claim(ledger, run, Gate(rooms=rooms(100, mg=98)), limit=10)) == {MG: 2, OTHER: 8}


async def test_with_places(ledger: Ledger) -> None:
    """Only open places, the first to close first, and no sender above its room over all of them."""
    spring = await campaign(ledger)
    places = [EAST, WEST] * 6
    await load(ledger, spring, of("MMMMMMOOOOOO"), places)
    number = {place: n for n, place in (await ledger.places.all()).items()}
    run = await run_of(ledger, spring)
    rows = await claim(ledger, run, Gate({number[EAST]: NOW_MS + 5}, NOW_MS, rooms=rooms(2)))
    assert (senders(rows), {row.leave_by_ms for row in rows}) == ({MG: 2, OTHER: 2}, {NOW_MS + 5})
    both = {number[WEST]: NOW_MS + 3, number[EAST]: NOW_MS + 5}
    rows = await claim(ledger, run, Gate(both, NOW_MS, rooms=rooms(2, mg=2)))
    assert [(row.from_address, row.leave_by_ms) for row in rows] == [(OTHER, NOW_MS + 3)] * 2
    assert await claim(ledger, run, Gate({}, NOW_MS, rooms=rooms(2))) == []


async def test_rows_with_times_of_their_own(ledger: Ledger) -> None:
    """Wait for them, and are in nobody's way."""
    spring = await campaign(ledger)
    later = [line._replace(not_before_ms=NOW_MS + 1) for line in of("MMM")]
    await planned(ledger, spring, [*later, *of("MO", first=50)])
    run = await run_of(ledger, spring)
    assert senders(await claim(ledger, run, Gate(rooms=rooms(9)))) == {MG: 1, OTHER: 1}
    assert senders(await claim(ledger, run, Gate(rooms=rooms(2)), now_ms=NOW_MS + 1)) == {MG: 2}


async def test_a_canary(ledger: Ledger) -> None:
    """Is chosen among those whose senders have room, and keeps to that; nobody full is in its way."""
    spring = await campaign(ledger)
    await planned(ledger, spring, of("MMMMMMMMMMOO."))
    run = await run_of(ledger, spring)
    await ledger.canaries.begin(run, 4)
    gate = Gate(rooms=rooms(2, mg=2))
    assert await ledger.canaries.choose(run, most=None, input_id=None, gate=gate, now_ms=NOW_MS) == (0, 3)
    assert senders(await claim(ledger, run, Gate(rooms=rooms(1, other=0, mg=2)))) == {OTHER: 1, SENDER: 1}
    everyone = Gate(rooms=rooms(20))
    assert await ledger.canaries.choose(run, most=None, input_id=None, gate=everyone, now_ms=NOW_MS) == (2, 2)
    assert len(await claim(ledger, run, everyone)) == 2


@pytest.mark.parametrize("outcome", [*Outcome, None])
async def test_begun_by_whom(ledger: Ledger, outcome: Outcome | None) -> None:
    """Created, unknown and on the wire count for their senders; what is proved to have created nothing does not."""
    spring = await campaign(ledger)
    await planned(ledger, spring, of("MMO."))
    run = await run_of(ledger, spring)
    rows = await claim(ledger, run, Gate())
    if outcome is not None:
        await ledger.end_rows(run, [end(row, outcome, at_ms=NOW_MS) for row in rows], now_ms=NOW_MS, totals=NONE)
    counts = outcome in (Outcome.created, Outcome.unknown, None)
    expected = {MG: 2, OTHER: 1, SENDER: 1} if counts else {}
    assert await ledger.senders.begun_since(spring.account, NOW_MS) == expected
    assert await ledger.senders.begun_since(spring.account, NOW_MS + 1) == {}


async def test_a_newer_file_with_others(ledger: Ledger) -> None:
    """What was begun stays with the sender that it had, whatever numbers and senders a newer file gives the rows."""
    spring = await campaign(ledger)
    await planned(ledger, spring, of("MM."))
    run = await run_of(ledger, spring)
    rows = await claim(ledger, run, Gate())
    await ledger.end_rows(run, [end(row, Outcome.created) for row in rows], now_ms=NOW_MS, totals=NONE)
    for newer in (of("OOOO"), [*of("M", first=90), *of("....")], of("MMMM")):
        await planned(ledger, spring, newer, new_input(OTHER))
        assert await ledger.senders.begun_since(spring.account, NOW_MS) == {MG: 2, SENDER: 1}


async def test_of_all_campaigns_and_tests(ledger: Ledger) -> None:
    """Of every campaign of the account and of its test sends; of no other account, and in the next process, too."""
    spring, alert = await campaign(ledger), await campaign(ledger, "alert")
    other = await campaign(ledger, "other", "AC" + "9" * 32)
    for record, people in ((spring, 2), (alert, 3), (other, 4)):
        await planned(ledger, record, lines(*[f"+1555010{n:04}" for n in range(people)]))
        await claim(ledger, await run_of(ledger, record), Gate())
    await ledger.begin_test(spring.account, to_address="+15550100099", from_address=MG, now_ms=NOW_MS)
    assert await ledger.senders.begun_since(spring.account, NOW_MS) == {SENDER: 5, MG: 1}
    assert await ledger.senders.begun_since(other.account, NOW_MS) == {SENDER: 4}


async def test_counts_after_a_kill(ledger: Ledger, harness: Harness) -> None:
    """What a killed process had begun counts in the next one."""
    spring = await campaign(ledger)
    await planned(ledger, spring, of("MMO"))
    await claim(ledger, await run_of(ledger, spring), Gate(), limit=2)
    after = await harness.kill(ledger)
    try:
        run = await run_of(after, spring)
        assert await after.senders.begun_since(spring.account, NOW_MS) == {MG: 2}
        assert senders(await claim(after, run, Gate(rooms=rooms(2, mg=2)))) == {OTHER: 1}
    finally:
        await after.close()


async def test_when_who_may_go(ledger: Ledger) -> None:
    """Each sender with its first row, and how many wait until when; also where the file has only one. In no order."""
    spring, alert = await campaign(ledger), await campaign(ledger, "alert")
    late = [line._replace(not_before_ms=7) for line in of("MO", first=50)]
    await planned(ledger, spring, [*of("MM"), *late])
    assert sorted(await ledger.senders.due(spring, None, placed=False)) == [
        DueOf(OTHER, Due(0, 7)),
        DueOf(MG, Due(0, 0)),
    ]
    assert sorted(await ledger.senders.waiting(spring, None, placed=False)) == [
        DueOf(OTHER, Due(0, 7), 1),
        DueOf(MG, Due(0, 0), 2),
        DueOf(MG, Due(0, 7), 1),
    ]
    assert sorted(await ledger.senders.due(alert, None, placed=False)) == []
    file = [*lines("+15550100001", "+15550100002"), Line("+15550100003", not_before_ms=9)]
    await planned(ledger, alert, file)
    assert sorted(await ledger.senders.due(alert, None, placed=False)) == [DueOf(SENDER, Due(0, 0))]
    waiting = [DueOf(SENDER, Due(0, 0), 2), DueOf(SENDER, Due(0, 9), 1)]
    assert sorted(await ledger.senders.waiting(alert, None, placed=False)) == waiting


async def test_with_places_when(ledger: Ledger) -> None:
    """By sender and place, where hours hold; in no order."""
    spring, alert = await campaign(ledger), await campaign(ledger, "alert")
    await load(ledger, spring, of("MMO"), [EAST, WEST, WEST])
    await load(ledger, alert, lines("+15550100001", "+15550100002"), [EAST, EAST])
    number = {place: n for n, place in (await ledger.places.all()).items()}
    east, west = number[EAST], number[WEST]
    due = [(OTHER, west), (MG, east), (MG, west)]
    assert sorted(await ledger.senders.due(spring, None, placed=True)) == [DueOf(who, Due(at, 0)) for who, at in due]
    assert sorted(await ledger.senders.waiting(spring, None, placed=True)) == [
        DueOf(who, Due(at, 0), 1) for who, at in due
    ]
    assert sorted(await ledger.senders.due(alert, None, placed=True)) == [DueOf(SENDER, Due(east, 0))]
    assert sorted(await ledger.senders.waiting(alert, None, placed=True)) == [DueOf(SENDER, Due(east, 0), 2)]


async def test_all_go_in_the_end(ledger: Ledger) -> None:
    """Day after day as many of each as may be, until none is left: whoever sends, nobody is left out."""
    spring = await campaign(ledger)
    file = of("".join("MO."[n * n % 3] for n in range(200)))
    await planned(ledger, spring, file)
    run = await run_of(ledger, spring)
    left, days = Counter(line.sender or SENDER for line in file), 0
    while left.total():
        today: Counter[str] = Counter()
        while rows := await claim(ledger, run, Gate(rooms=Rooms(30, dict(today))), limit=17):
            today += senders(rows)
            await ledger.end_rows(run, [end(row, Outcome.created) for row in rows], now_ms=NOW_MS, totals=NONE)
        assert today == Counter({sender: min(30, n) for sender, n in left.items()})
        left, days = left - today, days + 1
    status = await ledger.status(spring)
    assert (status.rows[RowState.created], status.rows[RowState.planned]) == (200, 0)
    assert days == 5


async def test_a_full_sender_costs_nothing(ledger: Ledger) -> None:
    """Thirty thousand of its rows before those of another: a claim, and who asks until when, go past them at once."""
    spring = await campaign(ledger)
    await planned(ledger, spring, of("M" * 30_000 + "OOO"))
    run = await run_of(ledger, spring)
    gate = Gate(rooms=rooms(5, mg=5))
    begun_s = time.perf_counter()
    for _ in range(60):
        assert len(await ledger.senders.due(spring, None, placed=False)) == 2
    # A few hundredths of it; looking at each row takes three times as long.
    assert time.perf_counter() - begun_s < 0.25
    for n in range(5):
        assert len(await claim(ledger, run, gate, limit=1)) == (n < 3)
    status = await ledger.status(spring)
    assert (status.rows[RowState.sending], status.rows[RowState.planned]) == (3, 30_000)


@pytest.mark.parametrize("seed", range(12))
async def test_exactly_what_may_go(ledger: Ledger, seed: int) -> None:
    """Whatever the file: of each sender its room, or all that may go now, whichever is less; no row of another kind."""
    chance = random.Random(seed)
    spring = await campaign(ledger)
    file = of("".join(chance.choices(chance.choice([".", "M.", "MO."]), k=chance.randrange(1, 60))))
    file = [line._replace(not_before_ms=chance.choice([0, 0, NOW_MS, NOW_MS + 1])) for line in file]
    where = [chance.choice([EAST, WEST]) for _ in file]
    await load(ledger, spring, file, where)
    number = {place: n for n, place in (await ledger.places.all()).items()}
    is_open = chance.choice([{EAST}, {WEST}, {EAST, WEST}])
    closing = {number[place]: NOW_MS + chance.randrange(1, 3) for place in is_open & number.keys()}
    with_hours = chance.random() < 0.7
    per_day, begun = 12, {sender: chance.randrange(16) for sender in (MG, OTHER, SENDER)}
    may_go = [
        line
        for line, place in zip(file, where, strict=True)
        if line.not_before_ms <= NOW_MS and (place in is_open or not with_hours)
    ]
    expected = Counter(line.sender or SENDER for line in may_go)
    expected = Counter({sender: min(n, max(0, per_day - begun[sender])) for sender, n in expected.items()})
    run, found = await run_of(ledger, spring), Counter[str]()
    while True:
        rooms_now = Rooms(per_day, Counter(begun) + found)
        gate = Gate(dict(sorted(closing.items())) if with_hours else None, NOW_MS, rooms=rooms_now)
        rows = await claim(ledger, run, gate, limit=chance.randrange(1, 20))
        if not rows:
            break
        assert {row.row_key for row in rows} <= {line.key for line in may_go}
        found += senders(rows)
    assert found == +expected

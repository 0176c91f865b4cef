"""A week in twelve zones: the sandbox's own clock and log judge that nothing arrives outside the contacts' hours."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.sandbox.window import RateLimit
from tests.support.machine import Machine
from tests.support.rehearsal import Rehearsal, phone

#: The week in which Europe puts its clocks back, and America does a week later.
BEGINS = datetime(2026, 10, 22, tzinfo=UTC)
DAYS = 7
ZONES = (
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Africa/Cairo",
    "Europe/Berlin",
    "Europe/London",
    "America/St_Johns",
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Honolulu",
)
OPENS, CLOSES = time(9), time(20)
#: Two minutes before an opening and after it, and so with a closing, which is five minutes early.
AROUND = timedelta(minutes=2)
EARLY = timedelta(minutes=5)
ROWS_PER_ZONE = 140
#: So long before a closing a storm of 429s breaks that lasts beyond it.
STORM = timedelta(seconds=0.6)
STORM_S = 1.2
#: Before every so many-th closing.
STORMY = 10
#: Behind one of so many closings it is looked at once more at once; behind the others with the next opening or closing.
LOOKED_AT = 3
#: So long before a closing a run begins that the rate holds back, and has far more rows than it lets go by then.
SLOWLY = timedelta(seconds=5)
SLOW_PER_S, WINDOW_S, SLOW_ROWS = 4, 10, 55
#: The closing before which that is.
SLOW = DAYS * len(ZONES) // 2 + 3
#: From leaving to arriving, on a busy machine.
ON_ITS_WAY = timedelta(seconds=0.5)


def local(at_s: float, zone: str) -> datetime:
    return datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone))


def edges() -> list[tuple[datetime, bool]]:
    """Every moment at which some place opens or closes (early; True), by another way than the program's."""
    found = set()
    for zone in ZONES:
        for day in range(-1, DAYS + 2):
            date = (BEGINS + timedelta(days=day)).date()
            for wall in (OPENS, CLOSES):
                moment = datetime.combine(date, wall, ZoneInfo(zone)).astimezone(UTC)
                found.add((moment - (EARLY if wall is CLOSES else timedelta()), wall is CLOSES))
    return sorted(edge for edge in found if BEGINS <= edge[0] < BEGINS + timedelta(days=DAYS))


def worst(arrivals_us: Sequence[int]) -> int:
    """The most arrivals in any window."""
    return max(
        bisect_left(arrivals_us, at_us + WINDOW_S * 1_000_000) - first for first, at_us in enumerate(arrivals_us)
    )


async def test_a_week_in_twelve_zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over each opening and closing, with storms and slow answers: no create outside its hours, or above the rate."""
    machine, chance = Machine(monkeypatch), random.Random(7)
    machine.put_to(BEGINS - timedelta(minutes=1))
    zone_of = {phone(n): ZONES[n % len(ZONES)] for n in range(ROWS_PER_ZONE * len(ZONES))}
    file = tmp_path / "spring.csv"
    lines = [f"{number},{zone}\n" for number, zone in zone_of.items()]
    file.write_text("phone,zone\n" + "".join(lines), encoding="utf-8")
    hours = {"mode": "wait", "presets": ["floor"], "open": "09:00-20:00"}
    overrides: dict[str, dict[str, Any]] = {
        "hours": hours,
        "columns": {"zone": "zone"},
        "campaign": {"repeat_after_h": 0},
        "rate": {},
    }
    arrived_us: list[int] = []
    arrive = RateLimit.arrive

    def counted(self: RateLimit, now_us: int) -> None:
        arrived_us.append(now_us)
        arrive(self, now_us)

    monkeypatch.setattr(RateLimit, "arrive", counted)
    async with Sandbox(SandboxSettings(limit_per_s=0, latency_jitter_s=0.03), clock=machine) as sandbox:
        week = Rehearsal(tmp_path, sandbox, overrides=overrides)
        planned: Path | None = file
        closings, slow, stormy = 0, list[list[int]](), 0
        for edge, closes in edges():
            closings += closes
            # Once, in the middle of the week, as slowly as it takes to be held back; and every tenth in a storm.
            is_slow = closes and closings == SLOW
            is_stormy = closes and closings % STORMY == 0
            before = SLOWLY if is_slow else STORM if is_stormy else AROUND
            is_looked_at = not closes or is_slow or is_stormy or closings % LOOKED_AT == 0
            for moment in (edge - before, edge + AROUND)[: 1 + is_looked_at]:
                machine.put_to(moment)
                week.faults({})
                rows, in_time = chance.randrange(1, 10), moment < edge
                overrides["rate"].clear()
                if in_time and is_slow:
                    rows = SLOW_ROWS
                    overrides["rate"].update({"per_second": SLOW_PER_S, "window_s": WINDOW_S, "headroom": 0.0})
                if in_time and is_stormy:
                    week.faults({"429": 1.0, "for_s": STORM_S})
                throttled, began = sandbox.studio.tally.throttled, len(arrived_us)
                result = await week.run(planned, limit=rows)
                planned = None
                assert result.exit_code in (ExitCode.WAITING, ExitCode.OK), result.error
                stormy += sandbox.studio.tally.throttled > throttled
                if in_time and is_slow:
                    slow.append(arrived_us[began:])
        creates = []
        after: int | None = -1
        while after is not None:
            page = sandbox.creates(after=after)
            creates += page["creates"]
            after = page["next"]
        week.assert_books_balance()
    assert len(creates) > 500
    outside = [one for one in creates if not OPENS <= local(one["at"], zone_of[one["to"]]).time() < CLOSES]
    assert outside == []
    late = [local(one["at"], zone_of[one["to"]]).time() for one in creates]
    assert max(late) < (datetime.combine(BEGINS, CLOSES) - EARLY + ON_ITS_WAY).time()
    # There were storms; and the rate, which held a run back, was kept to in every window.
    assert stormy >= 5
    assert [worst(arrivals) <= SLOW_PER_S * WINDOW_S < len(arrivals) for arrivals in slow] == [True], slow
    # Every place had its turn.
    assert Counter(zone_of[one["to"]] for one in creates).keys() == set(ZONES)

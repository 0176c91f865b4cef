"""A week in twelve zones: the sandbox's own clock and log judge that nothing arrives outside the contacts' hours."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
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
ROWS_PER_ZONE = 130


def local(at_s: float, zone: str) -> datetime:
    return datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone))


def edges() -> list[datetime]:
    """Every moment at which some place opens or closes (early), by another way than the program's."""
    found = set()
    for zone in ZONES:
        for day in range(-1, DAYS + 2):
            date = (BEGINS + timedelta(days=day)).date()
            for wall in (OPENS, CLOSES):
                moment = datetime.combine(date, wall, ZoneInfo(zone)).astimezone(UTC)
                found.add(moment - (EARLY if wall is CLOSES else timedelta()))
    return sorted(moment for moment in found if BEGINS <= moment < BEGINS + timedelta(days=DAYS))


async def test_a_week_in_twelve_zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stepped over each opening and closing, with 429s and slow answers: no create is outside its contact's hours."""
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
        "retry": {},
    }
    async with Sandbox(SandboxSettings(limit_per_s=0, latency_jitter_s=0.05), clock=machine) as sandbox:
        week = Rehearsal(tmp_path, sandbox, overrides=overrides)
        week.faults({"429": 0.15})
        planned: Path | None = file
        for edge in edges():
            for moment in (edge - AROUND, edge + AROUND):
                machine.put_to(moment)
                result = await week.run(planned, limit=chance.randrange(1, 10))
                planned = None
                assert result.exit_code in (ExitCode.WAITING, ExitCode.OK), result.error
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
    assert max(late) < (datetime.combine(BEGINS, CLOSES) - EARLY).time()
    # Every place had its turn.
    assert Counter(zone_of[one["to"]] for one in creates).keys() == set(ZONES)

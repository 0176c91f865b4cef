"""A start on the contacts' clocks: whose has passed when the campaign begins, one zone's clock, and what is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    phone,
    read_report,
    write_settings,
)

#: Five hours ahead of UTC, and five behind.
AHEAD, BEHIND = "Etc/GMT-5", "Etc/GMT+5"


def local(**ago: float) -> str:
    """What a clock at UTC showed so long ago."""
    return f"{datetime.now(UTC) - timedelta(**ago):%Y-%m-%dT%H:%M:%S}"


def write(program: Program, name: str, *zones: str, first: int = 100) -> list[str]:
    """A file with a contact in each zone; their numbers."""
    numbers = [phone(first + n) for n in range(len(zones))]
    lines = [f"{number},N,{zone}\n" for number, zone in zip(numbers, zones, strict=True)]
    (program.folder / name).write_text("phone,first_name,zone\n" + "".join(lines), encoding="utf-8")
    return numbers


def with_schedule(program: Program, sandbox: SandboxProcess, **schedule: Any) -> None:
    """Hours of the whole day, so that the schedule alone holds."""
    hours = {"mode": "wait", "presets": [], "open": "00:00-24:00", "close_early_min": 0}
    write_settings(program.folder, sandbox.base_url, hours=hours, columns={"zone": "zone"}, schedule=schedule)


def reached(sandbox: SandboxProcess) -> list[str]:
    return [create["to"] for create in sandbox.creates()]


def test_a_missed_start_is_the_next_days(ready: Program, sandbox: SandboxProcess) -> None:
    """It waits for the same time of the next day there, over runs and a second file, and everything says so."""
    start = local(minutes=1)
    numbers = write(ready, "spring.csv", "UTC", AHEAD, BEHIND)
    with_schedule(ready, sandbox, start_at=start, missed_local="next_day")
    moved = {
        BEHIND: datetime.fromisoformat(f"{start}+00:00") + timedelta(hours=5),
        AHEAD: datetime.fromisoformat(f"{start}+00:00") + timedelta(hours=19),
    }

    def waits(found: list[dict[str, Any]]) -> dict[str, datetime]:
        assert {one["why"] for one in found} == {"start"}
        return {one["zone"]: datetime.fromisoformat(one["until"]) for one in found}

    assert waits(ready("check", "spring.csv", "--offline", "--json").json["waiting"]) == moved
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, waits(run.json["waiting"]), reached(sandbox)) == (7, moved, [numbers[0]]), run.err
    rows = read_report(ready.folder / "spring-report.csv")
    assert [row["dispatch_waits_for"] for row in rows] == ["", "start", "start"]
    assert datetime.fromisoformat(rows[1]["dispatch_waits_until"]) == moved[AHEAD]
    assert waits(ready("status", "spring", "--json").json["waiting"]) == moved
    # When it has begun stays: a second run and a second file are not late once more, nor early.
    write(ready, "more.csv", AHEAD, "UTC", first=200)
    more = ready("run", "more.csv", "--campaign", "spring", "--add", "--yes", "--json")
    assert (more.code, reached(sandbox)) == (7, [numbers[0], phone(201)]), more.err
    assert waits(ready("status", "spring", "--json").json["waiting"])[AHEAD] == moved[AHEAD]
    # The ledger has the fact, the settings have the rule.
    with_schedule(ready, sandbox, start_at=start)
    assert ready("resume", "spring", "--yes").code == 7
    assert set(reached(sandbox)) == {*numbers[:2], phone(200), phone(201)}


@pytest.mark.parametrize("missed", ["next_day", "skip"])
def test_a_later_run_has_missed_nothing(ready: Program, sandbox: SandboxProcess, missed: str) -> None:
    """A campaign that has begun in time goes on, however late its next run is; with another start it begins anew."""
    write(ready, "spring.csv", "UTC", "UTC", "UTC")
    # Enough for a slow machine to begin before it.
    start = local(seconds=-12)
    with_schedule(ready, sandbox, start_at=start, missed_local=missed, grace_min=0)
    assert ready("run", "spring.csv", "--yes", "--limit", "1").code == 0
    assert ready("resume", "spring", "--yes", "--limit", "1").code == 0
    assert sandbox.stats()["creates"] == 2
    with_schedule(ready, sandbox, start_at=local(minutes=1), missed_local=missed, grace_min=0)
    assert ready("resume", "spring", "--yes").code == {"next_day": 7, "skip": 0}[missed]
    assert sandbox.stats()["creates"] == 2


def test_a_missed_start_is_skipped(ready: Program, sandbox: SandboxProcess) -> None:
    """Left out as expired with the reason, and told before the question; the others go."""
    numbers = write(ready, "spring.csv", "UTC", AHEAD)
    with_schedule(ready, sandbox, start_at=local(minutes=1), missed_local="skip")
    checked = ready("check", "spring.csv", "--offline", "--json").json
    assert checked["prospect"]["left_out"] == {"expired": 1}
    run = ready("run", "spring.csv", "--yes")
    assert (run.code, reached(sandbox)) == (0, [numbers[0]]), run.err
    assert "1 row is left out (expired)" in run.err
    rows = read_report(ready.folder / "spring-report.csv")
    assert [row["dispatch_status"] for row in rows] == ["created", "skipped"]
    assert "start had passed" in rows[1]["dispatch_error_message"]


def test_by_default_they_go_at_once(ready: Program, sandbox: SandboxProcess) -> None:
    """Who has missed the start is sent to with the others."""
    numbers = write(ready, "spring.csv", "UTC", AHEAD)
    with_schedule(ready, sandbox, start_at=local(minutes=1))
    assert ready("run", "spring.csv", "--yes").code == 0
    assert sorted(reached(sandbox)) == numbers


def test_one_that_all_have_missed_is_held(ready: Program, sandbox: SandboxProcess) -> None:
    """A campaign that is late everywhere is held, and has not begun by that: once it may go on, the start moves."""
    write(ready, "spring.csv", AHEAD)
    start = local(minutes=1)
    with_schedule(ready, sandbox, start_at=start, missed_local="next_day")
    checked = ready("check", "spring.csv", "--offline")
    assert "the start was missed by all, 30" in checked.err
    assert ready("run", "spring.csv", "--yes").code == 5
    assert ready("resume", "spring", "--yes").code == 5
    with_schedule(ready, sandbox, start_at=start, missed_local="next_day", late="send")
    resumed = ready("resume", "spring", "--yes", "--json")
    assert (resumed.code, sandbox.stats()["creates"]) == (7, 0)
    assert "missed by all" not in resumed.err
    # It waits as it was told to: that is not late.
    with_schedule(ready, sandbox, start_at=start, missed_local="next_day")
    assert ready("resume", "spring", "--yes").code == 7


def test_one_zones_clock(ready: Program, sandbox: SandboxProcess) -> None:
    """With a zone the start is one instant for all, and so is the deadline."""
    write(ready, "spring.csv", "UTC", AHEAD)
    with_schedule(ready, sandbox, start_at=local(hours=-1), zone="etc/utc")
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, sandbox.stats()["creates"]) == (7, 0), run.err
    assert len({one["until"] for one in run.json["waiting"]}) == 1
    hours = ready("hours", phone(1))
    assert "in etc/utc" in hours.out
    with_schedule(ready, sandbox, deadline=local(minutes=1), zone="UTC")
    expired = ready("resume", "spring", "--yes", "--json")
    assert (expired.code, expired.json["skipped"]) == (0, {"expired": 2})


@pytest.mark.parametrize(
    "schedule",
    [
        {"zone": "Mars/Olympus"},
        {"zone": "", "start_at": "2026-12-01T09:00"},
        # Local and an instant: nowhere on earth is there any time between them.
        {"start_at": "2026-12-01T09:00", "deadline": "2026-11-30T19:00Z"},
        {"start_at": "2026-12-01T21:00Z", "deadline": "2026-12-01T09:00"},
        {"start_at": "2026-12-02T09:00", "deadline": "2026-12-01", "zone": "Europe/Paris"},
    ],
)
def test_what_cannot_be_kept_is_refused(ready: Program, sandbox: SandboxProcess, schedule: dict[str, str]) -> None:
    """Exit code 2 before anything is planned."""
    write(ready, "spring.csv", "UTC")
    with_schedule(ready, sandbox, **schedule)
    for command in (("run", "spring.csv", "--yes"), ("check", "spring.csv", "--offline")):
        refused = ready(*command)
        assert (refused.code, refused.err.count("error[settings]")) == (2, 1), refused.err
    (status,) = ready("status", "--json").json
    assert not any(status["rows"].values())


def test_a_deadline_for_some_is_told(ready: Program, sandbox: SandboxProcess) -> None:
    """A local start behind an instant's deadline for some: they expire, and that is told before."""
    write(ready, "spring.csv", AHEAD, BEHIND)
    deadline = f"{datetime.now(UTC) + timedelta(hours=2):%Y-%m-%dT%H:%M}Z"
    with_schedule(ready, sandbox, start_at=local(minutes=1), deadline=deadline)
    checked = ready("check", "spring.csv", "--offline")
    assert "1 row is left out (expired)" in checked.err
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, run.json["skipped"], run.json["rows"]["created"]) == (0, {"expired": 1}, 1), run.err


def test_a_rate_past_the_closing_is_told(ready: Program, sandbox: SandboxProcess) -> None:
    """How many leave today, before anything is sent; and what a long code's queue would send at night."""
    closes = datetime.now(UTC) + timedelta(minutes=2)
    opens = closes - timedelta(hours=2)
    hours = {"mode": "wait", "presets": [], "open": f"{opens:%H:%M}-{closes:%H:%M}", "close_early_min": 0}
    write(ready, "spring.csv", *["UTC"] * 500)
    write_settings(ready.folder, sandbox.base_url, hours=hours, columns={"zone": "zone"}, rate={"per_second": 1})
    slow = ready("check", "spring.csv", "--offline", "--json").json["prospect"]
    assert slow["open_now"] == 500
    assert 370 < slow["held_back"] < 450
    assert slow["done_at"] > slow["closes_at"]
    assert "500 rows that may go now leave before" in ready("check", "spring.csv", "--offline").err
    write_settings(ready.folder, sandbox.base_url, hours=hours, columns={"zone": "zone"}, rate={"per_second": 100})
    quick = ready("check", "spring.csv", "--offline")
    assert "messages_per_second = 1" in quick.err
    found = ready("check", "spring.csv", "--offline", "--json").json["prospect"]
    assert (found["held_back"], 370 < found["queued_at_closing"] < 450) == (0, True)
    # The same before the question of a run.
    limited = ready("run", "spring.csv", "--yes", "--limit", "1")
    assert limited.code == 0, limited.err
    assert "queue" not in limited.err


def test_the_hours_of_a_campaign(ready: Program, sandbox: SandboxProcess) -> None:
    """Where its rows wait and until when, the moved start in it; a name is no number, and one that is none is told."""
    write(ready, "spring.csv", "UTC", AHEAD, AHEAD)
    start = local(minutes=1)
    with_schedule(ready, sandbox, start_at=start, missed_local="next_day")
    assert ready("run", "spring.csv", "--yes").code == 7
    (place,) = ready("hours", "spring", "--json").json["places"]
    moved = datetime.fromisoformat(f"{start}+00:00") + timedelta(hours=19)
    assert (place["rows"], place["zones"], place["open"]) == (2, [AHEAD], False)
    assert datetime.fromisoformat(place["opens_at"]) == moved
    shown = ready("hours", "spring")
    assert AHEAD in shown.out
    assert "at that time of the next day" in shown.out
    assert ready("hours", "sprig").code == 2
    assert ready("hours", "client:bob", "--json").json["contacts"][0]["address"] == "client:bob"


def test_a_place_that_is_not_known(ready: Program, sandbox: SandboxProcess) -> None:
    """Rows of no known zone, planned while hours were off, are shown as what they would be: left out."""
    (ready.folder / "spring.csv").write_text("phone,first_name\n+870773111632,Sea\n", encoding="utf-8")
    start = f"{local(hours=-1)}Z"
    write_settings(ready.folder, sandbox.base_url, schedule={"start_at": start})
    assert ready("run", "spring.csv", "--yes").code == 7
    assert "not known" in ready("hours", "spring").out
    write_settings(ready.folder, sandbox.base_url, schedule={"start_at": start}, hours={"mode": "wait"})
    (place,) = ready("hours", "spring", "--json").json["places"]
    assert (place["rows"], place["left_out"], place["zones"]) == (1, "zone_unknown", [])
    assert "zone_unknown" in ready("hours", "spring").out

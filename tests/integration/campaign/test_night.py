"""A night over the zones of the United States, by the numbers alone: who goes, who waits, and until when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.machine import Machine
from tests.support.rehearsal import Rehearsal

#: New York, Chicago, Denver, Los Angeles: two of each, the file's first close last.
NEW_YORK, CHICAGO, DENVER, LOS_ANGELES = ([f"+1{area}555{n:04}" for n in (2001, 2002)] for area in (212, 312, 303, 213))
PEOPLE = [*LOS_ANGELES, *DENVER, *CHICAGO, *NEW_YORK]
OVERRIDES: dict[str, dict[str, Any]] = {
    "hours": {"mode": "wait", "presets": ["floor"]},
    "campaign": {"repeat_after_h": 0},
    "rate": {"per_second": 500, "in_flight": 1},
}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time of New York's, in a November."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)


def contacts(night: Rehearsal) -> Path:
    file = night.folder / "spring.csv"
    file.write_text("phone\n" + "".join(f"{number}\n" for number in PEOPLE), encoding="utf-8")
    return file


def reached(sandbox: Sandbox) -> list[str]:
    return [create["to"] for create in sandbox.creates(after=-1)["creates"]]


async def test_eleven_at_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 23:00 none but the Pacific goes; each other zone at its own 08:00, and `next_at` names the first of them."""
    machine = Machine(monkeypatch)
    machine.put_to(at(18, 23))
    async with Sandbox(SandboxSettings(limit_per_s=0), clock=machine) as sandbox:
        night = Rehearsal(tmp_path, sandbox, overrides=OVERRIDES)
        result = await night.run(contacts(night))
        assert (result.exit_code, reached(sandbox)) == (ExitCode.WAITING, LOS_ANGELES)
        told = {(one.zone, one.rows, one.until_ms) for one in result.waiting}
        opens = {zone: int(at(19, hour).timestamp() * 1000) for zone, hour in (("E", 8), ("C", 9), ("M", 10))}
        assert told == {
            ("America/New_York", 2, opens["E"]),
            ("America/Chicago", 2, opens["C"]),
            ("America/Denver", 2, opens["M"]),
        }
        assert result.next_at_ms == opens["E"]
        expected = list(LOS_ANGELES)
        for hour, opened in ((8, NEW_YORK), (9, CHICAGO), (10, DENVER)):
            # What opens within a minute is waited for.
            machine.put_to(at(19, hour - 1, 55))
            assert (await night.run()).exit_code == ExitCode.WAITING
            assert reached(sandbox) == expected
            machine.put_to(at(19, hour))
            result = await night.run()
            expected += opened
            assert reached(sandbox) == expected
        assert (result.exit_code, result.next_at_ms) == (ExitCode.OK, None)
        night.assert_books_balance()


async def test_the_first_to_close_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the evening all are open: from east to west, whatever the file's order is."""
    machine = Machine(monkeypatch)
    machine.put_to(at(18, 20))
    async with Sandbox(SandboxSettings(limit_per_s=0), clock=machine) as sandbox:
        night = Rehearsal(tmp_path, sandbox, overrides=OVERRIDES)
        assert (await night.run(contacts(night))).exit_code == ExitCode.OK
        assert reached(sandbox) == [*NEW_YORK, *CHICAGO, *DENVER, *LOS_ANGELES]


async def test_what_was_unknown_waits_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked up at night and proved unsent, a row is sent at the opening and not before."""
    machine = Machine(monkeypatch)
    machine.put_to(at(18, 20, 30))
    overrides = OVERRIDES | {"reconcile": {"at_end": False, "settle_s": 30.0}}
    async with Sandbox(SandboxSettings(limit_per_s=0), clock=machine) as sandbox:
        night = Rehearsal(tmp_path, sandbox, overrides=overrides)
        night.faults({"500_before": 1})
        assert (await night.run(contacts(night), limit=2)).exit_code == ExitCode.SOME_UNKNOWN
        assert night.states()["unknown"] == 2
        night.faults({})
        machine.put_to(at(18, 23))
        # Somebody who is open goes: a later execution proves that the others are not there.
        assert (await night.run(limit=1)).exit_code in (ExitCode.SOME_UNKNOWN, ExitCode.WAITING)
        await night.reconcile()
        assert (night.states()["unknown"], night.states()["planned"]) == (0, 7)
        assert (await night.run()).exit_code == ExitCode.WAITING
        assert reached(sandbox) == LOS_ANGELES
        machine.put_to(at(19, 10))
        assert (await night.run()).exit_code == ExitCode.OK
        assert sorted(reached(sandbox)) == sorted(PEOPLE)
        night.assert_books_balance()

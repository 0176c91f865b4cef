"""`dispatcher hours`: looked up without credentials and without a ledger. Only what is true at any time of day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from dispatcher.rules.clocks import TZ_VERSION
from dispatcher.rules.presets import presets
from tests.acceptance.cli.program import Program

NEW_YORK = "+12125550123"
NO_CREDENTIALS: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}
NARROW: dict[str, str | None] = {"COLUMNS": "80"}


def ask(program: Program, *arguments: str) -> Any:
    found = program("hours", *arguments, "--json", env=NO_CREDENTIALS)
    assert (found.code, found.err) == (0, "")
    return found.json


def test_what_holds_by_default(program: Program) -> None:
    """The mode and why, the presets, the zones' version; and nothing was made anywhere."""
    told = ask(program)
    assert (told["mode"], told["mode_source"], told["presets"]) == ("wait", "default", list(presets()))
    assert told["tz_version"] == TZ_VERSION
    assert {"America/New_York", "Europe/London", "Asia/Kolkata"} < {one["clock"] for one in told["zones"]}
    for one in told["zones"]:
        # In a week every country has had a day that is no holiday.
        at = datetime.fromisoformat(one["closes_at"] if one["open"] else one["opens_at"])
        assert timedelta(0) < at - datetime.fromisoformat(told["now"]) < timedelta(days=8)
    assert list(program.folder.iterdir()) == []


def test_it_is_read_at_80_columns(program: Program) -> None:
    """Settings, table and presets fit a terminal of 80 columns; each time has a zone."""
    settings = program("hours", env={**NO_CREDENTIALS, **NARROW})
    assert settings.code == 0
    assert "wait: rows wait for their hours (the default)" in settings.out
    assert f"tzdata {TZ_VERSION}" in settings.out
    shown = program("hours", "--presets", env=NARROW)
    assert shown.code == 0
    assert "not legal advice" in shown.err
    squeezed = " ".join(shown.out.split())
    for preset in presets().values():
        assert preset.source in squeezed
        assert str(preset.checked_on) in squeezed
    number = program("hours", NEW_YORK, "client:bob", env=NARROW)
    assert "by its area code" in number.out
    assert "no hours hold" in number.out
    assert " in America/New_York" in number.out
    assert max(map(len, (settings.out + shown.out + number.out).splitlines())) <= 80


def test_a_contact(program: Program) -> None:
    """The place and what holds there; open or closed, with when that changes."""
    (told,) = ask(program, "(212) 555-0123", "--region", "US", "--area", "FL")["contacts"]
    assert (told["address"], told["state"], told["presets"]) == (NEW_YORK, "US-FL", ["floor", "us", "us-fl"])
    assert (told["open"], told["opens_at"] is None) == (told["closes_at"] is not None, told["open"])
    (lost,) = ask(program, "+870773111632")["contacts"]
    assert (lost["left_out"], lost["open"]) == ("zone_unknown", False)
    assert "left out (zone_unknown), exit code 3" in program("hours", "+870773111632").out


def test_a_rehearsal_says_that_hours_are_off(program: Program) -> None:
    """What is shown is what would hold, and that it does not is said first."""
    told = program("hours", NEW_YORK, "--base-url", "http://127.0.0.1:8700")
    assert told.code == 0
    assert told.err.startswith("off: rows are sent at any hour (Studio is on this machine: a rehearsal); what follows")
    (program.folder / "config.toml").write_text('[campaign]\npurpose = "transactional"\n', encoding="utf-8")
    assert 'off: rows are sent at any hour ([campaign] purpose = "transactional")' in program("hours").out


@pytest.mark.parametrize(
    ("hours", "error", "fix"),
    [
        ('presets = ["us_fl"]', "there is no such preset", "is us-fl meant?"),
        ('override = ["texts"]', "there is no such preset", "the presets are floor, us,"),
        ('open = "22:00-23:00"', "the hours never open", ""),
        ('open = "9-20"', "the hours cannot be read", "write hours as 09:00-20:00"),
    ],
)
def test_what_is_wrong_in_the_settings(program: Program, hours: str, error: str, fix: str) -> None:
    """Exit code 2 with what was found and what to write; the presets are shown all the same."""
    (program.folder / "config.toml").write_text(f"[hours]\n{hours}\n", encoding="utf-8")
    for arguments in ((), (NEW_YORK,)):
        told = program("hours", *arguments)
        assert (told.code, told.out) == (2, "")
        assert f"error[hours]: {error}" in told.err
        assert fix in told.err
    assert program("hours", "--presets").code == 0


@pytest.mark.parametrize(
    "arguments",
    [("12",), (NEW_YORK, "--zone", "Mars"), (NEW_YORK, "--area", "ZZ"), ("--zone", "UTC"), (NEW_YORK, "--presets")],
)
def test_what_cannot_be_asked(program: Program, arguments: tuple[str, ...]) -> None:
    """What is no number, no zone or no state, or goes with nothing, is a usage error that shows no number."""
    told = program("hours", *arguments)
    assert (told.code, told.out) == (2, "")
    assert "error[usage]" in told.err
    assert NEW_YORK not in told.err

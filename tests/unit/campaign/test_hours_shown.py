"""The hours as people look at them: what holds and why, where a number may be, and when it is open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.campaign.hours_shown import (
    MAIN_ZONES,
    HoursShown,
    ModeSource,
    hours_object,
    outermost,
    preset_objects,
    standing_object,
)
from dispatcher.errors import HoursError, SettingsError, UsageError
from dispatcher.rules.clocks import count_clocks
from dispatcher.rules.week import read_week
from dispatcher.settings import Settings

#: A Thursday, 11:00 in New York and 21:30 in Delhi.
NOW = "2026-11-26T16:00:00Z"
NEW_YORK, UNKNOWN = "+12125550123", "+870773111632"


def shown(now: str = NOW, /, **tables: dict[str, Any]) -> HoursShown:
    at_ms = int(datetime.fromisoformat(now).astimezone(UTC).timestamp()) * 1000
    return HoursShown(Settings.model_validate(tables), at_ms)


def told(of: HoursShown, *numbers: str, zone: str = "", area: str = "") -> Any:
    found = [standing_object(one, of.now_ms) for one in of.contacts(numbers, zone, area)]
    assert json.loads(json.dumps(found)) == found
    return found[0] if len(numbers) == 1 else found


@pytest.mark.parametrize(
    ("tables", "mode", "source"),
    [
        ({}, "wait", ModeSource.default),
        ({"hours": {"mode": "warn"}}, "warn", ModeSource.set),
        ({"account": {"base_url": "http://127.0.0.1:8700"}}, "off", ModeSource.loopback),
        ({"account": {"base_url": "http://127.0.0.1:8700"}, "hours": {"mode": "wait"}}, "wait", ModeSource.set),
        ({"campaign": {"purpose": "transactional"}, "hours": {"mode": "wait"}}, "off", ModeSource.transactional),
    ],
)
def test_why_hours_hold_or_not(tables: dict[str, Any], mode: str, source: ModeSource) -> None:
    """The mode is the one that a run has, with why; what is shown is as if rows waited."""
    found = hours_object(shown(**tables))
    assert (found["mode"], found["mode_source"]) == (mode, source.value)
    assert found["mode"] == Settings.model_validate(tables).hours_mode
    assert told(shown("2026-11-27T04:00:00Z", **tables), NEW_YORK)["open"] is False


def test_an_open_number() -> None:
    """Where it is and by what that is known, what holds there, today's hours and the closing, by its own clock."""
    assert told(shown(), NEW_YORK) == {
        "address": NEW_YORK,
        "zones": ["America/New_York"],
        "country": "US",
        "state": "US-NY",
        "told_by": "area_code",
        "presets": ["floor", "us"],
        "left_out": None,
        "clock": "America/New_York",
        "now": "2026-11-26T11:00:00-05:00",
        "today": [{"opens": "2026-11-26T08:00:00-05:00", "closes": "2026-11-26T20:55:00-05:00"}],
        "open": True,
        "closes_at": "2026-11-26T20:55:00-05:00",
        "opens_at": None,
    }


def test_a_closed_number() -> None:
    """Closed at 20:55 sharp, and open at 08:00 sharp: five minutes before the end nothing leaves any more."""
    last = told(shown("2026-11-27T01:54:59Z"), NEW_YORK)
    closed = told(shown("2026-11-27T01:55:00Z"), NEW_YORK)
    assert (last["open"], closed["open"]) == (True, False)
    assert (closed["closes_at"], closed["opens_at"]) == (None, "2026-11-27T08:00:00-05:00")
    assert closed["today"] == last["today"]
    assert told(shown("2026-11-27T13:00:00Z"), NEW_YORK)["open"] is True


def test_today_is_the_contacts_day() -> None:
    """The day is the one that the contact's clock has; on the day of a change it has its own length."""
    assert told(shown("2026-11-26T20:00:00Z"), "+919876543210")["today"][0]["opens"] == "2026-11-27T09:00:00+05:30"
    hours = {"hours": {"presets": [], "open": "00:00-24:00", "close_early_min": 0}}
    (window,) = told(shown("2026-11-01T12:00:00Z", **hours), NEW_YORK)["today"]
    assert window["opens"] == "2026-11-01T00:00:00-04:00"
    hours = {"hours": {"presets": [], "open": "09:00-12:30, 13:30-21:00", "close_early_min": 0}}
    windows = told(shown(**hours), NEW_YORK)["today"]
    assert [(one["opens"][11:16], one["closes"][11:16]) for one in windows] == [("09:00", "12:30"), ("13:30", "21:00")]


def test_several_zones() -> None:
    """What a state or a number leaves open is closed until the last of its clocks opens."""
    found = told(shown("2026-11-26T13:30:00Z"), NEW_YORK, area="FL")
    assert (found["zones"], found["told_by"]) == (["America/New_York", "America/Chicago"], "several_zones")
    assert found["presets"] == ["floor", "us", "us-fl"]
    assert (found["open"], found["opens_at"]) == (False, "2026-11-26T09:00:00-05:00")
    at_ms = shown().now_ms
    assert outermost(["America/Chicago", "America/New_York", "Europe/Paris"], at_ms) == (
        "Europe/Paris",
        "America/Chicago",
    )
    assert outermost(["America/New_York", "America/Toronto"], at_ms) == ("America/New_York",)


def test_a_zone_beside_the_number() -> None:
    """A zone or a state is read as a column's cell is, and what is none is refused."""
    found = told(shown(), NEW_YORK, zone="america/denver")
    assert (found["zones"], found["told_by"], found["presets"]) == (["America/Denver"], "column", ["floor", "us"])
    for cells in ({"zone": "Mars"}, {"area": "ZZ"}):
        with pytest.raises(UsageError):
            shown().contacts([NEW_YORK], **cells)


def test_numbers_are_read_with_the_region() -> None:
    """As a file's cells are, by [columns] region; each is answered once, in the order of the command line."""
    german = shown(columns={"region": "DE"})
    assert [one["address"] for one in told(german, "030 901820", NEW_YORK, "+4930901820")] == ["+4930901820", NEW_YORK]
    with pytest.raises(UsageError, match="cannot be understood"):
        shown().contacts(["030 901820"])


def test_addresses_that_are_no_number() -> None:
    """No hours hold for them, but for a deadline, unless a zone is beside them or is the default."""
    found = told(shown(), "client:bob")
    assert (found["zones"], found["open"], found["closes_at"], found["left_out"]) == ([], True, None, None)
    assert told(shown(schedule={"deadline": "2026-11-27T10:00Z"}), "client:bob")["closes_at"] == (
        "2026-11-27T10:00:00+00:00"
    )
    assert told(shown(), "client:bob", zone="Asia/Kolkata")["open"] is False
    default = {"hours": {"zone_unknown": "default", "default_zone": "Asia/Kolkata"}}
    assert told(shown(**default), "client:bob")["told_by"] == "default"


def test_numbers_of_no_known_zone() -> None:
    """Left out, as in a run; with a default zone they are there."""
    found = told(shown(), UNKNOWN)
    assert (found["left_out"], found["open"], found["opens_at"]) == ("zone_unknown", False, None)
    default = {"hours": {"zone_unknown": "default", "default_zone": "America/New_York"}}
    assert told(shown(**default), UNKNOWN)["closes_at"] == "2026-11-26T20:55:00-05:00"


def test_start_and_deadline_hold_too() -> None:
    """The next opening is after the start, and a deadline before it is the end."""
    start = told(shown(schedule={"start_at": "2026-12-01T10:00"}), NEW_YORK)
    assert (start["open"], start["opens_at"]) == (False, "2026-12-01T10:00:00-05:00")
    assert told(shown(schedule={"deadline": "2026-11-26T12:00"}), NEW_YORK)["closes_at"] == "2026-11-26T12:00:00-05:00"
    assert told(shown(schedule={"deadline": "2026-11-26T10:00"}), NEW_YORK)["left_out"] == "expired"


def test_hours_that_never_open_somewhere() -> None:
    """Own hours that a country's preset does not have leave its contacts out, and nobody else."""
    early = shown(hours={"open": "08:00-08:50"})
    assert told(early, "+919876543210")["left_out"] == "no_window"
    assert told(early, NEW_YORK)["opens_at"] == "2026-11-27T08:00:00-05:00"


def test_presets_in_force_and_overridden() -> None:
    """What is taken out on purpose does not hold, and is named."""
    found = shown(hours={"override": ["us-fl"]})
    assert hours_object(found)["override"] == ["us-fl"]
    assert "us-fl" not in hours_object(found)["presets"]
    assert told(found, "+13055550123")["presets"] == ["floor", "us"]


def test_the_main_zones_and_the_regions() -> None:
    """One line for each clock that differs; those of the settings' region are among them."""
    assert [one.clock for one in shown().zones()] == list(MAIN_ZONES)
    assert [one.clock for one in shown(columns={"region": "FR"}).zones()] == list(MAIN_ZONES)
    australian = [one.clock for one in shown(columns={"region": "AU"}).zones()]
    assert {"Australia/Perth", "Australia/Broken_Hill", "Australia/Brisbane"} < set(australian)
    assert count_clocks(australian) == len(australian)
    by_zone = {one.clock: one for one in shown().zones()}
    assert [zone for zone, one in by_zone.items() if not one.is_open] == ["Asia/Kolkata", "Australia/Sydney"]
    assert by_zone["Asia/Kolkata"].presets == ("floor", "in")


@pytest.mark.parametrize("mode", ["wait", "off"])
@pytest.mark.parametrize(
    ("tables", "error"),
    [
        ({"hours": {"presets": ["us_fl"]}}, HoursError),
        ({"hours": {"open": "22:00-23:00"}}, HoursError),
        ({"hours": {"zone_unknown": "default", "default_zone": "Mars"}}, HoursError),
        ({"hours": {"zone_unknown": "default"}}, SettingsError),
        ({"schedule": {"start_at": "tomorrow"}}, SettingsError),
    ],
)
def test_what_is_wrong_in_the_settings(mode: str, tables: dict[str, Any], error: type[SettingsError]) -> None:
    """Settings that a run would refuse are refused, also where hours are off."""
    tables = {**tables, "hours": {"mode": mode, **tables.get("hours", {})}}
    with pytest.raises(error):
        shown(**tables)


def test_presets_as_data() -> None:
    """Each preset with hours that can be set as they are written, where it holds, source and date."""
    found = {one["name"]: one for one in preset_objects()}
    assert json.loads(json.dumps(found)) == found
    assert found["fr"]["open"] == {"mon-sat": "08:00-22:00", "sun": ""}
    assert (found["fr"]["holidays"], found["floor"]["applies_to"]) == ("closed", None)
    assert found["us-fl"]["cooloff"] == {"max": 3, "period_h": 24}
    for one in found.values():
        assert any(read_week(one["open"]))
        assert one["source"]
        assert one["checked_on"]


def test_a_day_that_is_closed() -> None:
    """On a public holiday nothing opens where a preset or the settings close it; the next day does."""
    paris = told(shown("2026-12-25T09:00:00Z"), "+33612345678")
    assert (paris["today"], paris["open"], paris["opens_at"]) == ([], False, "2026-12-26T08:00:00+01:00")
    assert told(shown("2026-12-25T16:00:00Z"), NEW_YORK)["open"] is True
    assert told(shown("2026-12-25T16:00:00Z", hours={"holidays": "closed"}), NEW_YORK)["today"] == []

"""Fault tables: names, probabilities, schedules, and that a run repeats."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.errors import SettingsError
from dispatcher.sandbox.faults import (
    ALIASES,
    FAULTS,
    FaultPhase,
    FaultPlan,
    Target,
    fault_named,
    parse_fault,
    parse_phases,
)


def drawn(plan: FaultPlan, count: int, *, now_us: int = 0, target: Target = Target.CREATE) -> list[str]:
    return [fault.name if (fault := plan.draw(target, now_us)) else "" for _ in range(count)]


def plan_of(payload: dict[str, Any], *, seed: int = 0, now_us: int = 0) -> FaultPlan:
    plan = FaultPlan(seed)
    plan.replace(parse_phases(payload), now_us)
    return plan


def test_an_unknown_fault() -> None:
    """An unknown fault is refused with the nearest names, and with all of them."""
    with pytest.raises(SettingsError) as caught:
        FaultPhase(faults={"reset_befor": 0.1})
    assert caught.value.found == "reset_befor"
    assert "did you mean reset_before" in str(caught.value.fix)
    assert all(name in str(caught.value.fix) for name in FAULTS)


def test_plain_names_of_faults() -> None:
    """A plain name (`500`) means the fault that comes before the request is carried out."""
    assert fault_named("500") is FAULTS["500_before"]
    assert fault_named("update_reset") is FAULTS["update_reset_before"]
    assert all(not FAULTS[name].after for name in ALIASES.values())
    assert not set(ALIASES) & set(FAULTS)


@pytest.mark.parametrize(
    "faults",
    [
        {"429": -0.1},
        {"429": 1.1},
        {"429": "0.5"},
        {"429": True},
        {"429": 0.6, "500": 0.6},
        {"read_429": 0.9, "read_500": 0.2},
    ],
)
def test_probabilities_that_make_no_sense_are_refused(faults: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        FaultPhase(faults=faults)


def test_creates_and_reads_apart() -> None:
    """Creates and reads have probabilities of their own."""
    plan = plan_of({"429": 1, "read_500": 1})
    assert drawn(plan, 3) == ["429"] * 3
    assert drawn(plan, 3, target=Target.READ) == ["read_500"] * 3
    assert drawn(plan, 3, target=Target.UPDATE) == [""] * 3


def test_how_often_faults_come() -> None:
    """Faults come as often as their probability says."""
    names = drawn(plan_of({"429": 0.3, "500_after": 0.1}), 20_000)
    assert names.count("429") == pytest.approx(6_000, rel=0.05)
    assert names.count("500_after") == pytest.approx(2_000, rel=0.1)


def test_faults_repeat_with_the_seed() -> None:
    """The same seed repeats the faults, and another does not."""
    table = {"429": 0.3, "reset_after": 0.3}
    assert drawn(plan_of(table, seed=5), 200) == drawn(plan_of(table, seed=5), 200)
    assert drawn(plan_of(table, seed=5), 200) != drawn(plan_of(table, seed=6), 200)


def test_reads_between_creates() -> None:
    """Reads in between do not change what creates draw."""
    alone, mixed = plan_of({"429": 0.5}), plan_of({"429": 0.5})
    expected = drawn(alone, 50)
    found = []
    for _ in range(50):
        mixed.draw(Target.READ, 0)
        found += drawn(mixed, 1)
    assert found == expected


def test_a_schedule_of_seconds() -> None:
    """A schedule of seconds goes on to its next table at its end."""
    plan = plan_of({"429": 1, "for_s": 60, "then": {"500": 1, "for_s": 5}}, now_us=1_000_000)
    assert drawn(plan, 1, now_us=60_999_999) == ["429"]
    assert drawn(plan, 1, now_us=61_000_000) == ["500_before"]
    assert drawn(plan, 1, now_us=66_000_000) == [""]


def test_a_schedule_that_is_over_unseen() -> None:
    """A schedule whose time is over before any request came is skipped whole."""
    plan = plan_of({"429": 1, "for_s": 60, "then": {"500": 1, "for_s": 5, "then": {"503": 1}}})
    assert drawn(plan, 1, now_us=1_000_000_000) == ["503_before"]


def test_a_schedule_of_requests() -> None:
    """A schedule of requests counts only requests that it could hit."""
    plan = plan_of({"500_after": 1, "for_requests": 2})
    assert drawn(plan, 5, target=Target.READ) == [""] * 5
    assert drawn(plan, 3) == ["500_after", "500_after", ""]


def test_an_empty_table() -> None:
    """An empty table lets its number of creates through."""
    assert drawn(plan_of({"for_requests": 2, "then": {"429": 1}}), 4) == ["", "", "429", "429"]


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "429",
        {"429": 1, "then": {"500": 1}},
        {"429": 1, "for_s": "long"},
        {"429": 1, "for_s": 0},
        {"for_requests": 0},
        {"for_requests": 1.5},
        {"429": 1, "for_s": 1, "then": []},
        {"429": 1, "for_s": True},
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(payload: object) -> None:
    with pytest.raises(SettingsError):
        parse_phases(payload)


def test_a_fault_on_a_command_line() -> None:
    """A fault on a command line is a name and a probability, and anything else is refused."""
    assert parse_fault("429=0.3") == ("429", 0.3)
    for text in ("429", "429=", "429=often", "429=nan", "=0.3", "nothing=0.3"):
        with pytest.raises(SettingsError):
            parse_fault(text)

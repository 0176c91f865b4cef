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


def test_an_unknown_fault_is_refused_with_the_nearest_names_and_all_of_them() -> None:
    with pytest.raises(SettingsError) as caught:
        FaultPhase(faults={"reset_befor": 0.1})
    assert caught.value.found == "reset_befor"
    assert "did you mean reset_before" in str(caught.value.fix)
    assert all(name in str(caught.value.fix) for name in FAULTS)


def test_a_plain_word_means_before_the_request_is_carried_out() -> None:
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


def test_creates_and_reads_have_probabilities_of_their_own() -> None:
    plan = plan_of({"429": 1, "read_500": 1})
    assert drawn(plan, 3) == ["429"] * 3
    assert drawn(plan, 3, target=Target.READ) == ["read_500"] * 3
    assert drawn(plan, 3, target=Target.UPDATE) == [""] * 3


def test_faults_come_as_often_as_their_probability_says() -> None:
    names = drawn(plan_of({"429": 0.3, "500_after": 0.1}), 20_000)
    assert names.count("429") == pytest.approx(6_000, rel=0.05)
    assert names.count("500_after") == pytest.approx(2_000, rel=0.1)


def test_the_same_seed_repeats_the_faults_and_another_does_not() -> None:
    table = {"429": 0.3, "reset_after": 0.3}
    assert drawn(plan_of(table, seed=5), 200) == drawn(plan_of(table, seed=5), 200)
    assert drawn(plan_of(table, seed=5), 200) != drawn(plan_of(table, seed=6), 200)


def test_reads_in_between_do_not_change_what_creates_draw() -> None:
    alone, mixed = plan_of({"429": 0.5}), plan_of({"429": 0.5})
    expected = drawn(alone, 50)
    found = []
    for _ in range(50):
        mixed.draw(Target.READ, 0)
        found += drawn(mixed, 1)
    assert found == expected


def test_a_schedule_of_seconds_goes_on_to_its_next_table_at_its_end() -> None:
    plan = plan_of({"429": 1, "for_s": 60, "then": {"500": 1, "for_s": 5}}, now_us=1_000_000)
    assert drawn(plan, 1, now_us=60_999_999) == ["429"]
    assert drawn(plan, 1, now_us=61_000_000) == ["500_before"]
    assert drawn(plan, 1, now_us=66_000_000) == [""]


def test_a_schedule_that_is_over_unseen_is_skipped_whole() -> None:
    plan = plan_of({"429": 1, "for_s": 60, "then": {"500": 1, "for_s": 5, "then": {"503": 1}}})
    assert drawn(plan, 1, now_us=1_000_000_000) == ["503_before"]


def test_a_schedule_of_requests_counts_only_requests_that_it_could_hit() -> None:
    plan = plan_of({"500_after": 1, "for_requests": 2})
    assert drawn(plan, 5, target=Target.READ) == [""] * 5
    assert drawn(plan, 3) == ["500_after", "500_after", ""]


def test_an_empty_table_lets_its_number_of_creates_through() -> None:
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


def test_a_fault_on_a_command_line_is_a_name_and_a_probability() -> None:
    assert parse_fault("429=0.3") == ("429", 0.3)
    for text in ("429", "429=", "429=often", "429=nan", "=0.3", "nothing=0.3"):
        with pytest.raises(SettingsError):
            parse_fault(text)

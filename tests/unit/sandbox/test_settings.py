"""Settings that make no sense are refused before anything starts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dispatcher.errors import SettingsError
from dispatcher.sandbox import SandboxSettings, default_flow
from dispatcher.sandbox.settings import CHANGEABLE


@pytest.mark.parametrize(
    "changed",
    [
        {"port": -1},
        {"port": 65536},
        {"account_sid": "AC1"},
        {"limit_per_s": -1},
        {"limit_per_s": float("nan")},
        {"window_s": 0},
        {"limit_per_s": 0.05},
        {"latency_s": -0.1},
        {"retry_after_s": -1},
        {"ends_after_s": -1},
        {"max_body_bytes": 0},
        {"clock_skew_s": float("inf")},
        {"date_header_skew_s": float("nan")},
        {"date_created_skew_s": float("-inf")},
        {"context_lag_s": -1},
        {"null_address_share": 1.1},
        {"bare_conflict_share": -0.1},
        {"initiated_by": "us"},
        {"huge_bytes": 0},
        {"second_answer_s": -1},
        {"flows": (default_flow(), default_flow())},
        {"faults": {"no such": 1}},
    ],
)
def test_settings_that_make_no_sense(changed: dict[str, Any]) -> None:
    """A setting that makes no sense is refused."""
    with pytest.raises(SettingsError):
        SandboxSettings(**changed)


@pytest.mark.parametrize(
    ("limit_per_s", "window_s", "expected"),
    [(20, 10, 200), (0.3, 10, 3), (0.7, 10, 7), (1.15, 10, 11), (0.29, 100, 29), (0, 10, None)],
)
def test_the_creates_of_a_window(limit_per_s: float, window_s: float, expected: int | None) -> None:
    """A window's creates are the limit times its length, in whole numbers; a limit of 0 is none."""
    assert SandboxSettings(limit_per_s=limit_per_s, window_s=window_s).limit_per_window == expected


def test_settings_changed_while_it_runs() -> None:
    """What can be changed is a number, or one of the words; None only where it means something."""
    settings = SandboxSettings(seed=7).changed({"list_lag_s": 3, "ends_after_s": None, "huge_bytes": 10})
    assert (settings.list_lag_s, settings.ends_after_s, settings.huge_bytes, settings.seed) == (3.0, None, 10, 7)
    for wrong in ({"seed": 1}, {"list_lag_s": None}, {"list_lag_s": "3"}, {"list_lag_s": True}, {"initiated_by": 3}):
        with pytest.raises(SettingsError):
            settings.changed(wrong)


def test_every_name_that_can_be_changed_is_a_setting() -> None:
    """A misspelt name would be refused only when somebody used it."""
    assert {field.name for field in dataclasses.fields(SandboxSettings)} >= CHANGEABLE

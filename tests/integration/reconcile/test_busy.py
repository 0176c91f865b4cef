"""Contacts with another active execution (v2: 409, v1: 200 with the old one): whose it is, what each policy does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ExitCode, SettingsError
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.rehearsal import Rehearsal, phone

NEVER_US = 3_600_000_000
VERSIONS = pytest.mark.parametrize("version", ["v2", "v1"])


def rehearse(folder: Path, sandbox: Sandbox, version: str = "v2", policy: str = "skip", **campaign: Any) -> Rehearsal:
    overrides: dict[str, dict[str, Any]] = {
        "account": {"api_version": version},
        # Else whom somebody has reached a moment ago would not be asked for at all.
        "campaign": {"on_busy": policy, "busy_wait_s": 0.15, "busy_give_up_s": 1.0, "repeat_after_h": 0, **campaign},
    }
    return Rehearsal(folder, sandbox, overrides=overrides)


# --- an execution of somebody else ---


@VERSIONS
@pytest.mark.parametrize("parameters", [None, '{"dispatch_id": "theirs"}', '{"name": "x"}'])
async def test_skip_leaves_the_row_busy(tmp_path: Path, version: str, parameters: str | None) -> None:
    """With `skip` the row stays `busy`, and the other execution is left alone."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, version)
        other = rehearsal.plant(phone(2), age_us=10_000_000, ends_after_us=NEVER_US, parameters=parameters)
        result = await rehearsal.run(rehearsal.contacts(3))
        assert result.exit_code is ExitCode.SOME_REFUSED
        assert rehearsal.states() == {"created": 2, "busy": 1}
        assert sandbox.stats()["creates"] == 2
        assert "update" not in sandbox.stats()["requests"]
        rehearsal.assert_books_balance()
    row = rehearsal.report()[1]
    assert (row["dispatch_status"], row["dispatch_execution_sid"]) == ("busy", "")
    assert other in row["dispatch_error_message"]


@VERSIONS
async def test_wait_asks_again_until_the_contact_is_free(tmp_path: Path, version: str) -> None:
    """With `wait` the row is tried again until the contact is free, and then created."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, version, "wait", busy_give_up_s=20)
        # v1's dates have whole seconds: its execution must be older than that to be known as an old one.
        rehearsal.plant(phone(1), age_us=10_000_000, ends_after_us=10_500_000)
        result = await rehearsal.run(rehearsal.contacts(2))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 2
        assert sandbox.stats()["creates_total_requests"] > 3
        rehearsal.assert_books_balance()
    assert rehearsal.report()[0]["dispatch_status"] == "created"


@VERSIONS
async def test_wait_is_bounded(tmp_path: Path, version: str) -> None:
    """With `wait` the row stays `busy` once `busy_give_up_s` has passed, after a few requests."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, version, "wait")
        rehearsal.plant(phone(1), age_us=10_000_000, ends_after_us=NEVER_US)
        started = time.monotonic()
        result = await rehearsal.run(rehearsal.contacts(1))
        assert 0.8 <= time.monotonic() - started < 5
        assert result.exit_code is ExitCode.SOME_REFUSED
        asked = sandbox.stats()["creates_total_requests"]
        assert 2 <= asked <= 9
    assert rehearsal.states() == {"busy": 1}


@VERSIONS
async def test_end_ends_the_other_one_and_then_sends(tmp_path: Path, version: str) -> None:
    """With `end` the other execution is ended, and then the row is sent."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=None)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, version, "end")
        rehearsal.plant(phone(1), age_us=10_000_000, ends_after_us=NEVER_US)
        result = await rehearsal.run(rehearsal.contacts(2))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 2
        assert sandbox.stats()["active"] == 2  # ours; the other one has ended
        assert sandbox.stats()["requests"]["update"] == 1
        rehearsal.assert_books_balance()


@pytest.mark.parametrize("fault", ["update_500_before", "update_403", "update_404", "update_reset_before"])
async def test_end_that_fails_leaves_the_row_busy(tmp_path: Path, fault: str) -> None:
    """With `end`, where the other execution cannot be ended, the row stays `busy`."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, "v2", "end")
        rehearsal.overrides["retry"] = {"read_attempts": 2}
        rehearsal.plant(phone(1), age_us=10_000_000, ends_after_us=NEVER_US)
        rehearsal.faults({fault: 1.0})
        result = await rehearsal.run(rehearsal.contacts(2))
        assert result.exit_code is ExitCode.SOME_REFUSED
        assert rehearsal.states() == {"created": 1, "busy": 1}


# --- an execution of our own ---


@VERSIONS
@pytest.mark.parametrize("policy", ["skip", "wait", "end"])
async def test_a_conflict_with_our_own_id(tmp_path: Path, version: str, policy: str) -> None:
    """An active execution that carries our id is the row's own, whatever the policy.

    The first attempt created it, the list does not show it: the second attempt meets it.
    """
    settings = SandboxSettings(limit_per_s=0, list_lag_s=60, ends_after_s=None)
    async with Sandbox(settings) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, version, policy)
        # v1's dates have whole seconds: an execution that is younger is taken for ours at once, and it is.
        rehearsal.overrides["reconcile"] = {"settle_s": 0.1 if version == "v2" else 2.5}
        rehearsal.faults({"reset_after": 1.0, "for_requests": 2})
        result = await rehearsal.run(rehearsal.contacts(2))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 2
        assert sandbox.stats()["active"] == 2
        assert "update" not in sandbox.stats()["requests"]
        rehearsal.assert_books_balance()


async def test_a_conflict_that_cannot_be_read(tmp_path: Path) -> None:
    """A conflict that cannot be looked at leaves the row `unknown`, and the other execution is never ended."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, "v2", "end")
        rehearsal.overrides["retry"] = {"read_attempts": 2}
        rehearsal.plant(phone(1), age_us=10_000_000, ends_after_us=NEVER_US)
        rehearsal.faults({"read_503": 1.0})
        result = await rehearsal.run(rehearsal.contacts(1))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert rehearsal.states() == {"unknown": 1}
        assert "update" not in sandbox.stats()["requests"]


async def test_a_conflict_without_its_context(tmp_path: Path) -> None:
    """A conflict whose Context is not there may be the row's own: the row is `unknown`, and nothing is ended."""
    async with Sandbox(SandboxSettings(limit_per_s=0, context_lag_s=60)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, policy="end")
        rehearsal.plant(phone(1), age_us=10_000_000, ends_after_us=NEVER_US)
        result = await rehearsal.run(rehearsal.contacts(1))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert rehearsal.states() == {"unknown": 1}
        assert "update" not in sandbox.stats()["requests"]


# --- two rows with one contact ---


def two_rows_of_one_contact(folder: Path) -> Path:
    path = folder / "spring.csv"
    path.write_text(f"order,phone\nA1,{phone(1)}\nA2,{phone(1)}\nA3,{phone(2)}\n", encoding="utf-8")
    return path


@VERSIONS
async def test_two_rows_of_one_contact_by_key(tmp_path: Path, version: str) -> None:
    """With a key of its own, a second row of a contact is `busy` and never takes the first row's execution."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=None)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, version)
        rehearsal.overrides["columns"] = {"to": "phone", "key": ["order"]}
        result = await rehearsal.run(two_rows_of_one_contact(tmp_path))
        assert result.exit_code is ExitCode.SOME_REFUSED
        assert sandbox.stats()["creates"] == 2
        rehearsal.assert_books_balance()
    assert rehearsal.states() == {"created": 2, "busy": 1}
    sids = [row["dispatch_execution_sid"] for row in rehearsal.report() if row["dispatch_execution_sid"]]
    assert len(sids) == len(set(sids)) == 2


async def test_v1_with_a_key_needs_an_id(tmp_path: Path) -> None:
    """With a key and without an id, v1 is refused, because its answers could not be told apart."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, "v1", id_parameter="")
        rehearsal.overrides["columns"] = {"to": "phone", "key": ["order"]}
        with pytest.raises(SettingsError, match="need an id"):
            await rehearsal.run(two_rows_of_one_contact(tmp_path))
        assert sandbox.stats()["requests"] == {}


async def test_without_an_id_v1_goes_by_the_date(tmp_path: Path) -> None:
    """Without an id, v1 goes by the date: an answer with an older execution means `busy`."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=None)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, "v1", id_parameter="")
        rehearsal.plant(phone(2), age_us=10_000_000, ends_after_us=NEVER_US)
        await rehearsal.run(rehearsal.contacts(3))
        assert sandbox.stats()["creates"] == 2
    assert [row["dispatch_status"] for row in rehearsal.report()] == ["created", "busy", "created"]

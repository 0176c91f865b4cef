"""A flow's name stands wherever its SID does; a name that is not one flow's starts nothing."""

from __future__ import annotations

import pytest

from tests.acceptance.cli.program import (
    FLOW,
    Program,
    SandboxProcess,
    phone,
    read_report,
    write_contacts,
    write_settings,
)

NAME = "Appointment reminder"


@pytest.fixture
def named(program: Program, sandbox: SandboxProcess) -> Program:
    """The settings name the flow."""
    write_settings(program.folder, sandbox.base_url, campaign={"flow": NAME})
    write_contacts(program.folder / "spring.csv", 4)
    return program


def test_a_name_in_the_settings(named: Program, sandbox: SandboxProcess) -> None:
    """`run`, a test send, `resume`, `retry` and what looks at it afterwards: all as with the SID."""
    assert named("run", "spring.csv", "--dry-run", "--json").code == 0
    assert named("run", "spring.csv", "--test-to", phone(900)).code == 0
    sandbox.faults(reject=1, for_requests=1)
    assert named("run", "spring.csv", "--yes", "--limit", "3").code == 3
    assert named("resume", "spring", "--yes").code in (0, 3)
    assert named("retry", "spring", "--all-rejected", "--yes").code == 0
    assert named("reconcile", "spring").code == 0
    assert named("executions", "list").code == 0
    assert len({row["dispatch_execution_sid"] for row in read_report(named.folder / "spring-report.csv")}) == 4
    assert {create["flow_sid"] for create in sandbox.creates()} == {FLOW}
    doctor = named("doctor", "--json").json
    assert f'"{NAME}" is {FLOW}' in [check["found"] for check in doctor["checks"] if check["name"] == "flow"]


def test_the_name_and_the_sid_are_one(named: Program, sandbox: SandboxProcess) -> None:
    """A contact that was reached on the flow by its SID is not reached again by its name."""
    assert named("run", "spring.csv", "--yes", "--campaign", "first", "--flow", FLOW).code == 0
    again = named("run", "spring.csv", "--yes", "--campaign", "second", "--flow", NAME, "--json")
    assert again.json["skipped"] == {"contacted": 4}
    assert sandbox.stats()["creates"] == 4


@pytest.mark.parametrize(
    "command", [("run", "spring.csv", "--yes"), ("run", "spring.csv", "--test-to", "+12025550199")]
)
def test_a_wrong_name_starts_nothing(named: Program, sandbox: SandboxProcess, command: tuple[str, ...]) -> None:
    """Exit code 2 with the nearest name, whatever its capitals; nothing is sent."""
    result = named(*command, "--flow", "appointment REMINDER")
    assert result.code == 2
    assert 'has no flow named "appointment REMINDER"' in result.err
    assert f"fix: --flow '{NAME}'" in result.err
    assert sandbox.stats()["creates_total_requests"] == 0


def test_check_of_a_wrong_name(named: Program) -> None:
    """The file is checked all the same; what is wrong with the flow is said, and is the exit code."""
    result = named("check", "spring.csv", "--flow", "Remnider", "--json")
    assert result.code == 2
    assert result.json["flow"]["error"]["code"] == "settings"
    assert result.json["rows"]["planned"] == 4
    assert named("check", "spring.csv", "--flow", "Remnider", "--offline").code == 0


def test_a_name_without_credentials_or_studio(named: Program) -> None:
    """`check` reads the file; `cancel` works where nobody can be asked."""
    without: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}
    assert named("check", "spring.csv", env=without).code == 0
    assert named("run", "spring.csv", "--yes", "--limit", "1").code == 0
    nobody: dict[str, str | None] = {"DISPATCHER_RETRY_READ_ATTEMPTS": "1"}
    gone = ("--base-url", "http://127.0.0.1:9")
    assert named("check", "spring.csv", *gone, env=nobody).code == 5
    assert named("cancel", "spring", "--reason", "wrong", "--yes", env=without).code == 0

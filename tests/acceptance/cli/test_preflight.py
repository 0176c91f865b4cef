"""Whether the flow fits the file, found before anything is sent: check and run from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    read_report,
    sandbox_process,
    write_contacts,
    write_settings,
)

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "flow.json"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The sample flow, with a variable that no file brings in one of its widgets."""
    folder = tmp_path_factory.mktemp("planted")
    definition: dict[str, Any] = orjson.loads(SAMPLE.read_bytes())
    for state in definition["states"]:
        if state["name"] == "say_see_you":
            state["properties"]["body"] += ' {% if flow.data["voucher code"] %}Bring it along.{% endif %}'
    (folder / "flow.json").write_bytes(orjson.dumps(definition))
    with sandbox_process(folder, "--limit", "500", "--flow-file", str(folder / "flow.json")) as sandbox:
        yield sandbox


def test_a_missing_variable_stops_a_run(program: Program, planted: SandboxProcess) -> None:
    """A variable that is missing in the file is found with its widget, and stops a run."""
    planted.reset()
    write_settings(program.folder, planted.base_url)
    contacts = write_contacts(program.folder / "c.csv", 3)
    checked = program("check", contacts)
    assert checked.code == 2
    assert "flow error: the flow uses flow.data.voucher code in say_see_you" in checked.err
    assert "fix: add a column 'voucher code'" in checked.err
    (error,) = [
        one for one in program("check", contacts, "--json").json["flow"]["findings"] if one["severity"] == "error"
    ]
    assert error["code"] == "missing_parameter"

    stopped = program("run", contacts, "--yes", "--json")
    assert (stopped.code, stopped.json["rows"]["planned"]) == (2, 3)
    assert "error[preflight]" in stopped.err
    assert "--no-preflight" in stopped.err
    assert planted.stats()["creates_total_requests"] == 0
    assert {row["dispatch_status"] for row in read_report(program.folder / "c-report.csv")} == {"planned"}

    assert program("run", contacts, "--yes", "--no-preflight").code == 0
    assert planted.stats()["creates"] == 3


def test_with_the_column_or_a_constant_the_flow_fits(program: Program, planted: SandboxProcess) -> None:
    """With a column or a constant for every variable that it uses, the flow fits the file."""
    planted.reset()
    write_settings(program.folder, planted.base_url)
    with_column = program.folder / "column.csv"
    with_column.write_text("phone,first_name,voucher code\n+12025550100,Ada,X1\n", encoding="utf-8")
    result = program("check", with_column)
    assert result.code == 0, result.err
    # The flow waits for an answer: where that goes is worth a warning.
    assert "flow warning: replies reach these executions only where +15550001111 is configured" in result.err
    write_settings(program.folder, planted.base_url, columns={"constants": None})
    config = (program.folder / "config.toml").read_text(encoding="utf-8")
    (program.folder / "config.toml").write_text(
        config + '[columns.constants]\n"voucher code" = "X1"\n', encoding="utf-8"
    )
    plain = write_contacts(program.folder / "plain.csv", 1)
    assert program("run", plain, "--yes").code == 0


def test_an_unpublished_flow_is_found(program: Program) -> None:
    """An unpublished flow is found by `check` and by `run`."""
    with sandbox_process(program.folder, "--flow-status", "draft") as sandbox:
        write_settings(program.folder, sandbox.base_url)
        contacts = write_contacts(program.folder / "c.csv", 2)
        for result in (program("check", contacts), program("run", contacts, "--yes")):
            assert result.code == 2
            assert "has never been published" in result.err
            assert "press Publish" in result.err
        assert sandbox.stats()["creates_total_requests"] == 0


def test_check_without_asking_studio(ready: Program, sandbox: SandboxProcess) -> None:
    """`check` without credentials or offline says that the flow was not checked."""
    contacts = write_contacts(ready.folder / "c.csv", 2)
    anonymous = ready("check", contacts, env={"TWILIO_AUTH_TOKEN": None})
    assert (anonymous.code, "the flow was not checked: there are no credentials" in anonymous.err) == (0, True)
    offline = ready("check", contacts, "--offline")
    assert (offline.code, "the flow was not checked: --offline" in offline.err) == (0, True)
    assert sandbox.stats()["requests"] == {}
    as_json = ready("check", contacts, "--offline", "--json").json
    assert as_json["flow"] == {"checked": False, "findings": [], "error": None}


def test_check_says_what_keeps_it_from_asking(ready: Program, sandbox: SandboxProcess) -> None:
    contacts = write_contacts(ready.folder / "c.csv", 2)
    sandbox.faults(read_403=1)
    refused = ready("check", contacts)
    assert (refused.code, "may not read the flow" in refused.err) == (4, True)
    unknown = ready("check", contacts, "--flow", "FW" + "a" * 32)
    assert unknown.code == 4
    sandbox.faults()
    unknown = ready("check", contacts, "--flow", "FW" + "a" * 32, "--json")
    assert (unknown.code, unknown.json["flow"]["error"]["code"]) == (2, "flow_not_found")


def test_a_studio_that_cannot_be_asked(ready: Program, sandbox: SandboxProcess) -> None:
    """A Studio that cannot be asked stops a run before it begins."""
    write_settings(ready.folder, sandbox.base_url, retry={"read_attempts": 2})
    contacts = write_contacts(ready.folder / "c.csv", 2)
    sandbox.faults(read_500=1)
    result = ready("run", contacts, "--yes")
    assert result.code == 5
    assert "--no-preflight" in result.err
    assert sandbox.stats()["creates"] == 0
    # Nor can it be asked whom others have reached; who does without both may go on.
    assert ready("run", contacts, "--yes", "--no-preflight").code == 5
    assert sandbox.stats()["creates"] == 0
    write_settings(ready.folder, sandbox.base_url, retry={"read_attempts": 2}, campaign={"repeat_after_h": 0})
    assert ready("run", contacts, "--yes", "--no-preflight").code == 0


def test_v1_is_checked_as_far_as_v1_tells(ready: Program) -> None:
    """On v1, which does not show a flow's definition, `check` says so and ends with 0."""
    contacts = write_contacts(ready.folder / "c.csv", 2)
    result = ready("check", contacts, env={"DISPATCHER_ACCOUNT_API_VERSION": "v1"})
    assert result.code == 0
    assert "v1 of the API does not show a flow's definition" in result.err

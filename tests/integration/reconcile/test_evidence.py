"""What proves neither: rows stay `unknown` with the evidence in their message, and the run says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ExitCode
from dispatcher.model import RowState
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.rehearsal import Rehearsal, phone

DOUBT = {"reset_before": 1.0, "for_requests": 1}


async def rehearse(folder: Path, sandbox: Sandbox, *, id_parameter: str = "dispatch_id") -> Rehearsal:
    """One row left unknown, of which nothing was created."""
    overrides: dict[str, dict[str, Any]] = {
        "reconcile": {"at_end": False, "settle_s": 0.2},
        "campaign": {"id_parameter": id_parameter},
    }
    rehearsal = Rehearsal(folder, sandbox, overrides=overrides)
    rehearsal.faults(DOUBT)
    result = await rehearsal.run(rehearsal.contacts(1))
    assert result.exit_code is ExitCode.SOME_UNKNOWN
    return rehearsal


async def run_again(rehearsal: Rehearsal) -> ExitCode:
    rehearsal.overrides["reconcile"]["at_end"] = True
    return (await rehearsal.run()).exit_code


@pytest.mark.parametrize("parameters", [None, "{}", '{"dispatch_id": "theirs"}', '{"name": "x"}', "[1]"])
async def test_another_program_s_execution(tmp_path: Path, parameters: str | None) -> None:
    """Another program's execution of the contact leaves the row `unknown`, and the message names it."""
    async with Sandbox(SandboxSettings(limit_per_s=0, parameters_check="none")) as sandbox:
        rehearsal = await rehearse(tmp_path, sandbox)
        theirs = rehearsal.plant(phone(1), ends_after_us=1, parameters=parameters)
        assert await run_again(rehearsal) is ExitCode.SOME_UNKNOWN
        assert sandbox.stats()["creates"] == 0
    row = rehearsal.report()[0]
    assert row["dispatch_status"] == "unknown"
    assert theirs in row["dispatch_error_message"]
    assert row["dispatch_execution_sid"] == ""


async def test_another_row_s_execution(tmp_path: Path) -> None:
    """Another row's execution of the contact is no evidence for this one.

    It carries an id of this program, so it is known whose it is.
    """
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = await rehearse(tmp_path, sandbox)
        rehearsal.plant(phone(1), ends_after_us=1, parameters='{"dispatch_id": "d-0123456789abcdef01234567"}')
        assert await run_again(rehearsal) is ExitCode.OK
        assert sandbox.stats()["creates"] == 1


async def test_an_older_execution_is_no_evidence(tmp_path: Path) -> None:
    """An older execution of the contact is no evidence: the row is sent again."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = await rehearse(tmp_path, sandbox)
        rehearsal.plant(phone(1), age_us=30_000_000, ends_after_us=1)
        assert await run_again(rehearsal) is ExitCode.OK
        assert sandbox.stats()["creates"] == 1


async def test_another_contact_s_execution(tmp_path: Path) -> None:
    """An execution of another contact is no evidence, and its Context is not read."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = await rehearse(tmp_path, sandbox)
        rehearsal.plant(phone(2), ends_after_us=1)
        assert await run_again(rehearsal) is ExitCode.OK
        assert "context" not in sandbox.stats()["requests"]


async def test_an_execution_without_its_context(tmp_path: Path) -> None:
    """A Context that is gone leaves the row `unknown`, with the execution named; read later, it resolves the row."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"at_end": False}})
        rehearsal.faults({"reset_after": 1.0, "for_requests": 1})
        await rehearsal.run(rehearsal.contacts(1))
        sid = sandbox.creates()["creates"][0]["sid"]
        sandbox.change(context_lag_s=60)
        found, status = await rehearsal.reconcile()
        assert (found.unresolved, found.created, found.planned, status.rows[RowState.unknown]) == (1, 0, 0, 1)
        assert sid in rehearsal.report()[0]["dispatch_error_message"]
        # When it can be read again, the row is resolved.
        sandbox.change(context_lag_s=0)
        found, status = await rehearsal.reconcile()
        assert (found.created, status.rows[RowState.created]) == (1, 1)
        rehearsal.assert_books_balance()


@pytest.mark.parametrize("fault", ["reset_after", "reset_before"])
async def test_unknown_rows_without_an_id(tmp_path: Path, fault: str) -> None:
    """Without an id in Parameters, rows that are `unknown` stay so, and the message says why."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        overrides: dict[str, dict[str, Any]] = {"campaign": {"id_parameter": ""}, "reconcile": {"settle_s": 0.1}}
        rehearsal = Rehearsal(tmp_path, sandbox, overrides=overrides)
        rehearsal.faults({fault: 1.0, "for_requests": 2})
        result = await rehearsal.run(rehearsal.contacts(4))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert rehearsal.states() == {"created": 2, "unknown": 2}
        assert sandbox.stats()["creates_total_requests"] == 4
        assert "context" not in sandbox.stats()["requests"]
        assert sandbox.stats()["created_by_dispatch_id_duplicates"] == {}
        creates = {create["to"]: create["sid"] for create in sandbox.creates()["creates"]}
    for row in rehearsal.report():
        if row["dispatch_status"] == "unknown":
            assert "without an id" in row["dispatch_error_message"]
            assert creates.get(row["phone"], "") in row["dispatch_error_message"]


async def test_an_unknown_row_is_never_sent_again(tmp_path: Path) -> None:
    """An `unknown` row is never sent again, by any number of runs."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"campaign": {"id_parameter": ""}})
        rehearsal.faults({"reset_after": 1.0, "for_requests": 1})
        source = rehearsal.contacts(1)
        for _ in range(4):
            assert (await rehearsal.run(source)).exit_code is ExitCode.SOME_UNKNOWN
        assert sandbox.stats()["creates_total_requests"] == 1


async def test_unknown_rows_of_an_earlier_file(tmp_path: Path) -> None:
    """Rows of an earlier file that are `unknown` are resolved with the next file."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"at_end": False}})
        rehearsal.faults({"reset_after": 1.0, "for_requests": 3})
        await rehearsal.run(rehearsal.contacts(3))
        rehearsal.overrides["reconcile"]["at_end"] = True
        result = await rehearsal.run(rehearsal.contacts(5, first=4))
        assert result.exit_code is ExitCode.OK
        assert result.found_by_reconcile == 3
        assert rehearsal.states() == {"created": 8}
        assert sandbox.stats()["creates"] == 8


async def test_a_context_of_another_execution_decides_nothing(tmp_path: Path) -> None:
    """An answer that went astray names another row's id: taken for this row's, it would hide its execution."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=0.01)) as sandbox:
        overrides: dict[str, dict[str, Any]] = {"reconcile": {"at_end": False, "settle_s": 0.2}}
        rehearsal = Rehearsal(tmp_path, sandbox, overrides=overrides)
        rehearsal.faults({"reset_after": 1.0, "for_requests": 2})
        await rehearsal.run(rehearsal.contacts(2))
        # Later than any time that a list may take: an empty one would be believed.
        await asyncio.sleep(0.5)
        rehearsal.faults({"read_other_context": 1.0})
        await run_again(rehearsal)
        assert sandbox.stats()["faults"]["read_other_context"] >= 2
        assert rehearsal.states()[RowState.unknown] == 2
        assert sandbox.stats()["creates"] == 2
        rehearsal.faults({})
        assert await run_again(rehearsal) is ExitCode.OK
        assert sandbox.stats()["creates"] == 2
        rehearsal.assert_books_balance()

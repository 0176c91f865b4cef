"""Rows left unknown by each fault: found where the execution exists, else sent again, and never before its time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import open_campaign, view_campaign
from dispatcher.errors import ExitCode, Interrupted
from dispatcher.model import RowState
from dispatcher.sandbox import FAULTS, Sandbox, SandboxSettings
from tests.support.rehearsal import CREDENTIALS, Rehearsal, phone

ROWS = 5
CREATE_FAULTS = {name: fault for name, fault in FAULTS.items() if fault.target == ""}
#: Answers that are believed: what is odd about them is nothing that matters, or nothing that anybody could see.
BELIEVED = {"bad_date", "other_sid", "second_answer"}
AFTER = [name for name, fault in CREATE_FAULTS.items() if fault.after and name not in BELIEVED] + ["reset_late"]
BEFORE = [name for name in CREATE_FAULTS if name.endswith("_before")] + ["redirect_307"]
#: Whom others have reached does not matter: the list is read for unknown rows alone.
ALONE: dict[str, dict[str, Any]] = {"campaign": {"repeat_after_h": 0}}
#: Longer than the client waits for an answer.
SLOW: dict[str, Any] = {"slow_s": 2.5, "drip_s": 0.05, "late_s": 0.15}


def timeouts(fault: str) -> dict[str, Any]:
    """A short time-out where the fault is that the answer does not come; else none that a busy machine could meet."""
    late = fault.startswith(("hang", "drip", "slow"))
    return {"answer_s": 1.0} if late else {}


@pytest.mark.parametrize("version", ["v2", "v1"])
@pytest.mark.parametrize("fault", AFTER)
async def test_a_fault_after_creating(tmp_path: Path, fault: str, version: str) -> None:
    """A fault after creating ends as `created` with its SID, and nothing is sent twice."""
    async with Sandbox(SandboxSettings(limit_per_s=0, **SLOW)) as sandbox:
        overrides = {"account": {"api_version": version}, "timeouts": timeouts(fault)}
        rehearsal = Rehearsal(tmp_path, sandbox, overrides=overrides)
        rehearsal.faults({fault: 1.0, "for_requests": ROWS})
        result = await rehearsal.run(rehearsal.contacts(ROWS))
        assert (result.exit_code, result.found_by_reconcile) == (ExitCode.OK, ROWS)
        assert sandbox.stats()["creates_total_requests"] == sandbox.stats()["creates"] == ROWS
        rehearsal.assert_books_balance()
    for row in rehearsal.report():
        assert row["dispatch_status"] == "created"
        assert "found by reconcile" in row["dispatch_error_message"]
        assert row["dispatch_attempts"] == "1"


@pytest.mark.parametrize("fault", BEFORE)
async def test_a_fault_before_creating(tmp_path: Path, fault: str) -> None:
    """After a fault before creating, the row is sent again once the list has had its time, and not before."""
    async with Sandbox(SandboxSettings(limit_per_s=0, **SLOW)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"timeouts": timeouts(fault)})
        rehearsal.faults({fault: 1.0, "for_requests": ROWS})
        result = await rehearsal.run(rehearsal.contacts(ROWS))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates_total_requests"] == 2 * ROWS
        assert sandbox.stats()["creates"] == ROWS
        rehearsal.assert_books_balance()
    waits_ms = rehearsal.query(
        "SELECT second.begun_at_ms - first.ended_at_ms FROM attempts first JOIN attempts second USING (row_id)"
        " WHERE first.number = 1 AND second.number = 2 AND first.outcome = 'not_sent'"
    )
    # ended_at of a resolved attempt is when it was resolved; it was unknown before.
    assert len(waits_ms) == ROWS
    begun_ms = rehearsal.query("SELECT begun_at_ms FROM attempts ORDER BY attempt_id")
    settle_ms = rehearsal.settings().reconcile.settle_s * 1000
    assert begun_ms[ROWS][0] - begun_ms[ROWS - 1][0] >= settle_ms


async def test_a_list_that_lags_less_than_settle_s(tmp_path: Path) -> None:
    """A list that lags less than `settle_s` loses and repeats nothing."""
    # The executions have ended when they are looked for: no 409 would save a row that is sent again.
    settings = SandboxSettings(limit_per_s=0, list_lag_s=0.3, ends_after_s=0.01)
    async with Sandbox(settings) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"settle_s": 0.6}})
        rehearsal.faults({"reset_after": 0.5, "reset_before": 0.5, "for_requests": 40})
        result = await rehearsal.run(rehearsal.contacts(40))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 40
        rehearsal.assert_books_balance()
    assert 0 < result.found_by_reconcile < 40


async def test_a_list_that_lags_more_than_settle_s(tmp_path: Path) -> None:
    """The limit: a list that hides an ended execution for longer than `settle_s` leads to a second one.

    Not a promise: what `docs/guarantees.md` says could break it. If this fails, that page must be corrected.
    """
    settings = SandboxSettings(limit_per_s=0, list_lag_s=5, ends_after_s=0.01)
    async with Sandbox(settings) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"settle_s": 0.2}})
        rehearsal.faults({"reset_after": 1.0, "for_requests": 1})
        await rehearsal.run(rehearsal.contacts(1))
        assert sandbox.stats()["creates"] == 2


async def test_a_hidden_execution_that_is_active(tmp_path: Path) -> None:
    """An execution that the list hides is found by the conflict while it is active."""
    settings = SandboxSettings(limit_per_s=0, list_lag_s=60, ends_after_s=None)
    async with Sandbox(settings) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"settle_s": 0.2}})
        rehearsal.faults({"reset_after": 1.0, "for_requests": ROWS})
        result = await rehearsal.run(rehearsal.contacts(ROWS))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == ROWS
        rehearsal.assert_books_balance()
    assert rehearsal.query("SELECT DISTINCT found_by FROM attempts WHERE outcome = 'created'") == [("conflict",)]


@pytest.mark.parametrize("skew_s", [3600.0, -3600.0])
async def test_a_server_clock_an_hour_off(tmp_path: Path, skew_s: float) -> None:
    """A server whose clock is an hour off is understood: no row is lost or sent twice."""
    async with Sandbox(SandboxSettings(limit_per_s=0, clock_skew_s=skew_s, ends_after_s=0.01)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox)
        rehearsal.faults({"reset_after": 0.5, "reset_before": 0.5, "for_requests": 20})
        result = await rehearsal.run(rehearsal.contacts(20))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 20
        rehearsal.assert_books_balance()


async def test_executions_from_long_before(tmp_path: Path) -> None:
    """What was created long before the intent is not read.

    An earlier campaign reached the same contacts: its executions are no candidates.
    """
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=0.01)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides=ALONE)
        for row in range(1, ROWS + 1):
            rehearsal.plant(phone(row), age_us=600_000_000, ends_after_us=1)
        rehearsal.faults({"reset_before": 1.0, "for_requests": ROWS})
        result = await rehearsal.run(rehearsal.contacts(ROWS))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == ROWS
        assert "context" not in sandbox.stats()["requests"]


# --- what it costs ---


async def test_a_run_without_unknown_rows(tmp_path: Path) -> None:
    """A run without `unknown` rows looks once whom others have reached, and reads nothing else."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox)
        await rehearsal.run(rehearsal.contacts(50))
        assert sandbox.stats()["requests"] == {"create": 50, "flow": 1, "list": 1}


async def test_what_unknown_rows_cost(tmp_path: Path) -> None:
    """`unknown` rows cost one Context per candidate, and rows that are sure cost none."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox)
        rehearsal.faults({"reset_after": 1.0, "for_requests": 3})
        await rehearsal.run(rehearsal.contacts(60))
        requests = sandbox.stats()["requests"]
    assert requests["create"] == 60
    assert requests["context"] == 3
    assert requests["list"] == 2
    assert set(requests) <= {"create", "context", "list", "flow"}


async def test_many_pages_of_the_list_are_read_once_each(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"at_end": False}} | ALONE)
        rehearsal.faults({"reset_after": 1.0, "for_requests": 1})
        await rehearsal.run(rehearsal.contacts(1))
        for n in range(2500):
            rehearsal.plant(phone(1000 + n), ends_after_us=1)
        found, status = await rehearsal.reconcile()
        requests = sandbox.stats()["requests"]
    assert (found.created, status.rows[RowState.created]) == (1, 1)
    assert (requests["list"], requests["context"]) == (3, 1)


# --- reads that fail ---


async def test_reads_that_fail_now_and_then_are_repeated(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(limit_per_s=0, seed=3)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"retry": {"read_attempts": 8, "backoff_base_s": 0.01}})
        rehearsal.faults(
            {"reset_after": 0.3, "read_500": 0.1, "read_reset": 0.1, "read_unparsable": 0.1, "read_429": 0.1}
        )
        result = await rehearsal.run(rehearsal.contacts(40))
        assert result.exit_code is ExitCode.OK
        rehearsal.assert_books_balance()


async def test_studio_that_cannot_be_asked(tmp_path: Path) -> None:
    """Where Studio cannot be asked, rows stay `unknown`, and the next reconcile finds them."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"retry": {"read_attempts": 2}} | ALONE)
        rehearsal.faults({"reset_after": 1.0, "read_503": 1.0})
        result = await rehearsal.run(rehearsal.contacts(ROWS))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert result.reconcile_error is not None
        assert rehearsal.states()["unknown"] == ROWS
        rehearsal.faults({})
        found, status = await rehearsal.reconcile()
        assert (found.created, status.rows[RowState.unknown]) == (ROWS, 0)
        rehearsal.assert_books_balance()


async def test_planned_rows_beside_unknown_ones(tmp_path: Path) -> None:
    """Rows that can be sent are sent, even if earlier ones cannot be looked up."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"retry": {"read_attempts": 2}} | ALONE)
        rehearsal.faults({"reset_after": 1.0, "read_503": 1.0, "for_requests": 10**6})
        await rehearsal.run(rehearsal.contacts(2))
        rehearsal.faults({"read_503": 1.0})
        result = await rehearsal.run(rehearsal.contacts(10))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert rehearsal.states() == {"unknown": 2, "created": 8}


async def test_one_context_that_cannot_be_read(tmp_path: Path) -> None:
    """One Context that cannot be read leaves one row `unknown`, and the others are resolved."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        overrides = {"retry": {"read_attempts": 1}, "reconcile": {"at_end": False, "concurrency": 1, "settle_s": 0}}
        rehearsal = Rehearsal(tmp_path, sandbox, overrides=overrides)
        rehearsal.faults({"reset_after": 1.0, "for_requests": ROWS})
        await rehearsal.run(rehearsal.contacts(ROWS))
        # The flow, the list, two contexts, and then one that fails.
        rehearsal.faults({"read_500": 0.0, "for_requests": 4, "then": {"read_500": 1.0, "for_requests": 1}})
        found, status = await rehearsal.reconcile()
        assert (found.created, status.rows[RowState.unknown]) == (ROWS - 1, 1)
        found, status = await rehearsal.reconcile()
        assert (found.created, status.rows[RowState.unknown]) == (1, 0)
        rehearsal.assert_books_balance()


async def test_reads_in_a_storm_of_429s(tmp_path: Path) -> None:
    """Reads in a storm of 429s wait at one hold, and outlast the storm."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"at_end": False, "concurrency": 10}})
        rehearsal.faults({"reset_after": 1.0, "for_requests": 30})
        await rehearsal.run(rehearsal.contacts(30))
        rehearsal.faults({"read_429": 1.0, "for_s": 2.0})
        started = time.monotonic()
        found, status = await rehearsal.reconcile()
        assert time.monotonic() - started >= 2.0
        assert (found.created, status.rows[RowState.unknown]) == (30, 0)
        # Not one loop per reader: a pause after the first 429 is everybody's.
        assert sandbox.stats()["read_throttled"] < 40


async def test_a_reconcile_that_is_stopped(tmp_path: Path) -> None:
    """A reconcile that is stopped leaves the rows as they were."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"at_end": False, "settle_s": 60}})
        rehearsal.faults({"reset_before": 1.0, "for_requests": ROWS})
        await rehearsal.run(rehearsal.contacts(ROWS))
        async with open_campaign(rehearsal.name, rehearsal.settings(), CREDENTIALS, create=False) as campaign:
            asyncio.get_running_loop().call_later(0.3, campaign.stop)
            with pytest.raises(Interrupted):
                await asyncio.wait_for(campaign.reconcile(), 5)
            assert (await campaign.status()).rows[RowState.unknown] == ROWS


async def test_a_reconcile_stopped_in_a_storm(tmp_path: Path) -> None:
    """A reconcile that is stopped in the middle of a storm of 429s ends at once."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"at_end": False}})
        rehearsal.faults({"reset_after": 1.0, "for_requests": ROWS})
        await rehearsal.run(rehearsal.contacts(ROWS))
        rehearsal.faults({"read_429": 1.0})
        async with open_campaign(rehearsal.name, rehearsal.settings(), CREDENTIALS, create=False) as campaign:
            asyncio.get_running_loop().call_later(0.3, campaign.stop)
            with pytest.raises(Interrupted):
                await asyncio.wait_for(campaign.reconcile(), 5)
            async with view_campaign(rehearsal.name, rehearsal.settings()) as other:
                assert (await other.status()).rows[RowState.unknown] == ROWS

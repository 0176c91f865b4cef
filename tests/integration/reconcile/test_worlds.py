"""Worlds in which nothing proves anything: in each of them a row was sent twice once, or given up for nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import requests
from dispatcher.errors import ExitCode
from dispatcher.events import AttemptsEnded, Event
from dispatcher.model import RowState
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings import Credentials
from tests.support import rehearsal as support
from tests.support.rehearsal import ACCOUNT_SID, Rehearsal, phone

#: An execution has ended when it is looked for: no 409 saves a row that is sent again.
ENDED = 0.01
LOST: dict[str, Any] = {"reset_after": 1.0, "for_requests": 1}
NEVER_US = 3_600_000_000


def rehearse(folder: Path, sandbox: Sandbox, **tables: dict[str, Any]) -> Rehearsal:
    quick: dict[str, dict[str, Any]] = {"retry": {"read_attempts": 2}, "reconcile": {"settle_s": 0.3}}
    for name, values in tables.items():
        quick.setdefault(name, {}).update(values)
    return Rehearsal(folder, sandbox, overrides=quick)


# --- clocks ---


@pytest.mark.parametrize("skew_s", [8.0, 12.0, 200.0, -12.0])
@pytest.mark.parametrize("clock", ["clock_skew_s", "date_header_skew_s"])
async def test_a_clock_that_jumps_after_the_intent(tmp_path: Path, clock: str, skew_s: float) -> None:
    """Studio's clock, or its header alone, is put ahead or back while a row is unknown: it is found all the same."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, rate={"in_flight": 1})
        rehearsal.faults(LOST)

        def jump(event: Event) -> None:
            if isinstance(event, AttemptsEnded) and rehearsal.states()["unknown"]:
                sandbox.change(**{clock: skew_s})

        rehearsal.bus.subscribe(jump)
        result = await rehearsal.run(rehearsal.contacts(30))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 30
        assert result.found_by_reconcile == 1
        rehearsal.assert_books_balance()


@pytest.mark.parametrize("skew_s", [90.0, -90.0])
async def test_dates_of_executions_that_are_wrong(tmp_path: Path, skew_s: float) -> None:
    """Where only the dates of executions are wrong, by less than the slack, they are found."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED, date_created_skew_s=skew_s)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox)
        rehearsal.faults(LOST)
        result = await rehearsal.run(rehearsal.contacts(3))
        assert (result.exit_code, result.found_by_reconcile) == (ExitCode.OK, 1)
        rehearsal.assert_books_balance()


# --- what the list and the Contexts leave out ---


async def test_an_address_that_is_null(tmp_path: Path) -> None:
    """An execution that does not say whose it is is looked into."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED, null_address_share=1.0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox)
        rehearsal.faults({"reset_after": 0.5, "reset_before": 0.5, "for_requests": 10})
        result = await rehearsal.run(rehearsal.contacts(15))
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 15
        rehearsal.assert_books_balance()


async def test_an_address_that_is_null_and_no_context(tmp_path: Path) -> None:
    """Where the Context does not say it either, every row that it may be stays unknown, and the execution is named."""
    settings = SandboxSettings(limit_per_s=0, ends_after_s=ENDED, null_address_share=1.0, context_lag_s=60)
    async with Sandbox(settings) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox)
        rehearsal.faults(LOST)
        result = await rehearsal.run(rehearsal.contacts(2))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert sandbox.stats()["creates"] == 2
        # Whose the others' executions are is known: they are the ledger's.
        lost = sandbox.creates()["creates"][0]["sid"]
        assert (
            lost
            in next(row for row in rehearsal.report() if row["dispatch_status"] == "unknown")["dispatch_error_message"]
        )
        sandbox.change(context_lag_s=0)
        found, status = await rehearsal.reconcile()
        assert (found.created, status.rows[RowState.unknown]) == (1, 0)
        rehearsal.assert_books_balance()


async def test_a_null_address_of_somebody_else(tmp_path: Path) -> None:
    """A hidden execution whose Context names another contact, or that began before, is no evidence."""
    async with Sandbox(SandboxSettings(limit_per_s=0, null_address_share=1.0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, reconcile={"at_end": False}, campaign={"repeat_after_h": 0})
        rehearsal.plant(phone(1), age_us=NEVER_US, ends_after_us=1)
        rehearsal.plant(phone(7), ends_after_us=1)
        rehearsal.plant(phone(1), ends_after_us=1, began_by="SM" + "0" * 32)
        rehearsal.faults({"reset_before": 1.0, "for_requests": 1})
        await rehearsal.run(rehearsal.contacts(1))
        found, _ = await rehearsal.reconcile()
        assert (found.planned, found.unresolved) == (1, 0)


@pytest.mark.parametrize("fault", ["read_no_meta", "read_empty_list"])
async def test_a_list_without_its_meta(tmp_path: Path, fault: str) -> None:
    """An incomplete page is no answer: rows stay unknown until the list can be read."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, campaign={"repeat_after_h": 0})
        rehearsal.faults({"reset_after": 1.0, fault: 1.0})
        result = await rehearsal.run(rehearsal.contacts(3))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert result.reconcile_error is not None
        rehearsal.faults({})
        found, _ = await rehearsal.reconcile()
        assert (found.created, sandbox.stats()["creates"]) == (3, 3)
        rehearsal.assert_books_balance()


async def test_sids_of_a_list_that_are_none(tmp_path: Path) -> None:
    """An execution that cannot be asked for leaves its row unknown."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, campaign={"repeat_after_h": 0})
        rehearsal.faults({"reset_after": 1.0, "read_bad_sid": 1.0})
        result = await rehearsal.run(rehearsal.contacts(2))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        rehearsal.faults({})
        found, _ = await rehearsal.reconcile()
        assert (found.created, sandbox.stats()["creates"]) == (2, 2)


# --- conflicts ---


@pytest.mark.parametrize("world", [{"bare_conflict_share": 1.0}, {"context_lag_s": 60}])
@pytest.mark.parametrize("policy", ["skip", "wait", "end"])
async def test_a_conflict_that_says_nothing(tmp_path: Path, world: dict[str, float], policy: str) -> None:
    """Our own execution, hidden by the list, is in the way: it is never taken for somebody else's, and never ended."""
    settings = SandboxSettings(limit_per_s=0, list_lag_s=60, ends_after_s=None, **world)  # type: ignore[arg-type]
    async with Sandbox(settings) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, campaign={"on_busy": policy, "busy_wait_s": 0.1, "busy_give_up_s": 0.5})
        rehearsal.faults(LOST)
        result = await rehearsal.run(rehearsal.contacts(1))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert rehearsal.states() == {"unknown": 1}
        assert "update" not in sandbox.stats()["requests"]
        assert sandbox.stats()["creates"] == 1
        sandbox.change(list_lag_s=0, bare_conflict_share=0, context_lag_s=0)
        found, _ = await rehearsal.reconcile()
        assert (found.created, sandbox.stats()["active"]) == (1, 1)
        rehearsal.assert_books_balance()


async def test_a_bare_conflict_of_a_row_that_is_new(tmp_path: Path) -> None:
    """A row that was never sent cannot be what is in the way: it is busy."""
    async with Sandbox(SandboxSettings(limit_per_s=0, bare_conflict_share=1.0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, campaign={"repeat_after_h": 0})
        rehearsal.plant(phone(1), age_us=10_000_000)
        result = await rehearsal.run(rehearsal.contacts(1))
        assert result.exit_code is ExitCode.SOME_REFUSED
        assert rehearsal.states() == {"busy": 1}


# --- a list that is not up to date ---


async def test_a_list_that_hides_everything(tmp_path: Path) -> None:
    """Where nothing later exists a row is sent again once; then it stays unknown, and says why."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED, list_lag_s=60)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox)
        rehearsal.faults({"reset_after": 1.0})
        source = rehearsal.contacts(1)
        for _ in range(4):
            result = await rehearsal.run(source)
            assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert sandbox.stats()["creates"] == 2
        assert "sent again once already" in rehearsal.report()[0]["dispatch_error_message"]


async def test_a_list_that_hides_a_later_one(tmp_path: Path) -> None:
    """What we have created later is not listed either: the list is not up to date, and nothing is sent again."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED, list_lag_s=3)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, rate={"in_flight": 1})
        rehearsal.faults({"reset_after": 1.0, "for_requests": 5})
        result = await rehearsal.run(rehearsal.contacts(20))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert sandbox.stats()["creates"] == 20
        assert "not up to date" in rehearsal.report()[0]["dispatch_error_message"]
        await asyncio.sleep(3)
        found, _ = await rehearsal.reconcile()
        assert (found.created, sandbox.stats()["creates"]) == (5, 20)
        rehearsal.assert_books_balance()


async def test_a_list_that_shows_a_later_one(tmp_path: Path) -> None:
    """Then a row may be sent again and again, for it is proved each time that nothing was created."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, rate={"in_flight": 1})
        # The first of three is lost, and the first of two of the next file, with others after each.
        lost: dict[str, Any] = {"reset_before": 1.0, "for_requests": 1}
        rehearsal.faults(lost | {"then": {"for_requests": 3, "then": lost}})
        for count in (3, 5, 6):
            assert (await rehearsal.run(rehearsal.contacts(count))).exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 6
        assert rehearsal.query("SELECT DISTINCT absence FROM attempts ORDER BY 1") == [(None,), ("proved",)]
        rehearsal.assert_books_balance()


async def test_anybody_s_later_execution(tmp_path: Path) -> None:
    """One that another program began later shows as well that the list is up to date."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, reconcile={"at_end": False, "clock_skew_s": 0.0}, rate={"in_flight": 1})
        # The first tells Studio's time, the second is lost.
        lost: dict[str, Any] = {"reset_before": 1.0, "for_requests": 1}
        rehearsal.faults({"for_requests": 1, "then": lost})
        await rehearsal.run(rehearsal.contacts(2))
        await asyncio.sleep(3)
        rehearsal.plant(phone(9))
        found, _ = await rehearsal.reconcile()
        assert found.planned == 1
        assert rehearsal.query("SELECT absence FROM attempts WHERE outcome = 'not_sent'") == [("proved",)]


@pytest.mark.parametrize("fault", ["no_sid", "unparsable", "cut_body", "bad_sid", "other_to"])
async def test_a_success_without_its_sid(tmp_path: Path, fault: str) -> None:
    """Studio said that it was created: an empty list alone does not outweigh that."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED, list_lag_s=60)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox)
        rehearsal.faults({fault: 1.0, "for_requests": 1})
        result = await rehearsal.run(rehearsal.contacts(1))
        assert result.exit_code is ExitCode.SOME_UNKNOWN
        assert sandbox.stats()["creates"] == 1
        assert "answered 201" in rehearsal.report()[0]["dispatch_error_message"]
        sandbox.change(list_lag_s=0)
        found, _ = await rehearsal.reconcile()
        assert found.created == 1
        rehearsal.assert_books_balance()


# --- what was sent ---


async def test_another_way_to_make_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id that was sent is kept: another key, spelling or program does not hide our own execution."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, reconcile={"at_end": False})
        rehearsal.faults({"reset_after": 1.0, "for_requests": 3})
        await rehearsal.run(rehearsal.contacts(3))
        monkeypatch.setattr(requests, "dispatch_id", lambda *parts: f"d-{'9' * 20}{parts[-1][-4:]}")
        monkeypatch.setattr(
            support,
            "CREDENTIALS",
            Credentials(account_sid=ACCOUNT_SID.lower(), username=ACCOUNT_SID, password="not-a-real-token"),
        )
        rehearsal.overrides["campaign"] = {"id_parameter": "another_name"}
        found, _ = await rehearsal.reconcile()
        assert (found.created, sandbox.stats()["creates"]) == (3, 3)
        rehearsal.assert_books_balance()


async def test_another_way_to_make_ids_and_a_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where a row was sent again and meets its first execution: it is never ended."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=None, list_lag_s=60)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, reconcile={"at_end": False}, campaign={"on_busy": "end"})
        rehearsal.faults(LOST)
        await rehearsal.run(rehearsal.contacts(1))
        found, _ = await rehearsal.reconcile()
        assert found.planned == 1
        monkeypatch.setattr(requests, "dispatch_id", lambda *parts: "d-" + "9" * 24)
        result = await rehearsal.run()
        assert result.exit_code is ExitCode.OK
        assert "update" not in sandbox.stats()["requests"]
        assert sandbox.stats()["creates"] == 1
        rehearsal.assert_books_balance()


# --- odd headers ---


@pytest.mark.parametrize("fault", ["bad_date", "bad_retry_after"])
async def test_headers_that_are_no_times(tmp_path: Path, fault: str) -> None:
    """No Date and no Retry-After ends a run, and none keeps the next one from going on."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = rehearse(tmp_path, sandbox, reconcile={"at_end": False})
        share = 1.0 if fault == "bad_date" else 0.3
        table: dict[str, Any] = {fault: share, f"read_{fault}": share}
        rehearsal.faults({"reset_after": 1.0, "for_requests": 2, "then": table | {"for_requests": 12}})
        await rehearsal.run(rehearsal.contacts(12))
        rehearsal.faults(table | {"for_requests": 10})
        rehearsal.overrides["reconcile"]["at_end"] = True
        result = await rehearsal.run()
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 12
        rehearsal.assert_books_balance()

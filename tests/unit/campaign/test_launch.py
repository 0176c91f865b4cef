"""The order of a launch against a real sandbox: outlook, confirm, before, send, always a report."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import Campaign, open_campaign
from dispatcher.campaign.flow_check import NotChecked, check_flow, stop_unless_flow_fits
from dispatcher.campaign.launch import LaunchOptions, launch
from dispatcher.campaign.outlook import Outlook
from dispatcher.campaign.retry_choice import RetryChoice
from dispatcher.campaign.retry_choices import Facet, count_rows, facets, plan_again
from dispatcher.errors import ExitCode, PreflightFailed, UsageError
from dispatcher.model import RowState
from dispatcher.remedies import Option
from dispatcher.sandbox import Sandbox, SandboxSettings, default_flow
from dispatcher.studio.preflight import Finding
from tests.support.rehearsal import CREDENTIALS, Rehearsal

REPORT = Path("report.csv")


class Opened:
    """A planned campaign of five rows, and the sandbox that it is sent to."""

    def __init__(self, rehearsal: Rehearsal, campaign: Campaign) -> None:
        self.rehearsal = rehearsal
        self.campaign = campaign

    @property
    def creates(self) -> int:
        found: int = self.rehearsal.sandbox.stats()["creates_total_requests"]
        return found


@contextlib.asynccontextmanager
async def opened(tmp_path: Path, **sandbox_settings: Any) -> AsyncIterator[Opened]:
    async with Sandbox(SandboxSettings(limit_per_s=0, **sandbox_settings)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox)
        async with open_campaign("spring", rehearsal.settings(), CREDENTIALS, bus=rehearsal.bus) as campaign:
            await campaign.plan(rehearsal.contacts(5))
            yield Opened(rehearsal, campaign)


def states(path: Path = REPORT) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["dispatch_status"] for row in csv.DictReader(file)]


async def test_a_launch_goes_in_order(tmp_path: Path) -> None:
    """Nothing leaves before it is confirmed; what is shown wraps the sending and the report."""
    order: list[str] = []
    async with opened(tmp_path) as found:

        def confirm(ahead: Outlook) -> None:
            assert found.creates == 0
            order.append(f"confirm {ahead.most}")

        async def before() -> None:
            order.append("before")

        @contextlib.asynccontextmanager
        async def shown() -> AsyncIterator[None]:
            order.append("shown")
            yield
            assert states() == ["created"] * 5
            order.append("over")

        launched = await launch(
            found.campaign, LaunchOptions(report=REPORT), confirm=confirm, before=before, shown=shown
        )
        assert found.creates == 5
    assert order == ["confirm 5", "before", "shown", "over"]
    assert (launched.exit_code, launched.report, launched.errors) == (ExitCode.OK, REPORT, ())


async def test_who_refuses_changes_nothing(tmp_path: Path) -> None:
    """What `confirm` raises ends the launch before anything is done."""

    def refuse(ahead: Outlook) -> None:
        raise UsageError("not confirmed")

    async def before() -> None:
        raise AssertionError("not confirmed, and done all the same")

    async with opened(tmp_path) as found:
        with pytest.raises(UsageError):
            await launch(found.campaign, LaunchOptions(report=REPORT), confirm=refuse, before=before)
        assert found.creates == 0
    assert not REPORT.exists()  # noqa: ASYNC240 - one look


async def test_a_limit_is_kept_and_confirmed(tmp_path: Path) -> None:
    """The number that is confirmed is the most that is sent."""
    asked: list[Outlook] = []
    async with opened(tmp_path) as found:
        launched = await launch(found.campaign, LaunchOptions(report=REPORT, limit=2), confirm=asked.append)
        assert (found.creates, asked[0].most) == (2, 2)
    assert launched.result.status.rows[RowState.planned] == 3


async def test_a_report_that_fails_has_a_remedy(tmp_path: Path) -> None:
    """A report that fails says how to write it again.

    The rows are sent all the same; the exit code tells of the report only where nothing graver happened.
    """
    async with opened(tmp_path) as found:
        launched = await launch(found.campaign, LaunchOptions(report=Path("nowhere/r.csv")), confirm=lambda ahead: None)
        assert found.creates == 5
    assert launched.report is None
    (error,) = launched.errors
    assert launched.exit_code == error.exit_code == ExitCode.USAGE
    assert "Command(name='report', arguments=('spring',)" in repr(error.fix)


async def test_a_bug_leaves_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends the sending, what is known is written."""
    async with opened(tmp_path) as found:

        async def fails(**_: Any) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(found.campaign, "send", fails)
        with pytest.raises(RuntimeError):
            await launch(found.campaign, LaunchOptions(report=REPORT), confirm=lambda ahead: None)
    assert states() == ["planned"] * 5


async def test_refused_rows_are_sent_again(tmp_path: Path) -> None:
    """Refused rows are counted, chosen and sent again.

    Facets name what there is; counting changes nothing; the choice alone is planned again.
    """
    async with opened(tmp_path) as found:
        found.rehearsal.faults({"reject": 1, "for_requests": 3})
        await launch(found.campaign, LaunchOptions(report=REPORT), confirm=lambda ahead: None)
        (facet,) = await facets(found.campaign)
        assert (facet.state, facet.rows) == (RowState.rejected, 3)
        assert facet.code is not None
        assert facet.option == Option("code", facet.code)
        none, choice = RetryChoice(codes=(1,)), RetryChoice(codes=(facet.code,))
        assert (await count_rows(found.campaign, none), await count_rows(found.campaign, choice)) == (0, 3)
        assert (await found.campaign.status()).rows[RowState.rejected] == 3
        asked: list[Outlook] = []
        launched = await launch(
            found.campaign,
            LaunchOptions(report=REPORT, whole_campaign=True),
            confirm=asked.append,
            extra=3,
            before=lambda: plan_again(found.campaign, choice),
        )
        assert (asked[0].most, launched.exit_code, found.creates) == (3, ExitCode.OK, 8)


def test_a_facet_has_an_option_of_its_own() -> None:
    """Rows without a code are chosen with all refused ones."""
    assert Facet(state=RowState.busy, code=None, rows=1).option == Option("busy")
    assert Facet(state=RowState.rejected, code=None, rows=1).option == Option("all-rejected")
    assert not RetryChoice()
    assert RetryChoice(busy=True)


async def test_why_a_flow_was_not_checked_is_a_value(tmp_path: Path) -> None:
    """The front end words it; nothing is asked of Studio."""
    async with opened(tmp_path) as found:
        campaign = found.campaign
        offline = await check_flow(campaign, has_credentials=True, offline=True)
        anonymous = await check_flow(campaign, has_credentials=False)
        assert (offline.skipped, anonymous.skipped) == (NotChecked.offline, NotChecked.no_credentials)
        assert (offline.exit_code, offline.as_json(str)) == (0, {"checked": False, "findings": [], "error": None})
        assert found.rehearsal.sandbox.stats()["requests"] == {}


async def test_a_flow_that_cannot_be_read_is_a_value(tmp_path: Path) -> None:
    """A flow that cannot be asked about is no exception.

    A check goes on with the error as a value; a run is stopped by it.
    """
    async with opened(tmp_path) as found:
        found.rehearsal.faults({"read_403": 1})
        check = await check_flow(found.campaign, has_credentials=True)
        assert check.error is not None
        assert check.exit_code == check.error.exit_code == ExitCode.AUTHENTICATION
        assert check.as_json(str)["error"]["code"] == check.error.code


async def test_a_flow_that_does_not_fit_stops_a_run(tmp_path: Path) -> None:
    """Warnings are handed over first."""
    warned: list[Finding] = []
    async with opened(tmp_path, flows=(default_flow(status="draft"),)) as found:
        check = await check_flow(found.campaign, has_credentials=True)
        assert check.exit_code == ExitCode.USAGE
        assert any(one["severity"] == "error" for one in check.as_json(str)["findings"])
        with pytest.raises(PreflightFailed):
            await stop_unless_flow_fits(found.campaign, warned.extend)
        assert found.creates == 0

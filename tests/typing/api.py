"""The public API as a type checker sees it: not run but checked, by `make lint`.

A name that is served without a type, a parameter that changes its name or a result that widens to Any fails here,
before it fails in somebody's program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, assert_type

import dispatcher
from dispatcher import (
    BadRow,
    Campaign,
    CampaignStatus,
    CampaignView,
    Credentials,
    DispatcherError,
    Event,
    EventBus,
    ExitCode,
    FlowCheck,
    FlowPreview,
    Launched,
    LaunchOptions,
    Outlook,
    PlanCounts,
    PlannedRequest,
    PlanOptions,
    Rehearsal,
    RetryChoice,
    RowState,
    RunResult,
    Sandbox,
    SandboxSettings,
    Settings,
    Snapshot,
    StoppedEarly,
    Studio,
    bad_rows,
    check_flow,
    examples,
    facets,
    launch,
    load_credentials,
    load_settings,
    next_steps,
    open_campaign,
    outlook,
    plan_again,
    rehearse_campaign,
    view_campaign,
)

assert_type(dispatcher.__version__, str)
assert_type(dispatcher.__all__, list[str])


async def send(path: Path) -> int:
    """A campaign, as the package's docstring shows it."""
    settings = assert_type(load_settings("config.toml").settings, Settings)
    credentials = assert_type(load_credentials(), Credentials)
    bus = EventBus()
    async with open_campaign("spring", settings, credentials, bus=bus) as campaign:
        assert_type(campaign, Campaign)
        counts = assert_type(await campaign.plan(path, PlanOptions(add=True)), PlanCounts)
        assert_type(counts.rows[RowState.planned], int)
        result = assert_type(await campaign.send(limit=5), RunResult)
        assert_type(result.exit_code, ExitCode)
        assert_type(result.error, DispatcherError | None)
        status = assert_type(await campaign.status(), CampaignStatus)
        assert_type(dict(status.rows), dict[RowState, int])
        assert_type(await campaign.report(path.with_name("spring-report.csv")), int)
        campaign.stop()
        return result.exit_code


def listen(bus: EventBus) -> Callable[[], None]:
    """Events are classes; an unsubscribing function comes back."""
    heard: list[str] = []
    leave = assert_type(bus.subscribe(lambda event: heard.append(type(event).__name__)), Callable[[], None])
    assert_type(bus.snapshot().as_json(), dict[str, Any])
    assert_type(bus.snapshot().eta_s, float | None)
    return leave


async def rehearse() -> None:
    """The sandbox is part of the API."""
    async with Sandbox(SandboxSettings(limit_per_s=200, faults={"429": 0.02})) as sandbox:
        assert_type(sandbox, Sandbox)
        assert_type(sandbox.base_url, str)
        account = "AC" + "0" * 32
        credentials = Credentials(account_sid=account, username=account, password="not-a-secret")
        async with Studio(credentials, base_url=sandbox.base_url) as studio:
            assert_type(studio, Studio)


async def front_end(settings: Settings, credentials: Credentials) -> ExitCode:
    """What a page or a program of one's own does, step by step."""
    async with rehearse_campaign("spring", settings, credentials) as rehearsal:
        assert_type(rehearsal, Rehearsal)
        counts = await rehearsal.plan("contacts.csv")
        assert_type(await bad_rows(rehearsal, after_row=9, limit=50), list[BadRow])
        assert_type(await examples(rehearsal, counts), dict[str, list[int]])
        assert_type(await check_flow(rehearsal, has_credentials=True), FlowCheck)
        assert_type(await rehearsal.preview(row_number=2), FlowPreview)
        assert_type(await rehearsal.first_request(), PlannedRequest | None)
    async with open_campaign("spring", settings, credentials) as campaign:
        ahead = assert_type(outlook(await campaign.status(), settings), Outlook)
        assert_type(ahead.most, int)
        asked: list[Outlook] = []
        launched = await launch(campaign, LaunchOptions(report=Path("r.csv"), limit=5), confirm=asked.append)
        assert_type(launched, Launched)
        assert_type(campaign.stop(StoppedEarly("enough")), bool)
        if await facets(campaign):
            assert_type(await plan_again(campaign, RetryChoice(busy=True)), int)
    async with view_campaign("spring", settings) as view:
        assert_type(view, CampaignView)
        next_steps(view.name, await view.status())
    return launched.exit_code


def draw(event: Event, bus: EventBus) -> Snapshot:
    """A listener that draws."""
    assert_type(type(event).__name__, str)
    return assert_type(bus.snapshot(), Snapshot)


def told(error: DispatcherError) -> Sequence[str]:
    """What every error of ours says."""
    assert_type(error.exit_code, ExitCode)
    return [assert_type(error.code, str), str(error)]


#: Each public name is used above: one that is added must be, too (tests/unit/test_api.py).
MAIN = (asyncio.run, send, listen, rehearse, front_end, draw, told)

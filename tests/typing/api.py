"""The public API as a type checker sees it: not run but checked, by `make lint`.

A name that is served without a type, a parameter that changes its name or a result that widens to Any fails here,
before it fails in somebody's program.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

import pandas as pd

import dispatcher
from dispatcher import (
    Account,
    AccountLocked,
    AuthenticationError,
    BadRow,
    BreakerOpen,
    Campaign,
    CampaignMismatch,
    CampaignNotFound,
    CampaignPaused,
    CampaignRecord,
    CampaignState,
    CampaignStatus,
    CampaignView,
    CanaryStopped,
    Cell,
    CertificateUntrusted,
    ColumnError,
    Contacts,
    ContactScript,
    Credentials,
    Departures,
    DispatcherError,
    Encoding,
    Entrusting,
    Event,
    EventBus,
    Execution,
    ExecutionContext,
    ExecutionCounts,
    ExecutionStatus,
    ExitCode,
    ExtraMissing,
    Facet,
    FileSpread,
    Finding,
    Flow,
    FlowCheck,
    FlowNotFound,
    FlowPreview,
    GuardTripped,
    HoursError,
    HoursShown,
    InputError,
    InputRecord,
    Interrupted,
    LatestRun,
    Launched,
    LaunchOptions,
    LeaseLost,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerGone,
    LedgerKeyLost,
    LedgerNotMigrated,
    LedgerPlace,
    LedgerTooNew,
    LedgerUnreachable,
    LedgerUnwritable,
    LeftOut,
    LoadedSettings,
    Longest,
    LookCutShort,
    NotChecked,
    NotForgotten,
    NotNotified,
    Outcome,
    Outlook,
    Overlap,
    PageExpired,
    Pause,
    PausedBy,
    PermissionRefused,
    Phase,
    PlanCounts,
    PlannedRequest,
    PlanOptions,
    Posted,
    PreflightFailed,
    PreviewedText,
    Problem,
    Prospect,
    ReachedBy,
    Reason,
    RecallResult,
    Reconciled,
    Rehearsal,
    ReportError,
    ReportRow,
    ResourceNotFound,
    RetryChoice,
    RowState,
    RowTexts,
    RunCounts,
    RunResult,
    Sandbox,
    SandboxFlow,
    SandboxSettings,
    Selection,
    Settings,
    SettingsError,
    Severity,
    SheetNotChosen,
    Size,
    Snapshot,
    Standing,
    StartMissed,
    Step,
    StepContext,
    StoppedEarly,
    Studio,
    StudioError,
    StudioUnavailable,
    Summary,
    SuppressedContact,
    SuppressionError,
    TextSpread,
    TrackResult,
    UsageError,
    Verdict,
    Waiting,
    WaitsFor,
    Wish,
    bad_rows,
    campaign_statuses,
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
        assert_type(result.run, RunCounts | None)
        assert_type(result.exit_code, ExitCode)
        assert_type(result.error, DispatcherError | None)
        status = assert_type(await campaign.status(), CampaignStatus)
        assert_type(dict(status.rows), dict[RowState, int])
        assert_type(status.run, LatestRun | None)
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


async def hint(campaign: CampaignRecord) -> None:
    """Tells workers."""
    assert_type(campaign.name, str)


async def front_end(settings: Settings, credentials: Credentials) -> ExitCode:
    """What a page or a program of one's own does, step by step."""
    async with rehearse_campaign("spring", settings, credentials) as rehearsal:
        assert_type(rehearsal, Rehearsal)
        counts = await rehearsal.plan("contacts.csv")
        assert_type(await bad_rows(rehearsal, after_row=9, limit=50), list[BadRow])
        assert_type(await examples(rehearsal, counts), dict[str, list[int]])
        assert_type(await check_flow(rehearsal, has_credentials=True), FlowCheck)
        preview = assert_type(await rehearsal.preview(row_number=2), FlowPreview)
        row, spread = assert_type(preview.row, RowTexts | None), assert_type(preview.spread, FileSpread | None)
        if row is not None and spread is not None:
            assert_type(row.texts, tuple[PreviewedText, ...])
            size = assert_type(row.texts[0].size, Size | None)
            assert size is None or assert_type(size.encoding, Encoding)
            assert_type(spread.longest, Longest | None)
            assert_type(spread.texts, tuple[TextSpread, ...])
        assert_type(await rehearsal.first_request(), PlannedRequest | None)
        overlap = assert_type(await rehearsal.overlap(since_ms=0), Overlap)
        assert_type(overlap.campaigns, tuple[ReachedBy, ...])
    async with open_campaign("spring", settings, credentials) as campaign:
        ahead = assert_type(outlook(await campaign.status(), settings), Outlook)
        assert_type(ahead.most, int)
        asked: list[Outlook] = []
        options = LaunchOptions(report=Path("r.csv"), limit=5)
        launched = await launch(campaign, options, confirm=asked.append)
        assert_type(launched, Launched)
        workers = Entrusting(hint=hint, tell=lambda text, fix: None, until_done=True)
        assert_type(await launch(campaign, options, confirm=asked.append, entrusting=workers), Launched)
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


async def own_rows(campaign: Campaign, rehearsal: Rehearsal, path: Path) -> None:
    """Rows of a program: lists, generators, and what other libraries give."""

    def generated() -> Iterator[dict[str, str]]:
        yield {"phone": "+14155550100"}

    values: list[dict[str, Cell]] = [{"phone": "+14155550100", "amount": Decimal("19.90"), "n": 3, "note": None}]
    contacts: Contacts = values
    for source in (contacts, values, path, "-"):
        assert_type(await campaign.plan(source), PlanCounts)
    await campaign.plan([{"phone": "+14155550100"}], PlanOptions(whole=True), source="crm-export")
    await campaign.plan(generated())
    await rehearsal.plan(generated(), source="crm-export")
    await campaign.plan([{"phone": "+14155550100", "price": 19.9}])  # type: ignore[dict-item]
    await campaign.plan([["+14155550100"]])  # type: ignore[list-item]
    await campaign.plan({"phone": "+14155550100"})  # type: ignore[dict-item]
    await campaign.plan(b"contacts.csv")  # type: ignore[arg-type]
    with path.open(encoding="utf-8") as file:
        await campaign.plan(csv.DictReader(file))
    rows: Iterable[sqlite3.Row] = sqlite3.connect("crm.db").execute("SELECT phone FROM people")
    await campaign.plan(dict(row) for row in rows)
    records: list[dict[str, Any]] = [{str(key): row[key] for key in row} for row in pd.DataFrame().to_dict("records")]
    await campaign.plan(records)


async def read_back(view: CampaignView, result: RunResult) -> None:
    """What people hold afterwards: rows, times, counts."""
    async with contextlib.aclosing(view.each_row(only=Selection.parse("failed"), after_row=9)) as rows:
        assert_type(rows, AsyncGenerator[ReportRow, None])
        async for row in rows:
            assert_type(row.sent_at, datetime | None)
            assert_type(row.ended_at, datetime | None)
            assert_type(row.state, RowState)
    async for batch in view.rows(reason=Reason.duplicate):
        assert_type(batch, list[ReportRow])
    for waiting in (*result.waiting, *await view.waiting()):
        assert_type(waiting, Waiting)
        assert_type(waiting.until, datetime)
        assert_type(waiting.why, WaitsFor)
    assert_type(result.next_at, datetime | None)
    status = await view.status()
    assert_type(status.first_started_at, datetime | None)
    assert_type(status.next_at, datetime | None)
    assert_type(status.campaign, CampaignRecord)
    assert_type(status.campaign.account, Account)
    assert_type(status.ledger, LedgerPlace)
    assert_type(status.ledger.since, datetime | None)
    assert_type(status.paused, Pause | None)
    if status.paused is not None:
        assert_type((status.paused.at, status.paused.by), tuple[datetime, PausedBy])
    assert_type(await view.wish(), Wish)
    assert_type(await view.pause("lunch"), tuple[Pause, bool])
    assert_type(await view.inputs(), list[InputRecord])
    executions = assert_type(await view.executions(), ExecutionCounts)
    assert_type(executions.by_status, dict[ExecutionStatus, int])
    assert_type(executions.seen_at, datetime | None)
    summary = assert_type(await view.summary(), Summary)
    assert_type(summary.state, CampaignState)
    assert_type(list(summary.problems), list[Problem])
    assert_type(summary.departures, Departures)
    assert_type(await view.track(), TrackResult)
    assert_type(await view.prospect(limit=5), Prospect | None)
    assert_type(await view.ahead(limit=5), tuple[list[Waiting], Prospect | None])
    assert_type(await view.hours(), tuple[HoursShown, list[tuple[int, Standing]]])


async def work(campaign: Campaign, rehearsal: Rehearsal, launched: Launched, settings: Settings) -> None:
    """The rest of what can be done."""
    findings = assert_type(await campaign.preflight(), list[Finding])
    assert_type([one.severity for one in findings], list[Severity])
    assert_type((await check_flow(rehearsal, has_credentials=False)).skipped, NotChecked | None)
    assert_type(await campaign.reconcile(), tuple[Reconciled, CampaignStatus])
    assert_type(await campaign.count_left_out(RetryChoice()), LeftOut)
    assert_type(await campaign.recall(), RecallResult)
    assert_type(launched.posted, Posted | None)
    request, verdict = await rehearsal.test_send("+14155550100")
    assert_type((request, verdict), tuple[PlannedRequest, Verdict])
    assert_type(verdict.outcome, Outcome)
    assert_type(await facets(campaign), list[Facet])
    assert_type(await campaign_statuses(settings), list[CampaignStatus])
    assert_type(load_settings("config.toml"), LoadedSettings)
    assert_type(campaign.bus.snapshot().phase, Phase)


async def studio_itself(studio: Studio) -> None:
    """Studio's own objects."""
    flow = assert_type(await studio.flow("FW" + "0" * 32), Flow)
    async for execution in studio.executions(flow.sid):
        assert_type(execution, Execution)
        assert_type(await studio.execution_context(flow.sid, execution.sid), ExecutionContext)
        async for step in studio.steps(flow.sid, execution.sid):
            assert_type(step, Step)
            assert_type(await studio.step_context(flow.sid, execution.sid, step.sid), StepContext)


def rehearsed(contacts: ContactScript, flow: SandboxFlow) -> SandboxSettings:
    """Flows and contacts of the sandbox."""
    return SandboxSettings(contacts=contacts, flows=(flow,))


#: Every error is one of ours, with a code and an exit code of its class.
ERRORS: tuple[type[DispatcherError], ...] = (
    DispatcherError,
    UsageError,
    SettingsError,
    HoursError,
    InputError,
    SheetNotChosen,
    ColumnError,
    SuppressionError,
    SuppressedContact,
    CampaignNotFound,
    CampaignMismatch,
    FlowNotFound,
    PreflightFailed,
    AuthenticationError,
    PermissionRefused,
    StudioError,
    StudioUnavailable,
    ResourceNotFound,
    PageExpired,
    CertificateUntrusted,
    StoppedEarly,
    BreakerOpen,
    StartMissed,
    LookCutShort,
    CampaignPaused,
    GuardTripped,
    CanaryStopped,
    AccountLocked,
    NotForgotten,
    NotNotified,
    LedgerError,
    LedgerFull,
    LedgerGone,
    LedgerKeyLost,
    LedgerUnreachable,
    LedgerUnwritable,
    LedgerCorrupt,
    LedgerKeyLost,
    LedgerTooNew,
    LedgerNotMigrated,
    LeaseLost,
    ExtraMissing,
    ReportError,
    Interrupted,
)

#: Each public name is used above: one that is added must be, too (tests/unit/test_api.py).
MAIN = (asyncio.run, send, listen, rehearse, front_end, draw, told, own_rows, read_back, work, studio_itself, rehearsed)

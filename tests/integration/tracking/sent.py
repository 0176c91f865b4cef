"""Campaigns that are sent: rows created at a sandbox whose time the test moves."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.campaign import Campaign, open_campaign
from dispatcher.ledger.records import AttemptEnd, RunTotals
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.model import Outcome
from dispatcher.sandbox import DEFAULT_FLOW_SID, ContactScript, Sandbox, SandboxFlow, SandboxSettings, load_flow
from dispatcher.tracking.results import RecallResult, TrackResult
from tests.support import ledgers
from tests.support.rehearsal import ACCOUNT_SID, CREDENTIALS, SENDER, Rehearsal, phone

#: Long enough for every contact to have answered, and for every wait of the sample flow to be over.
TO_THE_END_S = 8_000.0
SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "flow.json"
SCRIPT = ContactScript(delivery_errors={30003: 0.05, 21610: 0.05, 30007: 0.02})
REPLY = "widgets.ask_yes_no.inbound.Body"


@dataclass
class Clock:
    """The wall clock, and what the test puts it forward by."""

    ahead_s: float = 0.0
    frozen_s: float | None = None

    def __call__(self) -> float:
        return (time.time() if self.frozen_s is None else self.frozen_s) + self.ahead_s

    def freeze(self) -> None:
        """From now on only the test moves it."""
        self.frozen_s = time.time()


@dataclass
class Sent:
    """A rehearsal that was sent, and its sandbox's clock."""

    rehearsal: Rehearsal
    clock: Clock
    reads_before: int = 0
    variables: list[str] = field(default_factory=list)

    @property
    def sandbox(self) -> Sandbox:
        return self.rehearsal.sandbox

    @asynccontextmanager
    async def campaign(self, **tracking: Any) -> AsyncIterator[Campaign]:
        """The campaign, opened as `track` does, with these settings of `[tracking]`."""
        self.rehearsal.overrides["tracking"] = {"per_second": 5_000, "variables": self.variables, **tracking}
        self.rehearsal.overrides["timeouts"] = {"answer_s": 20.0}
        settings, bus = self.rehearsal.settings(), self.rehearsal.bus
        async with open_campaign(self.rehearsal.name, settings, CREDENTIALS, bus=bus, create=False) as campaign:
            yield campaign

    async def track(self, *, details: bool = True, follow: bool = False, **tracking: Any) -> TrackResult:
        async with self.campaign(**tracking) as campaign:
            return await campaign.track(details=details, follow=follow)

    async def recall(self, **tracking: Any) -> RecallResult:
        async with self.campaign(**tracking) as campaign:
            return await campaign.recall()

    async def report(self, **tracking: Any) -> list[dict[str, str]]:
        """The rows of the report, and of each the columns of tracking without their prefix."""
        async with self.campaign(**tracking) as campaign:
            await campaign.report(self.rehearsal.report_path)
        return [
            {name.removeprefix("dispatch_outcome_"): value for name, value in row.items()}
            for row in self.rehearsal.report()
        ]

    def count_reads(self) -> None:
        """Forget the reads so far."""
        self.sandbox.studio.tally.requests.clear()

    @property
    def reads(self) -> dict[str, int]:
        """The reads since `count_reads`, by kind."""
        requests: dict[str, int] = self.sandbox.stats(brief=True)["requests"]
        return dict(requests)

    def truth(self) -> dict[str, dict[str, str]]:
        """SID → what the sandbox knows of it: status, path, error and reply, not by any of its answers."""
        sandbox, now_us = self.sandbox, self.sandbox.now_us()
        found = {}
        for execution in sandbox.studio.executions.log:
            sid = sandbox.studio.executions.sids.at(execution.n)
            steps = sandbox.studio._runner.steps(execution, sid, now_us)
            context = steps[-1].entered
            path = [step.transitioned_to for step in steps if step.transitioned_to != "Ended"]
            codes = [result.get("ErrorCode") for result in context["widgets"].values() if result.get("ErrorCode")]
            reply = context["widgets"].get("ask_yes_no", {}).get("inbound", {}).get("Body", "")
            found[sid] = {
                "status": execution.status(now_us),
                "path": " > ".join(path),
                "error_code": codes[-1] if codes else "",
                REPLY: reply,
            }
        return found


@asynccontextmanager
async def sent(
    folder: Path,
    count: int,
    *,
    flow: SandboxFlow | None = None,
    api_version: str = "v2",
    clock: Clock | None = None,
    variables: list[str] | None = None,
    **sandbox_settings: Any,
) -> AsyncIterator[Sent]:
    """A campaign of so many rows, created over HTTP; by default each walks the sample flow."""
    clock = clock or Clock()
    settings = SandboxSettings(
        limit_per_s=0, flows=(flow or load_flow(SAMPLE),), contacts=SCRIPT, seed=3, **sandbox_settings
    )
    async with Sandbox(settings, clock=clock) as sandbox:
        rehearsal = Rehearsal(
            folder,
            sandbox,
            overrides={
                "account": {"api_version": api_version},
                "rate": {"per_second": 2_000, "in_flight": 50},
                "timeouts": {"answer_s": 20.0},
            },
        )
        if count:
            await rehearsal.run(rehearsal.contacts(count))
        one = Sent(rehearsal, clock, variables=[REPLY] if variables is None else variables)
        one.count_reads()
        yield one


@asynccontextmanager
async def written(
    folder: Path,
    count: int,
    *,
    ends_after_s: Callable[[int], float | None] = lambda n: 1.0,
    age_s: float = 60.0,
    begun_ago_s: float | None = None,
    parameters: str | None = None,
    **sandbox_settings: Any,
) -> AsyncIterator[Sent]:
    """A campaign whose rows stand in the ledger as created, for executions that the sandbox was given directly.

    A thousand take a moment. `begun_ago_s`: how old the ledger believes them to be, if not `age_s`.
    """
    clock = Clock()
    settings = SandboxSettings(limit_per_s=0, **sandbox_settings)
    async with Sandbox(settings, clock=clock) as sandbox:
        rehearsal = Rehearsal(folder, sandbox)
        ledger = SqliteLedger.open(folder / "state")
        account = await ledger.account(ACCOUNT_SID, sandbox.base_url)
        record = await ledger.open_campaign(rehearsal.name, account, DEFAULT_FLOW_SID)
        await ledgers.planned(ledger, record, ledgers.lines(*map(phone, range(1, count + 1))))
        now_us, now_ms = sandbox.now_us(), int(time.time() * 1000)
        run = await ledger.start_run(record, window_limit=count, now_ms=now_ms)
        begun_ms = now_ms - int((age_s if begun_ago_s is None else begun_ago_s) * 1000)
        left = count
        while rows := await ledger.begin_rows(run, 1_000, now_ms=begun_ms, input_id=None):
            ends = []
            for row in rows:
                ends_s = ends_after_s(row.row_number - 2)
                sid = sandbox.studio.creator.plant(
                    DEFAULT_FLOW_SID,
                    row.to_address,
                    SENDER,
                    parameters,
                    now_us=now_us,
                    age_us=int(age_s * 1_000_000),
                    ends_after_us=int((1e9 if ends_s is None else ends_s) * 1_000_000),
                )
                ends.append(
                    AttemptEnd(
                        row.row_id,
                        row.attempt_id,
                        Outcome.created,
                        begun_ms,
                        begun_ms + 300,
                        execution_sid=sid,
                        http_status=201,
                    )
                )
            await ledger.end_rows(run, ends, now_ms=now_ms, totals=RunTotals())
            left -= len(rows)
        assert left == 0
        await ledger.stop_run(run, now_ms=now_ms, reason=None, totals=RunTotals())
        await ledger.close()
        yield Sent(rehearsal, clock)

"""What any front end does with a campaign, through `dispatcher` alone: no terminal, no command line."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dispatcher
from dispatcher import (
    Credentials,
    Event,
    EventBus,
    ExitCode,
    Launched,
    LaunchOptions,
    Outlook,
    RowState,
    Sandbox,
    SandboxSettings,
    Settings,
    Snapshot,
    StoppedEarly,
    bad_rows,
    check_flow,
    examples,
    launch,
    open_campaign,
    outlook,
    rehearse_campaign,
    view_campaign,
)
from dispatcher.events import Resumed, Waiting

CREDENTIALS = Credentials(account_sid="AC" + "0" * 32, username="AC" + "0" * 32, password="not-a-real-token")
FLOW = "FW0123456789abcdef0123456789abcdef"
ROWS = 120


def settings_of(sandbox: Sandbox, folder: Path, **tables: dict[str, Any]) -> Settings:
    merged: dict[str, dict[str, Any]] = {
        "account": {"base_url": sandbox.base_url},
        "campaign": {"flow": FLOW, "from": "+15550001111"},
        "columns": {"to": "phone"},
        "rate": {"per_second": 500, "in_flight": 10},
        "reconcile": {"settle_s": 0.3},
        "timeouts": {"answer_s": 5.0},
        "state": {"dir": str(folder / "state")},
    }
    for name, values in tables.items():
        merged[name] = {**merged.get(name, {}), **values}
    return Settings.model_validate(merged)


def contacts(path: Path, rows: int = ROWS, wrong: Sequence[str] = ()) -> Path:
    lines = [f"+1415{2_000_000 + n},Name {n}" for n in range(rows)] + [f"{cell},Wrong" for cell in wrong]
    path.write_text("phone,first_name\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


async def until(true: Any) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.005)


class Front:
    """A front end of one campaign: asks nothing, hears every event, draws from snapshots."""

    def __init__(self, name: str, sandbox: Sandbox, folder: Path) -> None:
        self.name, self.sandbox, self.folder = name, sandbox, folder
        self.settings = settings_of(sandbox, folder)
        self.bus = EventBus()
        self.heard: list[Event] = []
        self.drawn: list[Snapshot] = []
        self.bus.subscribe(self.heard.append)

    async def check(self, source: Path) -> None:
        """The steps before anything is sent: on a copy that nobody sees."""
        async with rehearse_campaign(self.name, self.settings, CREDENTIALS) as rehearsal:
            counts = await rehearsal.plan(source)
            assert (counts.rows[RowState.planned], counts.rows[RowState.invalid]) == (ROWS, 2)
            wrong = await bad_rows(rehearsal, limit=1)
            assert [(row.row_number, row.column, row.value) for row in wrong] == [(ROWS + 2, "phone", "12")]
            assert [row.value for row in await bad_rows(rehearsal, after_row=ROWS + 2)] == ["nobody"]
            assert await examples(rehearsal, counts) == {"to_no_country": [ROWS + 2], "to_invalid": [ROWS + 3]}
            flow = await check_flow(rehearsal, has_credentials=True)
            assert flow.exit_code is ExitCode.OK
            first = await rehearsal.first_request()
            assert first is not None
            assert first.row_number == 2

    async def send(self, source: Path, report: Path) -> Launched:
        """Launch, pause at a third, go on."""
        async with open_campaign(self.name, self.settings, CREDENTIALS, bus=self.bus) as campaign:
            await campaign.plan(source)
            ahead = outlook(await campaign.status(), campaign.settings)
            assert (ahead.most, ahead.unresolved) == (ROWS, 0)
            asked: list[Outlook] = []
            options = LaunchOptions(report=report)
            sending = asyncio.create_task(launch(campaign, options, confirm=asked.append))
            await until(lambda: self._draw().done >= ROWS // 3)
            assert campaign.stop(StoppedEarly("paused by hand"))
            paused = await sending
            assert paused.exit_code is ExitCode.STOPPED
            assert [item.most for item in asked] == [ROWS]
            assert self._draw().stop_reason == "paused by hand"
            left = (await campaign.status()).rows[RowState.planned]
            assert 0 < left < ROWS
            return await launch(campaign, options, confirm=asked.append)

    def _draw(self) -> Snapshot:
        self.drawn.append(self.bus.snapshot())
        json.dumps(self.drawn[-1].as_json())
        return self.drawn[-1]

    async def look_afterwards(self) -> None:
        """Track, recall and the summary, as anybody does later."""
        async with view_campaign(self.name, self.settings, CREDENTIALS) as view:
            tracked = await view.track(details=False)
            assert tracked.counts.created == ROWS
            summary = await view.summary()
            assert summary.status.rows[RowState.created] == ROWS
        async with open_campaign(self.name, self.settings, CREDENTIALS, create=False) as campaign:
            recalled = await campaign.recall()
            assert recalled.error is None
        assert self.sandbox.stats()["active"] == 0


async def test_two_accounts_at_once(tmp_path: Path) -> None:
    """Two campaigns of two accounts, in one process on one ledger, from the file to the recall.

    Checked, launched, paused and gone on with, reported, tracked and recalled; each row once by the servers' counts.
    """
    options = SandboxSettings(limit_per_s=0, ends_after_s=60.0, latency_s=0.02)
    async with Sandbox(options) as one, Sandbox(options) as two:
        fronts = [Front(name, sandbox, tmp_path) for name, sandbox in (("spring", one), ("autumn", two))]
        source = contacts(tmp_path / "contacts.csv", wrong=("12", "nobody"))

        async def drive(front: Front) -> Launched:
            await front.check(source)
            launched = await front.send(source, tmp_path / f"{front.name}-report.csv")
            await front.look_afterwards()
            return launched

        for launched in await asyncio.gather(*map(drive, fronts)):
            assert launched.exit_code is ExitCode.SOME_REFUSED  # two rows are wrong
            assert launched.report is not None
            assert launched.report.read_text(encoding="utf-8").count(",created,") == ROWS
        for front in fronts:
            assert front.sandbox.stats()["creates"] == ROWS
            assert front.bus.snapshot().rows[RowState.created] == ROWS


async def test_stop_then_send(tmp_path: Path) -> None:
    """A stop belongs to the run that it stopped: another `send` on the same open campaign sends the rest."""
    async with Sandbox(SandboxSettings(limit_per_s=0, latency_s=0.02)) as sandbox:
        front = Front("spring", sandbox, tmp_path)
        async with open_campaign("spring", front.settings, CREDENTIALS, bus=front.bus) as campaign:
            assert not campaign.stop()  # nothing runs: nothing to stop
            await campaign.plan(contacts(tmp_path / "contacts.csv"))
            sending = asyncio.create_task(campaign.send())
            await until(lambda: front.bus.snapshot().done > 10)
            assert campaign.stop()
            first = await sending
            assert (first.exit_code, first.error is not None) == (ExitCode.INTERRUPTED, True)
            second = await campaign.send()
            assert (second.exit_code, second.error, second.remaining) == (ExitCode.OK, None, 0)
        assert sandbox.stats()["creates"] == ROWS


async def test_test_sends_count(tmp_path: Path) -> None:
    """Three test sends and a spike at 1/s with no headroom stay at ten in the window, by the server's count.

    No tally, report or count of the campaign sees the test sends.
    """
    async with Sandbox(SandboxSettings(limit_per_s=1.0)) as sandbox:
        rate = {"per_second": 1.0, "pace": "spike", "headroom": 0.0}
        settings = settings_of(sandbox, tmp_path, rate=rate)
        source = contacts(tmp_path / "contacts.csv", rows=8)
        for number in range(3):
            async with rehearse_campaign("spring", settings, CREDENTIALS) as rehearsal:
                await rehearsal.plan(source)
                _, verdict = await rehearsal.test_send(f"+1415555012{number}")
                assert verdict.execution_sid
        async with open_campaign("spring", settings, CREDENTIALS) as campaign:
            await campaign.plan(source)
            result = await campaign.send(limit=8)
            assert result.status.rows[RowState.created] == 8
            assert (result.status.attempts, (await campaign.executions()).created) == (8, 8)
        stats = sandbox.stats()
        assert (stats["worst_window"], stats["throttled"], stats["creates"]) == (10, 0, 11)


async def test_every_wait_ends(tmp_path: Path) -> None:
    """Every `Waiting` is followed by its `Resumed`, whatever was waited for and however the run ended."""
    options = SandboxSettings(
        limit_per_s=0, list_lag_s=1.0, faults={"429": 0.1, "reset_after": 0.1, "500_before": 0.1}, seed=3
    )
    async with Sandbox(options) as sandbox:
        front = Front("spring", sandbox, tmp_path)
        front.settings = settings_of(
            sandbox, tmp_path, retry={"backoff_base_s": 0.05, "breaker_failures": 500}, reconcile={"settle_s": 1.5}
        )
        async with open_campaign("spring", front.settings, CREDENTIALS, bus=front.bus) as campaign:
            await campaign.plan(contacts(tmp_path / "contacts.csv"))
            result = await campaign.send()
            assert result.status.rows[RowState.created] == ROWS
    begun = Counter(event.kind for event in front.heard if isinstance(event, Waiting))
    ended = Counter(event.kind for event in front.heard if isinstance(event, Resumed))
    assert begun == ended
    assert len(begun) >= 2
    assert front.bus.snapshot().waiting is None


def test_public_names_load_no_command_line(root: Path) -> None:
    """A front end of its own does not bring the command line along."""
    names = ", ".join(f"dispatcher.{name}" for name in dispatcher.__all__)
    program = f"import sys, dispatcher; [{names}]; sys.exit('dispatcher.cli' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0

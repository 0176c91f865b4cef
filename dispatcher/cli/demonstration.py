"""What `demo` does: plan, send, track and report, against a local Studio."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from rich.text import Text

from dispatcher.campaign import RunResult, open_campaign
from dispatcher.campaign.demo import LIMIT_PER_S, demo_contacts, demo_settings
from dispatcher.campaign.problems import examples
from dispatcher.cli.interrupts import Interrupts, run_async
from dispatcher.cli.render import live
from dispatcher.cli.render.campaign import planned, status_lines
from dispatcher.cli.render.executions import print_counts
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.progress import reading, tracking
from dispatcher.cli.render.terminal import err, out, print_line, print_pairs, say
from dispatcher.errors import ExitCode
from dispatcher.events import EventBus, log_event
from dispatcher.model import RowState
from dispatcher.reporting.report import check_report_path
from dispatcher.sandbox import DEFAULT_FLOW_SID, ContactScript, Sandbox, SandboxSettings, default_flow
from dispatcher.settings import Credentials
from dispatcher.tracking.results import TrackResult

NAME = "demo"
#: Each way in which a day can be bad, now and then. All of them end well.
FAULTS = {"429": 0.005, "500_after": 0.01, "500_before": 0.01, "reset_after": 0.01, "reset_before": 0.01}
LATENCY_S, JITTER_S = 0.06, 0.12
#: How much faster than life contacts answer and flows wait: an hour's wait is over in two seconds.
SPEED = 2_000.0


def demonstrate(report: Path) -> ExitCode:
    """Raises: ReportError."""
    check_report_path(report)
    page = report.with_name(report.name.split(".")[0] + ".html")
    check_report_path(page, page=True)
    sandbox_settings = SandboxSettings(
        limit_per_s=LIMIT_PER_S,
        latency_s=LATENCY_S,
        latency_jitter_s=JITTER_S,
        faults=FAULTS,
        seed=5,
        flows=(default_flow(walks=True),),
        contacts=ContactScript(speed=SPEED),
    )
    account_sid = sandbox_settings.account_sid
    credentials = Credentials(account_sid=account_sid, username=account_sid, password="rehearsal")

    async def main(interrupts: Interrupts) -> ExitCode:
        with tempfile.TemporaryDirectory(prefix="dispatcher-demo-") as folder:
            source = demo_contacts(Path(folder))
            async with Sandbox(sandbox_settings) as sandbox:
                settings = demo_settings(sandbox.base_url, DEFAULT_FLOW_SID, Path(folder))
                bus = EventBus()
                bus.subscribe(log_event)
                say("A local Studio is up. A few per cent of its answers are faults.", "bold")
                say()
                async with open_campaign(NAME, settings, credentials, bus=bus) as campaign:
                    with interrupts.watching(campaign, bus):
                        async with reading(bus, _shown(source)):
                            counts = await campaign.plan(source)
                        err().print(planned(_shown(source), counts, await examples(campaign, counts)))
                        say()
                        async with live.view(bus):
                            result = await campaign.send()
                        async with tracking(bus, "tracking"):
                            tracked = await campaign.track(follow=True)
                        await campaign.report(report)
                        await campaign.page(page)
                stats = sandbox.stats(brief=True)
        _print(result, tracked, stats)
        print_line(f"{report}\n{page}")
        for error in (result.error, result.reconcile_error, tracked.error):
            if error is not None:
                print_error(error)
                return error.exit_code
        waiting = (RowState.planned, RowState.sending, RowState.unknown)
        is_whole = not any(result.status.rows[state] for state in waiting) and not _created_twice(stats)
        return ExitCode.OK if is_whole else ExitCode.SOME_UNKNOWN

    return run_async(main)


def _print(result: RunResult, tracked: TrackResult, stats: dict[str, Any]) -> None:
    twice = _created_twice(stats)
    seen = f"{stats['creates']:,} executions, {twice or 'none'} created twice; worst window"
    lines: list[tuple[str, Text | str]] = [
        *status_lines(result.status, None),
        ("Studio saw", f"{seen} {stats['worst_window']:,} of {stats['window_limit']:,}"),
    ]
    if result.found_by_reconcile:
        lines.append(("looked up", f"{result.found_by_reconcile:,} rows without an answer were found to exist"))
    out().print()
    print_pairs(lines)
    out().print()
    say("What became of them, by `track`:", "bold")
    print_counts(tracked.counts)
    say("The report has an answer for every row, and the page has the numbers:", "bold")


def _created_twice(stats: dict[str, Any]) -> int:
    return len(stats["created_by_dispatch_id_duplicates"])


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return path.name

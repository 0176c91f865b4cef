"""What `demo` does: plan, send, track and report, against a local Studio."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dispatcher.campaign.demo import LIMIT_PER_S, demo_contacts, demo_settings
from dispatcher.campaign.problems import examples
from dispatcher.cli.flags import Asked
from dispatcher.cli.interrupts import Interrupts, run_async
from dispatcher.cli.render import live
from dispatcher.cli.render.campaign import planned, result_lines
from dispatcher.cli.render.executions import print_counts
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.progress import reading, tracking
from dispatcher.cli.render.remedies import say_step
from dispatcher.cli.render.terminal import err, out, print_line, print_pairs, say
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode
from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.remedies import Command
from dispatcher.reporting.report import check_report_path
from dispatcher.sandbox import DEFAULT_FLOW_SID, ContactScript, Sandbox, SandboxSettings, default_flow
from dispatcher.settings import Credentials

NAME = "demo"
#: Each way in which a day can be bad, now and then. All of them end well.
FAULTS = {"429": 0.005, "500_after": 0.01, "500_before": 0.01, "reset_after": 0.01, "reset_before": 0.01}
#: How much faster than life contacts answer and flows wait: an hour's wait is over in two seconds.
SPEED = 2_000.0


def demonstrate(report: Path) -> ExitCode:
    """Raises: ReportError."""
    check_report_path(report)
    page = report.with_name(report.name.split(".")[0] + ".html")
    check_report_path(page, page=True)

    async def main(interrupts: Interrupts) -> ExitCode:
        with tempfile.TemporaryDirectory(prefix="dispatcher-demo-") as folder:
            return await _show(Session(Asked(None, {}), interrupts), Path(folder), report, page)

    return run_async(main)


async def _show(session: Session, folder: Path, report: Path, page: Path) -> ExitCode:
    sandbox_settings = SandboxSettings(
        limit_per_s=LIMIT_PER_S,
        latency_s=0.06,
        latency_jitter_s=0.12,
        faults=FAULTS,
        seed=5,
        flows=(default_flow(walks=True),),
        contacts=ContactScript(speed=SPEED),
    )
    account_sid = sandbox_settings.account_sid
    session.credentials = Credentials(account_sid=account_sid, username=account_sid, password="rehearsal")
    source = demo_contacts(folder)
    name = str(source.relative_to(Path.cwd())) if source.is_relative_to(Path.cwd()) else source.name
    async with Sandbox(sandbox_settings) as sandbox:
        session.settings = demo_settings(sandbox.base_url, DEFAULT_FLOW_SID, folder)
        say("A local Studio is up. A few per cent of its answers are faults.", "bold")
        say()
        async with session.working(NAME, create=True) as campaign:
            async with reading(session.bus, name):
                counts = await campaign.plan(source)
            err().print(planned(name, counts, await examples(campaign, counts)))
            say()
            async with live.view(session.bus):
                result = await campaign.send()
            async with tracking(session.bus, "tracking"):
                tracked = await campaign.track(follow=True)
            await campaign.report(report)
            await campaign.page(page)
        stats = sandbox.stats(brief=True)
    twice = len(stats["created_by_dispatch_id_duplicates"])
    seen = f"{counted(stats['creates'], 'execution')}, {twice or 'none'} created twice; worst window"
    out().print()
    print_pairs(
        [
            *result_lines(result, campaign.bus.snapshot(), None),
            ("Studio saw", f"{seen} {stats['worst_window']:,} of {stats['window_limit']:,}"),
        ]
    )
    out().print()
    say("What became of them, by `track`:", "bold")
    print_counts(tracked.counts)
    say("The report has an answer for every row, and the page has the numbers:", "bold")
    print_line(f"{report}\n{page}")
    say_step(Command("init", ("FILE",), does="makes the settings for a file of yours"))
    for error in (result.error, result.reconcile_error, tracked.error):
        if error is not None:
            print_error(error)
            return error.exit_code
    waiting = (RowState.planned, RowState.sending, RowState.unknown)
    is_whole = not twice and not any(result.status.rows[state] for state in waiting)
    return ExitCode.OK if is_whole else ExitCode.SOME_UNKNOWN

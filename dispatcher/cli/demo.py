"""`demo`: a whole campaign against a local Studio on a slightly bad day, in half a minute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.settings import Settings

EPILOG = options.examples("dispatcher demo", "dispatcher demo --report demo-report.xlsx")

NAME = "demo"
#: Enough to see the limit at work, and over in half a minute.
LIMIT_PER_S = 30.0
#: Each way in which a day can be bad, now and then. All of them end well.
FAULTS = {"429": 0.005, "500_after": 0.01, "500_before": 0.01, "reset_after": 0.01, "reset_before": 0.01}
LATENCY_S, JITTER_S = 0.06, 0.12
SETTLE_S = 1.0
#: How much faster than life contacts answer and flows wait: an hour's wait is over in two seconds.
SPEED = 2_000.0
TRACKING = {"per_second": 500.0, "concurrency": 50, "every_s": 0.5}
REPLY = {"reply": "widgets.ask_yes_no.inbound.Body"}
GENERATED_ROWS = 200


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=EPILOG, rich_help_panel=options.REHEARSE)(demo)


def demo(
    report: Annotated[Path, typer.Option("--report", help="Where the report goes.")] = Path("demo-report.csv"),
    debug: options.Debug = False,
) -> int:
    """See it work: a campaign against a local Studio with faults.

    A contacts file with some wrong rows, the live view, what became of the contacts, a report and its page, in half a
    minute.
    Nothing leaves this machine, and no account is needed.
    """
    import tempfile

    from dispatcher.campaign import open_campaign
    from dispatcher.cli import live, outcomes, planning, summary
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.terminal import err, out, print_error, say
    from dispatcher.model import RowState
    from dispatcher.reporting.report import check_report_path
    from dispatcher.sandbox import ContactScript, Sandbox, SandboxSettings, default_flow
    from dispatcher.settings import Credentials

    check_report_path(report)
    page = report.with_name(report.name.split(".")[0] + ".html")
    check_report_path(page, page=True)
    settings_of_sandbox = SandboxSettings(
        limit_per_s=LIMIT_PER_S,
        latency_s=LATENCY_S,
        latency_jitter_s=JITTER_S,
        faults=FAULTS,
        seed=5,
        flows=(default_flow(walks=True),),
        contacts=ContactScript(speed=SPEED),
    )
    account_sid = settings_of_sandbox.account_sid
    credentials = Credentials(account_sid=account_sid, username=account_sid, password="rehearsal")

    async def main(interrupts: Interrupts) -> ExitCode:
        with tempfile.TemporaryDirectory(prefix="dispatcher-demo-") as folder:
            source = contacts_file(Path(folder))
            async with Sandbox(settings_of_sandbox) as sandbox:
                settings = settings_for(sandbox.base_url, Path(folder))
                bus = planning.event_bus()
                say("A local Studio is up. A few per cent of its answers are faults.", "bold")
                say()
                async with open_campaign(NAME, settings, credentials, bus=bus) as campaign:
                    interrupts.watch(campaign)
                    counts = await planning.plan(campaign, str(source))
                    err().print(summary.planned(_shown(source), counts, await planning.examples(campaign, counts)))
                    say()
                    async with live.view(bus):
                        result = await campaign.send()
                    async with outcomes.view(bus, "tracking"):
                        tracked = await campaign.track(follow=True)
                    await campaign.report(report)
                    await campaign.page(page)
                stats = sandbox.stats(brief=True)
        status = result.status
        out().print()
        lines = summary.status_lines(status, None)
        twice = len(stats["created_by_dispatch_id_duplicates"])
        seen = f"{stats['creates']:,} executions, {twice or 'none'} created twice; worst window"
        lines.append(("Studio saw", f"{seen} {stats['worst_window']:,} of {stats['window_limit']:,}"))
        if result.found_by_reconcile:
            lines.append(("settled", f"{result.found_by_reconcile:,} rows without an answer were found to exist"))
        out().print(summary.pairs(lines))
        out().print()
        say("What became of them, by `track`:", "bold")
        outcomes.print_counts(out(), tracked.counts)
        say("The report has an answer for every row, and the page has the numbers:", "bold")
        out().print(f"{report}\n{page}", markup=False, soft_wrap=True)
        for error in (result.error, result.reconcile_error, tracked.error):
            if error is not None:
                print_error(error)
                return error.exit_code
        open_rows = sum(status.rows[state] for state in (RowState.planned, RowState.sending, RowState.unknown))
        return ExitCode.SOME_UNKNOWN if open_rows or twice else ExitCode.OK

    return run_async(main)


def settings_for(base_url: str, folder: Path) -> Settings:
    """The demo's own: nothing of this machine's settings or environment has a say in it."""
    from dispatcher.sandbox import DEFAULT_FLOW_SID
    from dispatcher.settings import load

    empty = folder / "config.toml"
    empty.touch()
    flags = {
        "account.base_url": base_url,
        "campaign.flow": DEFAULT_FLOW_SID,
        "campaign.from": "+15550001111",
        "columns.to": "phone",
        "columns.region": "US",
        "rate.per_second": LIMIT_PER_S,
        "reconcile.settle_s": SETTLE_S,
        "state.dir": str(folder / "state"),
        "tracking.variables": REPLY,
        **{f"tracking.{name}": value for name, value in TRACKING.items()},
    }
    return load(empty, flags=flags, environ={}).settings


def contacts_file(folder: Path) -> Path:
    """The sample contacts of a clone; where only the package is installed, some made up."""
    import dispatcher

    sample = Path(dispatcher.__file__).resolve().parent.parent / "samples" / "contacts.csv"
    if sample.is_file():
        return sample
    path = folder / "contacts.csv"
    rows = [f"+1202555{n:04d},Contact {n}" for n in range(100, 100 + GENERATED_ROWS)]
    rows[7], rows[70] = "4.41E+11,Mangled by a spreadsheet", ",Without a number"
    path.write_text("phone,first_name\n" + "\n".join([*rows, rows[0]]) + "\n", encoding="utf-8")
    return path


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return path.name

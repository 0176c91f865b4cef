"""`run` and `resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dispatcher.cli import options
from dispatcher.cli.ahead import import_client
from dispatcher.errors import DispatcherError, ExitCode, UsageError

RUN_EPILOG = options.examples(
    ("dispatcher run contacts.csv", "counts, a question, then it sends"),
    ("dispatcher run contacts.csv --dry-run", "what would be sent"),
    ("dispatcher run contacts.csv --test-to +15550100", "the first row's values, to your own phone"),
    ("dispatcher run contacts.csv --limit 100", "the first hundred"),
    (
        "dispatcher run contacts.csv --campaign spring --yes --wait --json",
        "for cron: no question, no error while another sends",
    ),
    "zcat big.csv.gz | dispatcher run - --campaign big --yes",
    ("dispatcher run contacts.csv --base-url http://127.0.0.1:8700", "a rehearsal: see `dispatcher sandbox`"),
)
RESUME_EPILOG = options.examples(
    ("dispatcher resume spring", "after Ctrl-C, a crash, `run --limit`"),
    ("dispatcher resume spring --yes --json", "for scripts"),
)

Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Send at most so many rows.", show_default=False)]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="The report: .csv, .csv.gz, .xlsx or .parquet.", show_default="CAMPAIGN-report.csv"),
]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=RUN_EPILOG, rich_help_panel=options.SEND)(run)
    app.command(epilog=RESUME_EPILOG, rich_help_panel=options.SEND)(resume)


def campaign_name(source: str, chosen: str | None) -> str:
    """The campaign's name: as chosen, else the file's stem; a report's is that of its campaign.

    Raises: UsageError: standard input has no name.
    """
    if chosen:
        return chosen
    if source == "-":
        raise UsageError("rows from standard input need a campaign's name", fix="--campaign NAME")
    name = Path(source).name
    for suffix in (".gz", Path(name.removesuffix(".gz")).suffix):
        name = name.removesuffix(suffix) if suffix else name
    # A report that is fed back goes on with its campaign: under a new name, every row would be sent again.
    return name.removesuffix("-report") or name


def run(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV, TSV, Parquet, XLSX or JSON Lines; - is standard input.")
    ],
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", help="The campaign's name.", show_default="the file's, without its suffix"),
    ] = None,
    report: Report = None,
    yes: options.Yes = False,
    limit: Limit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    test_to: Annotated[
        str | None,
        typer.Option(
            "--test-to",
            metavar="NUMBER",
            help="Send the first row's values to this number instead, once.",
            show_default=False,
        ),
    ] = None,
    no_preflight: options.NoPreflight = False,
    wait: options.Wait = False,
    json: options.Json = False,
    config: options.Config = None,
    flow: options.Flow = None,
    from_: options.From = None,
    to: options.To = None,
    region: options.Region = None,
    sheet: options.Sheet = None,
    rate: options.Rate = None,
    pace: options.Pace = None,
    on_busy: options.OnBusy = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Send a file's rows: every valid row once, at the account's rate.

    Running the same campaign again goes on with it: created rows are never sent again, new and corrected ones are.
    The whole file is read and checked before anything is sent, and so is whether the flow fits it; the number of rows
    has to be typed, or --yes given.
    """
    flags = {
        "campaign.flow": flow,
        "campaign.from": from_,
        "campaign.on_busy": on_busy,
        "columns.to": to,
        "columns.region": region,
        "input.sheet": sheet,
        "rate.per_second": rate,
        "rate.pace": pace,
        "account.api_version": api_version,
        "account.base_url": base_url,
        "state.dir": state_dir,
    }
    name = campaign_name(file, campaign)
    if dry_run and test_to:
        raise UsageError("--dry-run sends nothing and --test-to sends one", fix="give one of them")
    if dry_run:
        from dispatcher.cli.rehearsal import dry_run as rehearse

        return rehearse(file, name, options.load_settings(config, flags), limit=limit, as_json=json)
    if test_to:
        from dispatcher.cli.rehearsal import send_test

        return send_test(file, name, test_to, options.load_settings(config, flags), wait=wait, as_json=json)
    return _run(
        file,
        name,
        config,
        flags,
        report=report,
        yes=yes,
        limit=limit,
        preflight=not no_preflight,
        wait=wait,
        as_json=json,
    )


def _run(
    file: str,
    name: str,
    config: Path | None,
    flags: dict[str, Any],
    *,
    report: Path | None,
    yes: bool,
    limit: int | None,
    preflight: bool,
    wait: bool,
    as_json: bool,
) -> ExitCode:
    import_client()
    from dispatcher.campaign import open_campaign
    from dispatcher.cli import planning, sending, summary
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.outlook import SendOptions
    from dispatcher.cli.preflight import stop_unless_flow_fits
    from dispatcher.cli.terminal import err
    from dispatcher.model import RowState
    from dispatcher.settings import load_credentials

    settings = options.load_settings(config, flags).settings
    credentials = load_credentials()
    sending.must_be_able_to_ask(yes, file)
    path = sending.report_path(name, report, file)
    send_options = SendOptions(report=path, yes=yes, limit=limit, json=as_json)

    async def main(interrupts: Interrupts) -> ExitCode:
        bus = planning.event_bus()
        async with open_campaign(name, settings, credentials, bus=bus, wait=wait) as campaign:
            interrupts.watch(campaign)
            counts = await planning.plan(campaign, file)
            examples = await planning.examples(campaign, counts) if not yes else None
            err().print(summary.planned(file, counts, examples))
            if preflight and counts.rows[RowState.planned]:
                try:
                    await stop_unless_flow_fits(campaign)
                except DispatcherError:
                    await sending.finish_unsent(campaign, send_options)
                    raise
            return await sending.send(campaign, send_options, await campaign.status())

    return run_async(main)


def resume(
    campaign: options.CampaignName,
    report: Report = None,
    yes: options.Yes = False,
    limit: Limit = None,
    wait: options.Wait = False,
    json: options.Json = False,
    config: options.Config = None,
    rate: options.Rate = None,
    pace: options.Pace = None,
    on_busy: options.OnBusy = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Go on with a campaign, without its file.

    Sends every row of it that still waits. Rows in doubt are looked up first.
    Rows that were refused are left: see `dispatcher retry`.
    """
    flags = {
        "campaign.on_busy": on_busy,
        "rate.per_second": rate,
        "rate.pace": pace,
        "account.api_version": api_version,
        "account.base_url": base_url,
        "state.dir": state_dir,
    }
    import_client()
    from dispatcher.campaign import open_campaign
    from dispatcher.cli import planning, sending
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.outlook import SendOptions
    from dispatcher.settings import load_credentials

    settings = options.load_settings(config, flags).settings
    credentials = load_credentials()
    sending.must_be_able_to_ask(yes)
    path = sending.report_path(campaign, report)
    send_options = SendOptions(report=path, yes=yes, limit=limit, json=json, whole_campaign=True)

    async def main(interrupts: Interrupts) -> ExitCode:
        bus = planning.event_bus()
        async with open_campaign(campaign, settings, credentials, bus=bus, create=False, wait=wait) as opened:
            interrupts.watch(opened)
            return await sending.send(opened, send_options, await opened.status())

    return run_async(main)

"""`resume`: a campaign goes on without its file."""

from __future__ import annotations

import typer

from dispatcher.cli import options
from dispatcher.cli.ahead import import_client

PANEL = options.SEND
EPILOG = options.examples(
    ("dispatcher resume spring", "after Ctrl-C, a crash, `run --limit`"),
    ("dispatcher resume spring --yes --json", "for scripts"),
)


def resume(
    context: typer.Context,
    campaign: options.CampaignName,
    report: options.Report = None,
    yes: options.Yes = False,
    limit: options.Limit = None,
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
    log_file: options.LogFile = None,
) -> int:
    """Go on with a campaign, without its file.

    Sends every row of it that still waits. Rows left unknown are looked up first.
    Rows that were refused are left: see `dispatcher retry`.
    """
    import_client()
    from dispatcher.cli.actions.run import resume as act

    return act(options.asked(context), campaign, report=report, yes=yes, limit=limit, wait=wait, as_json=json)

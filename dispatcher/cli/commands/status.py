"""`status`: how campaigns stand."""

from __future__ import annotations

import typer

from dispatcher.cli import options

PANEL = options.AFTERWARDS
EPILOG = options.examples(
    ("dispatcher status", "all campaigns"),
    ("dispatcher status spring", "one, while it runs or later"),
    ("dispatcher status spring --json", "for scripts"),
)


def status(
    context: typer.Context,
    campaign: options.OptionalCampaignName = None,
    json: options.Json = False,
    config: options.Config = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
    log_file: options.LogFile = None,
) -> int:
    """Show how campaigns stand.

    Rows by state, requests, the worst window; also while a campaign runs. Needs no credentials.
    """
    from dispatcher.cli.actions.status import show_all, show_one

    asked = options.asked(context)
    return show_one(asked, campaign, as_json=json) if campaign else show_all(asked, as_json=json)

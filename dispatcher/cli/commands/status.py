"""`status`: how campaigns stand."""

from __future__ import annotations

from dispatcher.cli import options

PANEL = options.AFTERWARDS
EPILOG = options.examples(
    ("dispatcher status", "all campaigns"),
    ("dispatcher status spring", "one, while it runs or later"),
    ("dispatcher status spring --json", "for scripts"),
)


@options.reads_settings("state.dir")
def status(asked: options.Asked, campaign: options.OptionalCampaignName = None, json: options.Json = False) -> int:
    """Show how campaigns stand.

    Rows by state, requests, the worst window; also while a campaign runs. Needs no credentials.
    """
    from dispatcher.cli.actions.status import show_all, show_one

    return show_one(asked, campaign, as_json=json) if campaign else show_all(asked, as_json=json)

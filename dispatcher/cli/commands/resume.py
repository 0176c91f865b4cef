"""`resume`: a campaign goes on without its file."""

from __future__ import annotations

from dispatcher.cli import options
from dispatcher.cli.ahead import import_client

PANEL = options.SEND
EPILOG = options.examples(
    ("dispatcher resume spring", "after Ctrl-C, a crash, `run --limit`"),
    ("dispatcher resume spring --yes --json", "for scripts"),
)


@options.reads_settings(
    "rate.per_second", "rate.pace", "campaign.on_busy", "account.api_version", "account.base_url", "state.dir"
)
def resume(
    asked: options.Asked,
    campaign: options.CampaignName,
    report: options.Report = None,
    yes: options.Yes = False,
    limit: options.Limit = None,
    again: options.Again = False,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """Go on with a campaign, without its file.

    Sends every row of it that still waits. Rows left unknown are looked up first.
    Rows that were refused are left: see `dispatcher retry`.
    """
    import_client()
    from dispatcher.cli.actions.run import resume as act

    return act(asked, campaign, report=report, yes=yes, limit=limit, again=again, wait=wait, as_json=json)

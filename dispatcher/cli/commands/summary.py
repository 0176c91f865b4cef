"""`summary`: a campaign in numbers."""

from __future__ import annotations

from dispatcher.cli import options

PANEL = options.AFTERWARDS
EPILOG = options.examples(
    ("dispatcher summary spring", "rows, reasons, outcomes"),
    ("dispatcher summary spring --json", "for scripts"),
    ("dispatcher report spring --format html", "the same as a page, with plots"),
)


@options.reads_settings("state.dir")
def summary(asked: options.Asked, campaign: options.CampaignName, json: options.Json = False) -> int:
    """Show a campaign's numbers.

    Rows by state, why rows were refused, and what became of the executions. From the ledger alone:
    `dispatcher track CAMPAIGN` brings what became of them up to date.
    """
    from dispatcher.cli.actions.summary import summary as act

    return act(asked, campaign, as_json=json)

"""`recall`: end what a campaign has started."""

from __future__ import annotations

from dispatcher.cli import options

PANEL = options.AFTERWARDS
EPILOG = options.examples(
    ("dispatcher recall spring", "counts them, asks, and ends them"),
    ("dispatcher recall spring --yes --json", "for scripts"),
    ('dispatcher cancel spring --reason "wrong price"', "rows that are not sent yet"),
    more="[bold]Exit codes[/bold]  0 none is active any more · 5 some may still be: recall again · 4 credentials"
    " · 130 interrupted, goes on where it was",
)


@options.reads_settings("account.api_version", "account.base_url", "state.dir")
def recall(
    asked: options.Asked,
    campaign: options.CampaignName,
    yes: options.DoNotAsk = False,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """End the executions of a campaign that are still active.

    Only those that this ledger has created. What they have sent stays sent; contacts get nothing more of them, and an
    answer starts nothing. This cannot be undone.
    """
    from dispatcher.cli.actions.recall import recall as act

    return act(asked, campaign, yes=yes, wait=wait, as_json=json)

"""`cancel`: waiting rows are taken out."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli import options

PANEL = options.AFTERWARDS
EPILOG = options.examples(
    'dispatcher cancel spring --reason "wrong price in the text"',
    ("dispatcher retry spring --cancelled", "puts them back"),
)


@options.reads_settings("state.dir")
def cancel(
    asked: options.Asked,
    campaign: options.CampaignName,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the report.")],
    yes: options.DoNotAsk = False,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """Take the rows that are not sent yet out of a campaign.

    Executions that exist are left alone. `dispatcher retry CAMPAIGN --cancelled` puts the rows back.
    """
    from dispatcher.cli.actions.cancel import cancel as act

    return act(asked, campaign, reason=reason.strip(), yes=yes, wait=wait, as_json=json)

"""`reconcile`: what became of the rows left unknown."""

from __future__ import annotations

from dispatcher.cli import options

PANEL = options.AFTERWARDS
EPILOG = options.examples(
    ("dispatcher reconcile spring", "which of the unknown rows exist?"),
    ("dispatcher report spring --only unknown", "the evidence on those that stay"),
)


@options.reads_settings("account.api_version", "account.base_url", "state.dir")
def reconcile(
    asked: options.Asked, campaign: options.CampaignName, wait: options.Wait = False, json: options.Json = False
) -> int:
    """Find out what became of the rows left unknown; nothing is sent.

    They are looked up in Studio's list of executions. Found: created. Not there after
    the list had its time (\\[reconcile] settle_s): planned, and `resume` sends it.
    Exit code 6 where rows stay unknown; `dispatcher report CAMPAIGN --only unknown` says why.
    """
    from dispatcher.cli.actions.reconcile import reconcile as act

    return act(asked, campaign, wait=wait, as_json=json)

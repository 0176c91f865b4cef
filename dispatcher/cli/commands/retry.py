"""`retry`: refused rows are sent again, as asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.model import Reason


class Skipped(StrEnum):
    """Reasons for which rows are left out and can be put back."""

    cancelled = "cancelled"
    contacted = "contacted"
    removed = "removed"
    reported = "reported"


PANEL = options.AFTERWARDS
EPILOG = options.examples(
    ("dispatcher retry spring --code 21211 --code 21614", "rows that Studio refused with these codes"),
    ("dispatcher retry spring --all-rejected", "once the cause is removed"),
    ("dispatcher retry spring --busy", "contacts in another execution"),
    ("dispatcher retry spring --cancelled", "rows that `cancel` took out"),
    ("dispatcher retry spring --skipped removed", "rows that the file had no more"),
    ("dispatcher retry spring --unknown", "rows of which nothing could be proved, at your own risk"),
)


@options.reads_settings("rate.per_second", "campaign.on_busy", "account.api_version", "account.base_url", "state.dir")
def retry(
    asked: options.Asked,
    campaign: options.CampaignName,
    code: Annotated[
        list[int] | None,
        typer.Option("--code", help="Rows refused with this error code; again for more.", show_default=False),
    ] = None,
    all_rejected: Annotated[bool, typer.Option("--all-rejected", help="Every refused row.")] = False,
    busy: Annotated[bool, typer.Option("--busy", help="Rows whose contact was in another execution.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="Rows that were cancelled.")] = False,
    skipped: Annotated[
        list[Skipped] | None,
        typer.Option(
            "--skipped", metavar="REASON", help="Rows left out for this reason; again for more.", show_default=False
        ),
    ] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Rows that may have been created: some may be reached twice.")
    ] = False,
    report: options.Report = None,
    yes: options.Yes = False,
    limit: options.Limit = None,
    again: options.Again = False,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """Send again what Studio refused, as you ask for it.

    A new attempt on the same row; its history is kept. Nothing changes before the number of rows is
    confirmed. Where no row matches, nothing is sent; the exit code is 0.
    """
    from dispatcher.cli.actions.retry import RetryChoice
    from dispatcher.cli.actions.retry import retry as act

    choice = RetryChoice(
        codes=tuple(code or ()),
        all_rejected=all_rejected,
        busy=busy,
        cancelled=cancelled,
        unknown=unknown,
        skipped=tuple(Reason(reason.value) for reason in skipped or ()),
    )
    return act(asked, campaign, choice, report=report, yes=yes, limit=limit, again=again, wait=wait, as_json=json)

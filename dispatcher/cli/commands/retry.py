"""`retry`: refused rows are sent again, as asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render import answers
from dispatcher.cli.render.campaign import print_status_object
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import say
from dispatcher.errors import ExitCode, UsageError
from dispatcher.model import Reason, RowState
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, Command, Option

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign


class Skipped(StrEnum):
    """Reasons for which rows are left out and can be put back."""

    cancelled = "cancelled"
    contacted = "contacted"
    cooled_off = "cooled_off"
    expired = "expired"
    no_window = "no_window"
    removed = "removed"
    reported = "reported"
    suppressed = "suppressed"
    zone_unknown = "zone_unknown"


EPILOG = options.examples(
    ("dispatcher retry spring --code 21211 --code 21614", "rows that Studio refused with these codes"),
    ("dispatcher retry spring --all-rejected", "once the cause is removed"),
    ("dispatcher retry spring --busy", "contacts in another execution"),
    ("dispatcher retry spring --cancelled", "rows that `cancel` took out"),
    ("dispatcher retry spring --skipped removed", "rows that the file had no more"),
    ("dispatcher retry spring --unknown", "rows of which nothing could be proved, at your own risk"),
)
FACETS_SHOWN = 10
#: Rows whose evidence is shown before they are risked.
EVIDENCE_SHOWN = 20


@options.reads_settings(
    "rate.per_second", "guard.max_rows", "campaign.on_busy", "account.api_version", "account.base_url", "state.dir"
)
async def retry(
    session: options.Session,
    campaign: options.CampaignName,
    code: Annotated[
        list[int] | None, typer.Option("--code", help="Rows refused with this error code; again for more.")
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
    overwrite: options.Overwrite = False,
    yes: options.Yes = False,
    limit: options.Limit = None,
    again: options.Again = False,
    wait: options.Wait = False,
    wait_until_done: options.WaitUntilDone = False,
    json: options.Json = False,
    json_events: options.JsonEvents = False,
) -> int:
    """Send again what Studio refused, as you ask for it.

    A new attempt on the same row; its history is kept. Nothing changes before the number of rows is
    confirmed. Where no row matches, nothing is sent; the exit code is 0.
    """
    from dispatcher.campaign.retry_choice import RetryChoice
    from dispatcher.campaign.retry_choices import count_rows, plan_again
    from dispatcher.cli import launching
    from dispatcher.cli.render import live

    json = json or json_events
    choice = RetryChoice(
        codes=tuple(code or ()),
        all_rejected=all_rejected,
        busy=busy,
        cancelled=cancelled,
        unknown=unknown,
        skipped=tuple(Reason(reason.value) for reason in skipped or ()),
    )
    if not choice:
        await _refuse_no_choice(session, campaign)
    if unknown and yes:
        raise UsageError(
            "sending unknown rows again may reach people twice: a person has to confirm how many",
            fix=Advice("leave out the answer that was given beforehand, and type the number when it is asked for"),
        )
    prepared = launching.prepare(session, report=report, overwrite=overwrite, limit=limit, yes=yes, again=again)
    waits = launching.waits_for_hours(wait_until_done, json)
    answers.know(campaign=campaign)
    wait = wait or session.settings.is_cluster  # a worker makes room for whoever plans
    async with session.working(campaign, wait=wait) as opened, launching.answered(opened):
        await opened.check_not_paused()
        if unknown:
            # What can be found is found first.
            async with live.view(session.bus):
                await opened.reconcile()
            await _say_evidence(opened)
        # Rows that are not sent now stay refused, with their reasons. What is risked is confirmed as a whole.
        most = None if unknown else limit
        count = await count_rows(opened, choice, most)
        if count:
            say(f"{counted(count, 'row is', 'rows are')} planned again")
            launch, left_out = await prepared(opened), await opened.count_left_out(choice)
            launched = await launching.send(
                opened,
                launch,
                yes=yes,
                as_json=json,
                extra=count,
                repeats=left_out.contacted,
                suppressed=left_out.suppressed,
                waits=waits,
                risked=await opened.count_unknown() if unknown else 0,
                before=lambda: plan_again(opened, choice, most),
            )
        else:
            await _say_nothing_matches(opened, json)
            return ExitCode.OK
    return await launching.until_done(session, campaign, launched, launch, waits=waits, as_json=json)


async def _say_nothing_matches(opened: Campaign, as_json: bool) -> None:
    from dispatcher.campaign.retry_choices import facets

    say("no row matches: nothing is sent", "yellow")
    there_are = [f"{one.rows:,} for {remedy_text(one.option)}" for one in await facets(opened)]
    if there_are:
        say(f"there are: {', '.join(there_are[:FACETS_SHOWN])}", "bright_black")
    if as_json:
        print_status_object(await opened.status(), await opened.reasons(), opened.settings)


async def _refuse_no_choice(session: options.Session, name: str) -> None:
    """Raises: UsageError: with what there is to choose from. CampaignNotFound, CampaignMismatch, LedgerError."""
    from dispatcher.campaign.retry_choices import facets

    async with session.viewing(name) as campaign:
        found = await facets(campaign)
    if not found:
        others = AnyOf(Option("skipped", "REASON"), Option("unknown"))
        raise UsageError("no row was refused, so retry needs to know which rows", fix=others)
    found = found[:FACETS_SHOWN]
    there_are = ", ".join(f"{one.rows:,} for {remedy_text(one.option)}" for one in found)
    ways = tuple(Command("retry", (name,), (one.option,)) for one in found)
    raise UsageError("retry needs to know which rows", found=there_are, fix=AnyOf(*ways))


async def _say_evidence(campaign: Campaign) -> None:
    """Why rows are unknown: what would be risked."""
    from dispatcher.reporting.selection import Selection

    shown = 0
    async for batch in campaign.rows(only=Selection(frozenset({RowState.unknown}))):
        for row in batch[: EVIDENCE_SHOWN - shown]:
            say(f"row {row.row_number}: {row.error_message or 'nothing is known'}", "yellow")
        shown = min(EVIDENCE_SHOWN, shown + len(batch))

"""What run, resume and retry have in common: show what is ahead, ask, send with the live view, say how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dispatcher.campaign import Campaign
from dispatcher.campaign.launch import LaunchOptions, launch, write_report
from dispatcher.campaign.outlook import Outlook
from dispatcher.campaign.planning import REMOVE_SHARE_MAX
from dispatcher.cli import asking
from dispatcher.cli.render import campaign as shown
from dispatcher.cli.render import live
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.terminal import err, print_json, say
from dispatcher.errors import ExitCode, LookCutShort, UsageError
from dispatcher.remedies import AnyOf, Command, Option
from dispatcher.reporting.summary import status_object


async def send(
    campaign: Campaign,
    options: LaunchOptions,
    *,
    yes: bool,
    as_json: bool,
    extra: int = 0,
    repeats: int = 0,
    risked: int = 0,
    removal_agreed: bool = False,
    before: Callable[[], Awaitable[object]] | None = None,
) -> ExitCode:
    """Launch a campaign. `before` is called once the user has agreed; it plans `extra` rows again.

    `repeats`: how many of all that wait then were reached a short time ago; `risked`: how many of the extra rows are
    unknown now. `removal_agreed`: however many rows are
    taken out, it was asked for.
    """

    def confirm(ahead: Outlook) -> None:
        say()
        err().print(shown.outlook(campaign, ahead))
        say()
        if not yes and ahead.most:
            asking.ask(ahead.most, "send", again=ahead.again)
        if yes and not removal_agreed and ahead.removed > REMOVE_SHARE_MAX * (ahead.removed + ahead.planned):
            # Whoever was asked about that file did not agree.
            ways = (Option("remove"), Option("add"))
            raise UsageError(
                f"{ahead.removed:,} rows that wait are not in the latest file: they would be taken out",
                fix=AnyOf(*[Command("run", ("FILE",), (way,)) for way in ways]),
            )

    launched = await launch(
        campaign,
        options,
        confirm=confirm,
        extra=extra,
        repeats=repeats,
        risked=risked,
        before=before,
        may_look_short=None if yes else _ask_short,
        shown=lambda: live.view(campaign.bus),
    )
    report = str(launched.report) if launched.report else None
    if as_json:
        print_json(status_object(launched.result.status, report, launched.skipped))
    else:
        shown.print_result(campaign.name, launched.result, report)
    shown.say_contacted(launched)
    for error in launched.errors:
        print_error(error)
    return launched.exit_code


def _ask_short(cut_short: LookCutShort) -> None:
    """Raises: UsageError where a look that was cut short is not enough."""
    say(f"{cut_short.message}: {cut_short.found}", "yellow")
    asking.choose("Whoever was reached before that may be reached again.", {"on": "go on all the same"})


async def finish_unsent(campaign: Campaign, options: LaunchOptions, *, as_json: bool) -> None:
    """For a run that ends before anything is sent: the report and the JSON object all the same."""
    error = await write_report(campaign, options.report)
    if as_json:
        report = None if error else str(options.report)
        print_json(status_object(await campaign.status(), report, await campaign.reasons()))


async def print_status(campaign: Campaign) -> ExitCode:
    """The campaign's JSON object on stdout."""
    status = await campaign.status()
    print_json(status_object(status, status.report_path, await campaign.reasons()))
    return ExitCode.OK

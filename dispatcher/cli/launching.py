"""What run, resume and retry have in common: show what is ahead, ask, send with the live view, say how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.campaign import Campaign
from dispatcher.campaign.flow_check import stop_unless_flow_fits
from dispatcher.campaign.launch import LaunchOptions, launch, write_report
from dispatcher.campaign.outlook import Outlook
from dispatcher.campaign.problems import examples
from dispatcher.campaign.report_target import check_chosen
from dispatcher.cli import asking
from dispatcher.cli.render import campaign as shown
from dispatcher.cli.render import live
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.findings import say_findings
from dispatcher.cli.render.progress import reading
from dispatcher.cli.render.terminal import err, out, print_json, print_pairs, say
from dispatcher.cli.session import Session
from dispatcher.errors import DispatcherError, ExitCode
from dispatcher.model import RowState
from dispatcher.reporting.summary import status_object
from dispatcher.studio.proxies import proxy_of

if TYPE_CHECKING:
    from dispatcher.studio.preflight import Finding


def prepare(
    session: Session, *, report: Path | None, overwrite: bool, limit: int | None, yes: bool, file: str | None = None
) -> Callable[[Campaign], Awaitable[LaunchOptions]]:
    """Look at what must be right before a campaign is opened; what is returned says, once it is, how to launch it.

    Without a `file` all of the campaign is sent.

    Raises: SettingsError, AuthenticationError; UsageError: nobody could be asked; ReportError.
    """
    session.require_credentials()
    asking.must_be_able_to_ask(yes, file)
    if not session.settings.is_loopback:
        proxy_of(session.settings.studio_url)  # said now, not after the file was read and the question answered
    if report is not None:
        check_chosen(report, file, overwrite=overwrite)

    async def options(campaign: Campaign) -> LaunchOptions:
        path = await campaign.report_target(report, source=file, overwrite=overwrite)
        return LaunchOptions(report=path, overwrite=overwrite, limit=limit, whole_campaign=file is None)

    return options


async def plan(campaign: Campaign, file: str, options: LaunchOptions, *, yes: bool, check: bool, as_json: bool) -> None:
    """Read the file, show what it holds, and check the flow. Raises: what planning and checking do."""
    async with reading(campaign.bus, file):
        counts = await campaign.plan(file)
    err().print(shown.planned(file, counts, None if yes else await examples(campaign, counts)))
    if not (check and counts.rows[RowState.planned]):
        return

    def warn(found: Sequence[Finding]) -> None:
        say()
        say_findings(found)

    try:
        await stop_unless_flow_fits(campaign, warn)
    except DispatcherError:
        # Nothing is sent: there is a report and a JSON object all the same.
        error = await write_report(campaign, options.report, overwrite=options.overwrite)
        if as_json:
            print_json(status_object(await campaign.status(), None if error else str(options.report)))
        raise


async def send(
    campaign: Campaign,
    options: LaunchOptions,
    *,
    yes: bool,
    as_json: bool,
    extra: int = 0,
    before: Callable[[], Awaitable[object]] | None = None,
) -> ExitCode:
    """Launch a campaign. `before` is called once the user has agreed; it plans `extra` rows again."""

    def confirm(ahead: Outlook) -> None:
        say()
        err().print(shown.outlook(campaign, ahead))
        say()
        if ahead.most:
            asking.ask(ahead.most, "send", yes)

    launched = await launch(
        campaign, options, confirm=confirm, extra=extra, before=before, shown=lambda: live.view(campaign.bus)
    )
    report = str(launched.report) if launched.report else None
    if as_json:
        print_json(status_object(launched.result.status, report))
    else:
        out().print()
        print_pairs(shown.result_lines(launched.result, report))
        shown.say_next_steps(campaign.name, launched.result.status)
    for error in launched.errors:
        print_error(error)
    return launched.exit_code

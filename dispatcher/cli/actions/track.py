"""`track`: what became of the executions is read and kept."""

from __future__ import annotations

from pathlib import Path

from dispatcher.campaign.naming import report_path
from dispatcher.campaign.objects import track_object
from dispatcher.cli.options import Asked
from dispatcher.cli.render.executions import print_counts
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.progress import tracking
from dispatcher.cli.render.remedies import remedy_text, step_text
from dispatcher.cli.render.terminal import out, print_json, say
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode
from dispatcher.remedies import Command, Setting
from dispatcher.reporting.report import is_page


def track(asked: Asked, campaign: str, *, details: bool, follow: bool, report: Path | None, as_json: bool) -> ExitCode:
    """Raises: AuthenticationError, CampaignNotFound, FlowNotFound, StudioError, ReportError, LedgerError."""
    session = Session(asked, "required")
    path = report_path(campaign, report, page=True) if report is not None else None

    async def main() -> ExitCode:
        async with session.viewing(campaign, stoppable=True) as opened:
            async with tracking(session.bus, "tracking"):
                result = await opened.track(details=details, follow=follow)
            if path is not None:
                await (opened.page(path) if is_page(path) else opened.report(path))
        if as_json:
            print_json(track_object(campaign, result, path))
        else:
            print_counts(result.counts)
            if path is not None:
                out().print(str(path), soft_wrap=True, markup=False)
        if result.incomplete:
            say(
                f"the path or the error of {result.incomplete:,} executions was not read, as each would have cost"
                f" another request: {remedy_text(Setting('tracking.steps', 'always'))} reads them",
                "yellow",
            )
        if result.failed and result.failure is not None:
            say(f"{result.failed:,} executions could not be read now, the last: {result.failure}", "yellow")
        if result.error is not None:
            print_error(result.error)
        elif path is None and not as_json and result.counts.created:
            say(step_text(Command("report", (campaign,), does="has it row by row")), "bright_black")
        return ExitCode(result.exit_code)

    return session.run(main)

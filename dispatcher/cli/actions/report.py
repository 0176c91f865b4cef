"""`report`: from the ledger to a file."""

from __future__ import annotations

from pathlib import Path

from dispatcher.campaign.naming import part_report_path, report_path
from dispatcher.cli.options import Asked
from dispatcher.cli.render.terminal import out, say
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode, UsageError
from dispatcher.remedies import Advice, AnyOf, Option
from dispatcher.reporting.report import is_page
from dispatcher.reporting.selection import Selection


def report(asked: Asked, campaign: str, *, path: Path | None, only: list[str], suffix: str | None) -> ExitCode:
    """Write it. Raises: UsageError, ReportError, CampaignNotFound, LedgerError."""
    selection = Selection.parse(only) if only else None
    session = Session(asked)
    if path is not None and suffix is not None:
        raise UsageError(
            "--report names the format by its suffix", fix=AnyOf(Option("report", "PATH"), Option("format", suffix))
        )
    if path is None and (suffix or only):
        path = part_report_path(campaign, only, suffix)
    path = report_path(campaign, path, page=True)
    page = is_page(path)
    if page and only:
        raise UsageError(
            "the page shows the whole campaign", fix=AnyOf(Advice("leave --only out"), Option("format", "csv"))
        )

    async def main() -> ExitCode:
        async with session.viewing(campaign) as opened:
            rows = await (opened.page(path) if page else opened.report(path, only=selection))
        say(f"{rows:,} rows", "bright_black")
        out().print(str(path), soft_wrap=True, markup=False)
        return ExitCode.OK

    return session.run(main)

"""`run` and `resume`."""

from __future__ import annotations

from pathlib import Path

from dispatcher.campaign.flow_check import stop_unless_flow_fits
from dispatcher.campaign.launch import LaunchOptions
from dispatcher.campaign.naming import campaign_name, report_path
from dispatcher.campaign.problems import examples
from dispatcher.cli import launching
from dispatcher.cli.asking import must_be_able_to_ask
from dispatcher.cli.options import Asked
from dispatcher.cli.render.campaign import planned
from dispatcher.cli.render.findings import say_warnings
from dispatcher.cli.render.progress import reading
from dispatcher.cli.render.terminal import err
from dispatcher.cli.session import Session
from dispatcher.errors import DispatcherError, ExitCode
from dispatcher.model import RowState


def run(
    asked: Asked,
    file: str,
    campaign: str | None,
    *,
    report: Path | None,
    yes: bool,
    limit: int | None,
    preflight: bool,
    wait: bool,
    as_json: bool,
) -> ExitCode:
    """Plan the file, show what it holds, check the flow, ask, send. Raises: UsageError and what sending may raise."""
    name = campaign_name(file, campaign)
    session = Session(asked, "required")
    must_be_able_to_ask(yes, file)
    options = LaunchOptions(report=report_path(name, report, file), limit=limit)

    async def main() -> ExitCode:
        async with session.working(name, create=True, wait=wait) as opened:
            async with reading(session.bus, file):
                counts = await opened.plan(file)
            err().print(planned(file, counts, None if yes else await examples(opened, counts)))
            if preflight and counts.rows[RowState.planned]:
                try:
                    await stop_unless_flow_fits(opened, say_warnings)
                except DispatcherError:
                    await launching.finish_unsent(opened, options, as_json=as_json)
                    raise
            return await launching.send(opened, options, yes=yes, as_json=as_json)

    return session.run(main)


def resume(
    asked: Asked, campaign: str, *, report: Path | None, yes: bool, limit: int | None, wait: bool, as_json: bool
) -> ExitCode:
    """Ask, then send what waits. Raises: UsageError and what sending may raise."""
    session = Session(asked, "required")
    must_be_able_to_ask(yes)
    options = LaunchOptions(report=report_path(campaign, report), limit=limit, whole_campaign=True)

    async def main() -> ExitCode:
        async with session.working(campaign, wait=wait) as opened:
            return await launching.send(opened, options, yes=yes, as_json=as_json)

    return session.run(main)

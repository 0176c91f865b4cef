"""`run` and `resume`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dispatcher.campaign.destination import Destination, destination
from dispatcher.campaign.flow_check import stop_unless_flow_fits
from dispatcher.campaign.launch import LaunchOptions
from dispatcher.campaign.naming import report_path
from dispatcher.campaign.problems import examples
from dispatcher.campaign.retry_choices import RetryChoice, count_rows, plan_again
from dispatcher.cli import launching
from dispatcher.cli.asking import choose, must_be_able_to_ask
from dispatcher.cli.options import Asked
from dispatcher.cli.render.campaign import planned
from dispatcher.cli.render.findings import say_warnings
from dispatcher.cli.render.progress import reading
from dispatcher.cli.render.terminal import err
from dispatcher.cli.session import Session
from dispatcher.errors import DispatcherError, ExitCode, UsageError
from dispatcher.model import Reason, RowState
from dispatcher.remedies import AnyOf, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class HowToPlan:
    """What a command line says of the file and of the people in it."""

    #: Also to contacts who were reached a short time ago.
    again: bool = False
    #: The file is a part of the campaign's rows; what it lacks stays.
    add: bool = False
    #: What it lacks is taken out, however much that is.
    remove: bool = False

    def __post_init__(self) -> None:
        if self.add and self.remove:
            raise UsageError("a file that is added takes nothing out", fix=AnyOf(Option("add"), Option("remove")))


def run(
    asked: Asked,
    file: str,
    campaign: str | None,
    how: HowToPlan,
    *,
    report: Path | None,
    yes: bool,
    limit: int | None,
    preflight: bool,
    wait: bool,
    as_json: bool,
) -> ExitCode:
    """Plan the file, show what it holds, check the flow, ask, send. Raises: UsageError and what sending may raise."""
    session = Session(asked, "required")
    must_be_able_to_ask(yes, file)

    async def main() -> ExitCode:
        into = await destination(file, campaign, session.settings, session.credentials)
        into, again = _asked_where(into, how.again, yes=yes)
        options = LaunchOptions(report=report_path(into.name, report, file), limit=limit, again=again)
        async with session.working(into.name, create=True, wait=wait) as opened:
            async with reading(session.bus, file):
                planning = into.plan_options(again=again, add=how.add, guard=yes and not how.remove)
                counts = await opened.plan(file, planning)
            err().print(planned(file, counts, None if yes else await examples(opened, counts)))
            if preflight and counts.rows[RowState.planned]:
                try:
                    await stop_unless_flow_fits(opened, say_warnings)
                except DispatcherError:
                    await launching.finish_unsent(opened, options, as_json=as_json)
                    raise
            return await launching.send(
                opened, options, yes=yes, as_json=as_json, repeats=counts.repeats if again else 0, removal_agreed=True
            )

    return session.run(main)


def _asked_where(into: Destination, again: bool, *, yes: bool) -> tuple[Destination, bool]:
    """Into which campaign the file goes, asked where that is not certain; and whether all are to be reached again."""
    if into.other_folder is not None:
        if yes:
            into.refuse_other_folder()
        ways = {into.name: "goes on with it", into.free_name: "begins a campaign of its own"}
        question = f"there is a campaign {into.name!r}, last fed from {into.other_folder}"
        return into.renamed(choose(question, ways)), again
    if into.same_file is not None and not yes and not again:
        ways = {into.same_file: "goes on with it", "again": "sends to all of them again"}
        answer = choose(f"campaign {into.same_file!r} was fed exactly this file before", ways)
        return (into, True) if answer == "again" else (into.renamed(answer), again)
    return into, again


def resume(
    asked: Asked,
    campaign: str,
    *,
    report: Path | None,
    yes: bool,
    limit: int | None,
    again: bool,
    wait: bool,
    as_json: bool,
) -> ExitCode:
    """Ask, then send what waits. Raises: UsageError and what sending may raise."""
    session = Session(asked, "required")
    must_be_able_to_ask(yes)
    options = LaunchOptions(report=report_path(campaign, report), limit=limit, whole_campaign=True, again=again)
    choice = RetryChoice(skipped=(Reason.contacted,)) if again else RetryChoice()

    async def main() -> ExitCode:
        async with session.working(campaign, wait=wait) as opened:
            extra = await count_rows(opened, choice) if choice else 0
            return await launching.send(
                opened,
                options,
                yes=yes,
                as_json=as_json,
                extra=extra,
                repeats=max(extra, await opened.count_repeats(choice)),
                before=(lambda: plan_again(opened, choice)) if choice else None,
            )

    return session.run(main)

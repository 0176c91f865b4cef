"""What run, resume and retry have in common: ask, send, report, and say how it went."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.cli import interrupts, live, summary
from dispatcher.cli.outlook import SendOptions, outlook
from dispatcher.cli.terminal import err, out, print_error, print_json, say
from dispatcher.errors import DispatcherError, ExitCode, UsageError
from dispatcher.ledger.records import CampaignStatus
from dispatcher.remedies import Command, InTurn, Option

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign, RunResult


def report_path(name: str, chosen: Path | None, source: str | None = None, *, page: bool = False) -> Path:
    """Where the report goes: as chosen, else `<campaign>-report.csv` here; never over the file that is read.

    `page`: it may be the page of numbers.

    Raises: UsageError, ReportError: nothing could be written there.
    """
    from dispatcher.reporting.report import check_report_path

    path = chosen or Path(f"{_file_name(name)}-report.csv")
    if source is not None and _is_same(path, Path(source)):
        if chosen is not None:
            raise UsageError("the report would take the place of the file that is read", fix="--report another path")
        path = Path(f"{_file_name(name)}-report-2.csv")
    check_report_path(path, page=page)
    return path


def _file_name(campaign: str) -> str:
    return "".join("_" if letter in '/\\:*?"<>|' or not letter.isprintable() else letter for letter in campaign)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def must_be_able_to_ask(yes: bool, source: str | None = None) -> None:
    """Raises: UsageError where nobody could answer the question before sending."""
    if yes:
        return
    if source == "-":
        raise UsageError("the rows come from standard input, so no question can be asked there", fix="add --yes")
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError("this asks before it sends, and there is no terminal to answer", fix="add --yes")


def ask(count: int, what: str) -> None:
    """Have the number typed. Raises: UsageError for any other answer; Interrupted."""
    with interrupts.raised():
        err().print(f"Type [bold]{count}[/bold] to {what}: ", end="", soft_wrap=True)
        sys.stderr.flush()
        answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        say()
    typed = answer.strip().replace(",", "").replace("_", "").replace(" ", "")
    if typed != str(count):
        raise UsageError(
            "not confirmed: nothing was done", found=answer.strip() or "no answer", fix=f"type {count}, or --yes"
        )


async def send(
    campaign: Campaign,
    options: SendOptions,
    status: CampaignStatus,
    *,
    extra: int = 0,
    before: Callable[[], Awaitable[None]] | None = None,
) -> ExitCode:
    """Ask, send with the live view, write the report, and say how it went.

    `before` is called once the user has agreed; it plans `extra` rows again.
    """
    ahead = outlook(status, campaign.settings, options, extra)
    say()
    err().print(summary.outlook(campaign, ahead))
    say()
    if not options.yes and ahead.most:
        ask(ahead.most, "send")
    if before is not None:
        await before()
    async with live.view(campaign.bus):
        try:
            result = await campaign.send(whole_campaign=options.whole_campaign, limit=options.limit)
        except BaseException:
            # A bug, or a ledger that is gone: what is known goes into the report all the same.
            await _write_report(campaign, options.report)
            raise
        written = await _write_report(campaign, options.report)
    return _finish(campaign, options, result, written)


async def _write_report(campaign: Campaign, path: Path) -> DispatcherError | None:
    try:
        await campaign.report(path)
    except DispatcherError as error:
        again = Command("report", (campaign.name,), (Option("report", "PATH"),), does="writes it again")
        error.fix = InTurn(error.fix, again) if error.fix else again
        return error
    return None


def _finish(
    campaign: Campaign, options: SendOptions, result: RunResult, report_error: DispatcherError | None
) -> ExitCode:
    path = None if report_error else str(options.report)
    if options.json:
        from dispatcher.reporting.summary import status_object

        print_json(status_object(result.status, path))
    else:
        summary.print_result(out(), campaign, result, path)
    for error in (result.error, result.reconcile_error, report_error):
        if error is not None:
            print_error(error)
    code = result.exit_code
    if report_error is not None and code in (ExitCode.OK, ExitCode.SOME_REFUSED):
        return report_error.exit_code
    return code


async def finish_unsent(campaign: Campaign, options: SendOptions) -> None:
    """For a run that ends before anything is sent: the report and the JSON object all the same."""
    from dispatcher.reporting.summary import status_object

    error = await _write_report(campaign, options.report)
    if options.json:
        print_json(status_object(await campaign.status(), None if error else str(options.report)))


async def print_status(campaign: Campaign) -> ExitCode:
    """The campaign's JSON object on stdout."""
    from dispatcher.reporting.summary import status_object

    status = await campaign.status()
    print_json(status_object(status, status.report_path))
    return ExitCode.OK

"""Where a campaign's report goes: one path for each campaign, and never over a file that somebody needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.naming import STANDARD_INPUT, file_name
from dispatcher.errors import ReportError
from dispatcher.ledger import Ledger
from dispatcher.remedies import Option

#: So many names are tried where nobody has asked for one: `spring-report.csv`, `spring-report-2.csv`, …
NAMES_MAX = 100


async def report_target(
    context: CampaignContext, chosen: Path | None, *, source: str | None, page: bool, overwrite: bool
) -> Path:
    """See `CampaignView.report_target`."""
    from dispatcher.reporting.report import check_report_path

    inputs = await input_files(context.ledger, source)
    remembered = (await context.ledger.status(await context.current())).report_path
    wanted = chosen or (Path(remembered) if remembered else None)
    if wanted is not None and (chosen is not None or not _is_input(wanted, inputs)):
        check_report_path(wanted, page=page, overwrite=overwrite)
        check_no_input(wanted, inputs)
        return wanted
    usual = wanted or Path(f"{file_name(context.name)}-report.csv")
    failure: ReportError | None = None
    for path in _names(usual):
        try:
            check_report_path(path)
            check_no_input(path, inputs)
        except ReportError as error:
            if not path.is_file():
                raise
            failure = failure or error
        else:
            return path
    assert failure is not None
    raise failure


def check_chosen(path: Path, source: str | None, *, overwrite: bool) -> None:
    """What can be said of a chosen path before the ledger is open. Raises: ReportError."""
    from dispatcher.reporting.report import check_report_path

    if source is not None and source != STANDARD_INPUT:
        check_no_input(path, {Path(source).resolve()})
    check_report_path(path, overwrite=overwrite)


async def input_files(ledger: Ledger, source: str | None = None) -> set[Path]:
    """The files that a ledger's campaigns were made from, as far as it is known where they lie; and this one."""
    found = await ledger.input_files()
    return {
        (Path(folder, Path(source).name) if folder else Path(source)).resolve()
        for folder, source in [*found, ("", source)]
        if source and source != STANDARD_INPUT
    }


def check_no_input(path: Path, inputs: set[Path]) -> None:
    """Raises: ReportError where a report would replace a file that a campaign was made from."""
    if _is_input(path, inputs):
        raise ReportError(
            "the report would take the place of a file that a campaign was made from",
            found=str(path),
            fix=Option("report", "PATH"),
        )


def _is_input(path: Path, inputs: set[Path]) -> bool:
    return path.exists() and path.resolve() in inputs


def _names(usual: Path) -> Iterator[Path]:
    yield usual
    suffix = "".join(usual.suffixes[-2:]) if usual.suffix == ".gz" else usual.suffix
    stem = usual.name.removesuffix(suffix)
    for number in range(2, NAMES_MAX):
        yield usual.with_name(f"{stem}-{number}{suffix}")

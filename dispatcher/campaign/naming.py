"""Names that follow from a file or a campaign: the campaign's own, and the reports'."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dispatcher.errors import UsageError
from dispatcher.remedies import Option

#: Stands for standard input where a file is named.
STANDARD_INPUT = "-"


def campaign_name(source: str, chosen: str | None) -> str:
    """The campaign's name: as chosen, else the file's stem; a report's is that of its campaign.

    Raises: UsageError: standard input has no name.
    """
    if chosen:
        return chosen
    if source == STANDARD_INPUT:
        raise UsageError("rows from standard input need a campaign's name", fix=Option("campaign", "NAME"))
    name = Path(source).name
    for suffix in (".gz", Path(name.removesuffix(".gz")).suffix):
        name = name.removesuffix(suffix) if suffix else name
    # A report that is fed back goes on with its campaign: under a new name, every row would be sent again.
    return name.removesuffix("-report") or name


def report_path(campaign: str, chosen: Path | None, source: str | None = None, *, page: bool = False) -> Path:
    """Where the report goes: as chosen, else `<campaign>-report.csv` here; never over the file that is read.

    `page`: it may be the page of numbers.

    Raises: UsageError: it would replace the file that is read; ReportError: nothing could be written there.
    """
    from dispatcher.reporting.report import check_report_path

    path = chosen or Path(f"{_file_name(campaign)}-report.csv")
    if source is not None and _is_same(path, Path(source)):
        if chosen is not None:
            raise UsageError("the report would take the place of the file that is read", fix=Option("report", "PATH"))
        path = Path(f"{_file_name(campaign)}-report-2.csv")
    check_report_path(path, page=page)
    return path


def part_report_path(campaign: str, only: Iterable[str], suffix: str | None) -> Path:
    """The default name of a report that holds these rows alone (`only`: words of a Selection), or of another format."""
    words = "-".join(word.strip() for text in only for word in text.split(","))
    stem = f"{_file_name(campaign)}-{words}-report" if words else f"{_file_name(campaign)}-report"
    return Path(f"{stem}.{(suffix or 'csv').lstrip('.')}")


def _file_name(campaign: str) -> str:
    return "".join("_" if letter in '/\\:*?"<>|' or not letter.isprintable() else letter for letter in campaign)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False

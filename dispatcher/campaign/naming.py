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


def part_report_path(campaign: str, only: Iterable[str], suffix: str | None) -> Path:
    """The default name of a report that holds these rows alone (`only`: words of a Selection), or of another format."""
    words = "-".join(word.strip() for text in only for word in text.split(","))
    stem = f"{file_name(campaign)}-{words}-report" if words else f"{file_name(campaign)}-report"
    return Path(f"{stem}.{(suffix or 'csv').lstrip('.')}")


def file_name(campaign: str) -> str:
    """A campaign's name as part of a file's."""
    return "".join("_" if letter in '/\\:*?"<>|' or not letter.isprintable() else letter for letter in campaign)

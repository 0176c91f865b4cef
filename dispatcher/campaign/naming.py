"""Names that follow from a file or a campaign: the campaign's own, and the reports'."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.errors import UsageError
from dispatcher.model import RowState
from dispatcher.remedies import AnyOf, Option
from dispatcher.reporting.selection import GROUPS

if TYPE_CHECKING:
    from dispatcher.intake import FileOrigin

#: Stands for standard input where a file is named.
STANDARD_INPUT = "-"


#: What programs put behind the name of a copy.
_COPY = re.compile(r"( \(\d+\)| - Copy( \(\d+\))?| copy( \d+)?|_\d{8})\Z", re.IGNORECASE)
_REPORT = re.compile(r"-report(-\d+)?\Z")


def campaign_name(source: str, chosen: str | None, origin: FileOrigin | None = None) -> str:
    """The campaign's name: as chosen, else the one that the file's rows name, else the file's stem.

    No name that this program gives a report is a new campaign's. Raises: UsageError: standard input has no name; the
    rows name several campaigns; what was chosen is no name.
    """
    if chosen is not None:
        if not chosen.strip() or chosen.startswith("-") or not chosen.isprintable():
            # Commands that name it could not be typed, or would be read as an option.
            raise UsageError(
                "the campaign's name is empty, begins with a dash or has characters that cannot be seen",
                found=repr(chosen),
                fix=Option("campaign", "NAME"),
            )
        return chosen
    if source == STANDARD_INPUT:
        raise UsageError("rows from standard input need a campaign's name", fix=Option("campaign", "NAME"))
    named = origin.campaigns if origin is not None else ()
    if len(named) > 1:
        raise UsageError(
            f"the file's rows are of {len(named)} campaigns",
            found=", ".join(named[:5]) + (", …" if len(named) > 5 else ""),
            fix=AnyOf(*[Option("campaign", name) for name in named[:2]]),
        )
    return named[0] if named else stem_name(source)


def stem_name(source: str) -> str:
    """The name that a file's own name stands for: its stem, and for a report's that of its campaign."""
    name = Path(source).name
    for suffix in (".gz", Path(name.removesuffix(".gz")).suffix):
        name = name.removesuffix(suffix) if suffix else name
    bare = _REPORT.sub("", _COPY.sub("", name))
    if not bare or not _REPORT.search(_COPY.sub("", name)):
        return name
    # A report of some rows alone: `spring-failed-report.csv`.
    words = [*RowState.__members__, *GROUPS]
    while (parts := bare.rpartition("-"))[2] in words and parts[0]:
        bare = parts[0]
    return bare


def part_report_path(campaign: str, only: Iterable[str], suffix: str | None) -> Path:
    """The default name of a report that holds these rows alone (`only`: words of a Selection), or of another format."""
    words = "-".join(word.strip() for text in only for word in text.split(","))
    stem = f"{file_name(campaign)}-{words}-report" if words else f"{file_name(campaign)}-report"
    return Path(f"{stem}.{(suffix or 'csv').lstrip('.')}")


def file_name(campaign: str) -> str:
    """A campaign's name as part of a file's."""
    return "".join("_" if letter in '/\\:*?"<>|' or not letter.isprintable() else letter for letter in campaign)

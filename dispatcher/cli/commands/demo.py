"""`demo`: a whole campaign against a local Studio on a slightly bad day, in half a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options

EPILOG = options.examples("dispatcher demo", "dispatcher demo --report demo-report.xlsx")


@options.logged
def demo(
    report: Annotated[Path, typer.Option("--report", help="Where the report goes.")] = Path("demo-report.csv"),
) -> int:
    """See it work: a campaign against a local Studio with faults.

    A contacts file with some wrong rows, the live view, what became of the contacts, a report and its page, in half a
    minute.
    Nothing leaves this machine, and no account is needed.
    """
    from dispatcher.cli.demonstration import demonstrate

    return demonstrate(report)

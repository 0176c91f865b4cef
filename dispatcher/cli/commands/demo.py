"""`demo`: a whole campaign against a local Studio on a slightly bad day, in half a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options

EPILOG = options.examples(
    "dispatcher demo",
    "dispatcher demo --report demo-report.xlsx",
    ("dispatcher demo --page", "the same in a browser: prints a link"),
)


@options.logged
def demo(
    report: Annotated[Path, typer.Option("--report", help="Where the report goes.")] = Path("demo-report.csv"),
    page: Annotated[
        bool, typer.Option("--page", help="Serve the page instead, with the file uploaded; Ctrl-C ends it.")
    ] = False,
) -> int:
    """See it work: a campaign against a local Studio with faults.

    A contacts file with some wrong rows, the live view, what became of the contacts, a report and its page, in half a
    minute.
    Nothing leaves this machine, and no account is needed.
    """
    if page:
        from dispatcher.cli.page_demonstration import demonstrate_page

        return demonstrate_page()
    from dispatcher.cli.demonstration import demonstrate

    return demonstrate(report)

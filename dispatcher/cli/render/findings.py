"""What a check has found: the rows that are left out, and whether the flow fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.campaign.flow_check import FlowCheck, NotChecked
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.remedies import say_fix
from dispatcher.cli.render.terminal import STATE_STYLES, out, print_pairs, say, say_labelled, table, visible

if TYPE_CHECKING:
    from dispatcher.campaign.problems import BadRow
    from dispatcher.studio.preflight import Finding

VALUE_MAX = 30
_STYLES = {"error": "bold red", "warning": "yellow", "note": "bright_black"}
_NOT_CHECKED = {
    NotChecked.offline: "--offline",
    NotChecked.no_credentials: "there are no credentials (TWILIO_ACCOUNT_SID, TWILIO_API_KEY, TWILIO_API_SECRET)",
    NotChecked.no_flow: "no flow is set",
}


def print_bad_rows(rows: Sequence[BadRow]) -> None:
    """A line for each row, then one for each reason."""
    if not rows:
        return
    shown = table("row", "column", "value", "reason", right=("row",), whole=("row",))
    for row in rows:
        reason = Text.assemble((row.state.value, STATE_STYLES[row.state]), f": {visible(row.message)}")
        value, column = Text(shortened(row.value, VALUE_MAX)), Text(visible(row.column or ""))
        shown.add_row(str(row.row_number), column, value, reason)
    out().print(shown)
    print_pairs(list({row.reason: row.advice for row in rows if row.reason and row.advice}.items()))
    out().print()


def shortened(value: str, most: int) -> str:
    """On one line, and no longer than fits into a table."""
    flat = visible(value).replace("\n", " ").replace("\t", " ")
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def say_flow_check(check: FlowCheck) -> None:
    """Whether the flow fits, or why that is not known."""
    if check.skipped is not None:
        say(f"the flow was not checked: {_NOT_CHECKED[check.skipped]}", "bright_black")
    elif check.error is not None:
        print_error(check.error)
    elif not check.findings:
        say("the flow fits: it is published and uses nothing that the rows do not bring", "green")
    say_findings(check.findings)


def say_findings(found: Sequence[Finding]) -> None:
    """A line for each finding, and one for its fix."""
    for one in found:
        say_labelled(f"flow {one.severity.value}", _STYLES[one.severity.value], one.message)
        if one.fix:
            say_fix(one.fix)

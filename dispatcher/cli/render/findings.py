"""What a check has found: the rows that are left out, and whether the flow fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.campaign.flow_check import FlowCheck, NotChecked
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.remedies import say_fix
from dispatcher.cli.render.terminal import STATE_STYLES, out, print_pairs, say, say_labelled, table, visible
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from dispatcher.campaign.problems import BadRow
    from dispatcher.studio.preflight import Finding

VALUE_MAX = 30
#: More rows than these that are wrong in the same way are told together.
_TOGETHER = 3
_RARE_MAX = 20
_EXAMPLES = 5
_STYLES = {"error": "bold red", "warning": "yellow", "note": "bright_black"}
_NOT_CHECKED = {
    NotChecked.offline: "--offline",
    NotChecked.no_credentials: "there are no credentials (TWILIO_ACCOUNT_SID, TWILIO_API_KEY, TWILIO_API_SECRET)",
    NotChecked.no_flow: "no flow is set",
}


def print_bad_rows(rows: Sequence[BadRow], *, each: bool = False) -> int:
    """A line for each kind of problem with how many rows have it, then the rare ones row by row; and what to do.

    `each`: every row by itself. Returns how many rows were told of.
    """
    if not rows:
        return 0
    kinds: dict[tuple[str | None, str | None, str], list[BadRow]] = {}
    for row in rows:
        kinds.setdefault((row.reason, row.column, _kind(row.message)), []).append(row)
    many = [of for of in kinds.values() if len(of) > _TOGETHER and not each]
    for of in sorted(many, key=len, reverse=True):
        print_kind(of)
    rare = [row for of in kinds.values() if of not in many for row in of]
    rare = sorted(rare, key=lambda row: row.row_number)[: None if each else _RARE_MAX]
    if rare:
        shown = table("row", "column", "value", "reason", right=("row",), whole=("row",))
        for row in rare:
            reason = Text.assemble((row.state.value, STATE_STYLES[row.state]), f": {visible(row.message)}")
            value, column = Text(shortened(row.value, VALUE_MAX)), Text(visible(row.column or ""))
            shown.add_row(str(row.row_number), column, value, reason)
        out().print(shown)
    print_pairs(list({of[0].reason: of[0].advice for of in kinds.values() if of[0].reason and of[0].advice}.items()))
    out().print()
    return len(rare) + sum(map(len, many))


def print_kind(rows: Sequence[BadRow]) -> None:
    """Rows that are wrong in the same way: how many, and the first of them."""
    first = rows[0]
    numbers = ", ".join(f"{row.row_number:,}" for row in rows[:_EXAMPLES])
    more = ", …" if len(rows) > _EXAMPLES else ""
    where = f' in "{visible(first.column)}"' if first.column else ""
    what = f"{counted(len(rows), 'row')}{where}: {first.state.value}, {visible(first.message)}"
    out().print(Text(what, style=STATE_STYLES[first.state]))
    out().print(Text(f"    rows {numbers}{more}", style="bright_black"))


def _kind(message: str) -> str:
    """What is said of a row, without what is its own: its digits, and what is quoted of it."""
    return re.sub(r"'[^']*'|…\S*|\d+", "…", message)


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

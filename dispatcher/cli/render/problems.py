"""The rows that are left out, as a table, and what to do about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.cli.render.terminal import STATE_STYLES, out, pairs, table, visible

if TYPE_CHECKING:
    from dispatcher.campaign.problems import BadRow

VALUE_MAX = 30


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
    advice = {row.reason: row.advice for row in rows if row.reason and row.advice}
    out().print(pairs(list(advice.items())))
    out().print()


def shortened(value: str, most: int) -> str:
    """On one line, and no longer than fits into a table."""
    flat = visible(value).replace("\n", " ").replace("\t", " ")
    return flat if len(flat) <= most else flat[: most - 1] + "…"

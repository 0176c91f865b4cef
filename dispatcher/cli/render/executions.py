"""What became of the executions, in numbers: shown by `track`, `summary` and `demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.numbers import counts_text
from dispatcher.cli.render.terminal import out, print_pairs, say, table
from dispatcher.model import ExecutionStatus
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from dispatcher.ledger.executions import ExecutionCounts
    from dispatcher.tracking.results import RecallResult, TrackResult

BAR_WIDTH = 30
_STYLES = {ExecutionStatus.active: "cyan", ExecutionStatus.ended: "green", ExecutionStatus.gone: "bright_black"}


def print_counts(counts: ExecutionCounts) -> None:
    """Status, last steps with bars, and errors with what they mean."""
    shown = [(status.value, counts.by_status[status], _STYLES[status]) for status in ExecutionStatus]
    lines: list[tuple[str, Text | str]] = [
        ("executions", f"{counts.created:,}"),
        ("status", counts_text([*shown, ("not looked at", counts.unseen, "yellow")])),
    ]
    if counts.recalled:
        lines.append(("recalled", f"{counts.recalled:,} of them ended by `recall`"))
    print_pairs(lines)
    if counts.last_steps:
        out().print(_steps(counts.last_steps, counts.read))
    if counts.errors:
        out().print(_errors(counts.errors))


def print_failed(result: TrackResult | RecallResult, done: str) -> None:
    """What could not be `done`, for now or at all."""
    if result.failed and result.failure is not None:
        say(f"{counted(result.failed, 'execution')} could not be {done} now, the last: {result.failure}", "yellow")
    if result.error is not None:
        print_error(result.error)


def _steps(last_steps: dict[str, int], total: int) -> Table:
    shown = table("last step", "executions", "%", "", right=("executions", "%"), whole=("",))
    for step, n in last_steps.items():
        share = n / total if total else 0.0
        name = Text(step) if step else Text("not told", style="bright_black")
        shown.add_row(name, f"{n:,}", f"{100 * share:.0f}", Text("━" * round(BAR_WIDTH * share), style="green"))
    return shown


def _errors(errors: dict[int, int]) -> Table:
    from dispatcher.studio.advice import CODES

    right = ("error", "executions")
    shown = table("error", "executions", "meaning", "what to do", right=right, dim=("what to do",))
    for code, n in errors.items():
        known = CODES.get(code)
        shown.add_row(str(code), f"{n:,}", known.meaning if known else "", known.advice if known else "")
    return shown

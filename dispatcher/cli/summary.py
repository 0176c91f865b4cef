"""What is said before and after a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from dispatcher.cli.live import clock_text, rate_text
from dispatcher.cli.terminal import STATE_STYLES, say
from dispatcher.model import RowState

if TYPE_CHECKING:
    from rich.console import Console

    from dispatcher.campaign import Campaign, RunResult
    from dispatcher.cli.outlook import Outlook
    from dispatcher.ledger.records import CampaignStatus, PlanCounts
    from dispatcher.settings import Settings


def states_text(rows: dict[RowState, int]) -> Text:
    """`created 131 · rejected 4`: the states that have rows."""
    text = Text()
    for state, n in rows.items():
        if n:
            if text:
                text.append(" · ", style="bright_black")
            text.append(f"{state.value} ")
            text.append(f"{n:,}", style=f"bold {STATE_STYLES[state]}")
    return text or Text("none")


def pairs(lines: list[tuple[str, Text | str]]) -> Table:
    """Labels and values, aligned."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bright_black", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in lines:
        grid.add_row(label, value)
    return grid


def planned(source: str, counts: PlanCounts, examples: Mapping[str, Sequence[int]] | None = None) -> Table:
    """What the file holds; `examples` are row numbers for each reason why a row is left out."""
    lines: list[tuple[str, Text | str]] = [
        ("file", f"{source}, {counts.total:,} rows"),
        ("rows", states_text(counts.rows)),
    ]
    if counts.corrected:
        lines.append(("corrected", f"{counts.corrected:,} rows that were wrong before"))
    if counts.reasons:
        label = "left out"
        for reason, n in sorted(counts.reasons.items(), key=lambda item: -item[1]):
            lines.append((label, f"{reason} {n:,}{_rows_text((examples or {}).get(reason, ()), n)}"))
            label = ""
    if counts.left_planned:
        lines.append(
            ("elsewhere", f"{counts.left_planned:,} rows of earlier files wait; `dispatcher resume` sends them")
        )
    return pairs(lines)


def _rows_text(numbers: Sequence[int], n: int) -> str:
    if not numbers:
        return ""
    shown = ", ".join(f"{number:,}" for number in numbers)
    return f" (row{'s' if n > 1 else ''} {shown}{', …' if n > len(numbers) else ''})"


def outlook(campaign: Campaign, ahead: Outlook) -> Table:
    """What sending would do."""
    record = campaign.record
    assert record is not None
    lines: list[tuple[str, Text | str]] = [
        ("campaign", Text(campaign.name, style="bold")),
        ("account", f"{record.account.account_sid[:4]}…{record.account.account_sid[-4:]} at {record.account.base_url}"),
        ("flow", record.flow_sid),
    ]
    if ahead.most:
        lines.append(("to send", Text(f"{ahead.most:,} rows", style="bold")))
        if ahead.in_doubt:
            lines.append(("in doubt", f"{ahead.in_doubt:,} rows are looked up first; sent only if proved not to exist"))
        lines.append(("takes", duration_text(ahead.duration_s, campaign.settings)))
    else:
        lines.append(("to send", "nothing: every row has its answer"))
    return pairs(lines)


def duration_text(duration_s: float, settings: Settings) -> str:
    """`0:10 at 20/s`, the estimate and what it rests on."""
    spike = ", a window's worth at once" if settings.rate.pace == "spike" else ""
    return f"{clock_text(duration_s)} at {rate_text(settings.rate.per_second)}{spike}"


def print_result(console: Console, campaign: Campaign, result: RunResult, report: str | None) -> None:
    """How a run ended."""
    status = result.status
    lines = status_lines(status, report)
    if result.found_by_reconcile:
        lines.insert(1, ("looked up", f"{result.found_by_reconcile:,} rows in doubt were found to exist"))
    console.print()
    console.print(pairs(lines))
    for hint in hints(campaign.name, status):
        say(hint, "bright_black")


def status_lines(status: CampaignStatus, report: str | None) -> list[tuple[str, Text | str]]:
    """A campaign's numbers as labels and values."""
    lines: list[tuple[str, Text | str]] = [("rows", states_text(status.rows))]
    if any(status.earlier_rows.values()):
        lines.append(("earlier files", states_text(status.earlier_rows)))
    if status.attempts:
        rate = status.attempts / status.duration_s if status.duration_s else 0.0
        lines.append(("sent", f"{status.attempts:,} requests in {clock_text(status.duration_s)} ({rate_text(rate)})"))
        lines.append(("worst window", f"{status.worst_window:,} of {status.window_limit:,}"))
    if status.throttled:
        lines.append(("429s", f"{status.throttled:,}, each sent again later"))
    if report:
        lines.append(("report", Text(report, style="bold")))
    return lines


def hints(name: str, status: CampaignStatus) -> list[str]:
    """What to do next, one command a line."""
    rows = {state: status.rows[state] + status.earlier_rows.get(state, 0) for state in RowState}
    found = []
    if rows[RowState.planned]:
        found.append(f"dispatcher resume {name}   sends the {rows[RowState.planned]:,} rows that wait")
    if rows[RowState.unknown] or rows[RowState.sending]:
        found.append(f"dispatcher reconcile {name}   looks up the rows in doubt")
    if rows[RowState.rejected]:
        found.append(
            f"dispatcher retry {name} --code CODE   sends refused rows again; the report says why each was refused"
        )
    if rows[RowState.busy]:
        found.append(f"dispatcher retry {name} --busy   sends to contacts that were in another execution")
    if rows[RowState.invalid]:
        found.append("correct the invalid rows in the file and run it again: only they are sent")
    return found

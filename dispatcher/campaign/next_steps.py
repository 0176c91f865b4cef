"""What to do next with a campaign, as remedies that each front end words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, Command, Option, Remedy

if TYPE_CHECKING:
    from dispatcher.ledger.records import CampaignStatus


def rows_of_all_files(status: CampaignStatus) -> dict[RowState, int]:
    """The campaign's rows by state: those of the latest file, and those of earlier files that it does not have."""
    return {state: status.rows[state] + status.earlier_rows.get(state, 0) for state in RowState}


def next_steps(name: str, status: CampaignStatus, *, by_workers: bool = False) -> list[Remedy]:
    """What to do about the rows that are not created, what is most urgent first.

    `by_workers`: what is ordered workers of a cluster send, without being told again.
    """
    rows = rows_of_all_files(status)
    waiting = rows[RowState.planned]
    found: list[Remedy] = []
    if waiting and by_workers and status.due_ms is not None and status.is_settled and status.paused is None:
        does = f"has the workers stop, which send the {counted(waiting, 'row that waits', 'rows that wait')}"
        found.append(Command("pause", (name,), does=does))
    elif waiting:
        does = f"sends the {counted(waiting, 'row that waits', 'rows that wait')}"
        if status.paused is not None:
            does = f"lifts the pause and {does}"
        verdict = status.paused.by if status.paused and status.paused.by.is_verdict else None
        accept = (Option(f"accept-{verdict.value}"),) if verdict else ()
        found.append(Command("resume", (name,), accept, does=does))
    if rows[RowState.unknown] or rows[RowState.sending]:
        found.append(Command("reconcile", (name,), does="finds out what became of the rows left unknown"))
    if rows[RowState.rejected]:
        does = "tells what was refused, and why, and sends again what is chosen"
        found.append(Command("retry", (name,), does=does))
    if rows[RowState.busy]:
        does = "sends to contacts that were in another execution"
        found.append(Command("retry", (name,), (Option("busy"),), does=does))
    if rows[RowState.invalid]:
        found.append(Advice("correct the invalid rows in the file and run it again: only they are sent"))
    return found


def undo_steps(name: str, status: CampaignStatus) -> list[Remedy]:
    """What of a campaign can still be known, ended or taken out: whoever has just sent it does not look for that."""
    rows = rows_of_all_files(status)
    started, waiting = rows[RowState.created], rows[RowState.planned]
    found: list[Remedy] = []
    if started:
        found.append(Command("track", (name,), does="says what became of them: created is not yet delivered"))
        text = counted(started, "execution that was started", "executions that were started")
        found.append(Command("recall", (name,), does=f"ends what is still active of the {text}"))
    if waiting:
        does = f"takes out the {counted(waiting, 'row that waits', 'rows that wait')}"
        found.append(Command("cancel", (name,), (Option("reason", "…"),), does=does))
    return found

"""A campaign's numbers as one object: what `status --json` prints and `run --json` ends with."""

from __future__ import annotations

from typing import Any

from dispatcher.model import CampaignStatus, RowState


def campaign_state(status: CampaignStatus) -> str:
    """The campaign in one word.

    | word        | means                                                        |
    |-------------|--------------------------------------------------------------|
    | planned     | nothing was sent yet                                         |
    | running     | a process is sending it now                                  |
    | interrupted | the last run was killed; `resume` goes on                    |
    | stopped     | the last run ended with rows that still wait; `resume` goes on |
    | finished    | every row has its answer, be it `unknown`                    |
    """
    if status.running:
        return "running"
    if status.interrupted:
        return "interrupted"
    if status.first_started_at_ms is None:
        return "planned"
    waiting = (RowState.planned, RowState.sending)
    if any(status.rows[state] or status.earlier_rows.get(state, 0) for state in waiting):
        return "stopped"
    return "finished"


def status_object(status: CampaignStatus, report_path: str | None) -> dict[str, Any]:
    """The contract's object. `rows` are those of the latest file and has every state; times in seconds."""
    return {
        "campaign": status.campaign.name,
        "state": campaign_state(status),
        "rows": {state.value: status.rows[state] for state in RowState},
        "worst_window": status.worst_window,
        "window_limit": status.window_limit,
        "attempts": status.attempts,
        "throttled": status.throttled,
        "duration_s": round(status.duration_s, 3),
        "rate_per_s": round(status.attempts / status.duration_s, 3) if status.duration_s else 0.0,
        "report": report_path,
    }

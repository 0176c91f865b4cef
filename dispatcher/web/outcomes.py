"""What became of a campaign's conversations, for people: labels and values. Pure."""

from __future__ import annotations

from dispatcher.ledger.executions import ExecutionCounts
from dispatcher.model import ExecutionStatus
from dispatcher.plurals import counted
from dispatcher.studio.advice import meaning

_SHOWN_MAX = 6


def outcome_facts(counts: ExecutionCounts) -> list[tuple[str, str]]:
    """Nothing where nobody has looked yet."""
    if counts.seen_at_ms is None:
        return []
    found = [
        ("Ended", f"{counts.by_status[ExecutionStatus.ended]:,} of {counts.created:,}"),
        ("Still open", f"{counts.by_status[ExecutionStatus.active]:,}"),
    ]
    if counts.recalled:
        found.append(("Recalled", f"{counts.recalled:,}"))
    if counts.unseen:
        found.append(("Not looked at yet", f"{counts.unseen:,}"))
    steps = sorted(counts.last_steps.items(), key=lambda item: -item[1])
    for step, n in steps[:_SHOWN_MAX]:
        found.append((f"Came to {step}" if step else "Came to a step that is not known", counted(n, "contact")))
    for code, n in sorted(counts.errors.items(), key=lambda item: -item[1])[:_SHOWN_MAX]:
        said = meaning(code)
        found.append((f"Error {code}", f"{counted(n, 'contact')}" + (f": {said}" if said else "")))
    return found

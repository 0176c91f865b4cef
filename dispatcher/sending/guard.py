"""The guard of one run: where too many rows are refused, the run stops and its campaign is paused."""

from __future__ import annotations

from dispatcher.clock import now_ms
from dispatcher.model import Outcome, Pause, PausedBy
from dispatcher.rules.guard import RefusalShare
from dispatcher.sending.plan import SendPlan
from dispatcher.studio.outcomes import Verdict

#: What says something about the rows: a 429 does not, nor does a request of which nothing is known.
_ANSWERS = (Outcome.created, Outcome.rejected, Outcome.busy)


class Guard:
    """Watches the answers of all the run's rounds."""

    def __init__(self, plan: SendPlan) -> None:
        self._share = RefusalShare(window_rows=plan.guard_rows, max_rejected=plan.max_rejected)

    def answered(self, verdict: Verdict) -> Pause | None:
        """An answer came; the pause that the campaign is to have because of it."""
        if verdict.outcome not in _ANSWERS:
            return None
        refusal = None
        if verdict.outcome is Outcome.rejected:
            code, status = verdict.error_code, verdict.http_status
            refusal = str(code) if code else f"HTTP {status}"
        numbers = self._share.answered(refusal)
        return None if numbers is None else Pause(at_ms=now_ms(), by=PausedBy.guard, reason=numbers)

"""What a request of a rehearsal is and came to: the first that would be sent, and the one that was sent as a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dispatcher.errors import ExitCode
from dispatcher.model import STATE_AFTER, Outcome, RowState
from dispatcher.reporting.wording import row_advice

if TYPE_CHECKING:
    from dispatcher.campaign.rehearsal import PlannedRequest
    from dispatcher.studio.outcomes import Verdict

_EXIT_CODES = {
    Outcome.created: ExitCode.OK,
    Outcome.rejected: ExitCode.SOME_REFUSED,
    Outcome.busy: ExitCode.SOME_REFUSED,
    Outcome.unknown: ExitCode.SOME_UNKNOWN,
    Outcome.throttled: ExitCode.STOPPED,
    Outcome.not_sent: ExitCode.STOPPED,
}


@dataclass(frozen=True, slots=True)
class SentTest:
    """A test send and its outcome."""

    request: PlannedRequest
    verdict: Verdict

    @property
    def state(self) -> RowState:
        """What a row would be with this outcome."""
        return STATE_AFTER[self.verdict.outcome]

    @property
    def advice(self) -> str:
        """What to do about it; empty where it is well."""
        verdict = self.verdict
        return row_advice(self.state, http_status=verdict.http_status, error_code=verdict.error_code)

    @property
    def exit_code(self) -> ExitCode:
        """What a program ends with that did nothing else."""
        return _EXIT_CODES[self.verdict.outcome]

    def as_json(self) -> dict[str, Any]:
        """For `json`."""
        verdict = self.verdict
        return {
            "to": self.request.to,
            "from": self.request.sender,
            "parameters": self.request.parameters,
            "row_number": self.request.row_number,
            "outcome": verdict.outcome.value,
            "execution_sid": verdict.execution_sid,
            "http_status": verdict.http_status,
            "error_code": verdict.error_code,
            "error_message": verdict.message,
            "advice": self.advice,
        }


def request_object(request: PlannedRequest | None) -> dict[str, Any] | None:
    """A create request as it would leave, by the names that it has on the wire; None: there is none."""
    if request is None:
        return None
    return {
        "row_number": request.row_number,
        "To": request.to,
        "From": request.sender,
        "Parameters": request.parameters,
    }

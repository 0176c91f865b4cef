"""What tracking and recall came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from dispatcher.errors import DispatcherError, ExitCode
from dispatcher.ledger.executions import ExecutionCounts
from dispatcher.model import ExecutionStatus


@dataclass(slots=True, kw_only=True)
class _Result:
    #: Executions that Studio could not be asked about now, and why the last of them; the next time asks again.
    failed: int = 0
    failure: DispatcherError | None = None
    #: Why it ended early; None: it did not.
    error: DispatcherError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0; 5 where Studio could not be asked about an execution now; else that of the error."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.STOPPED if self.failed else ExitCode.OK


def _no_counts() -> ExecutionCounts:
    return ExecutionCounts(
        created=0,
        unseen=0,
        by_status=dict.fromkeys(ExecutionStatus, 0),
        recalled=0,
        read=0,
        last_steps={},
        errors={},
        seen_at_ms=None,
    )


@dataclass(slots=True, kw_only=True)
class TrackResult(_Result):
    """What one look or several have found: details (`read` to `opted_out`) of all looks, the rest of the latest."""

    #: Executions looked at; of these: still active, and not known to Studio any more.
    looked_at: int = 0
    active: int = 0
    gone: int = 0
    #: Executions whose details were read now.
    read: int = 0
    #: Of these: details not fully read; a second request would be needed (`[tracking] steps = "always"` makes it).
    incomplete: int = 0
    #: Of these: the contact has opted out, and is suppressed from now on.
    opted_out: int = 0
    #: What is known of the campaign's executions now.
    counts: ExecutionCounts = field(default_factory=_no_counts)

    @property
    def to_look_at_again(self) -> int:
        """Executions that may end, or may be read, later."""
        return self.counts.unseen + self.counts.by_status[ExecutionStatus.active] + self.failed


@dataclass(slots=True, kw_only=True)
class RecallResult(_Result):
    """What became of the executions that were to be ended. `failed` may still be active: recall again."""

    ended: int = 0
    #: They had ended by themselves when their turn came (409).
    already_ended: int = 0
    #: Studio does not know them any more.
    gone: int = 0

    @property
    def done(self) -> int:
        """Executions that are not active any more."""
        return self.ended + self.already_ended + self.gone

"""What became of executions: what passes between the ledger, tracking and reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from dispatcher.model import ExecutionStatus, moment_if


class CreatedExecution(NamedTuple):
    """An execution that a campaign has created, as tracking needs it. Times in ms since the epoch, on our clock."""

    attempt_id: int
    execution_sid: str
    #: It was created between these: its intent was written, its answer was known.
    begun_at_ms: int
    answered_at_ms: int
    #: What was seen when it was last looked at; None: never.
    status: ExecutionStatus | None
    #: By Studio's clock; None: not known.
    ended_at_ms: int | None
    #: The flow's revision that it ran; None: not known.
    flow_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedExecution:
    """What is known of an execution. Details are known where `read_as` is."""

    attempt_id: int
    status: ExecutionStatus
    seen_at_ms: int
    #: By Studio's clock.
    ended_at_ms: int | None = None
    #: The flow's revision that it ran.
    flow_version: int | None = None
    #: When this program ended it.
    recalled_at_ms: int | None = None
    #: The settings by which its details were read.
    read_as: str | None = None
    #: The widget it came to last.
    last_step: str | None = None
    #: The widgets it came through, in order; None: not known.
    path: tuple[str, ...] | None = None
    error_code: int | None = None
    error_message: str | None = None
    #: Name → text of the values chosen in `[tracking] variables`, those it has.
    variables: dict[str, str] = field(default_factory=dict)
    #: How its contact has opted out, for people; None: not that it is known. Kept as a suppression.
    opted_out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionCounts:
    """What became of a campaign's executions, counted."""

    created: int
    #: Never looked at.
    unseen: int
    by_status: dict[ExecutionStatus, int]
    #: Ended by this program.
    recalled: int
    #: Those whose details were read.
    read: int
    #: Of those whose details were read: the last widget ("" where it is not known) → how many.
    last_steps: dict[str, int]
    #: Twilio error code inside a widget → how many executions ended with it.
    errors: dict[int, int]
    seen_at_ms: int | None

    @property
    def seen_at(self) -> datetime | None:
        """When they were last looked at, in UTC; None: never."""
        return moment_if(self.seen_at_ms)

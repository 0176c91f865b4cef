"""The kinds of events. Durations are in seconds from the moment of the event, so that no reader needs our clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from dispatcher.model import RowState


class Phase(StrEnum):
    """What a campaign's process is at."""

    planning = "planning"
    reconciling = "reconciling"
    #: Whom others have reached on the flow is looked up in Studio's list.
    looking_back = "looking_back"
    sending = "sending"
    #: Workers of a cluster send it, and this process looks on.
    watching = "watching"
    tracking = "tracking"
    recalling = "recalling"
    finished = "finished"
    #: The run has ended, and left rows that wait for their time.
    waiting = "waiting"


class WaitKind(StrEnum):
    """What is waited for."""

    #: Another process, or another campaign of this one, works for the account.
    account = "account"
    #: Another program keeps the ledger from being written.
    ledger = "ledger"
    #: A worker of a cluster sends it, and waits itself; or none has taken it yet.
    worker = "worker"
    #: Studio answered 429, too many requests.
    throttled = "throttled"
    #: Requests fail, or no connection can be made.
    failures = "failures"
    #: The account's limit over the window is used up.
    window = "window"
    #: After 429s less than the limit is taken, as others use the account, too.
    ceiling = "ceiling"
    #: Contacts that are in another execution are asked again later.
    busy = "busy"
    #: The next row may be sent later.
    due = "due"
    #: What became of the rows that were sent first is looked at later.
    canary = "canary"
    #: Studio's list of executions needs time to show what rows left unknown have become.
    list_lag = "list_lag"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged:
    """The campaign's process has turned to something else."""

    phase: Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProgress:
    """Rows read so far. `total_bytes` is None where the size cannot be known (standard input)."""

    rows: int
    done_bytes: int
    total_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The whole file is checked and in the ledger. `notes` say how it was read: the sheet, blank rows left out, …"""

    total: int
    rows: Mapping[RowState, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins: `to_send` rows wait. `recovered`: rows that an earlier run left in flight; they are unknown now."""

    campaign: str
    rows: Mapping[RowState, int]
    to_send: int
    recovered: int
    #: The account's limit: requests a second, and per window.
    rate_limit_per_s: float
    window_limit: int
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsCounted:
    """How the rows of the campaign's latest file stand now, counted in the ledger."""

    campaign: str
    rows: Mapping[RowState, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsEnded:
    """Answers that are in the ledger now: one event for each of its commits, some 25 a second at most."""

    #: The states that rows have come to from `planned`. Rows that are planned again (429, not sent) are not here.
    rows: Mapping[RowState, int]
    #: Requests that have left, and 429s, since the event before.
    requests: int
    throttled: int
    #: Requests under way now.
    in_flight: int
    #: Requests that left in the window that ends now, and the most in any window so far.
    window_now: int
    worst_window: int
    #: From a request's departure to its answer: how many took up to so many milliseconds (a power of two).
    latency_ms: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsSkipped:
    """Rows that waited are left out instead of sent: their contacts were reached a short time ago."""

    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing leaves for now. Its end is one `Resumed` of the same kind; a wait that changes ends and begins anew."""

    kind: WaitKind
    #: For people.
    reason: str
    #: Seconds from now; None: not known.
    for_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A wait is over."""

    kind: WaitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChanged:
    """The rate was lowered after a 429, or raised again. Requests per second."""

    rate_per_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBy:
    """A worker of this host sends it from now on; empty: none does."""

    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciling:
    """Rows left unknown are being looked up."""

    unknown: int
    resolved: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingBack:
    """Studio's list is read for contacts whom others have reached: `listed` executions so far."""

    listed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """No new request leaves; what is in flight is finished."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopped:
    """The run is over. `reason`: why before its end; None: it came to it."""

    campaign: str
    reason: str | None
    #: All rows that are left wait for their time.
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWritten:
    """The report is complete at `path`."""

    path: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Executions looked at so far while tracking or recalling."""

    done: int
    total: int
    detail: str


Event: TypeAlias = (
    PhaseChanged
    | PlanProgress
    | Planned
    | RunStarted
    | RowsCounted
    | AttemptsEnded
    | RowsSkipped
    | Waiting
    | Resumed
    | RateChanged
    | SentBy
    | Reconciling
    | LookingBack
    | Stopping
    | RunStopped
    | ReportWritten
    | Tracking
)

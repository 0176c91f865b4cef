"""What happened, for whoever looks on: progress bars, a page, JSON lines, metrics.

Readers may miss events; the ledger never does. Nothing here is needed for a promise, so a reader that fails is dropped
and the run goes on. Events carry row numbers and counts, never names, numbers or secrets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from dispatcher.model import PlanCounts, RowState, empty_counts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProgress:
    """Rows read so far. `total_bytes` is None where the size cannot be known (standard input)."""

    rows: int
    done_bytes: int
    total_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The whole file is checked and in the ledger. `notes` say how it was read: the sheet, blank rows left out, …"""

    counts: PlanCounts
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """Sending starts: `to_send` rows wait."""

    campaign: str
    to_send: int
    recovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing leaves for now, and why. `until_s` is on the monotonic clock; None: not known."""

    reason: str
    until_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The wait is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChanged:
    """The rate was lowered after a 429, or raised again. Requests per second."""

    rate_per_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciling:
    """Rows in doubt are being looked up."""

    unknown: int
    settled: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """No new request leaves; what is in flight is finished."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopped:
    """The run is over."""

    campaign: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWritten:
    """The report is complete at `path`."""

    path: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Executions read so far while tracking or recalling."""

    done: int
    total: int
    detail: str


Event: TypeAlias = (
    PlanProgress
    | Planned
    | RunStarted
    | Waiting
    | Resumed
    | RateChanged
    | Reconciling
    | Stopping
    | RunStopped
    | ReportWritten
    | Tracking
)
Listener: TypeAlias = Callable[[Event], None]


@dataclass(slots=True)
class Progress:
    """The numbers of a run as they are now; written by the run, read by anyone at any time in the same process."""

    campaign: str = ""
    rows: dict[RowState, int] = field(default_factory=empty_counts)
    #: Rows this run has to send in all, and how many of them have an answer.
    to_send: int = 0
    done: int = 0
    in_flight: int = 0
    requests: int = 0
    throttled: int = 0
    #: Requests that left in the last second, and the rate the limiter allows now.
    rate_now_per_s: float = 0.0
    rate_allowed_per_s: float = 0.0
    #: The account's limit from the settings.
    rate_limit_per_s: float = 0.0
    window_now: int = 0
    worst_window: int = 0
    window_limit: int = 0
    #: Why nothing leaves now; None while rows are leaving.
    waiting: str | None = None
    waiting_until_s: float | None = None
    started_at_s: float = 0.0
    phase: str = "planning"


class EventBus:
    """Hands events to listeners, in order, in the emitter's thread; a listener that raises is dropped."""

    def __init__(self) -> None:
        self.progress = Progress()
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the returned function takes it away again."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def emit(self, event: Event) -> None:
        """Tell every listener; never raises."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                logger.warning("an event listener failed and was dropped: %s", type(error).__name__)
                self._listeners.remove(listener)

"""What happened, for whoever looks on: a terminal, a page, JSON lines, a log, metrics.

    events (kinds.py) → bus (bus.py) → the live state folded from them (live.py) → a snapshot that everybody reads
                                     → listeners, the log among them (log.py)

Events are the only writes. Readers may miss events; the ledger never does. Nothing here is needed for a promise, so a
reader that fails is dropped and the run goes on. Events carry row numbers and counts, never names, numbers or secrets.
"""

from __future__ import annotations

from dispatcher.events.bus import EventBus, Listener
from dispatcher.events.kinds import (
    AttemptsEnded,
    Event,
    LookingBack,
    Phase,
    PhaseChanged,
    Planned,
    PlanProgress,
    RateChanged,
    Reconciling,
    ReportWritten,
    Resumed,
    RowsCounted,
    RowsSkipped,
    RunStarted,
    RunStopped,
    SentBy,
    Stopping,
    Tracking,
    Waiting,
    WaitKind,
)
from dispatcher.events.live import LiveState, Snapshot, Wait
from dispatcher.events.log import log_event

__all__ = [
    "AttemptsEnded",
    "Event",
    "EventBus",
    "Listener",
    "LiveState",
    "LookingBack",
    "Phase",
    "PhaseChanged",
    "PlanProgress",
    "Planned",
    "RateChanged",
    "Reconciling",
    "ReportWritten",
    "Resumed",
    "RowsCounted",
    "RowsSkipped",
    "RunStarted",
    "RunStopped",
    "SentBy",
    "Snapshot",
    "Stopping",
    "Tracking",
    "Wait",
    "WaitKind",
    "Waiting",
    "log_event",
]

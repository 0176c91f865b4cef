"""The numbers of a run as they are now. Being replaced by the live state (live.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dispatcher.events.kinds import AttemptsEnded, Event, RateChanged, Resumed, Waiting
from dispatcher.model import RowState, empty_counts


@dataclass(slots=True)
class Progress:
    """Written by the run, read by anyone at any time in the same process."""

    campaign: str = ""
    rows: dict[RowState, int] = field(default_factory=empty_counts)
    to_send: int = 0
    done: int = 0
    in_flight: int = 0
    requests: int = 0
    throttled: int = 0
    rate_allowed_per_s: float = 0.0
    rate_limit_per_s: float = 0.0
    window_now: int = 0
    worst_window: int = 0
    window_limit: int = 0
    waiting: str | None = None
    waiting_until_s: float | None = None
    started_at_s: float = 0.0
    phase: str = "planning"

    def follow(self, event: Event, now_s: float) -> None:
        """What sending tells by events alone."""
        match event:
            case AttemptsEnded():
                for state, n in event.rows.items():
                    self.rows[RowState.planned] -= n
                    self.rows[state] += n
                    self.done += n
                self.requests += event.requests
                self.throttled += event.throttled
                self.in_flight = event.in_flight
                self.window_now, self.worst_window = event.window_now, event.worst_window
            case RateChanged():
                self.rate_allowed_per_s = event.rate_per_s
            case Waiting():
                self.waiting = event.reason
                self.waiting_until_s = None if event.for_s is None else now_s + event.for_s
            case Resumed():
                self.waiting = None
            case _:
                pass

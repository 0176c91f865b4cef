"""A clock that the test turns, and events with few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher.events import AttemptsEnded, Event, EventBus, RunStarted
from dispatcher.model import RowState


@dataclass
class Clock:
    """Seconds that never step back."""

    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Watched:
    """A bus on such a clock, and all that it told."""

    clock: Clock = field(default_factory=Clock)
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bus = EventBus(now_s=self.clock)
        self.bus.subscribe(self.told.append)


def started(to_send: int, **rows: int) -> RunStarted:
    """A run begins, at 10 a second."""
    counts = {RowState(name): n for name, n in rows.items()} or {RowState.planned: to_send}
    return RunStarted(
        campaign="spring",
        rows=counts,
        to_send=to_send,
        recovered=0,
        rate_limit_per_s=10.0,
        window_limit=100,
        window_s=10.0,
    )


def ended(
    requests: int, *, latency_ms: Mapping[int, int] | None = None, window_now: int = 0, throttled: int = 0, **rows: int
) -> AttemptsEnded:
    """So many requests have been answered; `rows`: the states that rows came to."""
    return AttemptsEnded(
        rows={RowState(name): n for name, n in rows.items()},
        requests=requests,
        throttled=throttled,
        in_flight=3,
        window_now=window_now,
        worst_window=window_now,
        latency_ms=latency_ms or {},
    )

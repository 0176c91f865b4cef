"""The numbers of a run as they are now. Being replaced by the live state (live.py)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from dispatcher.events.kinds import Phase, WaitKind
from dispatcher.events.live import Snapshot, Speed, Wait
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
    speed: Speed = field(default_factory=Speed)


def laid_over(snapshot: Snapshot, progress: Progress) -> Snapshot:
    """The snapshot with what is only written here so far; unchanged where nothing is. Goes with this file."""
    if not progress.campaign:
        return replace(snapshot, phase=_PHASES.get(progress.phase, snapshot.phase))
    now_s = time.monotonic()
    progress.speed.add(now_s, progress.requests)
    rate_per_s = progress.speed.per_s(now_s)
    remaining, allowed_per_s = progress.to_send - progress.done, progress.rate_allowed_per_s
    rate = min(rate_per_s or allowed_per_s, allowed_per_s or rate_per_s)
    is_moving = progress.phase == "sending" and remaining > 0 and rate > 0
    until_s = progress.waiting_until_s
    wait = None
    if progress.waiting is not None and (until_s is None or until_s > now_s - 0.3):
        remaining_s = None if until_s is None else max(0.0, until_s - now_s)
        wait = Wait(kind=WaitKind.throttled, reason=progress.waiting, remaining_s=remaining_s)
    return replace(
        snapshot,
        campaign=progress.campaign,
        phase=_PHASES.get(progress.phase, snapshot.phase),
        rows=dict(progress.rows),
        to_send=progress.to_send,
        done=progress.done,
        in_flight=progress.in_flight,
        requests=progress.requests,
        throttled=progress.throttled,
        rate_per_s=rate_per_s,
        rate_allowed_per_s=allowed_per_s,
        rate_limit_per_s=progress.rate_limit_per_s,
        window_now=progress.window_now,
        worst_window=progress.worst_window,
        window_limit=progress.window_limit,
        elapsed_s=now_s - progress.started_at_s if progress.started_at_s else None,
        eta_s=remaining / rate if is_moving else None,
        waiting=wait or snapshot.waiting,
    )


_PHASES = {
    "sending": Phase.sending,
    "reconciling": Phase.reconciling,
    "tracking": Phase.tracking,
    "recalling": Phase.recalling,
    "finished": Phase.finished,
}

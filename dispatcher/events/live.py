"""The one live state, folded from events, and its snapshot: what a terminal, a page, JSON and metrics read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

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
from dispatcher.model import RowState, empty_counts
from dispatcher.plurals import counted

#: The rate shown is that of the last seconds: steadier than one second's, and soon true.
RATE_OVER_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why nothing leaves now."""

    kind: WaitKind
    reason: str
    #: None: not known.
    remaining_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The live state at one moment. Counts, rates a second, and seconds from that moment; nothing of a person."""

    campaign: str
    phase: Phase
    #: Rows of the latest file by state; every state is present.
    rows: dict[RowState, int]
    #: What reading the file has come to: rows, and bytes (`plan_total_bytes` None: not known).
    plan_rows: int
    plan_done_bytes: int
    plan_total_bytes: int | None
    #: Rows this run has to send in all, and how many of them have an answer.
    to_send: int
    done: int
    in_flight: int
    requests: int
    throttled: int
    #: Requests a second over the last seconds; what the limiter allows now; the account's limit.
    rate_per_s: float
    rate_allowed_per_s: float
    rate_limit_per_s: float
    #: Requests that left in the window that ends now, the most in any, and the limit.
    window_now: int
    worst_window: int
    window_limit: int
    #: Since the run began; None: it has not.
    elapsed_s: float | None
    #: Until the last row has left; None where nothing moves, or it cannot be told.
    eta_s: float | None
    #: The wait that lasts longest, if there is one.
    waiting: Wait | None
    #: How far looking up, tracking or recalling is, in a few words.
    detail: str | None
    tracked: int
    to_track: int
    #: Why it stops, or has stopped, before its end.
    stop_reason: str | None
    report: str | None
    #: How many answers took up to so many milliseconds (a power of two).
    latency_ms: dict[int, int]
    #: The host whose worker sends it; None: this process does, or nobody.
    sent_by: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The same with plain keys and values, for `json`: a `SnapshotAnswer`."""
        wait = self.waiting
        found: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        found["phase"] = self.phase.value
        found["rows"] = {state.value: n for state, n in self.rows.items()}
        found["latency_ms"] = {str(at_most): n for at_most, n in sorted(self.latency_ms.items())}
        found["waiting"] = wait and {"kind": wait.kind.value, "reason": wait.reason, "remaining_s": wait.remaining_s}
        return found


class Speed:
    """How fast a count grows, over the last few seconds."""

    def __init__(self, over_s: float = RATE_OVER_S) -> None:
        self._over_s = over_s
        self._samples: deque[tuple[float, int]] = deque()

    def clear(self) -> None:
        """Begin anew."""
        self._samples.clear()

    def add(self, now_s: float, count: int) -> None:
        """The count as it is now."""
        samples = self._samples
        samples.append((now_s, count))
        while len(samples) > 2 and samples[1][0] <= now_s - self._over_s:
            samples.popleft()

    def per_s(self, now_s: float) -> float:
        """The count's growth a second up to now; 0 before there are two samples."""
        samples = self._samples
        if len(samples) < 2:
            return 0.0
        last_s, last = samples[-1]
        first_s, first = samples[0]
        for at_s, count in samples:
            if at_s > now_s - self._over_s:
                break
            first_s, first = at_s, count
        # While nothing comes the rate falls.
        span_s = max(last_s, now_s if now_s - last_s > 1.0 else last_s) - first_s
        return (last - first) / span_s if span_s > 0 else 0.0


class LiveState:
    """Folds events; times are seconds on the bus' clock."""

    def __init__(self) -> None:
        self._campaign = ""
        self._phase = Phase.planning
        self._rows = empty_counts()
        self._plan: tuple[int, int, int | None] = (0, 0, None)
        self._to_send = self._done = self._in_flight = self._requests = self._throttled = 0
        self._allowed_per_s = self._limit_per_s = 0.0
        self._window_now = self._worst_window = self._window_limit = 0
        self._window_s = self._window_seen_s = 0.0
        self._started_s: float | None = None
        self._speed = Speed()
        #: Kind → reason, and when it will be over.
        self._waits: dict[WaitKind, tuple[str, float | None]] = {}
        self._detail: str | None = None
        self._tracked: tuple[int, int] = (0, 0)
        self._stop_reason: str | None = None
        self._report: str | None = None
        self._latency_ms: dict[int, int] = {}
        self._sent_by = ""

    def apply(self, event: Event, now_s: float) -> None:
        """Take an event that happened at `now_s`."""
        match event:
            case AttemptsEnded():
                self._count(event, now_s)
            case Waiting():
                until_s = None if event.for_s is None else now_s + event.for_s
                self._waits[event.kind] = (event.reason, until_s)
            case Resumed():
                self._waits.pop(event.kind, None)
            case PhaseChanged():
                self._phase = event.phase
                self._detail = None
            case PlanProgress():
                self._plan = (event.rows, event.done_bytes, event.total_bytes)
            case Planned():
                self._rows = empty_counts() | dict(event.rows)
            case RunStarted():
                self._start(event, now_s)
            case RowsCounted():
                self._campaign = event.campaign
                self._rows = empty_counts() | dict(event.rows)
            case RowsSkipped():
                self._rows[RowState.planned] -= event.rows
                self._rows[RowState.skipped] += event.rows
                self._done += event.rows
            case RateChanged():
                self._allowed_per_s = event.rate_per_s
            case SentBy():
                self._sent_by = event.host
            case Reconciling():
                self._detail = f"{counted(event.unknown, 'row')} unknown: {event.detail}"
            case LookingBack():
                self._detail = f"{counted(event.listed, 'execution')} listed"
            case Tracking():
                self._tracked = (event.done, event.total)
                self._detail = event.detail
            case Stopping():
                self._stop_reason = event.reason
            case RunStopped():
                self._phase = Phase.waiting if event.waits else Phase.finished
                self._stop_reason = event.reason
                self._in_flight = 0
            case ReportWritten():
                self._report = event.path

    def _start(self, event: RunStarted, now_s: float) -> None:
        self._campaign = event.campaign
        self._rows = empty_counts() | dict(event.rows)
        self._to_send, self._done = event.to_send, 0
        self._requests = self._throttled = self._in_flight = 0
        self._limit_per_s = self._allowed_per_s = event.rate_limit_per_s
        self._window_limit, self._window_s = event.window_limit, event.window_s
        self._started_s = now_s
        self._stop_reason = None
        self._latency_ms = {}
        self._speed.clear()
        self._speed.add(now_s, 0)
        self._detail = (
            f"{counted(event.recovered, 'row')} that an earlier run left unknown" if event.recovered else None
        )

    def _count(self, event: AttemptsEnded, now_s: float) -> None:
        for state, n in event.rows.items():
            self._rows[RowState.planned] -= n
            self._rows[state] += n
            self._done += n
        self._requests += event.requests
        self._throttled += event.throttled
        self._in_flight = event.in_flight
        self._window_now, self._window_seen_s = event.window_now, now_s
        self._worst_window = max(self._worst_window, event.worst_window)
        for at_most_ms, n in event.latency_ms.items():
            self._latency_ms[at_most_ms] = self._latency_ms.get(at_most_ms, 0) + n
        self._speed.add(now_s, self._requests)

    def snapshot(self, now_s: float) -> Snapshot:
        """The state at `now_s`."""
        rate_per_s = self._speed.per_s(now_s)
        rows, done_bytes, total_bytes = self._plan
        return Snapshot(
            campaign=self._campaign,
            phase=self._phase,
            rows=dict(self._rows),
            plan_rows=rows,
            plan_done_bytes=done_bytes,
            plan_total_bytes=total_bytes,
            to_send=self._to_send,
            done=self._done,
            in_flight=self._in_flight,
            requests=self._requests,
            throttled=self._throttled,
            rate_per_s=rate_per_s,
            rate_allowed_per_s=self._allowed_per_s,
            rate_limit_per_s=self._limit_per_s,
            # What was in the window has left it, if nothing has come since.
            window_now=self._window_now if now_s - self._window_seen_s < self._window_s else 0,
            worst_window=self._worst_window,
            window_limit=self._window_limit,
            elapsed_s=None if self._started_s is None else now_s - self._started_s,
            eta_s=self._eta_s(rate_per_s),
            waiting=self._wait(now_s),
            detail=self._detail,
            tracked=self._tracked[0],
            to_track=self._tracked[1],
            stop_reason=self._stop_reason,
            report=self._report,
            latency_ms=dict(self._latency_ms),
            sent_by=self._sent_by or None,
        )

    def _eta_s(self, rate_per_s: float) -> float | None:
        remaining = self._to_send - self._done
        allowed = self._allowed_per_s
        rate = min(rate_per_s or allowed, allowed or rate_per_s)
        moves = self._phase is Phase.sending or (self._phase is Phase.watching and self._sent_by)
        return remaining / rate if moves and remaining > 0 and rate > 0 else None

    def _wait(self, now_s: float) -> Wait | None:
        if not self._waits:
            return None

        def until_s(kind: WaitKind) -> float:
            end_s = self._waits[kind][1]
            return float("inf") if end_s is None else end_s

        kind = max(self._waits, key=until_s)
        reason, end_s = self._waits[kind]
        return Wait(kind=kind, reason=reason, remaining_s=None if end_s is None else max(0.0, end_s - now_s))

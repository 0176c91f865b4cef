"""The numbers that people ask for, from the ledger's counts and report rows to values."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from dispatcher.answers import StatusAnswer
from dispatcher.ledger.records import CampaignStatus, ReportRow
from dispatcher.model import Reason, RowState
from dispatcher.reporting.feeding import in_thread
from dispatcher.reporting.ledger_place import place_object
from dispatcher.reporting.wording import reason_meaning, row_advice
from dispatcher.studio.advice import meaning

#: More time buckets than this are merged two by two, so that memory does not grow with a campaign's length.
BUCKETS_MAX = 4096


class CampaignState(StrEnum):
    """Where a campaign stands, by the rows of its latest file."""

    #: Nothing has been sent yet.
    planned = "planned"
    #: A run is active.
    running = "running"
    #: No row waits. Rows may be unknown: `rows` says.
    finished = "finished"
    #: The last run has left nothing but rows that wait for their time: `resume` goes on from then on.
    waiting = "waiting"
    #: The last run has ended, and rows wait: `resume` goes on.
    stopped = "stopped"
    #: The last run was killed; `resume` finds out what became of the rows in flight.
    interrupted = "interrupted"
    #: Somebody, its guard or its server has paused it, and rows wait: `resume` lifts that.
    paused = "paused"


def campaign_state(status: CampaignStatus) -> CampaignState:
    """One word for where the campaign stands."""
    if status.running:
        return CampaignState.running
    waiting = status.rows[RowState.planned] + status.rows[RowState.sending]
    if not waiting and any(status.rows.values()):
        return CampaignState.finished
    if status.paused is not None:
        return CampaignState.paused
    if status.first_started_at_ms is None:
        return CampaignState.planned
    if status.interrupted:
        return CampaignState.interrupted
    return CampaignState.stopped if status.next_at_ms is None else CampaignState.waiting


def rate_per_s(status: CampaignStatus) -> float:
    """Requests that were not throttled, per second of sending; 0 before the first."""
    return status.attempts / status.duration_s if status.duration_s else 0.0


def status_object(
    status: CampaignStatus, report_path: str | None, skipped: Mapping[str, int] | None = None
) -> StatusAnswer:
    """The object of `status --json`, and in it, of `run --json`; docs/report.md describes it. Every state is in `rows`.

    `skipped`: why rows are left out, of those that are skipped or invalid; None: it is not asked for.
    """
    found: StatusAnswer = {
        "campaign": status.campaign.name,
        "state": campaign_state(status).value,
        "ledger": place_object(status.ledger),
        "rows": {state.value: status.rows[state] for state in RowState},
        "worst_window": status.worst_window,
        "window_limit": status.window_limit,
        "attempts": status.attempts,
        "throttled": status.throttled,
        "duration_s": round(status.duration_s, 3),
        "rate_per_s": round(rate_per_s(status), 2),
        "report": report_path,
    }
    if skipped is not None:
        reasons = {reason.value for reason in Reason if reason.state is RowState.skipped}
        found["skipped"] = {reason: n for reason, n in sorted(skipped.items()) if reason in reasons}
    if status.paused is not None:
        at = datetime.fromtimestamp(status.paused.at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found["paused"] = {"at": at, "by": status.paused.by.value, "reason": status.paused.reason or None}
    if status.due_ms is not None:
        found["due_at"] = datetime.fromtimestamp(status.due_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if status.changed:
        found["changed"] = status.changed
    run = status.run if status.running else None
    if run is not None and run.host:
        found["sent_by"] = run.host
    if run is not None and run.waits:
        found["waits"] = {"reason": run.waits, "until": _utc_text(run.waits_until_ms)}
    if any(status.earlier_rows.values()):
        found["earlier_rows"] = {state.value: n for state, n in status.earlier_rows.items() if n}
    return found


def _utc_text(at_ms: int | None) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Rows that were refused, left out or are unknown, for one reason."""

    state: RowState
    #: Twilio's error code, the reason's name, or `HTTP 400` where Studio gave no code; empty where nothing is known.
    code: str
    meaning: str
    advice: str
    rows: int


@dataclass(frozen=True, slots=True)
class Departures:
    """When requests left: the last request of each row."""

    #: The width of a bucket, in seconds: 1, 2, 4, …
    bucket_s: int
    #: (start in seconds since the epoch, requests), ascending; only buckets that have requests.
    buckets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A campaign in numbers: the rows of its latest file, and its sending over all runs."""

    status: CampaignStatus
    state: CampaignState
    total: int
    rate_per_s: float
    #: Most rows first, and skipped rows last: nothing is to be done about them.
    problems: tuple[Problem, ...]
    departures: Departures


async def summarize(status: CampaignStatus, rows: AsyncIterator[list[ReportRow]]) -> Summary:
    """Fold the latest file's report rows, in a thread, into one value; memory does not grow with them.

    Raises: what `rows` raises.
    """
    return await in_thread(lambda batches: _fold(status, batches), rows)


def _fold(status: CampaignStatus, rows: Iterable[list[ReportRow]]) -> Summary:
    found: Counter[tuple[RowState, str | None, int | None, int | None]] = Counter()
    departures = _DepartureCounter()
    for batch in rows:
        for row in batch:
            state = row.state
            if row.sent_at_ms is not None:
                departures.add(row.sent_at_ms // 1000)
            if state is RowState.invalid or state is RowState.skipped:
                found[state, row.reason_code, None, None] += 1
            elif state is RowState.rejected or state is RowState.busy or state is RowState.unknown:
                found[state, None, row.http_status, row.error_code] += 1
    return Summary(
        status=status,
        state=campaign_state(status),
        total=sum(status.rows.values()),
        rate_per_s=rate_per_s(status),
        problems=tuple(
            _problem(*key, rows=n)
            for key, n in sorted(found.items(), key=lambda item: (item[0][0] is RowState.skipped, -item[1]))
        ),
        departures=departures.result(),
    )


def _problem(
    state: RowState, reason: str | None, http_status: int | None, error_code: int | None, *, rows: int
) -> Problem:
    if reason is not None:
        what_to_do = row_advice(state, reason=reason)
        return Problem(state=state, code=reason, meaning=reason_meaning(reason), advice=what_to_do, rows=rows)
    what = (meaning(error_code) if error_code is not None else None) or ""
    code = str(error_code) if error_code is not None else f"HTTP {http_status}" if http_status is not None else ""
    return Problem(
        state=state,
        code=code,
        meaning=what if code else "no answer",
        advice=row_advice(state, http_status=http_status, error_code=error_code),
        rows=rows,
    )


class _DepartureCounter:
    """Counts per second, then per two, four, … as the campaign grows longer."""

    def __init__(self) -> None:
        self._shift = 0
        self._counts: Counter[int] = Counter()

    def add(self, second: int) -> None:
        self._counts[second >> self._shift] += 1
        while len(self._counts) > BUCKETS_MAX:
            self._shift += 1
            merged: Counter[int] = Counter()
            for bucket, n in self._counts.items():
                merged[bucket >> 1] += n
            self._counts = merged

    def result(self) -> Departures:
        buckets = sorted(self._counts.items())
        return Departures(1 << self._shift, tuple((bucket << self._shift, n) for bucket, n in buckets))

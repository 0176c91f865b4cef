"""What `--json` prints, as types: `python -m docs.json_schemas` makes docs/schemas of them. docs/report.md explains it.

One object for every exit. Keys that are there keep their meaning; more may come within one `schema`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

#: Raised where a key loses its meaning.
SCHEMA: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Words:
    """The values, or a mapping's keys, are those of an enumeration: its module and its name."""

    enumeration: str
    #: Of a mapping: each of them is a key.
    every: bool = False


#: Keys of a run's answer that it does not always have.
ONLY_WHERE_THERE_ARE_ANY = ("earlier_rows", "paused", "due_at", "changed", "sent_by", "waits")

#: ISO 8601, UTC: `2026-01-31T09:05:00Z`.
Moment = Annotated[str, "date-time"]
_States = Annotated[dict[str, int], Words("dispatcher.model:RowState", every=True)]


class ErrorAnswer(TypedDict):
    """What ended a command before its end: the words that stand on stderr, too."""

    code: str
    """One of docs/cli.md's, as in `error[code]`; `internal` is a bug."""
    message: str
    found: str | None
    fix: str | None
    """What to do: a command that can be pasted, a setting, or a sentence."""


class Answer(TypedDict):
    """What every object has."""

    schema: Literal[1]
    exit_code: int
    """That of the process."""
    error: ErrorAnswer | None


class LedgerAnswer(TypedDict):
    """Which ledger it is."""

    path: str
    since: Moment | None
    """When its first campaign was made; what was sent before, it does not know."""


class PausedAnswer(TypedDict):
    """Who has paused the campaign."""

    at: Moment
    by: Annotated[str, Words("dispatcher.model:PausedBy")]
    reason: str | None


class WaitsAnswer(TypedDict):
    """Why nothing leaves now, as whoever sends says."""

    reason: str
    until: Moment | None
    """null: it is not known."""


class WaitingAnswer(TypedDict):
    """Rows that wait together."""

    rows: int
    until: Moment
    zone: str | None
    """An IANA name; null: no hours hold for them."""
    why: Annotated[str, Words("dispatcher.campaign.timing:WaitsFor")]


class HoursAnswer(TypedDict):
    """The hours that hold by the settings."""

    mode: Literal["wait", "warn", "off"]
    presets: list[str]
    override: list[str]
    """Presets that were taken out by name."""
    tz_version: str
    """Of the time zones' rules, as IANA names it."""


class RunCounts(TypedDict):
    """What this process has done, from its first run to its last where it has waited in between."""

    id: int
    """The last run's, in the ledger."""
    started_at: Moment
    finished_at: Moment
    created: int
    """Rows that it has created, or found to be created."""
    rejected: int
    unknown: int
    """Rows that it has left unknown, whichever run has sent them."""
    requests: int
    """Create requests that left, those answered 429 among them."""
    throttled: int


class StatusAnswer(TypedDict):
    """A campaign as it stands; where nothing else is said, of its latest file, over all runs."""

    campaign: str
    state: Annotated[str, Words("dispatcher.reporting.summary:CampaignState")]
    ledger: LedgerAnswer
    rows: _States
    worst_window: int
    window_limit: int
    attempts: int
    throttled: int
    duration_s: float
    rate_per_s: float
    report: str | None
    """Where the last report was written."""
    skipped: NotRequired[Annotated[dict[str, int], Words("dispatcher.model:Reason")]]
    earlier_rows: NotRequired[Annotated[dict[str, int], Words("dispatcher.model:RowState")]]
    """Rows of earlier files that the latest does not have; only where there are any."""
    paused: NotRequired[PausedAnswer]
    """Only where it is."""
    due_at: NotRequired[Moment]
    """From when on a server is to send it; only where one is."""
    changed: NotRequired[int]
    """Rows that were sent with other values than the latest file has; only where there are any."""
    sent_by: NotRequired[str]
    """The host that sends it now; only while one does and has told."""
    waits: NotRequired[WaitsAnswer]
    """Only while it is sent, and nothing leaves."""
    waiting: NotRequired[list[WaitingAnswer]]
    next_at: NotRequired[Moment | None]
    hours: NotRequired[HoursAnswer]


class RunAnswer(TypedDict):
    """`run`, `resume` and `retry`: every key always; null where the command has ended before it was known."""

    schema: Literal[1]
    campaign: str | None
    state: Annotated[str, Words("dispatcher.reporting.summary:CampaignState")] | None
    exit_code: int
    error: ErrorAnswer | None
    ledger: LedgerAnswer | None
    rows: _States | None
    skipped: Annotated[dict[str, int], Words("dispatcher.model:Reason")] | None
    run: RunCounts | None
    """This process's own counts; null: it has begun no run."""
    worst_window: int | None
    window_limit: int | None
    attempts: int | None
    throttled: int | None
    duration_s: float | None
    rate_per_s: float | None
    report: str | None
    waiting: list[WaitingAnswer] | None
    next_at: Moment | None
    hours: HoursAnswer | None
    earlier_rows: NotRequired[Annotated[dict[str, int], Words("dispatcher.model:RowState")]]
    paused: NotRequired[PausedAnswer]
    due_at: NotRequired[Moment]
    changed: NotRequired[int]
    sent_by: NotRequired[str]
    waits: NotRequired[WaitsAnswer]


class WaitAnswer(TypedDict):
    """Why nothing leaves now."""

    kind: Annotated[str, Words("dispatcher.events.kinds:WaitKind")]
    reason: str
    remaining_s: float | None


class SnapshotAnswer(TypedDict):
    """The live state at one moment: counts, rates a second and seconds; nothing of a person."""

    campaign: str
    phase: Annotated[str, Words("dispatcher.events.kinds:Phase")]
    rows: _States
    plan_rows: int
    """What reading the file has come to, in rows and bytes."""
    plan_done_bytes: int
    plan_total_bytes: int | None
    to_send: int
    done: int
    in_flight: int
    requests: int
    throttled: int
    rate_per_s: float
    rate_allowed_per_s: float
    rate_limit_per_s: float
    window_now: int
    worst_window: int
    window_limit: int
    elapsed_s: float | None
    eta_s: float | None
    waiting: WaitAnswer | None
    detail: str | None
    tracked: int
    to_track: int
    stop_reason: str | None
    report: str | None
    latency_ms: dict[str, int]
    """How many answers took up to so many milliseconds."""
    sent_by: str | None
    """The host whose worker sends it, on a cluster; null: this process does, or nobody."""


class BeginLine(TypedDict):
    """The first line of `--json-events`."""

    event: Literal["begin"]
    schema: Literal[1]
    at: Moment
    command: str
    version: str


class StateLine(SnapshotAnswer):
    """What has changed; the lines between."""

    event: Literal["state"]
    at: Moment


class EndLine(RunAnswer):
    """The last line: what `--json` prints, and that it is the last."""

    event: Literal["end"]


def empty_run() -> dict[str, Any]:
    """A run's answer of which nothing is known yet."""
    return dict.fromkeys(name for name in RunAnswer.__annotations__ if name not in ONLY_WHERE_THERE_ARE_ANY)

"""What `/metrics` says: Prometheus' text format 0.0.4, from numbers that somebody else has gathered. Pure.

prometheus.io/docs/instrumenting/exposition_formats. A campaign is named by its name, an account by its SID's last
characters; nothing of a contact is in here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dispatcher.events import Snapshot, WaitKind
from dispatcher.model import RowState
from dispatcher.web.figures import masked_sid

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: A label's name -> its value.
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignNumbers:
    """Of one campaign: what the ledger counts, and of a run in this process its live state."""

    campaign: str
    #: Its whole SID; only its last characters are told.
    account_sid: str
    rows: Mapping[RowState, int]
    live: Snapshot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerNumbers:
    """Of the whole server, at one moment."""

    version: str
    campaigns: tuple[CampaignNumbers, ...] = ()
    #: Runs that have begun since the server has.
    runs_begun: int = 0
    #: Campaigns that wait for their account.
    queued: int = 0
    #: Files of contacts that are kept, and their bytes.
    uploads: int = 0
    uploads_bytes: int = 0
    #: Files that are being checked, or wait for that.
    checks: int = 0
    #: How late the event loop has been, at the most, in the last minute.
    loop_lag_s: float = 0.0


@dataclass(slots=True)
class _Metric:
    name: str
    kind: str
    help: str
    samples: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)

    def add(self, value: float, labels: Labels | None = None) -> None:
        """Two of the same labels would make the whole answer unreadable: they are one, their sum."""
        key = tuple((labels or {}).items())
        self.samples[key] = self.samples.get(key, 0.0) + value

    def lines(self) -> Iterable[str]:
        if not self.samples:
            return
        yield f"# HELP {self.name} {_escaped(self.help)}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples.items():
            inner = ",".join(f'{name}="{_escaped(text, quotes=True)}"' for name, text in labels)
            yield f"{self.name}{{{inner}}} {_number(value)}" if inner else f"{self.name} {_number(value)}"


def exposition(numbers: ServerNumbers) -> str:
    """The whole answer; it ends with a line end."""
    metrics = [*_of_server(numbers), *_of_campaigns(numbers.campaigns)]
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _of_server(numbers: ServerNumbers) -> list[_Metric]:
    found = []

    def one(name: str, kind: str, text: str, value: float, labels: Labels | None = None) -> None:
        metric = _Metric(f"dispatcher_{name}", kind, text)
        metric.add(value, labels)
        found.append(metric)

    running = sum(campaign.live is not None for campaign in numbers.campaigns)
    one("info", "gauge", "The program that answers; always 1.", 1, {"version": numbers.version})
    one("runs_total", "counter", "Runs that have begun since the server started.", numbers.runs_begun)
    one("runs_active", "gauge", "Runs that this server has under way.", running)
    one("runs_queued", "gauge", "Campaigns that wait for their account.", numbers.queued)
    one("uploads", "gauge", "Files of contacts that are kept.", numbers.uploads)
    one("uploads_bytes", "gauge", "Bytes of the files of contacts that are kept.", numbers.uploads_bytes)
    one("checks", "gauge", "Files that are being checked, or wait for that.", numbers.checks)
    one("loop_lag_seconds", "gauge", "How late the event loop was at the most in the last minute.", numbers.loop_lag_s)
    return found


def _of_campaigns(campaigns: Iterable[CampaignNumbers]) -> list[_Metric]:
    rows = _Metric("dispatcher_rows", "gauge", "Rows of a campaign by state, as the ledger has them.")
    requests = _Metric("dispatcher_requests_total", "counter", "Create requests that left in the present run.")
    throttled = _Metric("dispatcher_throttled_total", "counter", "Requests that Studio answered with 429 in that run.")
    in_flight = _Metric("dispatcher_requests_in_flight", "gauge", "Create requests without an answer yet.")
    window = _Metric("dispatcher_window_requests", "gauge", "Create requests in the window that ends now.")
    worst = _Metric("dispatcher_window_worst_requests", "gauge", "The most in any window of the present run.")
    limit = _Metric("dispatcher_window_limit_requests", "gauge", "The most that a window may hold.")
    waiting = _Metric("dispatcher_waiting", "gauge", "1 for what a run waits for, else 0.")
    for one in campaigns:
        labels = {"campaign": one.campaign, "account": masked_sid(one.account_sid)}
        for state in RowState:
            rows.add(one.rows.get(state, 0), {**labels, "state": state.value})
        if (live := one.live) is None:
            continue
        requests.add(live.requests, labels)
        throttled.add(live.throttled, labels)
        in_flight.add(live.in_flight, labels)
        window.add(live.window_now, labels)
        worst.add(live.worst_window, labels)
        limit.add(live.window_limit, labels)
        for kind in WaitKind:
            is_it = live.waiting is not None and live.waiting.kind is kind
            waiting.add(int(is_it), {**labels, "kind": kind.value})
    return [rows, requests, throttled, in_flight, window, worst, limit, waiting]


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))

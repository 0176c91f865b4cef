"""What a run's end is told as: the kind of notice, and its body. Pure: it is called inside the ledger's transaction.

A body holds counts, reasons and the report's path: never a number, a name, a cell or a secret, nor where the ledger is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dispatcher.campaign.channels import channel_names
from dispatcher.campaign.handing import HandedOver
from dispatcher.campaign.result import RunResult, unexpected_rows
from dispatcher.campaign.timing import moment_text, utc_text, waiting_objects
from dispatcher.errors import CanaryStopped, GuardTripped
from dispatcher.ledger.notices import Announce, EndedRun, NewNotice
from dispatcher.ledger.records import CampaignStatus
from dispatcher.ledger.wishes import PAUSED_BEFORE
from dispatcher.model import NoticeKind
from dispatcher.reporting.summary import CampaignState, campaign_state, status_object
from dispatcher.settings import Settings


def announcing(
    settings: Settings,
    result_of: Callable[[CampaignStatus], RunResult] | None = None,
    *,
    report: Path | None = None,
    had_work: bool = True,
) -> Announce | None:
    """How the ledger words a run's end; None: nobody is to be told.

    `result_of`: what the run came to, by the counts in which it ends; None: it was killed. `report`: where its report
    will be; None: where the last one went. `had_work`: it found rows to send, or unknown ones. See `is_news`.
    """
    channels = channel_names(settings.notify)
    if not channels or not settings.notify.on:
        return None

    def announce(ended: EndedRun) -> Iterable[NewNotice]:
        result = result_of(ended.status) if result_of is not None else None
        if result is not None and isinstance(result.error, HandedOver):
            return []
        kind, has_error = kind_of(result), result is None or result.error is not None
        if kind.value not in settings.notify.on or not is_news(kind, ended, has_error=has_error, had_work=had_work):
            return []
        path = os.path.abspath(report) if report is not None else ended.status.report_path  # noqa: PTH100 - no disk
        text = body(kind, run_data(ended, result, path, settings), at_ms=ended.ended_at_ms)
        return [NewNotice(kind=kind.value, channel=channel, body=text) for channel in channels]

    return announce


def is_news(kind: NoticeKind, ended: EndedRun, *, has_error: bool, had_work: bool) -> bool:
    """A job that looks every ten minutes is not to tell each time that nothing waits, or that all of it still waits."""
    if kind is NoticeKind.waiting and not ended.requests:
        return ended.told_before != NoticeKind.waiting
    return had_work or has_error


def kind_of(result: RunResult | None) -> NoticeKind:
    """What is told of a run: it has finished where every row has its answer."""
    if result is not None and isinstance(result.error, GuardTripped):
        return NoticeKind.guard
    if result is not None and isinstance(result.error, CanaryStopped):
        return NoticeKind.canary
    if result is None or result.error is not None or result.remaining:
        return NoticeKind.stopped
    if result.waiting:
        return NoticeKind.waiting
    is_finished = campaign_state(result.status) is CampaignState.finished
    return NoticeKind.finished if is_finished else NoticeKind.stopped


def run_data(ended: EndedRun, result: RunResult | None, report: str | None, settings: Settings) -> dict[str, Any]:
    """The object of `run --json`, with the run and why it ended; docs/rules.md describes it."""
    found: dict[str, Any] = {**status_object(ended.status, report, ended.skipped)}
    del found["ledger"]
    if (paused := ended.status.paused) is not None:
        # A person's reason may name anybody, a server's a file; a verdict's is numbers.
        verdict = paused.reason.partition(PAUSED_BEFORE)[0] if paused.by.is_verdict else None
        found["paused"] = {**found["paused"], "reason": verdict}
    error = result.error if result is not None else None
    killed = {"code": "killed", "message": ended.status.stop_reason} if result is None else None
    if result is not None:
        found["waiting"] = waiting_objects(result.waiting)
        found["next_at"] = None if result.next_at_ms is None else utc_text(result.next_at_ms)
    return {
        **found,
        "exit_code": int(result.told_code(unexpected_rows(ended.skipped, settings))) if result is not None else None,
        "error": {"code": error.code, "message": error.message} if error is not None else killed,
        "rehearsal": settings.is_loopback,
        "run": {
            "id": ended.run_id,
            "started_at": moment_text(ended.started_at_ms),
            "finished_at": moment_text(ended.ended_at_ms),
            "requests": ended.requests,
            "throttled": ended.throttled,
        },
    }


def body(kind: NoticeKind, data: dict[str, Any], *, at_ms: int) -> str:
    """A notice as it is sent: Standard Webhooks' three members."""
    notice = {"type": kind.value, "timestamp": moment_text(at_ms), "data": data}
    return json.dumps(notice, ensure_ascii=False, separators=(",", ":"))

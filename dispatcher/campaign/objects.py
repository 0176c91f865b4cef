"""What a campaign's numbers are as JSON objects: what scripts read, and a page too. Keys are documented and stay."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher.answers import RunCounts as RunCountsAnswer
from dispatcher.answers import StatusAnswer
from dispatcher.campaign.timing import hours_answer, moment_text, utc_text, waiting_objects
from dispatcher.errors import HoursError
from dispatcher.model import ExecutionStatus
from dispatcher.reporting.summary import status_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dispatcher.campaign.launch import Launched
    from dispatcher.campaign.result import RunCounts
    from dispatcher.campaign.timing import Waiting
    from dispatcher.ledger.executions import ExecutionCounts
    from dispatcher.ledger.records import CampaignStatus
    from dispatcher.reporting.summary import Summary
    from dispatcher.settings import Settings
    from dispatcher.studio.resources import Flow
    from dispatcher.tracking.results import RecallResult, TrackResult


def status_answer(
    status: CampaignStatus,
    report: str | None,
    skipped: Mapping[str, int],
    waiting: Sequence[Waiting] | None,
    settings: Settings,
) -> StatusAnswer:
    """A campaign with what of it waits; None: that was not asked."""
    found = status_object(status, report, skipped)
    if waiting is not None:
        found["waiting"] = waiting_objects(waiting)
        found["next_at"] = utc_text(waiting[0].until_ms) if waiting else None
    # Whoever pauses a campaign has done so, whatever is wrong with its hours.
    with contextlib.suppress(HoursError):
        found["hours"] = hours_answer(settings)
    return found


def launched_answer(launched: Launched, settings: Settings, run: RunCounts | None) -> dict[str, Any]:
    """What a run came to, for `--json`: a `RunAnswer` but for its frame. `run`: this process's own counts."""
    report = str(launched.report) if launched.report else None
    result = launched.result
    return {
        **status_answer(result.status, report, launched.skipped, result.waiting, settings),
        "run": None if run is None else run_object(run),
    }


def run_object(run: RunCounts) -> RunCountsAnswer:
    """This process's own counts."""
    return {
        "id": run.run_id,
        "started_at": moment_text(run.started_at_ms),
        "finished_at": moment_text(run.finished_at_ms),
        "created": run.created,
        "rejected": run.rejected,
        "unknown": run.unknown,
        "requests": run.requests,
        "throttled": run.throttled,
    }


def flow_object(flow: Flow) -> dict[str, Any]:
    """A flow of the account; `revision` is v1's `version`."""
    return {
        "sid": flow.sid,
        "friendly_name": flow.friendly_name,
        "status": flow.status,
        "revision": flow.revision if flow.revision is not None else flow.version,
        "date_created": flow.date_created.isoformat() if flow.date_created else None,
        "date_updated": flow.date_updated.isoformat() if flow.date_updated else None,
    }


def executions_object(counts: ExecutionCounts) -> dict[str, Any]:
    """What became of the executions, counted; `docs/tracking.md` describes it."""
    return {
        "created": counts.created,
        "not_looked_at": counts.unseen,
        **{status.value: counts.by_status[status] for status in ExecutionStatus},
        "recalled": counts.recalled,
        "details_read": counts.read,
        "last_steps": counts.last_steps,
        "errors": {str(code): n for code, n in counts.errors.items()},
    }


def track_object(campaign: str, result: TrackResult, report: Path | None) -> dict[str, Any]:
    """What tracking came to; `report`: the one that was written with it."""
    return {
        "campaign": campaign,
        **executions_object(result.counts),
        "read_now": result.read,
        "incomplete": result.incomplete,
        "opted_out": result.opted_out,
        "failed": result.failed,
        "report": str(report) if report else None,
    }


def recall_object(campaign: str, active: int, result: RecallResult | None) -> dict[str, Any]:
    """What recalling came to; None: no execution was active."""
    return {
        "campaign": campaign,
        "active": active,
        "ended": result.ended if result else 0,
        "already_ended": result.already_ended if result else 0,
        "gone": result.gone if result else 0,
        "failed": result.failed if result else 0,
    }


def summary_object(found: Summary, counts: ExecutionCounts, waiting: Sequence[Waiting]) -> dict[str, Any]:
    """A campaign in numbers, with what of it waits; `executions` is None where they were never looked at."""
    return {
        **status_object(found.status, found.status.report_path),
        "waiting": waiting_objects(waiting),
        "next_at": utc_text(waiting[0].until_ms) if waiting else None,
        "problems": [
            {
                "state": problem.state.value,
                "code": problem.code,
                "meaning": problem.meaning,
                "advice": problem.advice,
                "rows": problem.rows,
            }
            for problem in found.problems
        ],
        "executions": executions_object(counts) if counts.seen_at_ms is not None else None,
    }

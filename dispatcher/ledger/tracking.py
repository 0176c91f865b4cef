"""What became of the executions: kept beside the attempts that created them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from dispatcher.ledger import suppressed
from dispatcher.ledger.db import Db
from dispatcher.ledger.executions import CreatedExecution, ExecutionCounts, TrackedExecution
from dispatcher.ledger.records import CampaignRecord
from dispatcher.model import ExecutionStatus


def to_track(
    db: Db, campaign: CampaignRecord, *, read_as: str | None, after: int, limit: int
) -> list[CreatedExecution]:
    """See `protocol.Ledger.executions_to_track`."""
    return [
        CreatedExecution(attempt_id, sid, begun_ms, answered_ms, ExecutionStatus(status) if status else None, *rest)
        for attempt_id, sid, begun_ms, answered_ms, status, *rest in db.rows(
            "executions_to_track", campaign_id=campaign.campaign_id, read_as=read_as, after=after, limit=limit
        )
    ]


def save(db: Db, executions: Sequence[TrackedExecution]) -> None:
    """See `protocol.Ledger.save_executions`."""
    flat: list[Any] = []
    # What a forgotten person has said, and of what it says them, does not come back by being read again.
    forgotten = {one for (one,) in db.rows("attempts_forgotten", attempt_ids=[one.attempt_id for one in executions])}
    if forgotten:
        executions = [_bare(one) if one.attempt_id in forgotten else one for one in executions]
    for one in executions:
        flat += (
            one.attempt_id,
            one.status.value,
            one.seen_at_ms,
            one.ended_at_ms,
            one.flow_version,
            one.recalled_at_ms,
            one.read_as,
            one.last_step,
            None if one.path is None else orjson.dumps(one.path).decode(),
            one.error_code,
            one.error_message,
            orjson.dumps(one.variables).decode() if one.variables else None,
        )
    db.insert("executions_save", 12, flat)
    opted_out = {one.attempt_id: one.opted_out for one in executions if one.opted_out is not None}
    suppressed.learn(db, opted_out, max((one.seen_at_ms for one in executions), default=0))


def _bare(one: TrackedExecution) -> TrackedExecution:
    """Without texts; that they have opted out is kept."""
    opted_out = None if one.opted_out is None else "an opt-out"
    return dataclasses.replace(one, variables={}, error_message=None, opted_out=opted_out)


def counts(db: Db, campaign: CampaignRecord) -> ExecutionCounts:
    """See `protocol.Ledger.execution_counts`."""
    created = unseen = recalled = read = 0
    seen_ms: int | None = None
    by_status = dict.fromkeys(ExecutionStatus, 0)
    last_steps: Counter[str] = Counter()
    errors: Counter[int] = Counter()
    for status, last_step, code, was_recalled, was_read, n, latest_ms in db.rows(
        "executions_counts", campaign_id=campaign.campaign_id
    ):
        created += n
        if status is None:
            unseen += n
            continue
        by_status[ExecutionStatus(status)] += n
        recalled += n if was_recalled else 0
        seen_ms = max(latest_ms, seen_ms or 0)
        if was_read:
            read += n
            last_steps[last_step or ""] += n
            if code is not None:
                errors[code] += n
    return ExecutionCounts(
        created=created,
        unseen=unseen,
        by_status=by_status,
        recalled=recalled,
        read=read,
        last_steps=dict(last_steps.most_common()),
        errors=dict(errors.most_common()),
        seen_at_ms=seen_ms,
    )


def is_tracked(db: Db, campaign: CampaignRecord) -> bool:
    """Whether anything is known of any execution of the campaign."""
    return bool(db.one("executions_tracked", campaign_id=campaign.campaign_id)[0])


def of_rows(db: Db, row_ids: Sequence[int]) -> dict[int, TrackedExecution]:
    """See `snapshot.LedgerSnapshot.executions`."""
    return {row_id: _tracked(values) for row_id, *values in db.rows("executions_of_rows", row_ids=list(row_ids))}


def _tracked(values: Sequence[Any]) -> TrackedExecution:
    attempt_id, status, seen_ms, ended_ms, version, recalled_ms, read_as, last_step, path, code, message, texts = values
    return TrackedExecution(
        attempt_id=attempt_id,
        status=ExecutionStatus(status),
        seen_at_ms=seen_ms,
        ended_at_ms=ended_ms,
        flow_version=version,
        recalled_at_ms=recalled_ms,
        read_as=read_as,
        last_step=last_step,
        path=None if path is None else tuple(orjson.loads(path)),
        error_code=code,
        error_message=message,
        variables=orjson.loads(texts) if texts else {},
    )

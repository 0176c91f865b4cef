"""Everything that is known of a campaign, as objects for whoever wants to keep it elsewhere.

Names as in the report and in DESIGN's words; moments in ms since 1970. A row is told by its `id`, which attempts name:
its place in the first file that held it. What is forgotten stands as `null`, or as what stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from dispatcher.ledger.chunks import ROW_NUMBER_MASK, ChunkReader, id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import CampaignRecord

#: So many rows or attempts are read at a time.
PER_READ = 500

_CAMPAIGN = (
    *("created_at_ms", "report", "key_columns", "wish", "wished_by", "wish_reason", "wished_at_ms"),
    "due_ms",
)
_INPUT = (
    *("file", "source", "folder", "sha256", "header", "parameter_columns", "parameter_constants"),
    *("from", "begun_at_ms", "ready_at_ms"),
)
_RUN = (
    *("run", "started_at_ms", "seen_at_ms", "stopped_at_ms", "stop_reason", "requests", "throttled"),
    *("worst_window", "window_limit", "clock_skew_ms"),
)
_ROW = (
    *("id", "key", "status", "to", "from", "not_before_ms", "not_after_ms", "reason_code", "reason_column", "reason"),
    *("attempts", "zones", "country", "area"),
)
_ATTEMPT = (
    *("attempt", "id", "number", "run", "begun_at_ms", "sent_at_ms", "ended_at_ms", "outcome", "http_status"),
    *("error_code", "error_message", "execution_sid", "request_id", "found_by", "to", "from", "dispatch_id", "absence"),
    "sent_otherwise",
)
_EXECUTION = (
    *("status", "seen_at_ms", "ended_at_ms", "flow_version", "recalled_at_ms", "last_step", "path", "error_code"),
    *("error_message", "variables"),
)
_ERASURE = ("at_ms", "action", "rows", "by", "cleaned_at_ms")
#: What is kept as JSON.
_JSON = {
    "key_columns",
    "header",
    "parameter_columns",
    "parameter_constants",
    "zones",
    "path",
    "variables",
    "sent_otherwise",
}


def head(db: Db, campaign: CampaignRecord) -> list[dict[str, Any]]:
    """The campaign, its files, its runs, and what was forgotten of it."""
    campaign_id, account = campaign.campaign_id, campaign.account
    one = _object(_CAMPAIGN, db.one("export_campaign", campaign_id=campaign_id))
    named = {"campaign": campaign.name, "account_sid": account.account_sid, "base_url": account.base_url}
    return [
        {"kind": "campaign", **named, "flow_sid": campaign.flow_sid, **one},
        *({"kind": "file", **_object(_INPUT, row)} for row in db.rows("export_inputs", campaign_id=campaign_id)),
        *({"kind": "run", **_object(_RUN, row)} for row in db.rows("export_runs", campaign_id=campaign_id)),
        *({"kind": "erasure", **_object(_ERASURE, row)} for row in db.rows("export_erasures", campaign_id=campaign_id)),
    ]


def input_ids(db: Db, campaign: CampaignRecord) -> list[int]:
    """The numbers of its files, oldest first."""
    return [row[0] for row in db.rows("export_inputs", campaign_id=campaign.campaign_id)]


def rows(db: Db, chunks: ChunkReader, input_id: int, after: int) -> tuple[list[dict[str, Any]], int | None]:
    """A file's next rows with their cells, and where to go on; None: that was all."""
    ids = id_range(input_id)
    found = db.rows("export_rows", after=max(after, ids["first"] - 1), last=ids["last"], limit=PER_READ)
    objects = []
    for row_id, *values in found:
        one = {"file": input_id, "row_number": row_id & ROW_NUMBER_MASK, "cells": chunks.cells(db, row_id)}
        objects.append({"kind": "row", **_object(_ROW, values), **one})
    return objects, found[-1][0] if len(found) == PER_READ else None


def attempts(db: Db, campaign: CampaignRecord, after: int) -> tuple[list[dict[str, Any]], int | None]:
    """The campaign's next attempts with what became of their executions, and where to go on; None: that was all."""
    found = db.rows("export_attempts", campaign_id=campaign.campaign_id, after=after, limit=PER_READ)
    objects = []
    for row in found:
        of_attempt, of_execution = row[: len(_ATTEMPT)], row[len(_ATTEMPT) :]
        execution = _object(_EXECUTION, of_execution) if of_execution[0] is not None else None
        objects.append({"kind": "attempt", **_object(_ATTEMPT, of_attempt), "execution": execution})
    return objects, found[-1][0] if len(found) == PER_READ else None


def _object(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {
        name: orjson.loads(value) if name in _JSON and value is not None else value
        for name, value in zip(names, values, strict=True)
    }

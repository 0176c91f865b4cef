"""Rows that a campaign's latest file has no more: counted when it is planned, taken out once that was shown.

Until they are taken out nobody sends them either. And what makes a row the same row stays with its campaign: by another
key, all rows would be new ones, and the old ones missing.
"""

from __future__ import annotations

from collections import Counter

import orjson

from dispatcher.errors import CampaignMismatch, UsageError
from dispatcher.ledger import tallies
from dispatcher.ledger.chunks import id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import CampaignRecord, EarlierRows
from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.remedies import AnyOf, Option, Setting

#: What is taken out: rows that are to be sent, and those that a retry would send again.
_REMOVED = (RowState.planned, RowState.busy, RowState.rejected)


def check_key(db: Db, campaign: CampaignRecord, key_columns: str | None) -> None:
    """Raises: CampaignMismatch for another key than the campaign's, once anything of it was sent."""
    (known,) = db.one("campaign_key", campaign_id=campaign.campaign_id)
    if None in (known, key_columns) or known == key_columns:
        return
    if db.one("campaign_is_begun", campaign_id=campaign.campaign_id, leased=False)[0]:
        columns = tuple(orjson.loads(known))
        raise CampaignMismatch(
            f"campaign {campaign.name!r} tells its rows apart by another key; by this one all would be sent again",
            found=", ".join(columns) or "the address",
            fix=Setting("columns.key", columns),
        )


def planned_before(db: Db, campaign_id: int, input_id: int) -> int:
    """How many rows of the campaign's other files wait to be sent."""
    found = db.rows("tallies_of_campaign", campaign_id=campaign_id)
    waiting: int = sum(n for other, state, n in found if other != input_id and state == RowState.planned)
    return waiting


def plan(db: Db, campaign_id: int, input_id: int, earlier: EarlierRows, *, waited: int, share_max: float | None) -> int:
    """What becomes of the rows that this file lacks; returns how many that wait to be sent are to be taken out.

    `waited`: how many of the campaign's rows did, before this file. Raises: UsageError: a larger share than this.
    """
    if earlier is EarlierRows.kept:
        db.run("inputs_removed", campaign_id=campaign_id)
    if earlier is not EarlierRows.removed:
        return 0
    found = [
        (state, n)
        for other, state, n in db.rows("tallies_of_campaign", campaign_id=campaign_id)
        if other < input_id and state in _REMOVED
    ]
    missing: int = sum(n for state, n in found if state == RowState.planned)
    if share_max is not None and missing > share_max * waited:
        are = counted(waited, "row that waits is", "rows that wait are")
        raise UsageError(
            f"{missing:,} of {are} not in this file, and would be taken out",
            fix=AnyOf(Option("add"), Option("remove")),
        )
    db.run("input_set_removes", input_id=input_id)
    return missing


def pending(db: Db, campaign: CampaignRecord) -> int:
    """How many rows that wait to be sent `remove` would take out."""
    (newest,) = db.one("inputs_removing", campaign_id=campaign.campaign_id)
    if newest is None:
        return 0
    found = db.rows("tallies_of_campaign", campaign_id=campaign.campaign_id)
    waiting: int = sum(n for other, state, n in found if other < newest and state == RowState.planned)
    return waiting


def remove(db: Db, campaign: CampaignRecord) -> int:
    """Take out what is to be; returns how many rows. Those on the wire or unknown follow if nothing was created."""
    (newest,) = db.one("inputs_removing", campaign_id=campaign.campaign_id)
    if newest is None:
        return 0
    moves: tallies.Moves = Counter()
    count = 0
    held = {other for other, _, _ in db.rows("tallies_of_campaign", campaign_id=campaign.campaign_id) if other < newest}
    for input_id in held:
        ids = id_range(input_id)
        for state in _REMOVED:
            n = db.run("rows_remove", state=state.value, **ids)
            moves.update(tallies.moved(input_id, state.value, RowState.skipped.value, n))
            count += n
        db.run("rows_remove_open", **ids)
    tallies.add(db, moves)
    db.run("inputs_removed", campaign_id=campaign.campaign_id)
    return count

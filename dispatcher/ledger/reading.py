"""What the ledger tells: campaigns, their counts, and their rows for the report."""

from __future__ import annotations

import difflib
from collections import Counter

from dispatcher.errors import CampaignMismatch, CampaignNotFound
from dispatcher.hosts import is_loopback
from dispatcher.ledger import changed, wishes
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ROW_NUMBER_MASK, ChunkReader, id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.identity import canonical_sid, canonical_url
from dispatcher.ledger.records import (
    Account,
    CampaignRecord,
    CampaignStatus,
    LatestRun,
    LedgerPlace,
    ReportRow,
)
from dispatcher.model import RowState, empty_counts
from dispatcher.remedies import Advice, Command, Setting

REPORT_ROWS_PER_BATCH = 500
#: Rows that are never sent as they stand.
LEFT_OUT = frozenset({RowState.invalid, RowState.skipped})
_STATES = {state.value: state for state in RowState}


def account(db: Db, account_sid: str, base_url: str) -> Account:
    """The account's record, made where it is new; however it is spelled."""
    account_sid, base_url = canonical_sid(account_sid), canonical_url(base_url)
    db.run("account_upsert", account_sid=account_sid, base_url=base_url)
    row = db.one("account_get", account_sid=account_sid, base_url=base_url)
    return Account(account_id=row[0], account_sid=row[1], base_url=row[2])


def campaigns_named(db: Db, name: str) -> list[CampaignRecord]:
    """All accounts' campaigns of that name, oldest first."""
    return [CampaignRecord.of(row) for row in db.rows("campaigns_named", name=name)]


def open_campaign(
    db: Db, name: str, owner: Account, flow_sid: str, now_ms: int, *, leased: bool, is_shared: bool
) -> CampaignRecord:
    """See `protocol.Ledger.open_campaign`. `leased`: somebody may be at work on it; `is_shared`: the ledger is."""
    known = campaigns_named(db, name)
    own = [record for record in known if record.account == owner]
    if is_shared:
        # Another account's is another team's: it has a campaign of that name, and so may this one.
        known = own
    # A rehearsal's campaign and a real one may have one name.
    others = [record for record in known if is_loopback(record.account.base_url) == is_loopback(owner.base_url)]
    found = next(iter(own or others), None)
    if found is not None and (found.account, found.flow_sid) != (owner, flow_sid):
        # What a server is to send is to be sent for the account that it was ordered for.
        is_ordered = found.account != owner and wishes.wish_of(db, found.campaign_id).due_ms is not None
        if is_ordered or db.one("campaign_is_begun", campaign_id=found.campaign_id, leased=leased)[0]:
            raise _mismatch(found, owner)
        db.run("campaign_move", campaign_id=found.campaign_id, account_id=owner.account_id, flow_sid=flow_sid)
    elif found is None:
        db.run("campaign_insert", name=name, account_id=owner.account_id, flow_sid=flow_sid, now_ms=now_ms)
    return CampaignRecord.of(db.one("campaign_get", name=name, account_id=owner.account_id))


def _mismatch(campaign: CampaignRecord, owner: Account) -> CampaignMismatch:
    """Another account, or another flow. Nothing that is advised reaches anybody twice, so no other name is."""
    if campaign.account != owner:
        return CampaignMismatch(
            f"campaign {campaign.name!r} belongs to another account",
            found=f"{campaign.account.account_sid} at {campaign.account.base_url}",
            fix=Advice("go on with the account it belongs to"),
        )
    return CampaignMismatch(
        f"campaign {campaign.name!r} belongs to another flow",
        found=campaign.flow_sid,
        fix=Setting("campaign.flow", campaign.flow_sid),
    )


def find_campaign(db: Db, name: str, owner: Account | None = None) -> CampaignRecord:
    """Raises: CampaignNotFound, naming the nearest that there is; CampaignMismatch where it is another account's."""
    found = campaigns_named(db, name)
    if owner is not None and found:
        own = [record for record in found if record.account == owner]
        if not own:
            raise _mismatch(found[0], owner)
        found = own
    if len(found) > 1:
        raise CampaignMismatch(
            f"several accounts have a campaign {name!r}",
            found=", ".join(f"{record.account.account_sid} at {record.account.base_url}" for record in found),
            fix=Advice("set the credentials of the account that is meant"),
        )
    if not found:
        names = [record.name for record in campaigns(db)]
        near = difflib.get_close_matches(name, names, n=1)
        raise CampaignNotFound(
            f"there is no campaign {name!r}",
            found=", ".join(names[-10:]) or "an empty ledger",
            fix=Advice(f"did you mean {near[0]!r}?") if near else Command("status", does="lists the campaigns"),
        )
    return found[0]


def campaign_of(db: Db, name: str, account_id: int) -> CampaignRecord:
    """The account's campaign of that name, which is there."""
    return CampaignRecord.of(db.one("campaign_get", name=name, account_id=account_id))


def campaigns(db: Db) -> list[CampaignRecord]:
    """All, oldest first."""
    return [CampaignRecord.of(row) for row in db.rows("campaign_list")]


def reasons(db: Db, campaign: CampaignRecord, *, whole_campaign: bool = False) -> dict[str, int]:
    """Why rows of the latest file, or of all, are left out: reason -> how many."""
    if whole_campaign:
        return dict(map(tuple, db.rows("campaign_reasons", campaign_id=campaign.campaign_id)))
    current = find_campaign(db, campaign.name, campaign.account)
    if current.input_id is None:
        return {}
    return dict(map(tuple, db.rows("input_reasons", **id_range(current.input_id))))


def campaigns_of_file(db: Db, owner: Account, flow_sid: str, sha256: str) -> list[str]:
    """The account's campaigns on the flow that were fed these bytes, the newest first."""
    found = db.rows("campaigns_of_file", account_id=owner.account_id, flow_sid=flow_sid, sha256=sha256)
    return [name for (name,) in found]


def status(db: Db, campaign: CampaignRecord, *, location: str, leased: bool, is_shared: bool = False) -> CampaignStatus:
    """A campaign's counts.

    `location`: where the ledger lies; `is_shared`: many machines have it; `leased`: some process holds the account.
    """
    campaign_id = campaign.campaign_id
    current = find_campaign(db, campaign.name, campaign.account)
    rows = empty_counts()
    earlier: Counter[RowState] = Counter()
    for input_id, state, n in db.rows("tallies_of_campaign", campaign_id=campaign_id):
        if input_id == current.input_id:
            rows[_STATES[state]] = n
        else:
            earlier[_STATES[state]] += n
    requests, throttled, worst, first_ms, duration_ms = db.one("runs_summary", campaign_id=campaign_id)
    latest = db.first("run_latest", campaign_id=campaign_id)
    window_limit, stopped_ms, stop_reason, is_newest, *told = latest or (0, 0, None, False)
    report_path, next_at_ms, due_ms, is_settled = db.one("campaign_kept", campaign_id=campaign_id)
    # A run that has not stopped and is not the account's newest, or whose account nobody holds, was killed.
    running = stopped_ms is None and leased and bool(is_newest)
    return CampaignStatus(
        campaign=current,
        ledger=LedgerPlace(location=location, since_ms=db.one("ledger_since")[0]),
        rows=rows,
        earlier_rows=dict(earlier),
        attempts=requests - throttled,
        throttled=throttled,
        worst_window=worst,
        window_limit=window_limit,
        first_started_at_ms=first_ms,
        duration_s=duration_ms / 1000,
        running=running,
        interrupted=stopped_ms is None and not running,
        changed=changed.count(db, campaign_id),
        stop_reason=stop_reason,
        report_path=report_path,
        # Those that waited may have been cancelled, or forgotten.
        next_at_ms=next_at_ms if rows[RowState.planned] or earlier[RowState.planned] else None,
        due_ms=due_ms,
        is_settled=bool(is_settled) if is_shared else None,
        paused=wishes.wish_of(db, campaign_id).pause,
        run=_latest_run(*told) if told else None,
    )


def _latest_run(
    run_id: int, host: str, waits: str | None, waits_until_ms: int | None, rate_per_s: float | None
) -> LatestRun:
    return LatestRun(run_id=run_id, host=host, waits=waits, waits_until_ms=waits_until_ms, rate_per_s=rate_per_s)


def report_rows(
    db: Db,
    chunks: ChunkReader,
    input_id: int,
    *,
    after_row: int = 0,
    states: frozenset[RowState] | None = None,
    reason: str | None = None,
    limit: int = REPORT_ROWS_PER_BATCH,
) -> list[ReportRow]:
    """The next rows of an input, in file order; see `snapshot.LedgerSnapshot.rows`."""
    ids = id_range(input_id)
    ids["first"] += after_row + 1
    if states == LEFT_OUT and reason is not None:
        found = db.rows("report_rows_left_out_by", **ids, input_id=input_id, reason=reason, limit=limit)
    elif states == LEFT_OUT:
        found = db.rows("report_rows_left_out", **ids, input_id=input_id, limit=limit)
    else:
        every = states is None
        found = db.rows(
            "report_rows", **ids, every_state=every, states=sorted(states or ()), reason=reason, limit=limit
        )
    # The query's columns stand in the order of ReportRow's fields: a million rows pass here, and tuples are fast.
    cells = chunks.cells
    return [
        ReportRow._make(
            (row_id, row_id >> ROW_NUMBER_BITS, row_id & ROW_NUMBER_MASK, cells(db, row_id), _STATES[state], *rest)
        )
        for row_id, state, *rest in found
    ]

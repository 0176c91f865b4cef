"""Runs: who sends for an account now, what earlier runs left behind, and when their requests left."""

from __future__ import annotations

import os
import socket
from collections import Counter

from dispatcher.ledger import notices, tallies, test_sends
from dispatcher.ledger.contacted import RUN_SLACK_MS
from dispatcher.ledger.db import Db
from dispatcher.ledger.notices import Announce
from dispatcher.ledger.records import Account, AccountLimits, CampaignRecord, Run, RunTotals
from dispatcher.model import Outcome, RowState

#: How many attempts are read at a time to find those of the last window.
DEPARTURES_PER_READ = 1000
#: More than may be claimed and on the wire at once ([rate] in_flight is at most 10,000).
QUIET_MAX = 12_000
#: Above every number of an attempt.
_NEWEST = 1 << 62


def start(
    db: Db,
    campaign: CampaignRecord,
    *,
    window_limit: int,
    now_ms: int,
    announce: Announce | None = None,
    location: str = "",
) -> Run:
    """Raise the account's epoch, and turn what a run that is gone had in flight into `unknown`."""
    account_id = campaign.account.account_id
    (epoch,) = db.one("account_take_over", account_id=account_id)
    test_sends.recover(db, account_id, now_ms)
    dead = notices.dead_runs(db, account_id) if announce is not None else []
    db.run("runs_orphaned", account_id=account_id)
    moves: tallies.Moves = Counter()
    recovered = 0
    for input_id, n in db.rows("recover_count", account_id=account_id):
        moves.update(tallies.moved(input_id, RowState.sending.value, RowState.unknown.value, n))
        recovered += n
    if recovered:
        db.run("recover_attempts", account_id=account_id, now_ms=now_ms)
        db.run("recover_rows", account_id=account_id)
        tallies.add(db, moves)
    for run_id, of in dead:
        assert announce is not None
        notices.end(db, run_id, of, announce, location=location, now_ms=now_ms)
    db.run("campaign_set_next", campaign_id=campaign.campaign_id, at_ms=None)
    (run_id,) = db.one(
        "run_insert",
        campaign_id=campaign.campaign_id,
        account_id=account_id,
        epoch=epoch,
        pid=os.getpid(),
        now_ms=now_ms,
        window_limit=window_limit,
        host=socket.gethostname(),
    )
    return Run(run_id=run_id, campaign=campaign, epoch=epoch, recovered=recovered)


def update(db: Db, run: Run, now_ms: int, totals: RunTotals) -> None:
    """Keep what a run has done so far."""
    db.run(
        "run_update",
        run_id=run.run_id,
        now_ms=now_ms,
        requests=totals.requests,
        throttled=totals.throttled,
        worst_window=totals.worst_window,
        clock_skew_ms=totals.clock_skew_ms,
        waits=totals.waits,
        waits_until_ms=totals.waits_until_ms,
        rate_per_s=totals.rate_per_s,
    )
    if totals.hold_until_ms is not None or totals.ceiling_per_s is not None:
        db.run(
            "account_keep_limits",
            account_id=run.campaign.account.account_id,
            epoch=run.epoch,
            hold_until_ms=totals.hold_until_ms or None,
            ceiling_per_s=totals.ceiling_per_s or None,
        )


def limits(db: Db, account: Account) -> AccountLimits:
    """What is known of an account's limit."""
    per_second, hold_until_ms, ceiling_per_s = db.one("account_limits", account_id=account.account_id)
    return AccountLimits(per_second=per_second, hold_until_ms=hold_until_ms, ceiling_per_s=ceiling_per_s)


def stop(
    db: Db,
    run: Run,
    now_ms: int,
    reason: str | None,
    totals: RunTotals,
    *,
    announce: Announce | None = None,
    location: str = "",
) -> None:
    """Record a run's end, and what is to be told of it."""
    update(db, run, now_ms, totals)
    db.run("run_stop", run_id=run.run_id, now_ms=now_ms, reason=reason)
    if announce is not None:
        notices.end(db, run.run_id, run.campaign, announce, location=location, now_ms=now_ms)


def has_sent(db: Db, account: Account) -> bool:
    """Whether any attempt of the account was ever begun."""
    return bool(db.one("account_has_sent", account_id=account.account_id)[0])


def departures(db: Db, account: Account, *, since_ms: int, now_ms: int, unresolved: bool) -> list[int]:
    """When requests of an account left since then, ascending; see `protocol.Ledger.departures`.

    Each run's clock never steps, and its attempts are numbered as they are begun: so the search in it goes back from
    the newest, and ends after more in a row of which nothing happened since than can be on the wire at once. Those of
    which nothing is known yet may be older than that, and are asked for by themselves.
    """
    times: dict[int, int] = {}

    def add(attempt_id: int, begun_ms: int, sent_ms: int | None, ended_ms: int | None, outcome: str | None) -> bool:
        """Whether anything happened to the attempt since then."""
        if outcome is not None and max(begun_ms, sent_ms or 0, ended_ms or 0) < since_ms:
            return False
        if sent_ms is None and unresolved and outcome != Outcome.not_sent.value:
            # It left, if at all, before its outcome was known, or before the program was found dead.
            sent_ms = now_ms if ended_ms is None else ended_ms
        if sent_ms is not None and sent_ms >= since_ms:
            # A clock set back makes past departures look like future ones: they count as now.
            times[attempt_id] = min(sent_ms, now_ms)
        return True

    for (run_id,) in db.rows("departures_runs", account_id=account.account_id, since_ms=since_ms):
        before, quiet = _NEWEST, 0
        while quiet < QUIET_MAX:
            found = db.rows("departures", run_id=run_id, before=before, limit=DEPARTURES_PER_READ)
            for before, *times_of in found:
                quiet = 0 if add(before, *times_of) else quiet + 1
            if len(found) < DEPARTURES_PER_READ:
                break
    if unresolved:
        for attempt_id, *times_of in db.rows("departures_unresolved", account_id=account.account_id):
            add(attempt_id, *times_of)
    return sorted(times.values())


def begun_since(db: Db, account: Account, since_ms: int) -> int:
    """How many executions the account has begun since then, or may have."""
    (n,) = db.one(
        "attempts_since",
        account_id=account.account_id,
        since_ms=since_ms,
        # A run's last intents may be younger than what it has told of itself.
        seen_since_ms=since_ms - RUN_SLACK_MS,
    )
    return int(n)


def begun_by_sender(db: Db, account: Account, since_ms: int) -> dict[str, int]:
    """The same by sender, test sends included; those whose sender is not known are nobody's."""
    found = db.rows(
        "attempts_since_by_sender",
        account_id=account.account_id,
        since_ms=since_ms,
        seen_since_ms=since_ms - RUN_SLACK_MS,
    )
    return {sender: n for sender, n in found if sender is not None}

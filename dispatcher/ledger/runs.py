"""Runs: who sends for an account now, and what earlier runs left behind."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter

from dispatcher.ledger import tallies
from dispatcher.ledger.records import Account, CampaignRecord, Run, RunTotals
from dispatcher.ledger.sqlite.queries import queries
from dispatcher.model import Outcome, RowState

#: So many attempts are read at a time to find those of the last window.
DEPARTURES_PER_READ = 1000


def start(db: sqlite3.Connection, campaign: CampaignRecord, *, window_limit: int, now_ms: int) -> Run:
    """Raise the account's epoch, and turn what a run that is gone had in flight into `unknown`."""
    sql, account = queries(), {"account_id": campaign.account.account_id}
    db.execute(sql["account_take_over"], account)
    (epoch,) = db.execute(sql["account_epoch"], account).fetchone()
    db.execute(sql["runs_orphaned"], account)
    moves: tallies.Moves = Counter()
    recovered = 0
    for input_id, n in db.execute(sql["recover_count"], account).fetchall():
        moves.update(tallies.moved(input_id, RowState.sending.value, RowState.unknown.value, n))
        recovered += n
    if recovered:
        db.execute(sql["recover_attempts"], {"now_ms": now_ms, **account})
        db.execute(sql["recover_rows"], account)
        tallies.add(db, moves)
    values = {"epoch": epoch, "pid": os.getpid(), "now_ms": now_ms, "window_limit": window_limit}
    run_id = db.execute(sql["run_insert"], {"campaign_id": campaign.campaign_id, **account, **values}).lastrowid
    assert run_id is not None
    return Run(run_id=run_id, campaign=campaign, epoch=epoch, started_at_ms=now_ms, recovered=recovered)


def update(db: sqlite3.Connection, run: Run, now_ms: int, totals: RunTotals) -> None:
    """Keep what a run has done so far."""
    values = {
        "requests": totals.requests,
        "throttled": totals.throttled,
        "worst_window": totals.worst_window,
        "clock_skew_ms": totals.clock_skew_ms,
    }
    db.execute(queries()["run_update"], {"run_id": run.run_id, "now_ms": now_ms, **values})


def stop(db: sqlite3.Connection, run: Run, now_ms: int, reason: str | None, totals: RunTotals) -> None:
    """Record a run's end."""
    update(db, run, now_ms, totals)
    db.execute(queries()["run_stop"], {"run_id": run.run_id, "now_ms": now_ms, "reason": reason})


def departures(db: sqlite3.Connection, account: Account, *, since_ms: int, now_ms: int, doubtful: bool) -> list[int]:
    """When requests of an account left since then, ascending; see `protocol.Ledger.departures`.

    Attempts are numbered as they are begun, so the search goes back from the newest and ends at the first thousand in
    which nothing happened since: a clock that was set back only makes it read more.
    """
    times: list[int] = []
    before = 1 << 62
    while True:
        values = {"before": before, "limit": DEPARTURES_PER_READ}
        attempts = db.execute(queries()["departures"], values).fetchall()
        recent = False
        for attempt_id, account_id, begun_ms, left_ms, ended_ms, outcome in attempts:
            before = attempt_id
            if max(begun_ms, left_ms or 0, ended_ms or 0) < since_ms and outcome is not None:
                continue
            recent = True
            if account_id != account.account_id:
                continue
            if left_ms is None:
                if not doubtful or outcome == Outcome.not_sent.value:
                    continue
                # It left, if at all, before its outcome was known, or before the program was found dead.
                left_ms = now_ms if ended_ms is None else ended_ms
            if left_ms >= since_ms:
                # A clock set back makes past departures look like future ones: they count as now.
                times.append(min(left_ms, now_ms))
        if not recent or len(attempts) < DEPARTURES_PER_READ:
            return sorted(times)

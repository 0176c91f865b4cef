"""Test sends: attempts of an account that belong to no campaign. The limit sees them, and nothing else does.

A test has a run of its own, without a campaign, and a row that no file has: the run's number, below zero.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from dispatcher.errors import SuppressedContact
from dispatcher.ledger import suppressed
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import Account, TestAttempt
from dispatcher.model import Outcome, contact_of
from dispatcher.remedies import Option


def begin(
    db: Db, account: Account, *, to_address: str, from_address: str | None, now_ms: int, list_ids: Collection[int]
) -> TestAttempt:
    """Write the intent; see `protocol.Ledger.begin_test`."""
    applying = suppressed.applying(db, account.account_id, list_ids)
    for sentence in applying.sentences(db, account.account_id, [contact_of(to_address)]).values():
        raise SuppressedContact(f"the test's number is not reached: {sentence}", fix=Option("test-to", "+1…"))
    recover(db, account.account_id, now_ms)
    (run_id,) = db.one("test_run_insert", account_id=account.account_id, pid=os.getpid(), now_ms=now_ms)
    (attempt_id,) = db.one(
        "test_begin", row_id=-run_id, run_id=run_id, now_ms=now_ms, to_address=to_address, from_address=from_address
    )
    return TestAttempt(attempt_id=attempt_id, run_id=run_id, account=account)


def end(
    db: Db,
    attempt: TestAttempt,
    outcome: Outcome,
    *,
    sent_at_ms: int | None,
    ended_at_ms: int,
    execution_sid: str | None,
    http_status: int | None,
    error_code: int | None,
    error_message: str | None,
    request_id: str | None,
) -> None:
    """Write what it proved; see `protocol.Ledger.end_test`."""
    db.run(
        "test_end",
        attempt_id=attempt.attempt_id,
        outcome=outcome.value,
        sent_at_ms=sent_at_ms,
        ended_at_ms=ended_at_ms,
        execution_sid=execution_sid,
        http_status=http_status,
        error_code=error_code,
        error_message=error_message,
        request_id=request_id,
    )
    db.run("run_stop", run_id=attempt.run_id, now_ms=ended_at_ms, reason=None)


def recover(db: Db, account_id: int, now_ms: int) -> None:
    """What a process that died in the middle of a test has left: unknown, and gone at the latest now."""
    if db.run("tests_recover_attempts", account_id=account_id, now_ms=now_ms):
        db.run("tests_recover_runs", account_id=account_id, now_ms=now_ms)

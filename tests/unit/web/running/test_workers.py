"""Who works for which account, and how fast workers send: from what the ledger tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.campaign.observed import Pace
from dispatcher.events import Phase
from dispatcher.ledger.records import LatestRun
from dispatcher.web.running.workers import Progress, Serving, Workers, machine_text
from tests.unit.web.running.test_state import ACCOUNT, NOW_MS, status

OTHER = replace(ACCOUNT, account_id=2, account_sid="AC" + "1" * 32)


def test_an_account_that_nobody_serves() -> None:
    """Since the first time that it was seen so; whoever takes it ends that, and so does it that nothing is due."""
    workers = Workers()
    workers.note(ACCOUNT, None, is_due=True, now_ms=NOW_MS)
    workers.note(ACCOUNT, None, is_due=True, now_ms=NOW_MS + 29_999)
    assert not workers.of(ACCOUNT).is_unserved(NOW_MS + 29_999)
    assert workers.of(ACCOUNT).is_unserved(NOW_MS + 30_000)
    for holder, is_due in (("mars:1", True), (None, False)):
        workers.note(ACCOUNT, holder, is_due=is_due, now_ms=NOW_MS + 40_000)
        assert not workers.of(ACCOUNT).is_unserved(NOW_MS + 90_000)
        workers.note(ACCOUNT, None, is_due=True, now_ms=NOW_MS + 50_000)
        assert workers.of(ACCOUNT).idle_since_ms == NOW_MS + 50_000


def test_accounts_come_and_go() -> None:
    """Told in order; of an account that was never looked at nobody is known."""
    workers = Workers()
    for account in (OTHER, ACCOUNT):
        workers.note(account, "mars:1", is_due=True, now_ms=NOW_MS)
    assert [one.account for one in workers.all] == [ACCOUNT, OTHER]
    workers.keep({2})
    assert [one.account for one in workers.all] == [OTHER]
    assert workers.of(ACCOUNT) == Serving(account=ACCOUNT, holder=None)


@pytest.mark.parametrize(
    ("holder", "text"),
    [("mars:4711", "mars (process 4711)"), ("::1:4711", "::1 (process 4711)"), ("mars", "mars"), ("", "")],
)
def test_a_machine_and_its_process(holder: str, text: str) -> None:
    """For people."""
    assert machine_text(holder) == text


def test_how_fast_workers_send() -> None:
    """Counted from one look to the next, from when its sender is seen."""
    first = status({"planned": 100}, running=True, run=LatestRun(run_id=1, host="mars"))
    progress = Progress(first, Pace(per_second=20.0, window_s=10.0))
    assert (progress.snapshot.phase, progress.snapshot.rate_limit_per_s) == (Phase.sending, 20.0)
    progress.look(first)
    progress.look(replace(first, rows=first.rows | status({"planned": 60, "created": 40}).rows, attempts=40))
    found = progress.snapshot
    assert (found.done, found.to_send, found.requests) == (40, 100, 40)
    assert found.eta_s is not None

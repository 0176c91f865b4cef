"""One sending process per account: the lock dies with its holder, and looking at it does not take it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.errors import AccountLocked, LedgerUnwritable
from dispatcher.ledger import AccountLock, SqliteLedger
from dispatcher.ledger.records import Account, RunTotals
from dispatcher.ledger.sqlite.lock import PATIENCE_S
from tests.support.ledgers import ACCOUNT_SID, BASE_URL, NONE, campaign, lines, planned

ACCOUNT = Account(account_id=1, account_sid=ACCOUNT_SID, base_url=BASE_URL)
OTHER = Account(account_id=2, account_sid="AC" + "1" * 32, base_url=BASE_URL)
REHEARSAL = Account(account_id=3, account_sid=ACCOUNT_SID, base_url="http://localhost")


@contextlib.contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the account's lock."""
    program = f"""
import pathlib, sys
from dispatcher.ledger import AccountLock
from dispatcher.ledger.records import Account
account = Account(account_id=1, account_sid={ACCOUNT_SID!r}, base_url={BASE_URL!r})
lock = AccountLock(pathlib.Path({str(folder)!r}), account)
lock.acquire(wait=False)
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """A second process is refused and may have it when the first is killed."""
    lock = AccountLock(tmp_path, ACCOUNT)
    with holder(tmp_path) as process:
        assert lock.held()
        with pytest.raises(AccountLocked) as caught:
            lock.acquire(wait=False)
        assert "--wait" in str(caught.value.fix)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    assert not lock.held()
    assert lock.acquire(wait=False)
    assert lock.held()
    lock.release()
    assert not lock.held()


def test_other_accounts_and_hosts_have_locks_of_their_own(tmp_path: Path) -> None:
    """Other accounts and hosts have locks of their own."""
    with AccountLock(tmp_path, ACCOUNT):
        for account in (OTHER, REHEARSAL):
            assert not AccountLock(tmp_path, account).held()
            with AccountLock(tmp_path, account):
                assert AccountLock(tmp_path, account).held()


def test_waiting_ends_when_it_is_free_or_nobody_wants_it_any_more(tmp_path: Path) -> None:
    """Waiting ends when it is free or nobody wants it any more."""
    first, second = AccountLock(tmp_path, ACCOUNT), AccountLock(tmp_path, ACCOUNT)
    told: list[bool] = []
    first.acquire(wait=False)
    assert not second.acquire(wait=True, waiting=lambda: told.append(True), stop=lambda: True)
    assert told == [True]
    freed = threading.Timer(0.05, first.release)
    freed.start()
    assert second.acquire(wait=True, waiting=lambda: told.append(True))
    assert told == [True, True]
    freed.join()
    second.release()


def test_somebody_who_only_looks_does_not_turn_a_run_away(tmp_path: Path) -> None:
    """To look is to have the lock for a moment."""
    looking, run = AccountLock(tmp_path, ACCOUNT), AccountLock(tmp_path, ACCOUNT)
    looking.acquire(wait=False)
    over = threading.Timer(PATIENCE_S / 4, looking.release)
    over.start()
    assert run.acquire(wait=False)
    run.release()
    over.join()


def test_a_lock_that_was_never_taken_is_not_made_by_looking(tmp_path: Path) -> None:
    """A lock that was never taken is not made by looking."""
    assert not AccountLock(tmp_path, ACCOUNT).held()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A folder that is not there is said."""
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUnwritable) as caught:
        AccountLock(tmp_path / "file" / "state", ACCOUNT).acquire(wait=False)
    assert caught.value.fix


def test_the_lock_files_name_tells_nothing(tmp_path: Path) -> None:
    """The lock files name tells nothing."""
    with AccountLock(tmp_path, ACCOUNT):
        (name,) = [path.name for path in tmp_path.iterdir()]
    assert name.startswith("account-")
    assert ACCOUNT_SID not in name


async def test_status_tells_running_from_killed(tmp_path: Path) -> None:
    """Status tells a run that runs from one that was killed."""
    ledger = SqliteLedger.open(tmp_path)
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await planned(ledger, spring, lines("a"))

    async def seen() -> tuple[bool, bool, str | None]:
        status = await ledger.status(spring)
        return status.running, status.interrupted, status.stop_reason

    assert await seen() == (False, False, None)  # never run
    with AccountLock(tmp_path, spring.account):
        run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
        assert await seen() == (True, False, None)
        await ledger.stop_run(run, now_ms=4_000, reason=None, totals=RunTotals(requests=3, throttled=1))
        assert await seen() == (False, False, None)
        run = await ledger.start_run(spring, window_limit=300, now_ms=5_000)
        await ledger.end_rows(run, [], now_ms=7_000, totals=RunTotals(requests=1, worst_window=9))
    # The process died: its lock is free, and nobody has written its end.
    assert await seen() == (False, True, None)
    with AccountLock(tmp_path, spring.account):
        # Another campaign's run takes the account: what did not stop before is dead.
        assert await seen() == (
            True,
            False,
            None,
        )  # somebody is at work for the account, and spring's run is its newest
        await ledger.start_run(summer, window_limit=200, now_ms=9_000)
        assert await seen() == (False, False, "interrupted: the process was killed")
        assert (await ledger.status(summer)).running
    status = await ledger.status(spring)
    assert (status.first_started_at_ms, status.duration_s) == (1_000, 5.0)
    assert (status.attempts, status.throttled, status.worst_window, status.window_limit) == (3, 1, 9, 300)
    await ledger.close()


async def test_a_campaign_without_rows(tmp_path: Path) -> None:
    """A run of a campaign without rows counts nothing."""
    ledger = SqliteLedger.open(tmp_path)
    spring = await campaign(ledger)
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    assert await ledger.begin_rows(run, 5, now_ms=2, input_id=None) == []
    assert await ledger.next_due_ms(spring, None) is None
    assert await ledger.unknown_rows(spring) == []
    assert await ledger.retry_rows(spring, all_rejected=True, busy=True, cancelled=True) == 0
    assert await ledger.cancel_rows(spring, "called off") == 0
    await ledger.settle_rows(None, [], now_ms=3)
    await ledger.note_unknown([])
    await ledger.stop_run(run, now_ms=3, reason="nothing to do", totals=NONE)
    assert (await ledger.status(spring)).stop_reason == "nothing to do"
    await ledger.close()

"""One sender per account: whoever holds it is alone, and what a sender that is gone has left is told apart."""

from __future__ import annotations

import asyncio
import socket

import pytest

from dispatcher.errors import AccountLocked, LeaseLost
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import AccountLimits, LatestRun, RunTotals
from dispatcher.model import Outcome, Reason, RowState
from tests.support.ledgers import ACCOUNT_SID, NONE, account, campaign, end, lines, planned
from tests.unit.ledger.conformance.harness import Harness


async def test_a_second_holder_is_refused(ledger: Ledger, harness: Harness) -> None:
    """Over another connection as over the same one; afterwards the account is free again."""
    record = await account(ledger)
    other = await harness.open()
    assert not await other.is_leased(record)
    async with ledger.lease(record, wait=False):
        assert await other.is_leased(record)
        assert await ledger.is_leased(record)
        for second in (ledger, other):
            with pytest.raises(AccountLocked):
                async with second.lease(record, wait=False):
                    pass
    async with other.lease(record, wait=False):
        assert await ledger.is_leased(record)
    await other.close()
    assert not await ledger.is_leased(record)


async def test_an_error_gives_the_account_back(ledger: Ledger) -> None:
    """Whatever ends the work under a lease ends the lease."""
    record = await account(ledger)
    with pytest.raises(ZeroDivisionError) as caught:
        async with ledger.lease(record, wait=False):
            _ = 1 // 0
    # The error is kept, and with it all that it came through: the lease is not merely collected.
    assert caught.type is ZeroDivisionError
    assert not await ledger.is_leased(record)


async def test_accounts_and_hosts_have_leases_of_their_own(ledger: Ledger) -> None:
    """Another account, or the same one at another host, is not held by this one's lease."""
    first = await account(ledger)
    others = [await account(ledger, "AC" + "1" * 32), await ledger.account(ACCOUNT_SID, "http://127.0.0.1:81")]
    async with ledger.lease(first, wait=False):
        for other in others:
            assert not await ledger.is_leased(other)
            async with ledger.lease(other, wait=False):
                assert await ledger.is_leased(other)


async def test_who_waits_has_it_when_it_is_free(ledger: Ledger, harness: Harness) -> None:
    """Waiting is told once, and ends when the holder has finished."""
    record = await account(ledger)
    other = await harness.open()
    told = asyncio.Event()
    times: list[bool] = []

    def waiting() -> None:
        times.append(True)
        told.set()

    async def wait() -> None:
        async with other.lease(record, wait=True, stopped=asyncio.Event(), waiting=waiting):
            assert await ledger.is_leased(record)

    async with ledger.lease(record, wait=False):
        task = asyncio.create_task(wait())
        await told.wait()
        await asyncio.sleep(0.3)
        assert not task.done()
    async with asyncio.timeout(10):
        await task
    assert times == [True]
    await other.close()


async def test_a_stop_ends_the_waiting(ledger: Ledger) -> None:
    """Once `stopped` is set nobody waits on, and the account stays whose it is."""
    record = await account(ledger)
    stopped = asyncio.Event()
    async with ledger.lease(record, wait=False):
        with pytest.raises(AccountLocked):
            async with ledger.lease(record, wait=True, stopped=stopped, waiting=stopped.set):
                pass
        assert await ledger.is_leased(record)


async def test_waiting_can_be_cancelled(ledger: Ledger) -> None:
    """A task that is cancelled while it waits holds nothing afterwards."""
    record = await account(ledger)
    told = asyncio.Event()

    async def wait() -> None:
        async with ledger.lease(record, wait=True, waiting=told.set):
            pass

    async with ledger.lease(record, wait=False):
        task = asyncio.create_task(wait())
        await told.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    assert not await ledger.is_leased(record)


async def test_status_tells_running_from_killed(ledger: Ledger) -> None:
    """A run that has not stopped runs while the account is held, and was killed once it is not."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await planned(ledger, spring, lines("a"))

    async def seen() -> tuple[bool, bool, str | None]:
        status = await ledger.status(spring)
        return status.running, status.interrupted, status.stop_reason

    assert await seen() == (False, False, None)  # never run
    async with ledger.lease(spring.account, wait=False):
        run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
        assert await seen() == (True, False, None)
        await ledger.stop_run(run, now_ms=4_000, reason=None, totals=RunTotals(requests=3, throttled=1))
        assert await seen() == (False, False, None)
        run = await ledger.start_run(spring, window_limit=300, now_ms=5_000)
        await ledger.end_rows(run, [], now_ms=7_000, totals=RunTotals(requests=1, worst_window=9))
    # The process died: its lease is free, and nobody has written its end.
    assert await seen() == (False, True, None)
    async with ledger.lease(spring.account, wait=False):
        # Somebody is at work for the account, and spring's run is its newest. A lease that fences the runs before it
        # tells that it is not this one's.
        assert await seen() in ((True, False, None), (False, True, None))
        # Another campaign's run takes the account: what did not stop before is dead.
        await ledger.start_run(summer, window_limit=200, now_ms=9_000)
        assert await seen() == (False, False, "interrupted: the process was killed")
        assert (await ledger.status(summer)).running
    status = await ledger.status(spring)
    assert (status.first_started_at_ms, status.duration_s) == (1_000, 5.0)
    assert (status.attempts, status.throttled, status.worst_window, status.window_limit) == (3, 1, 9, 300)


async def test_a_campaign_without_rows(ledger: Ledger) -> None:
    """Everything that can be asked of a campaign can be asked of one that has no rows."""
    spring = await campaign(ledger)
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    assert await ledger.begin_rows(run, 5, now_ms=2, input_id=None) == []
    assert await ledger.next_due_ms(spring, None) is None
    assert await ledger.unknown_rows(spring) == []
    assert await ledger.retry_rows(spring, all_rejected=True, busy=True, skipped=[Reason.cancelled]) == 0
    assert await ledger.cancel_rows(spring, "called off") == 0
    await ledger.resolve_rows(run, [])
    await ledger.note_unknown([])
    await ledger.stop_run(run, now_ms=3, reason="nothing to do", totals=NONE)
    assert (await ledger.status(spring)).stop_reason == "nothing to do"


async def test_two_connections_never_share_a_row(ledger: Ledger, harness: Harness) -> None:
    """Two processes on one ledger, each with an account: each has its own rows, whatever is written between."""
    other = await harness.open()
    mine, theirs = await campaign(ledger), await campaign(other, "theirs", "AC" + "1" * 32)
    for opened, record in ((ledger, mine), (other, theirs)):
        await planned(opened, record, lines(*(f"k{number}" for number in range(40))))
    runs = [
        await ledger.start_run(mine, window_limit=200, now_ms=1),
        await other.start_run(theirs, window_limit=200, now_ms=1),
    ]

    async def send(opened: Ledger, place: int) -> list[int]:
        attempts = []
        while rows := await opened.begin_rows(runs[place], 3, now_ms=2, input_id=None):
            await opened.end_rows(runs[place], [end(row, Outcome.created) for row in rows], now_ms=3, totals=NONE)
            attempts += [row.attempt_id for row in rows]
        return attempts

    sent = await asyncio.gather(send(ledger, 0), send(other, 1))
    assert [len(set(attempts)) for attempts in sent] == [40, 40]
    assert not set(sent[0]) & set(sent[1])
    assert (await other.status(mine)).rows[RowState.created] == 40
    await other.close()


async def test_a_run_that_was_taken_over_resolves_nothing(ledger: Ledger, harness: Harness) -> None:
    """What it had proved may be out of date: the row may be on its way again by now."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    old = await ledger.start_run(spring, window_limit=200, now_ms=1)
    (row,) = await ledger.begin_rows(old, 1, now_ms=5, input_id=None)
    await ledger.end_rows(old, [end(row, Outcome.unknown)], now_ms=6, totals=NONE)
    other = await harness.open()
    new = await other.start_run(spring, window_limit=200, now_ms=7)
    with pytest.raises(LeaseLost):
        await ledger.resolve_rows(old, [end(row, Outcome.not_sent)])
    assert (await ledger.status(spring)).rows[RowState.unknown] == 1
    await other.resolve_rows(new, [end(row, Outcome.not_sent)])
    assert (await ledger.status(spring)).rows[RowState.planned] == 1
    await other.close()


async def test_what_429s_have_left_outlives_a_run(harness: Harness, ledger: Ledger) -> None:
    """For whoever sends next, from wherever; over again once the run says so. Who was never refused says nothing."""
    spring, other = await campaign(ledger), await harness.open()
    assert await ledger.account_limits(spring.account) == AccountLimits()
    run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
    totals = RunTotals(requests=3, hold_until_ms=9_000, ceiling_per_s=4.5)
    await ledger.end_rows(run, [], now_ms=2_000, totals=totals)
    limits = AccountLimits(hold_until_ms=9_000, ceiling_per_s=4.5)
    assert await other.account_limits(spring.account) == limits
    await ledger.end_rows(run, [], now_ms=3_000, totals=RunTotals(requests=4))
    assert await other.account_limits(spring.account) == limits
    await ledger.stop_run(run, now_ms=4_000, reason=None, totals=RunTotals(hold_until_ms=0, ceiling_per_s=0.0))
    assert await other.account_limits(spring.account) == AccountLimits()
    await other.close()


async def test_who_has_lost_the_account_says_nothing_of_its_limit(harness: Harness, ledger: Ledger) -> None:
    """What it hears late would stand for what the holder knows; its own run's figures it keeps all the same."""
    spring, other = await campaign(ledger), await harness.open()
    old = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
    new = await other.start_run(spring, window_limit=200, now_ms=2_000)
    await other.end_rows(new, [], now_ms=3_000, totals=RunTotals(hold_until_ms=9_000, ceiling_per_s=4.5))
    await ledger.end_rows(old, [], now_ms=4_000, totals=RunTotals(requests=7, hold_until_ms=0, ceiling_per_s=0.5))
    await ledger.stop_run(old, now_ms=5_000, reason=None, totals=RunTotals(requests=7, hold_until_ms=5_500))
    limits = AccountLimits(hold_until_ms=9_000, ceiling_per_s=4.5)
    assert await other.account_limits(spring.account) == limits
    assert (await other.status(spring)).attempts == 7
    await other.close()


async def test_an_account_has_a_rate_of_its_own(harness: Harness, ledger: Ledger) -> None:
    """Whoever asks; until it is taken away."""
    spring, other = await campaign(ledger), await harness.open()
    await ledger.set_account_rate(spring.account, 12.5)
    assert (await other.account_limits(spring.account)).per_second == 12.5
    await other.set_account_rate(spring.account, None)
    assert (await ledger.account_limits(spring.account)).per_second is None
    await other.close()


async def test_a_run_tells_of_itself(harness: Harness, ledger: Ledger) -> None:
    """From which machine, how fast it may go, and what it waits for; nothing once it has stopped."""
    spring, other = await campaign(ledger), await harness.open()
    assert (await other.status(spring)).run is None
    run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
    totals = RunTotals(rate_per_s=19.8, waits="a pause", waits_until_ms=5_000)
    await ledger.end_rows(run, [], now_ms=2_000, totals=totals)
    told = (await other.status(spring)).run
    host = socket.gethostname()
    assert told == LatestRun(run_id=run.run_id, host=host, waits="a pause", waits_until_ms=5_000, rate_per_s=19.8)
    await ledger.stop_run(run, now_ms=3_000, reason=None, totals=RunTotals())
    assert (await other.status(spring)).run == LatestRun(run_id=run.run_id, host=host, rate_per_s=19.8)
    await other.close()

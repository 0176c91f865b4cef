"""One account, one owner: what its borrowers share, and who may send."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from dispatcher.clock import now_ms
from dispatcher.errors import AccountLocked, DispatcherError, Interrupted
from dispatcher.events import Event, EventBus, RateChanged, Resumed, Waiting, WaitKind
from dispatcher.ledger.account_files import account_file
from dispatcher.ledger.records import Account, AccountLimits
from dispatcher.model import Outcome, RowState
from dispatcher.remedies import Option
from dispatcher.sending.account import OpenAccount, open_account
from dispatcher.sending.breaker import BreakerState
from dispatcher.sending.single import send_single
from dispatcher.settings import Settings
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Answer
from tests.support.accounts import ACCOUNT, EmptyLedger
from tests.support.rig import NOT_CONNECTED, Rigs, ScriptedStudio, assert_paired, created, throttled, waits
from tests.support.simulation import worst_window

SETTINGS = Settings()


class Borrowed:
    """A borrower, and what it heard."""

    def __init__(self) -> None:
        self.bus = EventBus()
        self.events: list[Event] = []
        self.stops: list[DispatcherError] = []
        self.bus.subscribe(self.events.append)
        self.account = cast(OpenAccount, None)


@contextlib.asynccontextmanager
async def borrow(record: Account = ACCOUNT, **tables: Any) -> AsyncIterator[Borrowed]:
    borrowed = Borrowed()
    settings = Settings.model_validate(tables)
    async with open_account(record, settings, bus=borrowed.bus, stop=borrowed.stops.append) as account:
        borrowed.account = account
        yield borrowed
    assert_paired(borrowed.events)


def now_s() -> float:
    return asyncio.get_running_loop().time()


class TestShared:
    async def test_one_429_quiets_all(self) -> None:
        """A 429 to one borrower's create makes the reads and creates of the other wait, and both hear of it."""
        async with borrow() as first, borrow() as second:
            started_s = now_s()
            first.account.throttled(5.0, started_s)
            await second.account.gate().wait()
            assert now_s() - started_s >= 5
            assert second.account.breaker.state is BreakerState.half_open
            for borrowed in (first, second):
                assert len(waits(borrowed.events, WaitKind.throttled)) == 1
                assert Resumed(kind=WaitKind.throttled) in borrowed.events

    async def test_a_read_s_429_quiets_creates(self) -> None:
        """A 429 to one borrower's read makes the creates of the other wait."""
        async with borrow() as first, borrow() as second:
            started_s = now_s()
            first.account.gate().throttled(5.0)
            await second.account.breaker.wait_for_turn()
            assert now_s() - started_s >= 5

    async def test_what_stops_one_stops_each(self) -> None:
        """Consecutive failures are counted over all borrowers, and what stops one stops each, once."""
        async with borrow(retry={"breaker_failures": 4}) as first, borrow() as second:
            for borrowed in (first, second) * 2:
                borrowed.account.failed("it broke", connected=True)
            assert first.stops == second.stops
            assert len(first.stops) == 1

    async def test_who_joins_and_leaves_in_a_pause(self) -> None:
        """Who joins in a pause hears of it, with the time that remains; who leaves in it hears its end.

        The others go on waiting.
        """
        async with borrow() as first:
            first.account.throttled(10.0, now_s())
            await asyncio.sleep(4)
            async with borrow() as second:
                (told,) = waits(second.events, WaitKind.throttled)
                assert told.for_s is not None
                assert 6 <= told.for_s <= 7.1
            assert Resumed(kind=WaitKind.throttled) in second.events
            assert Resumed(kind=WaitKind.throttled) not in first.events

    async def test_the_last_one_leaves(self) -> None:
        """Whoever opens the account after its last borrower has left begins anew."""
        async with borrow() as first:
            first.account.throttled(500.0, now_s())
        async with borrow() as second:
            assert second.account.breaker.state is BreakerState.closed
            assert second.events == []

    async def test_other_accounts(self) -> None:
        """A pause has nothing to do with another account, or with the same one at another host."""
        other = Account(account_id=2, account_sid=ACCOUNT.account_sid, base_url="http://localhost")
        async with borrow() as first, borrow(other) as second:
            first.account.throttled(500.0, now_s())
            await asyncio.wait_for(second.account.gate().wait(), 1)

    async def test_one_bus_twice(self) -> None:
        """A campaign that has borrowed the account twice hears each wait once."""
        async with borrow() as first:
            stop, bus = first.stops.append, first.bus
            async with open_account(ACCOUNT, SETTINGS, bus=bus, stop=stop) as again:
                again.throttled(5.0, now_s())
            await asyncio.sleep(6)
            assert [type(event) for event in first.events] == [Waiting, Resumed]

    async def test_reads_have_a_rate(self) -> None:
        """Reads that are many go at a rate of their own, which creates know nothing of."""
        async with borrow() as first:
            gate, started_s = first.account.gate(per_second=10), now_s()
            await asyncio.gather(*(gate.wait() for _ in range(31)))
            assert now_s() - started_s == pytest.approx(3, abs=0.4)


class TestLease:
    async def test_refused(self) -> None:
        """The second campaign of an account in one process is told so, in words that are true there."""
        async with borrow() as first, borrow() as second, first.account.lease(EmptyLedger(), wait=False):
            with pytest.raises(AccountLocked) as caught:
                async with second.account.lease(EmptyLedger(), wait=False):
                    raise AssertionError
            assert "this program" in caught.value.message
            assert Option("wait") in caught.value.fix.remedies  # type: ignore[union-attr]
            assert second.events == []

    async def test_waited_for(self) -> None:
        """With `wait`, the second campaign gets the account when the first is done."""
        order = []

        async def work(name: str) -> None:
            async with borrow() as one, one.account.lease(EmptyLedger(), wait=True):
                order.append(f"{name} has it")
                await asyncio.sleep(10)
                order.append(f"{name} gives it back")
            told = waits(one.events, WaitKind.account)
            assert len(told) == "ab".index(name)

        await asyncio.gather(work("a"), work("b"))
        assert order == ["a has it", "a gives it back", "b has it", "b gives it back"]

    async def test_stopped_while_it_waits(self) -> None:
        """A campaign that is stopped while it waits for the account waits no longer, and its wait is over."""
        async with borrow() as first, borrow() as second, first.account.lease(EmptyLedger(), wait=False):
            stopped = asyncio.Event()

            async def work() -> None:
                async with second.account.lease(EmptyLedger(), wait=True, stopped=stopped):
                    raise AssertionError

            task = asyncio.create_task(work())
            await asyncio.sleep(5)
            assert len(waits(second.events, WaitKind.account)) == 1
            stopped.set()
            with pytest.raises(AccountLocked):
                await task
            assert Resumed(kind=WaitKind.account) in second.events

    async def test_a_lease_that_fails(self) -> None:
        """After a lease that failed, the account is free again for the others of this process."""

        class Failing(EmptyLedger):
            def lease(self, account: Account, **more: Any) -> Any:
                raise AccountLocked

        async with borrow() as first, borrow() as second:
            with pytest.raises(AccountLocked):
                await first.account.lease(Failing(), wait=False).__aenter__()
            async with second.account.lease(EmptyLedger(), wait=False):
                pass

    async def test_the_sender_s_settings_count(self) -> None:
        """The settings of who holds the lease say what is borne, whoever opened the account first."""
        async with borrow() as first, borrow(retry={"connect_attempts": 2}) as second:
            async with second.account.lease(EmptyLedger(), wait=False):
                for _ in range(2):
                    second.account.failed("it broke", connected=False)
                    await second.account.gate().wait()
            assert len(first.stops) == len(second.stops) == 1


class TestLimiter:
    async def test_once_per_lease(self) -> None:
        """The limiter is made once per lease, from what was sent before; without a lease there is none."""
        ledger = EmptyLedger()
        ledger.ages_s = [1.0, 2.0]
        async with borrow() as one:
            with pytest.raises(RuntimeError):
                await one.account.limiter()
            async with one.account.lease(ledger, wait=False):
                limiters = await asyncio.gather(*(one.account.limiter() for _ in range(3)))
                assert len({id(limiter) for limiter in limiters}) == 1
                assert limiters[0].window_now() == 2
            async with one.account.lease(EmptyLedger(), wait=False):
                again = await one.account.limiter()
                assert again is not limiters[0]
                assert again.window_now() == 0

    @pytest.mark.parametrize(("carried", "cap"), [(0, 198), (1, 10), (2.5, 25), (100, 198)])
    async def test_what_the_senders_carry(self, carried: float, cap: int) -> None:
        """It lowers the pace, and nothing else: the limit of a window stays the account's."""
        rate = {"messages_per_second": carried}
        async with borrow(rate=rate) as one, one.account.lease(EmptyLedger(), wait=False):
            limiter = await one.account.limiter()
            assert (limiter.cap, limiter.window_limit) == (cap, 200)

    async def test_what_a_run_before_has_sent(self) -> None:
        """It counts, whichever ledger that had: the ledger of this one knows nothing of it."""
        async with borrow() as one, one.account.lease(EmptyLedger(), wait=False):
            limiter = await one.account.limiter()
            for _ in range(3):
                await limiter.acquire(1)
                limiter.record_sent()
                limiter.record_answer(asyncio.get_running_loop().time())
        await asyncio.sleep(4)
        async with borrow() as again, again.account.lease(EmptyLedger(), wait=False):
            assert (await again.account.limiter()).window_now() == 3
        await asyncio.sleep(6)
        async with borrow() as later, later.account.lease(EmptyLedger(), wait=False):
            assert (await later.account.limiter()).window_now() == 0

    async def test_two_accounts_of_one_past(self) -> None:
        """The ledger and the file tell of the same departures: each counts once, where it was later."""
        async with borrow() as one, one.account.lease(EmptyLedger(), wait=False):
            limiter = await one.account.limiter()
            for _ in range(3):
                await limiter.acquire(1)
                limiter.record_sent()
        ledger = EmptyLedger()
        ledger.ages_s = [0.0, 7.0, 8.0, 9.0]
        async with borrow() as again, again.account.lease(ledger, wait=False):
            limiter = await again.account.limiter()
            assert limiter.window_now() == 4
            await asyncio.sleep(2)
            assert limiter.window_now() == 3

    @pytest.mark.parametrize("sent", [True, False])
    async def test_a_past_that_nobody_can_read(self, sent: bool) -> None:
        """A ledger that has sent, and no file that says when: a window is waited, and said. A first run waits not."""

        class Older(EmptyLedger):
            async def has_sent(self, account: Account) -> bool:
                return sent

        async with borrow() as one, one.account.lease(Older(), wait=False):
            limiter, started_s = await one.account.limiter(), now_s()
            await limiter.acquire(1)
            limiter.record_sent()
            assert now_s() - started_s == pytest.approx(10.0 if sent else 0.0, abs=0.01)
            told = waits(one.events, WaitKind.window)
            assert len(told) == sent
            assert not told or "cannot be counted" in told[0].reason
        async with borrow() as again, again.account.lease(Older(), wait=False):
            limiter, started_s = await again.account.limiter(), now_s()
            await limiter.acquire(1)
            assert now_s() - started_s < 1

    async def test_a_past_that_all_machines_share(self) -> None:
        """Whoever sends for the account does it by this ledger, which knows when: another machine waits for nothing."""

        class Servers(EmptyLedger):
            is_shared = True

            async def has_sent(self, account: Account) -> bool:
                return True

        ledger = Servers()
        ledger.ages_s = [1.0, 2.0]
        async with borrow() as one, one.account.lease(ledger, wait=False):
            limiter, started_s = await one.account.limiter(), now_s()
            assert limiter.window_now() == 2
            await limiter.acquire(1)
            assert now_s() - started_s < 1

    async def test_what_429s_left_of_the_rate(self) -> None:
        """Whoever takes an account over waits until the pause of the one before is over, and begins at its ceiling."""
        ledger = EmptyLedger()
        ledger.limits = AccountLimits(hold_until_ms=now_ms() + 4_000, ceiling_per_s=5.0)
        async with borrow() as one, one.account.lease(ledger, wait=False):
            limiter, started_s = await one.account.limiter(), now_s()
            assert (limiter.ceiling_per_s, limiter.full_rate_per_s) == (5.0, 19.8)
            assert one.account.breaker.throttled_for_s == pytest.approx(4.0, abs=0.2)
            turn = await one.account.breaker.wait_for_turn()
            assert now_s() - started_s == pytest.approx(4.0, abs=0.2)
            assert turn is not None  # one goes first
            one.account.breaker.end_turn(turn)
        assert "whoever sent before" in waits(one.events, WaitKind.throttled)[0].reason

    async def test_a_pause_by_a_clock_that_was_wrong(self) -> None:
        """It is no longer than the longest that there is."""
        ledger = EmptyLedger()
        ledger.limits = AccountLimits(hold_until_ms=now_ms() + 86_400_000)
        async with borrow(retry={"throttled_give_up_s": 30}) as one, one.account.lease(ledger, wait=False):
            await one.account.limiter()
            assert one.account.breaker.throttled_for_s == pytest.approx(30.0)

    async def test_a_file_that_is_damaged(self) -> None:
        """What it knew may all have left just now."""
        async with borrow() as one, one.account.lease(EmptyLedger(), wait=False):
            await one.account.limiter()
        account_file(ACCOUNT.account_sid, ACCOUNT.base_url, "departures").write_bytes(b"dspdep01")
        async with borrow() as again, again.account.lease(EmptyLedger(), wait=False):
            limiter, started_s = await again.account.limiter(), now_s()
            await limiter.acquire(1)
            assert now_s() - started_s == pytest.approx(10.0, abs=0.01)

    async def test_what_was_slow_before_any_was_quick(self) -> None:
        """How slow the first were is seen only once one is quick: they count for so much longer all the same."""
        rate = {"per_second": 1, "pace": "spike", "headroom": 0}
        async with borrow(rate=rate) as one, one.account.lease(EmptyLedger(), wait=False):
            limiter, sent_at_s = await one.account.limiter(), now_s()
            for _ in range(await limiter.acquire(9)):
                limiter.record_sent()
            await asyncio.sleep(3.1)
            for _ in range(9):
                limiter.record_answer(sent_at_s)
            await limiter.acquire(1)
            limiter.record_sent()
            await asyncio.sleep(0.1)
            limiter.record_answer(now_s() - 0.1)
        async with borrow(rate=rate) as again, again.account.lease(EmptyLedger(), wait=False):
            limiter = await again.account.limiter()
            await limiter.acquire(1)
            assert now_s() - sent_at_s == pytest.approx(13.0, abs=0.2)

    async def test_a_run_before_whose_answers_took_long(self) -> None:
        """Its requests may have arrived as late as that: they count for so much longer. One given up tells nothing."""
        rate = {"per_second": 1, "pace": "spike", "headroom": 0}
        async with borrow(rate=rate) as one, one.account.lease(EmptyLedger(), wait=False):
            limiter, sent_at_s = await one.account.limiter(), now_s()
            for _ in range(await limiter.acquire(10)):
                limiter.record_sent()
            await asyncio.sleep(0.1)
            limiter.record_answer(sent_at_s)
            await asyncio.sleep(3)
            for _ in range(8):
                limiter.record_answer(sent_at_s)
            await asyncio.sleep(4)
            limiter.record_answer(sent_at_s, given_up=True)
        async with borrow(rate=rate) as again, again.account.lease(EmptyLedger(), wait=False):
            limiter = await again.account.limiter()
            await limiter.acquire(1)
            assert now_s() - sent_at_s == pytest.approx(13, abs=0.1)

    async def test_a_window_that_was_longer(self) -> None:
        """200 of 10 s have left; then the window is 1 s: what 10 s may hold stays the law until they are out of it."""
        left_s: list[float] = []
        for window_s, seconds in ((10.0, 0.5), (1.0, 25.0)):
            rate = {"per_second": 20, "window_s": window_s, "pace": "spike", "headroom": 0}
            async with borrow(rate=rate) as one, one.account.lease(EmptyLedger(), wait=False):
                limiter, started_s = await one.account.limiter(), now_s()
                while now_s() - started_s < seconds:
                    for _ in range(await limiter.acquire(200)):
                        limiter.record_sent()
                        limiter.record_answer(now_s())
                        left_s.append(now_s())
                    await asyncio.sleep(0.01)
                    if window_s == 10:
                        break
        assert worst_window(left_s) <= 200
        # The shorter one is used to the full afterwards.
        assert len([at_s for at_s in left_s if at_s > left_s[0] + 15]) >= 180

    async def test_429s_lower_the_rate(self) -> None:
        """A rate that 429s lower is told, and so is the way back."""
        async with borrow() as one, one.account.lease(EmptyLedger(), wait=False):
            limiter = await one.account.limiter()

            async def sent() -> float:
                await limiter.acquire(1)
                limiter.record_sent()
                limiter.record_answer(at_s := now_s())
                return at_s

            for _ in range(60):
                await sent()
            # Probes that are refused: the ceiling stands for longer and longer.
            for _ in range(6):
                one.account.throttled(None, now_s())
                await one.account.gate().wait()
                await asyncio.sleep(0.5)
                one.account.answered(await sent())
            rates = [event.rate_per_s for event in one.events if isinstance(event, RateChanged)]
            assert rates[0] < 19.8
            assert rates[-1] == limiter.rate_per_s
            await asyncio.sleep(60)
            for _ in range(250):
                one.account.answered(await sent())
            told = [event for event in one.events if isinstance(event, RateChanged)]
            assert limiter.rate_per_s == told[-1].rate_per_s == 19.8
            assert told[-1].reason == "recovering"

    async def test_an_echo_lowers_nothing(self) -> None:
        """429s to what was sent before the pause say nothing new about the limit."""
        async with borrow() as one, one.account.lease(EmptyLedger(), wait=False):
            limiter, before_s = await one.account.limiter(), now_s()
            await asyncio.sleep(0.1)
            one.account.throttled(None, now_s())
            rate = limiter.rate_per_s
            for _ in range(50):
                one.account.throttled(60.0, before_s)
            assert limiter.rate_per_s == rate

    async def test_reads_leave_the_rate_alone(self) -> None:
        """A 429 to a read is a pause, and nothing more."""
        async with borrow() as one, one.account.lease(EmptyLedger(), wait=False):
            limiter, gate = await one.account.limiter(), one.account.gate()
            for _ in range(20):
                gate.throttled(None)
                await gate.wait()
            assert limiter.rate_per_s == limiter.full_rate_per_s


class TestSingle:
    """A test send: one create outside of a run."""

    async def send(self, one: Borrowed, studio: ScriptedStudio, key: str = "+1") -> Any:
        return await send_single(one.account, cast(Studio, studio), "FW", key.encode(), to=key, api_version="v2")

    async def test_the_limit_is_kept(self) -> None:
        """A test send takes a permit, and is counted when it is sent."""
        rate = {"per_second": 1, "headroom": 0}
        async with borrow(rate=rate) as one, one.account.lease(EmptyLedger(), wait=False):
            studio, started_s = ScriptedStudio(lambda key, n: created(key)), now_s()
            for n in range(12):
                sent = await self.send(one, studio, f"+1{n}")
                assert sent.verdict.outcome is Outcome.created
                assert sent.sent_at_ms is not None
            assert worst_window(studio.sent_at_s) <= 10
            assert now_s() - started_s >= 10

    async def test_the_breaker_is_waited_for(self) -> None:
        """A test send waits for a pause to end, and what becomes of it is learned from."""
        async with borrow() as one, one.account.lease(EmptyLedger(), wait=False):
            started_s = now_s()
            one.account.throttled(7.0, started_s)
            studio = ScriptedStudio(lambda key, n: created(key))
            await self.send(one, studio)
            assert studio.sent_at_s[0] - started_s >= 7
            assert one.account.breaker.state is BreakerState.closed

    @pytest.mark.parametrize(
        ("answer", "outcome"), [(throttled(), Outcome.throttled), (NOT_CONNECTED, Outcome.not_sent)]
    )
    async def test_once_whatever_comes(self, answer: Answer, outcome: Outcome) -> None:
        """A test send is not tried again; a 429, or no connection, is a pause for all."""
        async with borrow() as one, one.account.lease(EmptyLedger(), wait=False):
            studio = ScriptedStudio(lambda key, n: answer)
            sent = await self.send(one, studio)
            assert sent.verdict.outcome is outcome
            assert sent.sent_at_ms is None or outcome is Outcome.throttled
            assert one.account.breaker.state is BreakerState.open
            limiter = await one.account.limiter()
            assert limiter.window_now() == len(studio.sent_at_s)


async def test_two_accounts_at_once(rig: Rigs) -> None:
    """Two accounts in one process send side by side, each at its own rate, and neither waits for the other's 429."""
    storm = iter([throttled(30)])
    one = await rig(100, lambda key, n: next(storm, created(key)))
    two = await rig(100)
    started_s = now_s()

    async def ends_after_s(sending: Any) -> float:
        await sending.send()
        return now_s() - started_s

    first_s, second_s = await asyncio.gather(ends_after_s(one), ends_after_s(two))
    assert first_s >= 30
    assert second_s == pytest.approx(100 / 19.8, rel=0.1)
    assert await one.states() == await two.states() == {RowState.created: 100}


async def test_a_stop_reaches_a_sender(rig: Rigs) -> None:
    """Another borrower's failures stop the one that sends."""
    r = await rig(400, retry={"breaker_failures": 3})
    async with borrow(r.account.record) as other:
        task = asyncio.create_task(r.send())
        await asyncio.sleep(1)
        for _ in range(3):
            other.account.failed("it broke", connected=True)
        await task
        assert r.sender.error is other.stops[0]
        assert not isinstance(r.sender.error, Interrupted)

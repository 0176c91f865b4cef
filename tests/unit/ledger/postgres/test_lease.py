"""One holder an account, by the server's clock: who waits, who stands still for too long, and what he may do then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher import clock
from dispatcher.errors import AccountLocked, LeaseLost, LedgerGone, LedgerNotMigrated, LedgerTooNew
from dispatcher.ledger import erasing
from dispatcher.ledger.postgres.connection import SCHEMA_VERSION
from dispatcher.ledger.postgres.db import PostgresDb
from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.ledger.records import Run, RunTotals
from dispatcher.ledger.striking import Person
from dispatcher.model import Outcome
from tests.support.ledgers import NONE, campaign, end, lines, planned
from tests.support.postgres import query


@contextlib.asynccontextmanager
async def ledger_of(url: str, *, lease_s: float = 6.0, patience_s: float = 0.0) -> AsyncIterator[PostgresLedger]:
    ledger = await asyncio.to_thread(PostgresLedger.open, url, lease_s=lease_s, patience_s=patience_s)
    try:
        yield ledger
    finally:
        await ledger.close()


def run_out(url: str) -> None:
    """As if the holder had not been heard of for the whole of its lease."""
    query(url, "UPDATE accounts SET lease_until = clock_timestamp() - interval '1 ms'")


async def begun(ledger: PostgresLedger) -> Run:
    """A run of a campaign with three rows."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b", "c"))
    return await ledger.start_run(spring, window_limit=200, now_ms=1_000)


class TestStandingStill:
    async def test_whoever_comes_back_claims_nothing(self, url: str) -> None:
        """Nor does it prove anything, start a run or plan: another has the account, and has looked at what it left."""
        async with ledger_of(url) as frozen, ledger_of(url) as other:
            spring = await campaign(frozen)
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(frozen.lease(spring.account, wait=False))
                run = await begun(frozen)
                (row, *_) = await frozen.begin_rows(run, 1, now_ms=2_000, input_id=None)
                run_out(url)
                async with other.lease(spring.account, wait=False):
                    for limit in (0, 1):
                        with pytest.raises(LeaseLost):
                            await frozen.begin_rows(run, limit, now_ms=3_000, input_id=None)
                    with pytest.raises(LeaseLost):
                        await frozen.start_run(spring, window_limit=200, now_ms=3_000)
                    with pytest.raises(LeaseLost):
                        await frozen.resolve_rows(run, [])
                    theirs = await other.start_run(spring, window_limit=200, now_ms=4_000)
                    assert theirs.recovered == 1
                    # What it knows of its own request is proof all the same.
                    await frozen.end_rows(run, [end(row, Outcome.created)], now_ms=5_000, totals=NONE)
                    assert not await other.unknown_rows(spring)
                # It gives back what it has: nothing of another's.
            assert not await other.is_leased(spring.account)

    async def test_it_gives_back_nothing_of_anothers(self, url: str) -> None:
        """A lease has a token of its own, be its holder the same process."""
        async with ledger_of(url) as frozen, ledger_of(url) as other:
            spring = await campaign(frozen)
            async with frozen.lease(spring.account, wait=False):
                run_out(url)
                taken = other.lease(spring.account, wait=False)
                await taken.__aenter__()
            assert await frozen.is_leased(spring.account)
            await taken.__aexit__(None, None, None)
            assert not await frozen.is_leased(spring.account)

    async def test_nobody_comes(self, url: str) -> None:
        """A claim after the lease's end is granted while the account is nobody else's, and renews it with that."""
        async with ledger_of(url) as slow, ledger_of(url) as other:
            spring = await campaign(slow)
            async with slow.lease(spring.account, wait=False):
                run = await begun(slow)
                run_out(url)
                assert len(await slow.begin_rows(run, 1, now_ms=2_000, input_id=None)) == 1
                with pytest.raises(AccountLocked):
                    async with other.lease(spring.account, wait=False):
                        pass

    async def test_a_plan_that_takes_longer_than_a_lease(self, url: str) -> None:
        """While it writes nobody can take the account, and when it has, the lease is as new."""
        async with ledger_of(url, lease_s=0.6) as planner, ledger_of(url) as other:
            spring = await campaign(planner)
            await planned(planner, spring, lines("a"))
            async with planner.lease(spring.account, wait=False):
                # It is busy: what renews leases has to wait, too.
                assert planner._leases._renewing is not None
                planner._leases._renewing.cancel()
                query(
                    url,
                    "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql"
                    " AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$",
                )
                query(url, "CREATE TRIGGER slowly AFTER UPDATE OF input_id ON campaigns EXECUTE FUNCTION slowly()")
                planning = asyncio.create_task(planned(planner, spring, lines("b")))
                while not planning.done():
                    await asyncio.sleep(0.1)
                    with pytest.raises(AccountLocked):
                        async with other.lease(spring.account, wait=False):
                            pass
                await planning
                assert await other.is_leased(spring.account)


async def test_the_servers_clock_was_set_back(url: str) -> None:
    """Whoever has died meanwhile does not keep an account for as long as that."""
    async with ledger_of(url) as dead, ledger_of(url) as other:
        spring = await campaign(dead)
        async with dead.lease(spring.account, wait=False):
            query(url, "UPDATE accounts SET lease_until = lease_until + interval '1 hour'")
            assert not await other.is_leased(spring.account)
            async with other.lease(spring.account, wait=False):
                with pytest.raises(LeaseLost):
                    await dead.start_run(spring, window_limit=200, now_ms=1_000)


async def test_a_clock_that_is_set_during_a_run(url: str) -> None:
    """It is looked at with each renewal: nothing more is begun."""
    async with ledger_of(url, lease_s=0.6) as ledger:
        spring = await campaign(ledger)
        async with ledger.lease(spring.account, wait=False):
            run = await begun(ledger)
            clock.align(int(2e9))
            try:
                await asyncio.sleep(0.5)
                with pytest.raises(LedgerGone, match="clock"):
                    await ledger.begin_rows(run, 1, now_ms=2_000, input_id=None)
            finally:
                clock.align(int(-2e9))


class TestRenewing:
    async def test_while_nothing_is_claimed(self, url: str) -> None:
        """A lease lasts for as long as its holder lives, and no longer."""
        async with ledger_of(url) as looker, ledger_of(url, lease_s=0.5) as holder:
            spring = await campaign(holder)
            async with holder.lease(spring.account, wait=False):
                for _ in range(10):
                    await asyncio.sleep(0.15)
                    assert await looker.is_leased(spring.account)
            assert not await looker.is_leased(spring.account)

    async def test_a_hundred_at_once(self, url: str) -> None:
        """In one statement."""
        async with ledger_of(url, lease_s=0.6) as holder, contextlib.AsyncExitStack() as stack:
            accounts = [(await campaign(holder, "a", f"AC{n:032x}")).account for n in range(100)]
            for account in accounts:
                await stack.enter_async_context(holder.lease(account, wait=False))
            await asyncio.sleep(1.0)
            assert query(url, "SELECT count(*) FROM accounts WHERE lease_until > clock_timestamp()") == [(100,)]


class TestWaiting:
    async def test_whoever_plans_says_so(self, url: str) -> None:
        """A shift hears of it, makes room, and the planner has the account at once."""
        async with ledger_of(url, lease_s=0.6) as shift, ledger_of(url, patience_s=5.0) as planner:
            spring = await campaign(shift)

            async def plan() -> None:
                async with planner.lease(spring.account, wait=False):
                    assert not await planner.is_wanted(spring.account)

            async with shift.lease(spring.account, wait=False):
                assert not await shift.is_wanted(spring.account)
                planning = asyncio.create_task(plan())
                for _ in range(60):
                    if await shift.is_wanted(spring.account):
                        break
                    await asyncio.sleep(0.05)
                assert await shift.is_wanted(spring.account)
                assert await planner.is_wanted(spring.account)
            await asyncio.wait_for(planning, 1)

    async def test_its_patience_ends(self, url: str) -> None:
        """With who has the account; with `wait` it goes on until it is told to stop."""
        async with ledger_of(url) as holder, ledger_of(url, patience_s=0.3) as other:
            spring = await campaign(holder)
            stopped, told = asyncio.Event(), list[bool]()
            async with holder.lease(spring.account, wait=False):
                with pytest.raises(AccountLocked) as caught:
                    async with other.lease(spring.account, wait=False):
                        pass
                assert str(await holder.holder(spring.account)) in str(caught.value.found)

                async def wait() -> None:
                    async with other.lease(
                        spring.account, wait=True, stopped=stopped, waiting=lambda: told.append(True)
                    ):
                        raise AssertionError

                waiting = asyncio.create_task(wait())
                await asyncio.sleep(1.0)
                assert not waiting.done()
                stopped.set()
                with pytest.raises(AccountLocked):
                    await asyncio.wait_for(waiting, 1)
                assert told == [True]

    async def test_whoever_leaves_while_it_is_given(self, url: str) -> None:
        """Nobody holds it then: the next one does not wait until it ends by itself."""
        async with ledger_of(url) as leaver, ledger_of(url) as other:
            spring = await campaign(leaver)
            query(
                url,
                "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$",
            )
            query(
                url,
                "CREATE TRIGGER slowly AFTER UPDATE OF holder ON accounts FOR EACH ROW"
                " WHEN (new.holder IS NOT NULL) EXECUTE FUNCTION slowly()",
            )

            async def take() -> None:
                async with leaver.lease(spring.account, wait=False):
                    raise AssertionError

            taking = asyncio.create_task(take())
            await asyncio.sleep(0.25)
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
            # Longer than it takes to be given, much shorter than it lasts.
            await asyncio.sleep(0.5)
            assert not await other.is_leased(spring.account)

    async def test_of_ten_that_want_it_one_has_it(self, url: str) -> None:
        """At any moment, and each once."""
        async with contextlib.AsyncExitStack() as stack:
            ledgers = [await stack.enter_async_context(ledger_of(url, patience_s=10.0)) for _ in range(10)]
            spring = await campaign(ledgers[0])
            inside, most, done = 0, 0, 0

            async def work(ledger: PostgresLedger) -> None:
                nonlocal inside, most, done
                async with ledger.lease(spring.account, wait=False):
                    inside += 1
                    most = max(most, inside)
                    await asyncio.sleep(0.02)
                    inside -= 1
                    done += 1

            await asyncio.gather(*(work(ledger) for ledger in ledgers))
            assert (most, done) == (1, 10)


async def test_a_pause_comes_between_two_claims(url: str) -> None:
    """When it returns nothing more is claimed: a claim that is under way ends first."""
    async with ledger_of(url) as sender, ledger_of(url) as other:
        spring = await campaign(sender)
        async with sender.lease(spring.account, wait=False):
            run = await begun(sender)
            query(
                url,
                "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$",
            )
            query(url, "CREATE TRIGGER slowly AFTER INSERT ON attempts EXECUTE FUNCTION slowly()")
            claim = asyncio.create_task(sender.begin_rows(run, 1, now_ms=2_000, input_id=None))
            await asyncio.sleep(0.2)
            assert await other.cancel_rows(spring, "enough") == 2
            assert len(await claim) == 1
            await sender.stop_run(run, now_ms=9_000, reason=None, totals=RunTotals())


@pytest.mark.parametrize(("version", "error"), [(SCHEMA_VERSION + 1, LedgerTooNew), (0, LedgerNotMigrated)])
async def test_tables_that_were_migrated_meanwhile(url: str, version: int, error: type[Exception]) -> None:
    """Whoever does not know them begins nothing more."""
    async with ledger_of(url) as ledger:
        spring = await campaign(ledger)
        query(url, f"UPDATE ledger_meta SET schema_version = {version}")
        with pytest.raises(error):
            async with ledger.lease(spring.account, wait=False):
                pass


class TestWithoutARun:
    async def test_whoever_takes_the_account_ends_what_its_last_run_knew(self, url: str) -> None:
        """A planner begins no run; an old one that wakes up must not put its order off."""
        async with ledger_of(url) as frozen, ledger_of(url) as planner:
            spring = await campaign(frozen)
            async with frozen.lease(spring.account, wait=False):
                run = await begun(frozen)
                run_out(url)
                async with planner.lease(spring.account, wait=False):
                    assert await planner.wishes.order(spring, await planner.wishes.of(spring), 1_000, "{}")
                    await frozen.wishes.wait(run, 9_000)
            (order,) = await planner.wishes.ordered()
            assert order.next_at_ms is None

    async def test_nobody_takes_an_account_while_somebody_is_forgotten(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However long that takes: who is forgotten would be contacted afterwards."""
        blank = erasing._blank

        def slowly(db: PostgresDb, *rest: Any) -> None:
            db.connection.execute("SELECT pg_sleep(0.8)")
            blank(db, *rest)

        monkeypatch.setattr(erasing, "_blank", slowly)
        async with ledger_of(url, lease_s=0.5) as forgetting, ledger_of(url) as worker:
            spring = await campaign(forgetting)
            await planned(forgetting, spring, lines("+15550100001", "+15550100002"))
            person, held = Person("+15550100001", ""), {spring.account.account_id}
            async with forgetting.lease(spring.account, wait=False):
                task = asyncio.create_task(
                    forgetting.erasures.forget(person, lambda *_: None, suppress=True, actor="me", held=held)
                )
                while not task.done():
                    with pytest.raises(AccountLocked):
                        async with worker.lease(spring.account, wait=False):
                            pass
                    await asyncio.sleep(0.05)
                assert not (await task).obstacles

    async def test_who_has_lost_an_account_forgets_nobody(self, url: str) -> None:
        """Another may be sending to them."""
        async with ledger_of(url) as forgetting, ledger_of(url) as worker:
            spring = await campaign(forgetting)
            person, held = Person("+15550100001", ""), {spring.account.account_id}
            async with forgetting.lease(spring.account, wait=False):
                run_out(url)
                async with worker.lease(spring.account, wait=False):
                    with pytest.raises(LeaseLost):
                        await forgetting.erasures.forget(person, lambda *_: None, suppress=True, actor="me", held=held)

"""What a worker does with jobs, whoever hands them out and however often; and what it does when nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from dispatcher.campaign.handing import HandedOver
from dispatcher.cluster import worker as module
from dispatcher.cluster.credentials import Keys
from dispatcher.cluster.ends import End, Ended
from dispatcher.cluster.worker import Worker
from dispatcher.errors import (
    AuthenticationError,
    DispatcherError,
    LedgerError,
    LedgerGone,
    LedgerUnreachable,
    StudioUnavailable,
)
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import Account
from dispatcher.ledger.wishes import Ordered, Wish
from dispatcher.model import Pause, PausedBy
from dispatcher.settings import Credentials, Settings
from tests.unit.cluster.test_credentials import write
from tests.unit.cluster.test_tick import account, campaign


class FakeWishes:
    def __init__(self, ledger: FakeLedger) -> None:
        self._ledger = ledger

    async def ordered(self) -> list[Ordered]:
        await self._ledger.answer()
        return list(self._ledger.orders.values())

    async def due(self, now_ms: int) -> list[Ordered]:
        await self._ledger.answer()
        self._ledger.ticks += 1
        return list(self._ledger.orders.values())


class FakeLedger:
    """A ledger's answers."""

    def __init__(self) -> None:
        self.orders: dict[int, Ordered] = {}
        self.wanted: set[int] = set()
        self.error: LedgerError | None = None
        self.hangs = False
        self.ticks = 0
        self.wishes = FakeWishes(self)

    async def answer(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    async def is_wanted(self, of: Account) -> bool:
        await self.answer()
        return of.account_id in self.wanted

    def order(self, campaign_id: int, account_id: int, **more: Any) -> None:
        wish = Wish(**{"version": 1, "pause": None, "due_ms": 1, **more})
        self.orders[campaign_id] = Ordered(
            campaign=campaign(campaign_id, account_id), wish=wish, next_at_ms=None, settings="{}"
        )


class FakeJobs:
    """An engine that does what a test says."""

    def __init__(self) -> None:
        self.runs: list[Sequence[str]] = []
        self.deferred: list[int] = []
        #: Whether this worker could have taken each of them itself.
        self.deferred_at_work: list[bool] = []
        self.ends: asyncio.Future[None] | None = None
        self.on_shift: Callable[[int, int], Coroutine[Any, Any, None]] | None = None
        self.on_tick: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.ends_at_once: LedgerError | None = None
        self.is_running = False

    async def run(self, queues: Sequence[str], *, on_shift: Any, on_tick: Any, **_: Any) -> None:
        self.runs.append(list(queues))
        self.on_shift, self.on_tick = on_shift, on_tick
        if self.ends_at_once is not None:
            raise self.ends_at_once
        self.is_running = True
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)  # it takes its leave of the server
            self.is_running = False

    async def give(self, account_id: int, campaign_id: int) -> asyncio.Task[None]:
        """Hand a shift out; the job."""
        while self.on_shift is None:  # noqa: ASYNC110 - a moment
            await asyncio.sleep(0)
        job = asyncio.create_task(self.on_shift(account_id, campaign_id))
        await asyncio.sleep(0.01)
        return job

    async def queued(self) -> set[int]:
        return set(self.deferred)

    async def defer(self, of: Account, campaign_id: int) -> None:
        self.deferred.append(campaign_id)
        self.deferred_at_work.append(self.is_running)

    async def sweep(self) -> int:
        return 0


class FakeShift:
    """A shift that goes on until it is told to stop, or a test says how it ends."""

    begun: list[FakeShift]
    ends_as: Ended | None

    def __init__(self, order: Ordered, key: Any, ledger: Ledger, own: Settings) -> None:
        self.order, self.account = order, order.campaign.account
        self.campaign_id = order.campaign.campaign_id
        self.is_open = True
        self.lasts_s = self.stop_s = 0.0
        self.followed_by: int | None = None
        self.stopped_by: list[tuple[DispatcherError, bool]] = []
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        FakeShift.begun.append(self)

    @property
    def is_stopping(self) -> bool:
        return bool(self.stopped_by)

    def stop(self, error: DispatcherError, *, hard: bool = False) -> None:
        self.stopped_by.append((error, hard))
        if not self.ended.done():
            self.ended.set_result(Ended(end=End.handed_over, error=error))

    async def run(self) -> Ended:
        if FakeShift.ends_as is not None:
            return FakeShift.ends_as
        return await self.ended


class Setup:
    """A worker at work."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self.told: list[str] = []
        self.ledger, self.jobs = FakeLedger(), FakeJobs()
        self.worker = Worker(settings, keys, tell=self.told.append)
        run = self.worker.run(cast(Ledger, self.ledger), cast(module.Jobs, self.jobs))
        self.task = asyncio.create_task(run)

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110 - what it waits for sets no event
                await asyncio.sleep(0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Credentials of the accounts 1 and 2."""
    for n in (1, 2):
        write(tmp_path / "keys", f"{n}", account(n).account_sid)
    return tmp_path / "keys"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "LOOK_S": 0.02,
        "KEYS_S": 0.02,
        "AGAIN_S": 0.02,
        "TICK_MISSED_S": 0.3,
        "STUCK_S": 0.5,
    }.items():
        monkeypatch.setattr(module, name, seconds)
    monkeypatch.setattr(module, "Shift", FakeShift)
    FakeShift.begun, FakeShift.ends_as = [], None


@contextlib.asynccontextmanager
async def at_work(folder: Path, *, shifts: int = 8, ends: type[DispatcherError] | None = None) -> AsyncIterator[Setup]:
    """A worker; `ends`: the error with which it ends."""
    settings = Settings.model_validate({"cluster": {"credentials_dir": str(folder), "shifts": shifts}})
    keys = Keys(settings, Credentials(account_sid=account(3).account_sid, username="x", password="y"))
    keys.read()
    found = Setup(settings, keys)
    try:
        yield found
    finally:
        found.worker.stop()
        async with asyncio.timeout(10):
            if ends is None:
                await found.task
            else:
                with pytest.raises(ends):
                    await found.task


async def test_a_job_becomes_a_shift_and_lasts_as_long(folder: Path) -> None:
    """Of the account's first campaign; the queues are those of the accounts whose credentials are here."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        job = await s.jobs.give(1, 7)
        (shift,) = FakeShift.begun
        assert (shift.campaign_id, job.done(), len(s.worker.shifts)) == (7, False, 1)
        assert s.jobs.runs == [[f"acct:{account(n).account_sid}" for n in (1, 2, 3)]]
        shift.ended.set_result(Ended(end=End.ended))
        await job
        assert s.worker.shifts == []


@pytest.mark.parametrize(
    "order",
    [None, {"due_ms": None}, {"due_ms": 2**60}, {"pause": Pause(at_ms=0, by=PausedBy.user, reason="")}],
    ids=["none", "not ordered", "not due", "paused"],
)
async def test_a_job_for_nothing_is_for_nothing(folder: Path, order: dict[str, Any] | None) -> None:
    """Jobs are hints: what the ledger says counts."""
    async with at_work(folder) as s:
        if order is not None:
            s.ledger.order(7, 1, **order)
        await asyncio.wait_for(await s.jobs.give(1, 7), 5)
        assert FakeShift.begun == []


async def test_a_doubled_job_is_one_shift(folder: Path) -> None:
    """And so are two campaigns of one account."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        s.ledger.order(8, 1)
        jobs = [await s.jobs.give(1, campaign_id) for campaign_id in (7, 7, 8)]
        assert [job.done() for job in jobs] == [False, True, True]
        both = await asyncio.gather(s.jobs.give(2, 9), s.jobs.give(2, 9))
        assert len(FakeShift.begun) == 1
        await asyncio.gather(*both)


async def test_others_accounts_are_others(folder: Path) -> None:
    """Also where such a job comes here: its host is another."""
    async with at_work(folder) as s:
        s.ledger.order(7, 4)
        await asyncio.wait_for(await s.jobs.give(4, 7), 5)
        assert FakeShift.begun == []


async def test_no_more_than_the_settings_say(folder: Path) -> None:
    """Also where the engine has begun anew and has forgotten those that go on."""
    async with at_work(folder, shifts=1) as s:
        s.ledger.order(7, 1)
        s.ledger.order(8, 2)
        await s.jobs.give(1, 7)
        await asyncio.wait_for(await s.jobs.give(2, 8), 5)
        assert [shift.campaign_id for shift in FakeShift.begun] == [7]


async def test_room_is_made_for_whoever_plans(folder: Path) -> None:
    """Soon; and nothing of the account is taken while somebody waits."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        job = await s.jobs.give(1, 7)
        s.ledger.wanted.add(1)
        await asyncio.wait_for(job, 5)
        ((error, hard),) = FakeShift.begun[0].stopped_by
        assert (type(error), hard, s.jobs.deferred) == (HandedOver, False, [])
        await asyncio.wait_for(await s.jobs.give(1, 7), 5)
        assert len(FakeShift.begun) == 1


async def test_campaigns_of_an_account_take_turns(folder: Path) -> None:
    """After a minute, where another one waits; its turn is handed out once the account is free."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        job = await s.jobs.give(1, 7)
        FakeShift.begun[0].lasts_s = 61.0
        await asyncio.sleep(0.1)
        assert not job.done()
        s.ledger.order(5, 1)
        s.ledger.order(9, 1)
        s.ledger.order(8, 2)
        await asyncio.wait_for(job, 5)
        assert s.jobs.deferred == [9]


async def test_a_turn_is_not_cut_short(folder: Path) -> None:
    """Within its minute whoever waits goes on waiting."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        s.ledger.order(9, 1)
        job = await s.jobs.give(1, 7)
        FakeShift.begun[0].lasts_s = 59.0
        await asyncio.sleep(0.1)
        assert not job.done()


async def test_a_stop_gives_all_back_to_others(folder: Path) -> None:
    """When the engine takes no more jobs: it would take its own."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        s.ledger.order(8, 2)
        await s.jobs.give(1, 7)
        await s.jobs.give(2, 8)
        s.worker.stop()
        await asyncio.wait_for(s.task, 5)
        assert sorted(s.jobs.deferred) == [7, 8]
        assert s.jobs.deferred_at_work == [False, False]
        assert s.jobs.on_shift is not None
        await asyncio.wait_for(s.jobs.on_shift(1, 7), 5)
        assert len(FakeShift.begun) == 2


async def test_a_second_stop_is_a_hard_one(folder: Path) -> None:
    """What is in flight is given up then."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        await s.jobs.give(1, 7)
        s.worker.stop()
        s.worker.stop(hard=True)
        assert [hard for _, hard in FakeShift.begun[0].stopped_by] == [False, True]


async def test_an_engine_that_ends_begins_again_and_is_told_once(folder: Path) -> None:
    """The shift that it has handed out goes on meanwhile."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        await s.jobs.give(1, 7)
        s.ledger.error = s.jobs.ends_at_once = LedgerUnreachable("no connection")
        s.worker._keys_changed.set()
        await s.until(lambda: len(s.jobs.runs) > 4)
        s.ledger.error = s.jobs.ends_at_once = None
        await s.until(lambda: s.jobs.is_running and len(s.told) == 2)
        assert ["away" in s.told[0], "back" in s.told[1]] == [True, True]
        assert FakeShift.begun[0].stopped_by == []


async def test_an_engine_that_alone_is_away_is_told_once(folder: Path) -> None:
    """Not at its first failure, which may be the end of an outage that was told already."""
    async with at_work(folder) as s:
        await s.until(lambda: s.jobs.is_running)
        s.jobs.ends_at_once = LedgerUnreachable("the job queue cannot be reached")
        s.worker._keys_changed.set()
        await s.until(lambda: len(s.jobs.runs) == 3)
        assert s.told == []
        await s.until(lambda: len(s.jobs.runs) > 6)
        assert len(s.told) == 1
        assert "job queue" in s.told[0]


async def test_without_ticks_it_looks_for_itself(folder: Path) -> None:
    """An engine that hands out nothing, and does not end either, delays nothing for long."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        await s.until(lambda: s.jobs.deferred)
        assert (s.jobs.deferred, s.ledger.ticks >= 1) == ([7], True)


async def test_with_ticks_it_does_not(folder: Path) -> None:
    """One query less."""
    async with at_work(folder) as s:
        await s.until(lambda: s.jobs.is_running)
        end_s = asyncio.get_running_loop().time() + 0.7
        mine = 0
        while asyncio.get_running_loop().time() < end_s:
            assert s.jobs.on_tick is not None
            await s.jobs.on_tick()
            mine += 1
            await asyncio.sleep(0.05)
        assert s.ledger.ticks == mine


async def test_another_ledger_ends_it(folder: Path) -> None:
    """What it has in flight was written elsewhere: others look it up."""
    async with at_work(folder, ends=LedgerGone) as s:
        s.ledger.order(7, 1)
        await s.jobs.give(1, 7)
        s.ledger.error = LedgerGone("another timeline")
        await s.until(s.task.done)
        assert FakeShift.begun[0].is_stopping


async def test_a_shift_that_finds_another_ledger_ends_it(folder: Path) -> None:
    """As above."""
    FakeShift.ends_as = Ended(end=End.gone, error=LedgerGone())
    async with at_work(folder, ends=LedgerGone) as s:
        s.ledger.order(7, 1)
        await s.jobs.give(1, 7)
        await s.until(s.task.done)


async def test_a_ledger_that_hangs_ends_it(folder: Path) -> None:
    """One that fails does not: it is known then how it stands."""
    async with at_work(folder, ends=LedgerUnreachable) as s:
        s.ledger.error = LedgerUnreachable()
        await asyncio.sleep(0.8)
        assert not s.task.done()
        s.ledger.hangs = True
        await s.until(s.task.done)


async def test_of_a_finding_only_its_kind_is_told(folder: Path) -> None:
    """A reason may hold what is a contact's: it stands in the ledger."""
    FakeShift.ends_as = Ended(end=End.held, error=AuthenticationError("refused", found="+15550002222"))
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        await asyncio.wait_for(await s.jobs.give(1, 7), 5)
        assert len(s.told) == 1
        assert "authentication" in s.told[0]
        assert "2222" not in s.told[0]


async def test_what_is_away_is_left_alone_for_a_while(folder: Path) -> None:
    """By this worker; another one may have a better way to it. It is not held."""
    FakeShift.ends_as = Ended(end=End.away, error=StudioUnavailable())
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        for _ in range(3):
            await asyncio.wait_for(await s.jobs.give(1, 7), 5)
        assert len(FakeShift.begun) == 1


async def test_what_is_not_this_version_s_is_told_once(folder: Path) -> None:
    """It is handed out again and again."""
    FakeShift.ends_as = Ended(end=End.not_ours, error=DispatcherError("newer"))
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        for _ in range(3):
            await asyncio.wait_for(await s.jobs.give(1, 7), 5)
        assert len(s.told) == 1


async def test_what_cannot_be_sent_here_is_in_nobody_s_way(folder: Path) -> None:
    """The next campaign of its account is handed out, though this one would come first again."""
    FakeShift.ends_as = Ended(end=End.not_ours, error=DispatcherError("newer"))
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        s.ledger.order(9, 1)
        s.ledger.order(8, 2)
        await asyncio.wait_for(await s.jobs.give(1, 7), 5)
        assert s.jobs.deferred == [9]


async def test_new_credentials_are_served_without_disturbing_anybody(folder: Path) -> None:
    """The engine listens to other queues; what goes on goes on."""
    async with at_work(folder) as s:
        s.ledger.order(7, 1)
        await s.jobs.give(1, 7)
        write(folder, "4", account(4).account_sid)
        await s.until(lambda: len(s.jobs.runs) == 2)
        assert len(s.jobs.runs[1]) == 4
        assert FakeShift.begun[0].stopped_by == []
        (folder / "4").chmod(0o644)
        await s.until(lambda: len(s.jobs.runs) == 3)
        assert len(s.jobs.runs[2]) == 3
        assert any("chmod" in text or "others may read" in text for text in s.told)


async def test_a_connection_is_tried_until_it_is_there_or_a_stop_comes() -> None:
    """A worker may be started before the server; who stops it does not wait for that."""
    worker = Worker(Settings(), Keys(Settings()), tell=lambda _: None)
    tries = 0

    async def connect() -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise LedgerUnreachable
        return "there"

    assert await worker.reached(connect) == "there"
    tries = -(10**6)
    asyncio.get_running_loop().call_later(0.1, worker.stop)
    assert await asyncio.wait_for(worker.reached(connect), 5) is None

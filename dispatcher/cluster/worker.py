"""One machine's worker: it takes shifts and ticks until it is told to stop, and outlives the server's absence.

    run ─┬─ the engine, begun again whenever it ends ──► a job ──► a shift, a task of its own
         ├─ a look every second: who waits for an account that this one has, and whether the ledger answers
         └─ the folder of credentials

A server that is away is told once. Nothing is sent meanwhile (a request leaves only within seconds after the ledger's
yes), and the worker goes on when it is back. It ends with an error, for systemd to start another, where the ledger is
another one (LedgerGone) or of another version, or where it neither answers nor fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from dispatcher.campaign.handing import HandedOver
from dispatcher.clock import now_ms
from dispatcher.cluster.credentials import Keys
from dispatcher.cluster.ends import End, Ended
from dispatcher.cluster.shift import Shift, order_of
from dispatcher.cluster.telling import Telling
from dispatcher.cluster.tick import Queue, queue_of, tick
from dispatcher.errors import (
    DispatcherError,
    LedgerError,
    LedgerGone,
    LedgerNotMigrated,
    LedgerTooNew,
    LedgerUnreachable,
)
from dispatcher.ledger import Ledger
from dispatcher.ledger.wishes import Ordered
from dispatcher.settings import Settings
from dispatcher.settings.credentials import shortened_sid

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: How often it is looked who waits for an account that this worker has: a shift makes room within five seconds.
LOOK_S = 1.0
#: How often the folder of credentials is looked at: two hundred files take ten milliseconds.
KEYS_S = 5.0
#: A campaign gives way to another one of its account after so long.
TURN_S = 60.0
#: What could not be reached is left alone for so long by this worker.
AWAY_S = 30.0
#: The engine, and a ledger that is away, are tried again after so long.
AGAIN_S = 1.0
#: No tick was seen for so long: this worker looks for itself.
TICK_MISSED_S = 15.0
#: And gives that up after so long, lest it seem to hang itself.
TICK_MAX_S = 10.0
#: The ledger has neither answered nor failed for so long: this process is of no use any more.
STUCK_S = 30.0
#: At the end, beside what requests in flight have: until the account is given back.
GIVE_BACK_S = 5.0


#: Ends that are told in a word.
_TOLD = frozenset({End.ended, End.waits, End.stopped, End.handed_over})


class Jobs(Queue, Protocol):
    """What a worker needs of the engine."""

    async def run(
        self,
        queues: Sequence[str],
        *,
        most: int,
        tick_s: int,
        on_shift: Callable[[int, int], Coroutine[Any, Any, None]],
        on_tick: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Do jobs until cancelled. Raises: LedgerError."""


class Worker:
    """One worker. `run` once; `stop` ends it."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        *,
        tell: Callable[[str], None] = logger.warning,
        stuck: Callable[[DispatcherError], None] | None = None,
    ) -> None:
        """`settings`: this machine's. `tell`: a sentence for whoever looks after it.

        `stuck`: ends the process where a thread of it hangs; None: `run` raises, and may wait for that thread.
        """
        self.keys = keys
        self._settings = settings
        self._telling = Telling(tell)
        self._tell = tell
        self._stuck = stuck
        #: By account: those that have one, or are about to.
        self._shifts: dict[int, Shift] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._fatal: DispatcherError | None = None
        self._keys_changed = asyncio.Event()
        #: campaign → when this worker looks at it again.
        self._later_s: dict[int, float] = {}
        self._answered_s = self._ticked_s = 0.0
        self._engine_ended = asyncio.Event()

    @property
    def shifts(self) -> list[Shift]:
        """Those that have their account now."""
        return [shift for shift in self._shifts.values() if shift.is_open]

    def stop(self, *, hard: bool = False) -> None:
        """Take nothing more, and give back what there is: others go on. `hard`: what is in flight is given up."""
        self._stop.set()
        for shift in self._shifts.values():
            shift.stop(HandedOver("its worker stops, and another goes on"), hard=hard)

    async def run(self, ledger: Ledger, jobs: Jobs) -> None:
        """Work until `stop`.

        Raises: LedgerGone, LedgerTooNew, LedgerNotMigrated; LedgerUnreachable: nothing is heard of it any more.
        """
        self._answered_s = self._ticked_s = _time_s()
        works = [self._work(ledger, jobs), self._look(ledger, jobs), self._look_after(), self._follow_keys()]
        loops = [asyncio.ensure_future(work) for work in works]
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait([*loops, stopped], return_when=asyncio.FIRST_COMPLETED)
            failed = [one for one in loops if one.done()]
        finally:
            self.stop()
            for task in (*loops, stopped):
                task.cancel()
            await asyncio.gather(*loops, stopped, return_exceptions=True)
            self._engine_ended.set()
            await self._end_shifts()
        if self._fatal is not None:
            raise self._fatal
        for one in failed:
            # A bug, or that nothing is heard any more.
            one.result()

    # --- what it does ---

    async def _work(self, ledger: Ledger, jobs: Jobs) -> None:
        """The engine, begun again whenever it ends, or other accounts are served."""
        while True:
            self._keys_changed.clear()
            queues = sorted({queue_of(key.account[0]) for key in self.keys.all})
            run = jobs.run(
                queues,
                most=self._settings.cluster.shifts,
                tick_s=self._settings.cluster.tick_s,
                on_shift=lambda account_id, campaign_id: self._on_shift(ledger, jobs, account_id, campaign_id),
                on_tick=lambda: self._on_tick(ledger, jobs),
            )
            async with _cancelled(run) as running, _cancelled(self._keys_changed.wait()) as changed:
                await asyncio.wait([running, changed], return_when=asyncio.FIRST_COMPLETED)
            if running.done() and not running.cancelled() and (error := running.exception()) is not None:
                if not isinstance(error, LedgerError):
                    raise error
                self._note(error)
                self._telling.engine_failed(error)
                await asyncio.sleep(AGAIN_S)

    async def _look(self, ledger: Ledger, jobs: Jobs) -> None:
        """Who waits for an account that this worker has; and a tick, where the engine gives none."""
        while True:
            # What is read here alone says whether the ledger answers: other errors may be of an hour that is over.
            try:
                await self._make_room(ledger)
                self._telling.back()
            except LedgerError as error:
                self._note_away(error)
            self._answered_s = _time_s()
            if _time_s() - self._ticked_s > TICK_MISSED_S and not self._telling.is_away:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_MAX_S):
                        await self._on_tick(ledger, jobs)
                self._ticked_s = _time_s()
            await asyncio.sleep(LOOK_S)

    async def _look_after(self) -> None:
        """Raises: LedgerUnreachable: the look has neither come to its end nor failed for too long."""
        while True:
            await asyncio.sleep(LOOK_S)
            silent_s = _time_s() - self._answered_s
            if silent_s > STUCK_S:
                error = LedgerUnreachable(
                    "the ledger neither answers nor fails: this worker is of no use any more",
                    found=f"nothing was heard of it for {silent_s:.0f} seconds",
                    fix="let whatever has started the worker start another; systemd does, with Restart=always",
                )
                if self._stuck is not None:
                    self._stuck(error)
                raise error

    async def _follow_keys(self) -> None:
        """Files of credentials that are new, changed or gone."""
        while True:
            await asyncio.sleep(KEYS_S)
            before = [key.account for key in self.keys.all]
            if not await asyncio.to_thread(self.keys.read):
                continue
            for problem in self.keys.problems:
                self._tell(str(problem))
            if [key.account for key in self.keys.all] != before:
                self._tell(f"serves {self.served}")
                self._keys_changed.set()

    @property
    def served(self) -> str:
        """The accounts that it sends for, for people: the ends of their SIDs."""
        return ", ".join(shortened_sid(key.account[0]) for key in self.keys.all) or "no account"

    # --- jobs ---

    async def _on_tick(self, ledger: Ledger, jobs: Jobs) -> None:
        """Never raises."""
        self._telling.engine_works()
        try:
            await tick(ledger, jobs)
            self._ticked_s = _time_s()
        except LedgerError as error:
            self._note(error)
        except Exception:
            logger.exception("a bug in a tick")

    async def _on_shift(self, ledger: Ledger, jobs: Jobs, account_id: int, campaign_id: int) -> None:
        """Until the shift ends, which goes on where the engine ends before."""
        if self._stop.is_set() or account_id in self._shifts or _time_s() < self._later_s.get(campaign_id, 0.0):
            return
        task = asyncio.create_task(self._take(ledger, jobs, campaign_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _take(self, ledger: Ledger, jobs: Jobs, campaign_id: int) -> None:
        """Never raises but for its cancellation."""
        try:
            order = await order_of(ledger, campaign_id)
            if order is None or not order.is_for_workers(now_ms()):
                return
            account = order.campaign.account
            key = self.keys.of(account)
            if key is None or await ledger.is_wanted(account) or not self._has_room_for(account.account_id):
                return
            shift = self._shifts[account.account_id] = Shift(order, key, ledger, self._settings)
            try:
                ended = await shift.run()
            finally:
                del self._shifts[account.account_id]
            await self._ended(ledger, jobs, shift, ended)
        except LedgerError as error:
            self._note(error)
        except Exception:
            logger.exception("a bug in a worker")

    def _has_room_for(self, account_id: int) -> bool:
        is_full = len(self._shifts) >= self._settings.cluster.shifts
        return not (is_full or account_id in self._shifts or self._stop.is_set())

    async def _ended(self, ledger: Ledger, jobs: Jobs, shift: Shift, ended: Ended) -> None:
        """Go on from a shift's end. Raises: LedgerError."""
        campaign, error = shift.order.campaign, ended.error
        code = error.code if error is not None else "-"
        logger.info("shift of campaign %d ended: %s (%s)", campaign.campaign_id, ended.end.value, code)
        if ended.end in _TOLD:
            self._tell(f"{shortened_sid(campaign.account.account_sid)} {campaign.name}: {ended.end.value}")
        if ended.end is End.gone and error is not None:
            self._end_with(error)
        elif ended.end is End.not_ours and error is not None:
            self._telling.once(campaign.campaign_id, f"campaign {campaign.name!r} is left to other workers: {error}")
        elif ended.end is End.away and error is not None:
            if isinstance(error, LedgerError):
                self._note(error)
            else:
                self._later_s[campaign.campaign_id] = _time_s() + AWAY_S
                self._tell(f"campaign {campaign.name!r} is tried again later: {error}")
        elif ended.end is End.held:
            # Of the reason only the kind: it may hold a cell.
            self._tell(f"campaign {campaign.name!r} is held ({code}): its status tells why")
        elif self._stop.is_set() and ended.end is End.handed_over:
            # Not to this worker again.
            await self._engine_ended.wait()
            await jobs.defer(campaign.account, campaign.campaign_id)
            return
        if ended.end in (End.not_ours, End.away):
            # It would be handed out first again and again: others of its account do not wait for it.
            shift.followed_by = next_of(await ledger.wishes.ordered(), shift.order)
        if shift.followed_by is not None:
            await jobs.defer(campaign.account, shift.followed_by)

    async def _make_room(self, ledger: Ledger) -> None:
        """Have shifts end whose account somebody plans for, or whose turn is over while another campaign waits.

        Raises: LedgerError.
        """
        orders = await ledger.wishes.ordered()
        for shift in self.shifts:
            if shift.is_stopping:
                continue
            if await ledger.is_wanted(shift.account):
                shift.stop(HandedOver("it makes room for whoever plans, and goes on afterwards"))
                continue
            following = next_of(orders, shift.order) if shift.lasts_s > TURN_S else None
            if following is not None:
                shift.followed_by = following
                shift.stop(HandedOver("it gives way to another campaign of its account, and goes on afterwards"))

    async def _end_shifts(self) -> None:
        if not self._tasks:
            return
        wait_s = GIVE_BACK_S + max((shift.stop_s for shift in self._shifts.values()), default=0.0)
        _, late = await asyncio.wait(self._tasks, timeout=wait_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def reached(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """The work's result, tried again while the ledger is away; None: it was told to stop meanwhile.

        Raises: LedgerError, where another try would come to the same.
        """
        while not self._stop.is_set():
            try:
                return await work()
            except LedgerUnreachable as error:
                self._note_away(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await self._stop.wait()
        return None

    # --- what is told ---

    def _end_with(self, error: DispatcherError) -> None:
        self._fatal = self._fatal or error
        self._stop.set()

    def _note(self, error: LedgerError) -> None:
        """It is tried again; but not by a program that must not go on with it."""
        if isinstance(error, LedgerGone | LedgerTooNew | LedgerNotMigrated):
            self._end_with(error)
        else:
            logger.info("the ledger does not answer: %s", error.code)

    def _note_away(self, error: LedgerError) -> None:
        self._note(error)
        if self._fatal is None:
            self._telling.away(error)


def next_of(orders: Iterable[Ordered], now: Ordered) -> int | None:
    """The campaign of the same account whose turn is next: round and round, by their numbers; None: no other waits."""
    campaign, at_ms = now.campaign, now_ms()
    waiting = [one.campaign for one in orders if one.campaign.account == campaign.account and one.is_for_workers(at_ms)]
    others = [one.campaign_id for one in waiting if one.campaign_id != campaign.campaign_id]
    return min((one for one in others if one > campaign.campaign_id), default=min(others, default=None))


@contextlib.asynccontextmanager
async def _cancelled(work: Coroutine[Any, Any, Any]) -> AsyncIterator[asyncio.Task[Any]]:
    """The work as a task, which has ended when the block has."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _time_s() -> float:
    return asyncio.get_running_loop().time()

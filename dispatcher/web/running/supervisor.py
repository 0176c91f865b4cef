"""The supervisor of a server: started once, it sends what is wanted until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import TYPE_CHECKING

from dispatcher import clock
from dispatcher.campaign.observed import Pace
from dispatcher.campaign.register import open_register
from dispatcher.errors import (
    CampaignNotFound,
    DispatcherError,
    LedgerError,
    LedgerGone,
    LedgerNotMigrated,
    LedgerTooNew,
)
from dispatcher.ledger.location import ledger_folder
from dispatcher.web.figures import masked_sid
from dispatcher.web.running.desk import Accounts, Hint, Words, page_words
from dispatcher.web.running.errors import ServerStops
from dispatcher.web.running.host import host_id
from dispatcher.web.running.line import POLL_S
from dispatcher.web.running.restart import GRACE_MS, Mark, held_at_start
from dispatcher.web.running.standing import Entry, Stand, ready, stand, to_order
from dispatcher.web.running.state import Shown, page_state
from dispatcher.web.running.workers import Progress, Workers
from dispatcher.web.running.works import Works
from dispatcher.web.store import Draft, Stage, Store

if TYPE_CHECKING:
    from dispatcher.events import Snapshot
    from dispatcher.ledger.records import Account, CampaignStatus

logger = logging.getLogger(__name__)

#: How often it is written that this server is alive.
ALIVE_EVERY_S = 30.0
#: At the end, beside what a run has to stop: until its report is written.
REPORT_S = 5.0
#: How fast a campaign goes that workers send is forgotten when nobody has looked for so long.
PROGRESS_KEPT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A campaign in its account's queue."""

    #: The account's end: `…4f2a`.
    account: str
    draft_id: str
    name: str
    #: How many come before it; 0: it is sent, or is about to be.
    position: int
    is_running: bool
    #: Why the first of the queue does not go; None: nothing is in its way.
    waits_for: str | None
    #: On a cluster, the machine that works for the account; empty: none does.
    holder: str = ""


class Supervisor(Works):
    """Owns all runs of a server. `start` once, then `stop`."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        *,
        now_ms: Callable[[], int] = clock.now_ms,
        words: Words = page_words,
        zone: tzinfo | None = None,
        hint: Hint | None = None,
    ) -> None:
        """`words`: an error as a sentence; `zone`: in which times are told, None: the machine's own.

        `hint`: see `Desk`.
        """
        super().__init__(store, accounts, now_ms=now_ms, words=words, zone=zone, hint=hint)
        #: On a cluster: who works for which account.
        self.workers = Workers()
        self._gone: asyncio.Queue[DispatcherError] = asyncio.Queue()
        #: Of campaigns that workers send and somebody looks at, by draft.
        self._progress: dict[str, Progress] = {}
        self._stack = contextlib.AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []
        self._host_id = ""
        self._alive_at_ms = 0

    # --- start and stop ---

    async def start(self) -> None:
        """Decide what goes on by itself and what is held; then send. Raises: LedgerError, SettingsError."""
        settings = self._accounts.settings
        self._register = await self._stack.enter_async_context(open_register(settings))
        self.report_path("draft").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = ledger_folder(settings.state, loopback=settings.is_loopback)
        self._host_id = await asyncio.to_thread(host_id, folder)
        await self._order_what_was_launched()
        found = await self.store.server.mark()
        await self._hold_all(Mark(alive_at_ms=found.alive_at_ms, host_id=found.host_id))
        await self._tell_alive()
        self._loops = [asyncio.create_task(self._watch()), asyncio.create_task(self._stay_alive())]

    async def stop(self, *, hard: bool = False) -> None:
        """End all that runs; what is wanted stays wanted. Called again with `hard`: give up what is in flight."""
        for line in self._lines.values():
            line.stop(hard=hard)
        self._stop_working(ServerStops(), hard=hard)
        if hard and not self._loops:
            return
        loops, self._loops = self._loops, []
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        if self._tasks:
            wait_s = self._accounts.settings.timeouts.stop_s + REPORT_S
            _, late = await asyncio.wait(self._tasks, timeout=wait_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        with contextlib.suppress(LedgerError):
            await self._tell_alive()
        await self._stack.aclose()
        self._register = None

    async def gone(self) -> DispatcherError:
        """Wait for what this server cannot go on after, though it is there: of a cluster's ledger alone."""
        return await self._gone.get()

    async def _order_what_was_launched(self) -> None:
        """A launch is a change of the draft and an order in the ledger: do the second where a crash came between."""
        for draft in await self.store.drafts.list():
            if draft.stage is not Stage.launched or draft.planned >= len(draft.uploads):
                continue
            if self.is_cluster and draft.planned:
                continue  # ordered once it is planned
            try:
                await self._order_unplanned(draft)
            except DispatcherError as error:
                logger.warning("campaign %s could not be ordered: %s", draft.draft_id, error.code)

    async def _hold_all(self, mark: Mark) -> None:
        """Hold whatever does not go on by itself after this server was away, or is another one."""
        now_ms = self._now_ms()
        for entry in await self.entries():
            reason = held_at_start(entry.due, mark, self._host_id, now_ms, self._zone, by_workers=self.is_cluster)
            if reason is not None and entry.order.wish.pause is None:
                await self._hold(entry, reason)

    # --- loops ---

    async def _watch(self) -> None:
        """Find what has become due, and its line."""
        while True:
            try:
                await self._write_held()
                if self.is_cluster:
                    await self._look_at_workers()
                for entry in await self.to_do():
                    if self._is_for_page(entry):
                        self.line(entry.order.campaign.account.account_id).wake()
            except DispatcherError as error:
                logger.warning("what is wanted could not be read: %s", error.code)
                if self.is_cluster and isinstance(error, LedgerGone | LedgerTooNew | LedgerNotMigrated):
                    # Another server's history, or another program's tables: this process can do nothing more with it.
                    self._gone.put_nowait(error)
                    return
            except Exception:
                logger.exception("a bug in the supervisor")
            await asyncio.sleep(POLL_S)

    def _is_for_page(self, entry: Entry) -> bool:
        """Whether its line has something to do for it."""
        now_ms = self._now_ms()
        if self.is_cluster:
            return stand(entry, now_ms) is Stand.late or bool(to_order([entry], now_ms))
        return stand(entry, now_ms) in (Stand.ready, Stand.late)

    async def _look_at_workers(self) -> None:
        """Who holds which account, of all for which something is ordered, by whomever."""
        now_ms = self._now_ms()
        accounts: dict[int, tuple[Account, bool]] = {}
        for order in await self.register.ordered():
            account = order.campaign.account
            _, was_due = accounts.get(account.account_id, (account, False))
            accounts[account.account_id] = account, was_due or order.is_for_workers(now_ms)
        for account, due in accounts.values():
            self.workers.note(account, await self.register.holder(account), is_due=due, now_ms=now_ms)
        self.workers.keep(set(accounts))
        late_s = time.monotonic() - PROGRESS_KEPT_S
        self._progress = {one: found for one, found in self._progress.items() if found.looked_s > late_s}

    async def _stay_alive(self) -> None:
        """Write that this server is alive; where it was asleep for long, hold as at a start."""
        while True:
            await asyncio.sleep(ALIVE_EVERY_S)
            try:
                if self._now_ms() - self._alive_at_ms > GRACE_MS:
                    await self._hold_all(Mark(alive_at_ms=self._alive_at_ms, host_id=self._host_id))
                await self._tell_alive()
            except DispatcherError as error:
                logger.warning("it could not be written that this server is alive: %s", error.code)
            except Exception:
                logger.exception("a bug in the supervisor")

    async def _tell_alive(self) -> None:
        self._alive_at_ms = self._now_ms()
        await self.store.server.note(alive_at_ms=self._alive_at_ms, host_id=self._host_id)

    # --- to look at ---

    def running(self, draft_id: str) -> Snapshot | None:
        """The live state of what is done with a campaign now; None: nothing is."""
        if draft_id in self._working:
            return self._working[draft_id][1].snapshot()
        for line in self._lines.values():
            if line.turn is not None and line.turn.draft.draft_id == draft_id and line.turn.is_open:
                return line.turn.bus.snapshot()
        return None

    def live(self, draft_id: str) -> Snapshot | None:
        """The same, also of a campaign that workers send, as it was seen by the last look; None: nothing goes on."""
        found = self.running(draft_id)
        if found is None and draft_id in self._progress:
            return self._progress[draft_id].snapshot
        return found

    @property
    def runs_begun(self) -> int:
        """How many turns were taken since this server began; one that was put off by another program counts, too."""
        return sum(line.turns for line in self._lines.values())

    async def queue(self, of: Account | None = None) -> list[Queued]:
        """All accounts' queues, or one's, each in its order.

        What is paused, scheduled or waits for its time is in none.
        """
        found: list[Queued] = []
        places: Counter[int] = Counter()
        entries = [
            one
            for one in ready(await self.entries(), self._now_ms())
            if one.campaign_id not in self._unwritten and of in (None, one.order.campaign.account)
        ]
        sent = {one.campaign_id for one in entries if await self._is_sent(one)}
        # What is sent comes first, whoever was ordered before it and went on just now.
        for entry in sorted(entries, key=lambda one: one.campaign_id not in sent):
            account = entry.order.campaign.account
            line = self._lines.get(account.account_id)
            found.append(
                Queued(
                    account=masked_sid(account.account_sid),
                    draft_id=entry.draft.draft_id,
                    name=entry.draft.name,
                    position=places[account.account_id],
                    is_running=entry.campaign_id in sent,
                    waits_for=line.waits_for if line is not None else None,
                    holder=self.workers.of(account).holder_text,
                )
            )
            places[account.account_id] += 1
        return found

    async def _is_sent(self, entry: Entry) -> bool:
        if self.running(entry.draft.draft_id) is not None:
            return True
        return self.is_cluster and (await self.register.status(entry.order.campaign)).running

    async def look(self, draft: Draft) -> Shown:
        """What its page says of it."""
        if draft.stage is not Stage.launched:
            return page_state(draft, None, now_ms=self._now_ms())
        try:
            status = await (await self.view_of(draft)).status()
        except CampaignNotFound:
            status = None
        held = self._unwritten.get(status.campaign.campaign_id) if status is not None else None
        queued = None
        if status is None or (status.due_ms is not None and status.paused is None and not status.running):
            account = status.campaign.account if status is not None else None
            queued = next((one for one in await self.queue(account) if one.draft_id == draft.draft_id), None)
        shown = page_state(
            draft,
            status,
            self.running(draft.draft_id),
            now_ms=self._now_ms(),
            place=queued.position if queued is not None else None,
            waits_for=queued.waits_for if queued is not None else None,
            held=held[1] if held is not None else None,
        )
        if not self.is_cluster or status is None:
            return shown
        await self._follow(draft, status)
        return replace(shown, serving=self.workers.of(status.campaign.account))

    def look_at_other(self, status: CampaignStatus) -> Shown:
        """What the page says of a campaign that a terminal has begun, or ordered."""
        shown = page_state(None, status, now_ms=self._now_ms())
        return replace(shown, serving=self.workers.of(status.campaign.account)) if self.is_cluster else shown

    async def _follow(self, draft: Draft, status: CampaignStatus) -> None:
        """See how fast workers send it."""
        if not status.running:
            self._progress.pop(draft.draft_id, None)
            return
        found = self._progress.get(draft.draft_id)
        if found is None:
            rate = (await self.settings_of(draft)).settings.rate
            own = await self.register.rate_per_s(status.campaign.account)
            pace = Pace(per_second=own or rate.per_second, window_s=rate.window_s)
            found = self._progress.setdefault(draft.draft_id, Progress(status, pace))
        found.look(status)

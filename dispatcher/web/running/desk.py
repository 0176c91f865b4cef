"""What all that is done with campaigns needs: the store, the ledger, the accounts' lines, and who holds what."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from dispatcher import clock
from dispatcher.campaign.register import Register
from dispatcher.campaign.turns import Came, Outcome
from dispatcher.errors import (
    CampaignMismatch,
    CampaignNotFound,
    DispatcherError,
    LedgerError,
    LookCutShort,
    SettingsError,
)
from dispatcher.ledger.identity import canonical_sid, canonical_url
from dispatcher.ledger.wishes import Ordered
from dispatcher.model import Pause, PausedBy
from dispatcher.web.running.errors import FlowChanged, SomebodyWasFirst
from dispatcher.web.running.line import Line
from dispatcher.web.running.ordering import OrderTurn
from dispatcher.web.running.restart import held_as_late
from dispatcher.web.running.standing import Entry, Stand, ready, stand, to_order
from dispatcher.web.store import AuditLine, Draft, Stage, Store
from dispatcher.web.words import words_of

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign
    from dispatcher.campaign.view import CampaignView
    from dispatcher.events import EventBus
    from dispatcher.ledger.records import Account, CampaignRecord
    from dispatcher.settings import Settings
    from dispatcher.web.accounts import AccountSettings

logger = logging.getLogger(__name__)

#: An error as a sentence for people without a terminal.
Words: TypeAlias = Callable[[DispatcherError], str]
#: Tells workers that a campaign is wanted, the sooner to begin; nothing rests on it.
Hint: TypeAlias = Callable[["CampaignRecord"], Awaitable[object]]
#: Who the server is, in the history.
SERVER = "dispatcher"


class Accounts(Protocol):
    """Whose campaigns are sent, and with which settings; see web/accounts.py."""

    @property
    def settings(self) -> Settings:
        """The server's own."""

    def of(self, draft: Draft, /) -> AccountSettings:
        """What a draft's campaign is sent with. Raises: SettingsError."""


def page_words(error: DispatcherError) -> str:
    """What has happened, and what was found."""
    words = words_of(error)
    return f"{words.message} ({words.found})" if words.found else words.message


class Desk:
    """The base of the supervisor: `Buttons` and `Works` are the rest of it."""

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
        """`zone`: in which times are told; None: the machine's own. `hint`: tells workers of a cluster of an order."""
        self.store = store
        self.long_work = asyncio.Semaphore(2)
        self._accounts = accounts
        self._now_ms = now_ms
        self._words = words
        self._zone = zone
        self._hint = hint
        #: Workers send what the page plans and orders: the ledger is a server's, of many machines.
        self.is_cluster = accounts.settings.is_cluster
        self._register: Register | None = None
        self._lines: dict[int, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        #: The ledger's campaign → the draft it is sent from.
        self._drafts: dict[int, str] = {}
        #: What is held and could not be written into the ledger: a full disk.
        self._unwritten: dict[int, tuple[CampaignRecord, Pause]] = {}
        #: What is worked on between turns, by draft.
        self._working: dict[str, tuple[Campaign, EventBus]] = {}
        #: The revision that a draft was held for: whoever goes on has been told of it.
        self._revisions: dict[str, int] = {}
        #: Drafts whose look at Studio's list was cut short, and those that somebody has let go on all the same.
        self._cut_short: set[str] = set()
        self._look_short: set[str] = set()

    @property
    def register(self) -> Register:
        """All campaigns of the ledger, to look at."""
        assert self._register is not None, "the supervisor is not started"
        return self._register

    def report_path(self, draft_id: str) -> Path:
        """Where a campaign's report is kept: of its file, and of the rows that corrected it."""
        return self.store.folder / "reports" / f"{draft_id}.csv"

    def may_look_short(self, draft_id: str) -> bool:
        """Whether somebody was told that Studio lists too much to tell whom others have reached, and goes on."""
        return draft_id in self._look_short

    def words(self, error: DispatcherError) -> str:
        """An error as a sentence for people."""
        return self._words(error)

    def now_ms(self) -> int:
        """What time it is."""
        return self._now_ms()

    async def hint(self, campaign: CampaignRecord) -> None:
        """Tell the workers of a cluster that a campaign is wanted. They look for themselves, too: it may be lost."""
        if self._hint is not None:
            try:
                await self._hint(campaign)
            except Exception as error:
                logger.info("workers could not be told of an order: %s", type(error).__name__)

    async def settings_of(self, draft: Draft) -> AccountSettings:
        """What it is sent with, as the settings are now. Raises: SettingsError."""
        return await asyncio.to_thread(self._accounts.of, draft)

    async def view_of(self, draft: Draft) -> CampaignView:
        """Its campaign in the ledger, also without credentials. Raises: CampaignNotFound, CampaignMismatch."""
        try:
            sends = await self.settings_of(draft)
        except SettingsError:
            return await self.register.view(draft.name, self._accounts.settings, None)
        return await self.register.view(draft.name, sends.settings, sends.owner)

    # --- orders ---

    async def entries(self) -> list[Entry]:
        """What this server is to send, in the order of the queue."""
        found = []
        for order in await self.register.ordered():
            draft = await self._draft_of(order)
            if draft is not None:
                found.append(Entry(order=order, draft=draft))
        return found

    async def to_do(self) -> list[Entry]:
        """The same; and on a cluster what the page has begun to add to campaigns of which workers have sent the rest.

        Those are ordered when it is planned: a worker would find nothing to send before, and end the order.
        """
        found = await self.entries()
        if not self.is_cluster:
            return found
        known = {entry.draft.draft_id for entry in found}
        for draft in await self.store.drafts.list():
            if draft.stage is Stage.launched and 0 < draft.planned < len(draft.uploads) and draft.draft_id not in known:
                with contextlib.suppress(CampaignNotFound, CampaignMismatch):
                    found += await self._added(draft)
        return found

    async def _added(self, draft: Draft) -> list[Entry]:
        """A campaign that is not ordered; none where somebody has stopped it."""
        view = await self.view_of(draft)
        wish = await view.wish()
        if wish.pause is not None:
            return []
        order = Ordered(campaign=view.record, wish=replace(wish, due_ms=self._now_ms()), next_at_ms=None)
        return [Entry(order=order, draft=draft)]

    async def ready(self, account_id: int) -> Sequence[Entry]:
        """Whose turn it is on an account; what has missed its time is held meanwhile."""
        now_ms = self._now_ms()
        entries = [one for one in await self.to_do() if one.order.campaign.account.account_id == account_id]
        for entry in entries:
            if stand(entry, now_ms) is Stand.late:
                await self._hold(entry, held_as_late(entry.due, now_ms, self._zone) or "")
        wanted = to_order(entries, now_ms) if self.is_cluster else ready(entries, now_ms)
        return [entry for entry in wanted if entry.campaign_id not in self._unwritten]

    async def ended(self, entry: Entry, outcome: Outcome) -> None:
        """A turn has come to this: what a person has to look at is held."""
        if isinstance(outcome.error, FlowChanged) and outcome.error.revision is not None:
            self._revisions[entry.draft.draft_id] = outcome.error.revision
        if isinstance(outcome.error, LookCutShort):
            self._cut_short.add(entry.draft.draft_id)
        if outcome.came is Came.failed and outcome.error is not None:
            await self._hold(entry, self._words(outcome.error), told=outcome.error.code)
            return
        draft = await self.store.drafts.get(entry.draft.draft_id)
        if draft is not None and draft.planned < len(draft.uploads) and not self.is_cluster:
            # Corrected rows came while the last of the others were sent: nothing was left to send by then.
            await self._order_unplanned(draft)

    async def _draft_of(self, order: Ordered) -> Draft | None:
        """The launched draft that a campaign is sent from; None: it is not the page's."""
        campaign = order.campaign
        known = self._drafts.get(campaign.campaign_id)
        if known is not None:
            draft = await self.store.drafts.get(known)
            return draft if draft is not None and draft.stage is Stage.launched else None
        launched = [one for one in await self.store.drafts.named(campaign.name) if one.stage is Stage.launched]
        for draft in sorted(launched, key=lambda one: one.launched_at_ms or 0):
            if await self._is_of(draft, campaign.account, alone=len(launched) == 1):
                self._drafts[campaign.campaign_id] = draft.draft_id
                return draft
        return None

    async def _is_of(self, draft: Draft, account: Account, *, alone: bool) -> bool:
        """Whether a draft is of this account. Where its credentials are gone: if it is the only one of its name."""
        try:
            sends = await self.settings_of(draft)
        except DispatcherError:
            return alone
        if sends.owner is None:
            return alone
        sid, url = canonical_sid(sends.owner.account_sid), canonical_url(sends.settings.studio_url)
        return (sid, url) == (account.account_sid, account.base_url)

    async def _order_unplanned(self, draft: Draft) -> None:
        """Have a launched draft's files sent that are not in the ledger yet, unless somebody has stopped it."""
        sends = await self.settings_of(draft)
        view = await self.register.make(draft.name, sends.settings, sends.sender())
        wish = await view.wish()
        if wish.due_ms is None and wish.pause is None:
            chosen_ms = draft.due_ms if not draft.planned else None
            await view.order(wish, chosen_ms or draft.launched_at_ms or self._now_ms())

    # --- holding ---

    async def _hold(self, entry: Entry, reason: str, *, told: str = "") -> None:
        """Hold a campaign until a person has looked; never raises for a ledger that cannot be written.

        `told`: in the log and the history, in place of a reason that may hold a cell.
        """
        campaign = entry.order.campaign
        logger.warning("campaign %s is held: %s", entry.draft.draft_id, told or reason)
        self._unwritten[campaign.campaign_id] = campaign, Pause(at_ms=self._now_ms(), by=PausedBy.held, reason=reason)
        await self._write_held()
        try:
            await self._note("held", entry.draft, who=SERVER, source="", reason=told or reason)
        except LedgerError as error:
            logger.warning("the history could not be written: %s", error.code)

    async def _write_held(self) -> None:
        """Write what could not be written, as far as it can be now."""
        for campaign_id, (campaign, pause) in list(self._unwritten.items()):
            try:
                await self.register.hold(campaign, pause.reason)
            except CampaignNotFound:
                pass
            except LedgerError as error:
                logger.warning("a hold could not be written: %s", error.code)
                continue
            self._unwritten.pop(campaign_id, None)

    # --- lines ---

    def line(self, account_id: int) -> Line:
        """The account's line, begun where there is none."""
        line = self._lines.get(account_id)
        if line is None:
            line = self._lines[account_id] = Line(account_id, self, self, OrderTurn if self.is_cluster else None)
            self._begin(line.run())
        return line

    def wake(self) -> None:
        """Something has changed: look at what is wanted."""
        for line in self._lines.values():
            line.wake()

    def _begin(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- the history, and drafts ---

    def _audit(self, what: str, draft: Draft, *, who: str, source: str, **detail: Any) -> AuditLine:
        return AuditLine(
            at_ms=self._now_ms(),
            who=who,
            source=source,
            what=what,
            draft_id=draft.draft_id,
            campaign=draft.name,
            detail=detail,
        )

    async def _note(self, what: str, draft: Draft, *, who: str, source: str, **detail: Any) -> None:
        await self.store.audit.write(self._audit(what, draft, who=who, source=source, **detail))

    async def _first(self, changed: Draft | None, draft: Draft) -> Draft:
        """The changed draft. Raises: SomebodyWasFirst."""
        if changed is not None:
            return changed
        now = await self.store.drafts.get(draft.draft_id)
        who = now.launched_by if now is not None and now.stage is Stage.launched else None
        raise SomebodyWasFirst(found=f"{who} has launched it" if who and draft.stage is not Stage.launched else None)

    async def _fresh(self, draft: Draft) -> Draft:
        """The draft as it stands. Raises: SomebodyWasFirst: it is gone."""
        found = await self.store.drafts.get(draft.draft_id)
        if found is None:
            raise SomebodyWasFirst
        return found

    @staticmethod
    async def _order(view: CampaignView, due_ms: int | None) -> None:
        """Have it sent from then on (None: no more), whatever else is wanted of it."""
        while not await view.order(await view.wish(), due_ms):
            pass

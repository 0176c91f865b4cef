"""One campaign's turn on its account: its files planned, what was confirmed compared with what is found, and sent.

Nothing of sending is here: `campaign.launch` is what a terminal calls, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from dispatcher.campaign import Campaign, open_campaign
from dispatcher.campaign.launch import LaunchOptions
from dispatcher.campaign.planning import PlanOptions
from dispatcher.campaign.turns import Came, Outcome, ended_by, outcome_of, take_turn
from dispatcher.errors import DispatcherError, LookCutShort
from dispatcher.events import EventBus
from dispatcher.web.running.errors import FileGone, FlowChanged, MoreThanConfirmed
from dispatcher.web.store import Draft, Store

if TYPE_CHECKING:
    from dispatcher.campaign.outlook import Outlook
    from dispatcher.ledger.records import CampaignRecord
    from dispatcher.web.accounts import AccountSettings

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Share(Protocol):
    """What turns have in common: made once for a server."""

    store: Store
    #: Around long work in threads, so that some are left for names and small files.
    long_work: asyncio.Semaphore

    async def settings_of(self, draft: Draft) -> AccountSettings:
        """What it is sent with. Raises: SettingsError."""

    def report_path(self, draft_id: str) -> Path:
        """Where its report is kept."""

    def may_look_short(self, draft_id: str) -> bool:
        """Whether somebody has let it go on although Studio lists too much to tell whom others have reached."""

    def words(self, error: DispatcherError) -> str:
        """An error as a sentence for people."""

    def now_ms(self) -> int:
        """What time it is."""

    async def hint(self, campaign: CampaignRecord) -> None:
        """On a cluster: tell the workers that a campaign is wanted. Never raises."""


class Turn:
    """One turn of a draft that was launched. `run` once."""

    def __init__(self, draft: Draft, share: Share) -> None:
        self.draft = draft
        self.bus = EventBus()
        self._share = share
        self._campaign: Campaign | None = None
        self._stopping: DispatcherError | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has the account."""
        return self._campaign is not None

    def stop(self, error: DispatcherError, *, hard: bool = False) -> None:
        """Have it end soon: what is in flight is finished, or with `hard` given up as unknown."""
        self._stopping = self._stopping or error
        if self._campaign is not None:
            self._campaign.stop(error, hard=hard)

    async def run(self) -> Outcome:
        """Take it. Never raises but for its cancellation."""
        try:
            return await self._go()
        except DispatcherError as error:
            return ended_by(error, self._stopping)
        except Exception:
            logger.exception("a bug ended a turn of campaign %s", self.draft.draft_id)
            return Outcome(came=Came.failed, error=DispatcherError())

    async def _go(self) -> Outcome:
        sends = await self._share.settings_of(self.draft)
        credentials = sends.required()
        async with self._opened(
            open_campaign(self.draft.name, sends.settings, credentials, bus=self.bus, wait=False)
        ) as campaign:
            await self._plan(campaign)
            path = self._share.report_path(self.draft.draft_id)
            launched = await take_turn(
                campaign,
                LaunchOptions(report=path, whole_campaign=True, again=self.draft.again, report_all=True),
                check=self._check,
                confirm=self._confirm,
                seen_revision=self._check_revision,
                may_look_short=_told if self._share.may_look_short(self.draft.draft_id) else None,
            )
            return outcome_of(launched, self._stopping)

    @contextlib.asynccontextmanager
    async def _opened(self, opening: contextlib.AbstractAsyncContextManager[Campaign]) -> AsyncIterator[Campaign]:
        async with opening as campaign:
            self._campaign = campaign
            try:
                yield campaign
            finally:
                self._campaign = None

    async def _plan(self, campaign: Campaign) -> None:
        """Put the files into the campaign that are not there yet; one that was in part is put there anew."""
        while self.draft.planned < len(self.draft.uploads):
            await self._plan_file(campaign, self.draft.planned)
            self.draft = await planned(self._share.store, self.draft)

    async def _plan_file(self, campaign: Campaign, index: int) -> None:
        path = await self._share.store.uploads.path(self.draft.uploads[index])
        if path is None:
            raise FileGone
        # The first is the whole; what comes later corrects rows of it.
        options = PlanOptions(again=self.draft.again, add=index > 0)
        async with self._share.long_work:
            await self._step(lambda: campaign.plan(str(path), options))

    async def _step(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do this unless it is to stop: a stop reaches only what runs, and not what comes next."""
        self._check()
        return await work()

    def _check(self) -> None:
        """Raises: why it is to stop."""
        if self._stopping is not None:
            raise self._stopping

    def _check_revision(self, revision: int | None) -> None:
        confirmed = self.draft.revision
        if None not in (confirmed, revision) and confirmed != revision:
            changed = FlowChanged(found=f"revision {confirmed} was confirmed, and now it is revision {revision}")
            changed.revision = revision
            raise changed

    def _confirm(self, ahead: Outlook) -> None:
        confirmed = self.draft.confirmed or 0
        if ahead.most > confirmed:
            raise MoreThanConfirmed(found=f"{confirmed:,} were confirmed, and now it is {ahead.most:,}")


def _told(_: LookCutShort) -> None:
    """Whoever has let it go on was told of it."""


async def planned(store: Store, draft: Draft) -> Draft:
    """One more file is in the ledger; whoever else changes the draft meanwhile keeps that."""
    while True:
        changed = await store.drafts.change(draft.draft_id, draft.version, planned=draft.planned + 1)
        if changed is not None:
            return changed
        found = await store.drafts.get(draft.draft_id)
        if found is None or found.planned != draft.planned:
            raise FileGone
        draft = found

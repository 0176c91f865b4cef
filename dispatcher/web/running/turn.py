"""One campaign's turn on its account: its files planned, what was confirmed compared with what is found, and sent.

Nothing of sending is here: `campaign.launch` is what a terminal calls, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from dispatcher.campaign import Campaign, open_campaign
from dispatcher.campaign.flow_check import stop_unless_flow_fits
from dispatcher.campaign.launch import LaunchOptions, launch
from dispatcher.campaign.planning import PlanOptions
from dispatcher.errors import AccountLocked, CampaignPaused, DispatcherError, LeaseLost, LookCutShort
from dispatcher.events import EventBus
from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.web.running.errors import FileGone, FlowChanged, MoreThanConfirmed
from dispatcher.web.store import Draft, Store

if TYPE_CHECKING:
    from dispatcher.campaign.launch import Launched
    from dispatcher.campaign.outlook import Outlook
    from dispatcher.ledger.records import CampaignStatus
    from dispatcher.web.accounts import AccountSettings

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Came(StrEnum):
    """What a turn came to, as far as its account's line goes on differently."""

    #: It has ended, or waits for its next time: the ledger says which.
    ended = "ended"
    #: Somebody has stopped it: a pause, the server, something else on the account.
    stopped = "stopped"
    #: Another program works for the account.
    locked = "locked"
    #: A person has to look: `error` says why.
    failed = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a turn ended."""

    came: Came
    error: DispatcherError | None = None


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
            launched = await self._go()
        except (AccountLocked, LeaseLost) as error:
            return Outcome(came=Came.locked, error=error)
        except DispatcherError as error:
            return self._ended_by(error)
        except Exception:
            logger.exception("a bug ended a turn of campaign %s", self.draft.draft_id)
            return Outcome(came=Came.failed, error=DispatcherError())
        if launched.result.error is not None:
            return self._ended_by(launched.result.error)
        if launched.result.reconcile_error is not None:
            return Outcome(came=Came.failed, error=launched.result.reconcile_error)
        left = launched.result.remaining
        if left:
            are = counted(left, "contact was", "contacts were")
            return Outcome(came=Came.failed, error=DispatcherError(f"{are} not reached, as often as it was tried"))
        return Outcome(came=Came.ended)

    def _ended_by(self, error: DispatcherError) -> Outcome:
        if isinstance(error, LeaseLost | AccountLocked):
            return Outcome(came=Came.locked, error=error)
        if error is self._stopping or isinstance(error, CampaignPaused):
            return Outcome(came=Came.stopped, error=error)
        return Outcome(came=Came.failed, error=error)

    async def _go(self) -> Launched:
        sends = await self._share.settings_of(self.draft)
        credentials = sends.required()
        async with self._opened(
            open_campaign(self.draft.name, sends.settings, credentials, bus=self.bus, wait=False)
        ) as campaign:
            await self._plan(campaign)
            await self._step(campaign.check_not_paused)
            if _waits(await campaign.status()):
                await self._step(lambda: stop_unless_flow_fits(campaign, lambda _: None))
                self._check_revision(campaign.seen_revision)
            left_out = await self._step(campaign.count_left_out)
            path = self._share.report_path(self.draft.draft_id)
            options = LaunchOptions(report=path, whole_campaign=True, again=self.draft.again, report_all=True)
            return await launch(
                campaign,
                options,
                confirm=self._confirm,
                repeats=left_out.contacted,
                suppressed=left_out.suppressed,
                may_look_short=_told if self._share.may_look_short(self.draft.draft_id) else None,
                shown=self._checked,
            )

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
            path = await self._share.store.uploads.path(self.draft.uploads[self.draft.planned])
            if path is None:
                raise FileGone
            # The first is the whole; what comes later corrects rows of it.
            options = PlanOptions(again=self.draft.again, add=self.draft.planned > 0)
            async with self._share.long_work:
                await self._step(lambda path=path, options=options: campaign.plan(str(path), options))  # type: ignore[misc]
            self.draft = await _planned(self._share.store, self.draft)

    async def _step(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do this unless it is to stop: a stop reaches only what runs, and not what comes next."""
        self._check()
        return await work()

    @contextlib.asynccontextmanager
    async def _checked(self) -> AsyncIterator[None]:
        """The last moment before it sends."""
        self._check()
        yield

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


async def _planned(store: Store, draft: Draft) -> Draft:
    """One more file is in the ledger; whoever else changes the draft meanwhile keeps that."""
    while True:
        changed = await store.drafts.change(draft.draft_id, draft.version, planned=draft.planned + 1)
        if changed is not None:
            return changed
        found = await store.drafts.get(draft.draft_id)
        if found is None or found.planned != draft.planned:
            raise FileGone
        draft = found


def _waits(status: CampaignStatus) -> bool:
    return any(status.rows[state] or status.earlier_rows.get(state) for state in (RowState.planned, RowState.sending))

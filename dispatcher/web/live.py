"""What open pages are told: one look at a campaign twice a second for all who watch it, sent where it has changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dispatcher.clock import now_ms
from dispatcher.errors import CampaignNotFound, DispatcherError
from dispatcher.web.running import State
from dispatcher.web.standing import Standing, standing
from dispatcher.web.store import Draft, Stage

if TYPE_CHECKING:
    from dispatcher.ledger.records import CampaignStatus
    from dispatcher.web.checking import Checker
    from dispatcher.web.running import Shown, Supervisor
    from dispatcher.web.store import Store

logger = logging.getLogger(__name__)

LOOK_S, CLUSTER_LOOK_S = 0.5, 1.0
#: While a run's numbers come from memory, the ledger is asked for the rest every so many looks.
_LEDGER_EVERY = 4
#: A page is waited for: the ledger has so long to say how a campaign stands.
LEDGER_MAX_S = 10.0
#: A browser hears something so often, or a proxy between would take the connection for dead.
BREATH_S = 15.0


class Looked(Protocol):
    """What is looked at: the server's `Site`."""

    @property
    def supervisor(self) -> Supervisor:
        """Who sends."""

    @property
    def checker(self) -> Checker:
        """Who reads uploads."""

    @property
    def store(self) -> Store:
        """Who knows the drafts."""

    @property
    def zone(self) -> str:
        """In which times are told."""


@dataclass(slots=True)
class _Watched:
    """A campaign that somebody looks at."""

    viewers: int = 0
    now: Standing | None = None
    version: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Live:
    """Of one server."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._over = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the server ends."""
        return self._over.is_set()

    def end(self) -> None:
        """Every stream says good-bye: an open one would keep the server from ending."""
        self._over.set()
        for watched in self._watched.values():
            watched.changed.set()

    @contextlib.asynccontextmanager
    async def watch(self, site: Looked, draft_id: str) -> AsyncIterator[AsyncIterator[tuple[int, Standing] | None]]:
        """A campaign's states from now on, each with its number; None: nothing new for a while.

        Ends with the server.
        """
        watched = self._watched.setdefault(draft_id, _Watched())
        watched.viewers += 1
        if watched.task is None or watched.task.done():
            # It had failed, and not all who saw that have left; what woke them is over.
            watched.changed = asyncio.Event()
            watched.task = asyncio.create_task(self._look(site, draft_id, watched))
        try:
            yield self._follow(watched)
        finally:
            watched.viewers -= 1
            if not watched.viewers:
                watched.task.cancel()
                self._watched.pop(draft_id, None)

    async def _follow(self, watched: _Watched) -> AsyncIterator[tuple[int, Standing] | None]:
        seen = 0
        while not self.is_over:
            if watched.now is not None and watched.version != seen:
                seen = watched.version
                yield seen, watched.now
                continue
            if watched.task is None or watched.task.done():
                return
            changed = watched.changed
            try:
                async with asyncio.timeout(BREATH_S):
                    await changed.wait()
            except TimeoutError:
                yield None

    async def _look(self, site: Looked, draft_id: str, watched: _Watched) -> None:
        kept: tuple[Draft, Shown, CampaignStatus | None] | None = None
        looks = 0
        try:
            while True:
                running = site.supervisor.running(draft_id) is not None
                if kept is None or not running or looks % _LEDGER_EVERY == 0:
                    draft = await site.store.drafts.get(draft_id)
                    if draft is None:
                        return
                    kept = draft, *await look(site, draft)
                looks += 1
                now = told(site, *kept)
                if now != watched.now:
                    watched.now, watched.version = now, watched.version + 1
                    changed, watched.changed = watched.changed, asyncio.Event()
                    changed.set()
                # A server of the ledger's is asked by all who look, and workers tell it of themselves once a second.
                await asyncio.sleep(CLUSTER_LOOK_S if site.supervisor.is_cluster else LOOK_S)
        except DispatcherError as error:
            logger.warning("campaign %s could not be looked at: %s", draft_id, error.code)
        except TimeoutError:
            logger.warning("campaign %s could not be looked at: the ledger is kept busy", draft_id)
        finally:
            watched.changed.set()


async def look(site: Looked, draft: Draft) -> tuple[Shown, CampaignStatus | None]:
    """How a campaign stands, and its counts, as the ledger has them.

    Raises: LedgerError; TimeoutError: another program keeps the ledger busy.
    """
    async with asyncio.timeout(LEDGER_MAX_S):
        return await _look(site, draft)


async def _look(site: Looked, draft: Draft) -> tuple[Shown, CampaignStatus | None]:
    shown = await site.supervisor.look(draft)
    if draft.stage is not Stage.launched:
        return shown, None
    try:
        return shown, await (await site.supervisor.view_of(draft)).status()
    except CampaignNotFound:
        return shown, None


def told(site: Looked, draft: Draft, shown: Shown, status: CampaignStatus | None) -> Standing:
    """The same as texts, with the numbers of this moment; times in the zone that whoever launched it has chosen."""
    if shown.state is State.checking:
        return _checking(site, draft.draft_id)
    snapshot = site.supervisor.live(draft.draft_id)
    return standing(shown, status, snapshot, zone=draft.zone or site.zone, now_ms=now_ms())


def _checking(site: Looked, draft_id: str) -> Standing:
    """How far a file is read."""
    progress = site.checker.progress(draft_id)
    if progress is None:
        return Standing(page="checking", done=0, total=0, texts={"progress": "It is looked at in a moment."})
    total = progress.total_bytes or 0
    return Standing(
        page="checking",
        done=min(progress.done_bytes, total),
        total=total,
        texts={"progress": progress.sentence},
    )

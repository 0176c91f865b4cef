"""Machines of a cluster in one process: a PostgreSQL, a sandbox, whoever orders campaigns, and workers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dispatcher.campaign import Campaign
from dispatcher.campaign.opening import leased_campaign
from dispatcher.clock import now_ms
from dispatcher.cluster import app
from dispatcher.cluster.app import migrate_engine
from dispatcher.cluster.credentials import Keys
from dispatcher.cluster.worker import Worker
from dispatcher.events import EventBus
from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.ledger.records import CampaignRecord, CampaignStatus
from dispatcher.model import RowState
from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from dispatcher.settings import Credentials, Settings
from dispatcher.settings.ordered import settings_to_send
from tests.support import postgres
from tests.support.rehearsal import ACCOUNT_SID, CREDENTIALS, QUICK, write_contacts

T = TypeVar("T")

#: So slow that a test can act meanwhile.
SLOW: dict[str, dict[str, Any]] = {"rate": {"per_second": 40, "in_flight": 4}}


class Machine:
    """A worker in a thread and a loop of its own: what one process' campaigns share is not shared with others'."""

    def __init__(self, url: str, settings: Settings, keys: Keys) -> None:
        self.told: list[str] = []
        self.worker: Worker
        self._url, self._settings, self._keys = url, settings, keys
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="machine", daemon=True)

    async def start(self) -> None:
        """Returns when it is connected."""
        self._thread.start()
        await asyncio.to_thread(self._ready.wait, 30)
        self._raise()

    async def stop(self, *, hard: bool = False) -> float:
        """As SIGTERM does; the seconds that it took. Raises: what has ended it."""
        begun_s = time.monotonic()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(lambda: self.worker.stop(hard=hard))
        await asyncio.to_thread(self._thread.join, 60)
        assert not self._thread.is_alive()
        self._raise()
        return time.monotonic() - begun_s

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.worker = Worker(self._settings, self._keys, tell=self.told.append)
        ledger = await asyncio.to_thread(lambda: PostgresLedger.open(self._url, patience_s=0.0))
        try:
            async with app.opened(self._url) as engine:
                self._ready.set()
                await self.worker.run(ledger, engine)
        finally:
            await ledger.close()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


@dataclass
class Cluster:
    """One ledger on a server, one account on a sandbox."""

    folder: Path
    url: str
    sandbox: Sandbox
    ledger: PostgresLedger
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    credentials: Credentials = CREDENTIALS

    def settings(self, **more: Mapping[str, Any]) -> Settings:
        """Of a campaign, and of a machine."""
        tables: dict[str, dict[str, Any]] = {name: dict(values) for name, values in QUICK.items()}
        for name, values in [*self.overrides.items(), *more.items()]:
            tables.setdefault(name, {}).update(values)
        tables.setdefault("account", {})["base_url"] = self.sandbox.base_url
        tables["state"] = {"url": self.url}
        tables.setdefault("cluster", {}).setdefault("tick_s", 1)
        return Settings.model_validate(tables)

    @contextlib.asynccontextmanager
    async def planning(self, ledger: PostgresLedger, name: str, sid: str = ACCOUNT_SID) -> AsyncIterator[Campaign]:
        """A campaign under its account's lease, as `run` has it; of a loop of its own, see `elsewhere`."""
        settings = self.settings()
        account = await ledger.account(sid, settings.studio_url)
        record = await ledger.open_campaign(name, account, DEFAULT_FLOW_SID)
        credentials = Credentials(account_sid=sid, username=sid, password="not-a-real-token")
        async with leased_campaign(ledger, record, settings, credentials, bus=EventBus(), wait=True) as campaign:
            yield campaign

    async def elsewhere(self, work: Callable[[PostgresLedger], Awaitable[T]]) -> T:
        """Do this on another machine: see `Machine`."""

        async def body() -> T:
            ledger = PostgresLedger.open(self.url)
            try:
                return await work(ledger)
            finally:
                await ledger.close()

        return await asyncio.to_thread(lambda: asyncio.run(body()))

    async def order(self, name: str, rows: int, *, first: int = 1, sid: str = ACCOUNT_SID) -> CampaignRecord:
        """Plan a file and have it sent from now on, without a hint."""

        async def work(ledger: PostgresLedger) -> CampaignRecord:
            async with self.planning(ledger, name, sid) as campaign:
                await campaign.plan(write_contacts(self.folder / f"{name}.csv", rows, first=first))
                seen = await ledger.wishes.of(campaign.record)
                text = settings_to_send(self.settings())
                assert await ledger.wishes.order(campaign.record, seen, now_ms(), text)
                return campaign.record

        return await self.elsewhere(work)

    async def hint(self, record: CampaignRecord) -> None:
        """As whoever has ordered it does."""
        await app.hint_shift(self.settings(), record)

    @contextlib.asynccontextmanager
    async def working(
        self, keys: Keys | None = None, *, url: str = "", **more: Mapping[str, Any]
    ) -> AsyncIterator[Machine]:
        """A machine's worker, with its own connections; `url`: another way to the ledger."""
        settings = self.settings(**more)
        machine = Machine(url or self.url, settings, keys or Keys(settings, self.credentials))
        await machine.start()
        try:
            yield machine
        finally:
            await machine.stop(hard=True)

    async def status(self, record: CampaignRecord) -> CampaignStatus:
        """As anybody may look at it."""
        return await self.ledger.status(record)

    async def until_sent(self, record: CampaignRecord, *, most_s: float = 40.0) -> None:
        """Wait until nobody is to send it any more; fails where it is held."""

        async def is_sent() -> bool:
            status = await self.status(record)
            assert status.paused is None, status.paused
            return status.due_ms is None

        await until(is_sent, most_s=most_s)

    async def until_created(self, count: int) -> None:
        """Wait until the sandbox has so many."""

        async def has() -> bool:
            return self.creates >= count

        await until(has)

    @property
    def creates(self) -> int:
        """By the sandbox's count."""
        return int(self.sandbox.stats()["creates"])

    def check_each_once(self, count: int) -> None:
        """So many contacts, each of them once, and nothing above the limit."""
        reached = Counter(self.sandbox.stats()["created_by_to"])
        assert (len(reached), set(reached.values())) == (count, {1})

    async def check_done(self, record: CampaignRecord, rows: int) -> None:
        """All of it is created, and no run is open."""
        status = await self.status(record)
        assert (status.rows[RowState.created], status.running, status.due_ms) == (rows, False, None)


async def until(is_so: Callable[[], Any], *, most_s: float = 40.0) -> None:
    """Wait for what sets no event."""
    async with asyncio.timeout(most_s):
        while not await is_so():  # noqa: ASYNC110 - as it says
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def cluster(
    folder: Path,
    *,
    server: postgres.Postgres | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    **sandbox: Any,
) -> AsyncIterator[Cluster]:
    """A ledger and its job queue on a server of the tests' (`server`: on that one), and a sandbox."""
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context((server or postgres.shared()).ledger())
        await migrate_engine(url)
        studio = await stack.enter_async_context(Sandbox(SandboxSettings(**{"limit_per_s": 0, **sandbox})))
        ledger = await asyncio.to_thread(lambda: PostgresLedger.open(url))
        stack.push_async_callback(ledger.close)
        yield Cluster(folder, url, studio, ledger, overrides or {})

"""Machines of a cluster in one process: a PostgreSQL, a sandbox, whoever orders campaigns, and workers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.campaign import Campaign
from dispatcher.campaign.opening import leased_campaign
from dispatcher.clock import now_ms
from dispatcher.cluster import app
from dispatcher.cluster.app import Engine, migrate_engine
from dispatcher.cluster.credentials import Keys
from dispatcher.cluster.worker import Worker
from dispatcher.events import EventBus
from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.ledger.records import Account, CampaignRecord, CampaignStatus
from dispatcher.model import RowState
from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from dispatcher.settings import Credentials, Settings
from dispatcher.settings.ordered import settings_to_send
from tests.support import postgres
from tests.support.rehearsal import ACCOUNT_SID, CREDENTIALS, QUICK, write_contacts

#: So slow that a test can act meanwhile.
SLOW: dict[str, dict[str, Any]] = {"rate": {"per_second": 40, "in_flight": 4}}


@dataclass
class Machine:
    """A worker, and what it has said."""

    worker: Worker
    ledger: PostgresLedger
    engine: Engine
    told: list[str]
    task: asyncio.Task[None]

    async def stop(self) -> float:
        """As SIGTERM does; the seconds that it took."""
        begun_s = asyncio.get_running_loop().time()
        self.worker.stop()
        await asyncio.wait_for(self.task, 30)
        return asyncio.get_running_loop().time() - begun_s


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

    async def account(self, sid: str = ACCOUNT_SID) -> Account:
        """As the ledger has it."""
        return await self.ledger.account(sid, self.settings().studio_url)

    @contextlib.asynccontextmanager
    async def planning(self, name: str, *, sid: str = ACCOUNT_SID, wait: bool = True) -> AsyncIterator[Campaign]:
        """A campaign under its account's lease, as `run` has it."""
        record = await self.ledger.open_campaign(name, await self.account(sid), DEFAULT_FLOW_SID)
        credentials = Credentials(account_sid=sid, username=sid, password="not-a-real-token")
        leased = leased_campaign(self.ledger, record, self.settings(), credentials, bus=EventBus(), wait=wait)
        async with leased as campaign:
            yield campaign

    async def order(
        self, name: str, rows: int, *, first: int = 1, due_ms: int | None = None, sid: str = ACCOUNT_SID
    ) -> CampaignRecord:
        """Plan a file and have it sent, without a hint."""
        async with self.planning(name, sid=sid) as campaign:
            await campaign.plan(write_contacts(self.folder / f"{name}.csv", rows, first=first))
            record = campaign.record
            seen = await self.ledger.wishes.of(record)
            text = settings_to_send(self.settings())
            assert await self.ledger.wishes.order(record, seen, due_ms or now_ms(), text)
        return record

    @contextlib.asynccontextmanager
    async def working(self, keys: Keys | None = None, **more: Mapping[str, Any]) -> AsyncIterator[Machine]:
        """A machine's worker, with its own connections."""
        settings = self.settings(**more)
        ledger = await asyncio.to_thread(lambda: PostgresLedger.open(self.url, patience_s=0.0))
        try:
            async with app.opened(self.url) as engine:
                told: list[str] = []
                worker = Worker(settings, keys or Keys(settings, self.credentials), tell=told.append)
                task = asyncio.create_task(worker.run(ledger, engine))
                found = Machine(worker, ledger, engine, told, task)
                try:
                    yield found
                finally:
                    worker.stop(hard=True)
                    await asyncio.wait([task], timeout=30)
                if not task.cancelled() and task.exception() is None:
                    return
                await task
        finally:
            await ledger.close()

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

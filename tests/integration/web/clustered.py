"""A page's supervisor on a ledger of many machines: a real PostgreSQL, a sandbox, and workers that a test starts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dispatcher.cluster.app import hint_shift
from dispatcher.ledger.records import CampaignRecord
from dispatcher.settings import Credentials, Settings
from dispatcher.web.accounts import AccountSettings
from dispatcher.web.store import Draft, open_store
from tests.integration.cluster.machines import Cluster, cluster
from tests.integration.web.served import Served
from tests.support.rehearsal import ACCOUNT_SID, CREDENTIALS


@dataclass
class ClusterAccounts:
    """One account, of which the page's machine may have the secret; also for a process of its own, told by JSON."""

    folder: str
    tables: Mapping[str, Any]
    #: The page can ask Studio.
    has_secret: bool = True
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The server's own."""
        return self._settings({})

    def of(self, draft: Draft, /) -> AccountSettings:
        """See `Accounts`."""
        settings = self._settings(draft.settings)
        if self.has_secret:
            return AccountSettings(settings=settings, credentials=CREDENTIALS)
        alone = Credentials(account_sid=ACCOUNT_SID, username=ACCOUNT_SID, password="")
        return AccountSettings(settings=settings, credentials=None, account=alone)

    def as_json(self) -> str:
        """For a process."""
        return json.dumps({"folder": self.folder, "tables": self.tables, "has_secret": self.has_secret})

    def _settings(self, of_draft: Mapping[str, Any]) -> Settings:
        tables: dict[str, dict[str, Any]] = json.loads(json.dumps(self.tables))
        for name, values in self.overrides.items():
            tables.setdefault(name, {}).update(values)
        for name, value in of_draft.items():
            table, _, key = name.partition(".")
            tables.setdefault(table, {})[key] = value
        tables["state"]["dir"] = self.folder
        return Settings.model_validate(tables)


@dataclass
class Page(Served):
    """One page's machine beside the cluster's."""

    cluster: Cluster = field(kw_only=True)

    async def start(self, **more: Any) -> Any:
        """As a server does on a cluster."""

        async def hint(record: CampaignRecord) -> None:
            await hint_shift(self.accounts.settings, record)

        return await super().start(hint=hint, **more)

    @contextlib.asynccontextmanager
    async def other(self) -> AsyncIterator[Page]:
        """A page on another machine: the same ledger, and a folder of its own."""
        folder = self.folder / "other"
        (folder / "state").mkdir(parents=True)
        store = await open_store(folder / "state")
        accounts = replace(self.accounts, folder=str(folder / "state"))
        page = Page(folder, self.sandboxes, accounts, store, cluster=self.cluster)
        try:
            await page.start()
            yield page
        finally:
            await page.stop()
            await store.close()

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """A worker in a process of its own, to be killed."""
        tables = self.accounts.settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        settings = self.folder / "worker.toml"
        lines = [
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
            for name, table in tables.items()
        ]
        settings.write_text("\n".join(lines), "utf-8")
        environment = os.environ | {
            "TWILIO_ACCOUNT_SID": CREDENTIALS.account_sid,
            "TWILIO_AUTH_TOKEN": CREDENTIALS.password,
        }
        command = (sys.executable, "-m", "dispatcher", "worker", "--config", str(settings))
        found = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            yield found
        finally:
            if found.returncode is None:
                found.kill()
            await found.wait()

    async def record(self, draft: Draft) -> CampaignRecord:
        """As the ledger has it."""
        return (await self.running.view_of(draft)).record


@contextlib.asynccontextmanager
async def paged(
    folder: Path,
    *,
    start: bool = True,
    has_secret: bool = True,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    **sandbox: Any,
) -> AsyncIterator[Page]:
    """A page on a cluster without workers."""
    async with contextlib.AsyncExitStack() as stack:
        c = await stack.enter_async_context(cluster(folder, overrides=overrides, **sandbox))
        state = folder / "state"
        state.mkdir(exist_ok=True)
        tables = c.settings().model_dump(mode="json", by_alias=True, exclude_defaults=True)
        accounts = ClusterAccounts(folder=str(state), tables=tables, has_secret=has_secret)
        store = await open_store(state)
        stack.push_async_callback(store.close)
        page = Page(folder, {"one": c.sandbox}, accounts, store, cluster=c)  # type: ignore[arg-type]
        stack.push_async_callback(page.stop)
        if start:
            await page.start()
        yield page

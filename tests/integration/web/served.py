"""A supervisor on a real ledger and a real store, with a sandbox for each account: what pages and people do with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError
from dispatcher.ledger.records import CampaignStatus
from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from dispatcher.sandbox.faults import parse_phases
from dispatcher.settings import Credentials, Settings
from dispatcher.web.accounts import AccountSettings
from dispatcher.web.running import State, Supervisor
from dispatcher.web.store import Draft, Stage, Store, open_store
from tests.support.rehearsal import QUICK, SENDER, write_contacts

#: Profile → the end of the account's SID.
ACCOUNTS = {"one": "1", "two": "2"}


def account_sid(profile: str) -> str:
    """Each profile has an account of its own."""
    return "AC" + ACCOUNTS[profile] * 32


@dataclass
class FewAccounts:
    """Profiles, each with its sandbox's address; also for a process of its own, which is told by JSON."""

    folder: str
    base_urls: Mapping[str, str]
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Why there are no credentials.
    problem: DispatcherError | None = None

    @property
    def settings(self) -> Settings:
        """The server's own."""
        return self._settings("one", {})

    def of(self, draft: Draft, /) -> AccountSettings:
        """See `Accounts`."""
        assert draft.profile is not None
        sid = account_sid(draft.profile)
        if self.problem is not None:
            settings = self._settings(draft.profile, draft.settings)
            return AccountSettings(settings=settings, credentials=None, problem=self.problem)
        credentials = Credentials(account_sid=sid, username=sid, password="not-a-real-token")
        return AccountSettings(settings=self._settings(draft.profile, draft.settings), credentials=credentials)

    def as_json(self) -> str:
        """For `process.py`."""
        return json.dumps({"folder": self.folder, "base_urls": self.base_urls, "overrides": self.overrides})

    def _settings(self, profile: str, of_draft: Mapping[str, Any]) -> Settings:
        tables: dict[str, dict[str, Any]] = {name: dict(values) for name, values in QUICK.items()}
        for name, values in self.overrides.items():
            tables.setdefault(name, {}).update(values)
        for name, value in of_draft.items():
            table, _, key = name.partition(".")
            tables.setdefault(table, {})[key] = value
        tables.setdefault("account", {})["base_url"] = self.base_urls[profile]
        tables["state"] = {"dir": self.folder}
        return Settings.model_validate(tables)


@dataclass
class Served:
    """One state folder, its sandboxes, and the supervisor that runs now, if one does."""

    folder: Path
    sandboxes: dict[str, Sandbox]
    accounts: FewAccounts
    store: Store
    now_ms: Callable[[], int] = now_ms
    supervisor: Supervisor | None = None

    @property
    def running(self) -> Supervisor:
        """The one that is started."""
        assert self.supervisor is not None
        return self.supervisor

    async def start(self, **more: Any) -> Supervisor:
        """As a server does."""
        self.supervisor = Supervisor(self.store, self.accounts, now_ms=self.now_ms, **more)
        await self.supervisor.start()
        return self.supervisor

    async def stop(self) -> None:
        """As a server does at SIGTERM."""
        if self.supervisor is not None:
            await self.supervisor.stop()
            self.supervisor = None

    async def upload(self, path: Path) -> str:
        """What a browser sends."""
        new = await self.store.uploads.begin(path.name, "Anna", now_ms())
        new.path.write_bytes(path.read_bytes())  # noqa: ASYNC240 - a few kilobytes
        upload = await self.store.uploads.finish(new.upload_id, path.stat().st_size, "0" * 64)  # noqa: ASYNC240
        assert upload is not None
        return upload.upload_id

    async def draft(
        self,
        name: str,
        rows: int,
        *,
        profile: str = "one",
        first: int = 1,
        source: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Draft:
        """A draft that is checked."""
        source = source or write_contacts(self.folder / f"{name}.csv", rows, first=first)
        draft = await self.store.drafts.create(
            name,
            created_by="Anna",
            now_ms=now_ms(),
            profile=profile,
            uploads=(await self.upload(source),),
            settings=settings or {},
        )
        checked = await self.store.drafts.change(draft.draft_id, draft.version, stage=Stage.checked)
        assert checked is not None
        return checked

    async def launched(self, name: str, rows: int, *, profile: str = "one", first: int = 1, **more: Any) -> Draft:
        """One that somebody has launched."""
        draft = await self.draft(name, rows, profile=profile, first=first)
        return await self.running.launch(draft, who="Anna", **{"confirmed": rows, **more})

    def faults(self, table: Mapping[str, Any], profile: str = "one") -> None:
        """Replace the sandbox's faults."""
        sandbox = self.sandboxes[profile]
        sandbox.fault_plan.replace(parse_phases(dict(table)), sandbox.now_us())

    def plant(self, to: str, profile: str = "one") -> None:
        """An execution that another program has started on the flow, some minutes ago."""
        sandbox = self.sandboxes[profile]
        order: dict[str, Any] = {"age_us": 600_000_000, "ends_after_us": 1, "parameters": None}
        sandbox.studio.creator.plant(DEFAULT_FLOW_SID, to, SENDER, now_us=sandbox.now_us(), **order)

    async def status(self, draft: Draft) -> CampaignStatus:
        """As the ledger has it."""
        return await (await self.running.view_of(draft)).status()

    async def state(self, draft: Draft) -> State:
        """As its page says."""
        return (await self.running.look(await self.fresh(draft))).state

    async def fresh(self, draft: Draft) -> Draft:
        """As it stands now."""
        found = await self.store.drafts.get(draft.draft_id)
        assert found is not None
        return found

    async def until_state(self, draft: Draft, *states: State, most_s: float = 40) -> None:
        """Wait until its page says one of these."""
        async with asyncio.timeout(most_s):
            while (found := await self.state(draft)) not in states:
                assert not (found is State.held and State.held not in states), await self.why(draft)
                await asyncio.sleep(0.05)

    async def until_created(self, profile: str, count: int) -> None:
        """Wait until the sandbox has so many."""
        async with asyncio.timeout(40):
            while self.creates(profile) < count:  # noqa: ASYNC110 - what it waits for sets no event
                await asyncio.sleep(0.01)

    async def why(self, draft: Draft) -> str:
        """Why it stands still."""
        pause = (await self.running.look(await self.fresh(draft))).pause
        return pause.reason if pause is not None else ""

    async def seen(self, draft: Draft) -> int:
        """The version of the wish, as a page shows it."""
        return (await (await self.running.view_of(draft)).wish()).version

    async def history(self) -> list[str]:
        """What was done, oldest first."""
        return [line.what async for line in self.store.audit.export()]

    def creates(self, profile: str = "one") -> int:
        """By the sandbox's count."""
        return int(self.sandboxes[profile].stats()["creates"])

    def contacts(self, profile: str = "one") -> Counter[str]:
        """Who was reached how often, by the sandbox's count."""
        return Counter(self.sandboxes[profile].stats()["created_by_to"])

    def check_each_once(self, count: int, profile: str = "one") -> None:
        """So many contacts, and each of them once."""
        reached = self.contacts(profile)
        assert (len(reached), set(reached.values())) == (count, {1})


@contextlib.asynccontextmanager
async def served(
    folder: Path,
    *,
    start: bool = True,
    overrides: Mapping[str, Any] | None = None,
    clock: Callable[[], float] | None = None,
    **sandbox: Any,
) -> AsyncIterator[Served]:
    """A server with two accounts, each on a sandbox of its own."""
    async with contextlib.AsyncExitStack() as stack:
        sandboxes = {}
        for profile in ACCOUNTS:
            options = SandboxSettings(**{"limit_per_s": 0, "account_sid": account_sid(profile), **sandbox})
            sandboxes[profile] = await stack.enter_async_context(Sandbox(options, clock=clock))
        state = folder / "state"
        state.mkdir(exist_ok=True)
        base_urls = {profile: one.base_url for profile, one in sandboxes.items()}
        accounts = FewAccounts(folder=os.fspath(state), base_urls=base_urls, overrides=dict(overrides or {}))
        store = await open_store(state)
        stack.push_async_callback(store.close)
        found = Served(folder=folder, sandboxes=sandboxes, accounts=accounts, store=store)
        stack.push_async_callback(found.stop)
        if start:
            await found.start()
        yield found

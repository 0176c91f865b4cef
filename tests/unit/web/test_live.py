"""What open pages are told: one look for all of them, told when it has changed, ended with the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from dispatcher.errors import LedgerFull
from dispatcher.web import live as module
from dispatcher.web.live import Live
from dispatcher.web.pages.campaign import state
from dispatcher.web.site import SITE
from dispatcher.web.standing import Standing
from dispatcher.web.store import Draft, Stage, Store
from tests.integration.web.served import Served, served

if TYPE_CHECKING:
    from dispatcher.web.checking import Checker, Progress
    from dispatcher.web.running import Supervisor

BREATH_S = 0.3


class NoChecks:
    """Nobody reads anything now."""

    def progress(self, _: str) -> Progress | None:
        """See `Checker`."""
        return None


@dataclass
class Desk:
    """As much of a server as is looked at, and the store's faults."""

    served: Served
    zone: str = "UTC"
    fails: bool = False
    looks: int = 0

    @property
    def supervisor(self) -> Supervisor:
        """Who sends."""
        return self.served.running

    @property
    def checker(self) -> Checker:
        """Who reads uploads."""
        return NoChecks()  # type: ignore[return-value]

    @property
    def store(self) -> Store:
        """Asked once for each look at the ledger."""
        self.looks += 1
        if self.fails:
            raise LedgerFull
        return self.served.store


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    monkeypatch.setattr(module, "BREATH_S", BREATH_S)
    async with served(tmp_path) as found:
        yield Desk(found)


async def checking(desk: Desk) -> Draft:
    """A draft whose file is read."""
    draft = await desk.served.draft("spring", 1)
    changed = await desk.served.store.drafts.change(draft.draft_id, draft.version, stage=Stage.checking)
    assert changed is not None
    return changed


async def told(states: AsyncIterator[tuple[int, Standing] | None]) -> tuple[int, Standing] | None:
    """What comes next."""
    async with asyncio.timeout(20):
        return await anext(states)


async def test_one_look_for_all_who_watch(desk: Desk) -> None:
    """Whoever comes gets the present at once; all get the same object with the same number, from one task."""
    live, draft = Live(), await checking(desk)
    before = len(asyncio.all_tasks())
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(live.watch(desk, draft.draft_id)) for _ in range(20)]
        assert len(asyncio.all_tasks()) == before + 1
        found = [await told(states) for states in streams]
        assert {new[0] for new in found if new is not None} == {1}
        assert len({id(new[1]) for new in found if new is not None}) == 1
        assert await desk.served.store.drafts.change(draft.draft_id, draft.version, stage=Stage.columns)
        found = [await told(states) for states in streams]
        assert {new[0] for new in found if new is not None} == {2}
        assert desk.looks < 200


async def test_nothing_new_for_a_while(desk: Desk) -> None:
    """Not one state twice: what has not changed is a breath, so that a connection is not taken for dead."""
    live, draft = Live(), await checking(desk)
    async with live.watch(desk, draft.draft_id) as states:
        first = await told(states)
        begun_s = asyncio.get_running_loop().time()
        assert await told(states) is None
        assert await told(states) is None
        assert asyncio.get_running_loop().time() - begun_s > 1.9 * BREATH_S
        assert await desk.served.store.drafts.change(draft.draft_id, draft.version, stage=Stage.columns)
        second = await told(states)
        while second is None:
            second = await told(states)
        assert first is not None
        assert (first[0], second[0]) == (1, 2)


async def test_a_viewer_that_leaves(desk: Desk) -> None:
    """The others go on; with the last one nobody looks any more, and whoever comes then begins anew."""
    live, draft = Live(), await checking(desk)
    before = asyncio.all_tasks()
    async with live.watch(desk, draft.draft_id) as mine:
        with contextlib.suppress(ConnectionResetError):
            async with live.watch(desk, draft.draft_id) as others:
                await told(others)
                raise ConnectionResetError
        assert await told(mine) is not None
        assert len(asyncio.all_tasks() - before) == 1
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
    looks = desk.looks
    await asyncio.sleep(0.2)
    assert desk.looks == looks
    async with live.watch(desk, draft.draft_id) as states:
        again = await told(states)
    assert again is not None
    assert again[0] == 1


async def test_streams_end_with_the_server(desk: Desk) -> None:
    """At once, whatever they wait for; one that is opened then ends as soon."""
    live, draft = Live(), await checking(desk)
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(live.watch(desk, draft.draft_id)) for _ in range(5)]
        for states in streams:
            await told(states)
        waiting = [asyncio.create_task(told(states)) for states in streams]
        await asyncio.sleep(0.05)
        before = live.is_over
        live.end()
        async with asyncio.timeout(BREATH_S / 2):
            ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, StopAsyncIteration) for one in ended)
        assert (before, live.is_over) == (False, True)
    async with live.watch(desk, draft.draft_id) as states:
        assert [new async for new in states] == []


@dataclass
class Ending:
    """As much of a site as a server has that ends."""

    live: Live


async def test_a_server_that_ends_shows_no_state() -> None:
    """Whoever asks whether it is still there, to load its page anew, is told that it is not."""
    app = web.Application()
    app[SITE] = Ending(Live())  # type: ignore[misc]
    app[SITE].live.end()
    with pytest.raises(web.HTTPServiceUnavailable):
        await state(make_mocked_request("GET", "/c/1/state.json", app=app), None)  # type: ignore[arg-type]


async def test_a_draft_that_is_deleted(desk: Desk) -> None:
    """Its streams end; so does one of what never was."""
    live, draft = Live(), await checking(desk)
    async with live.watch(desk, draft.draft_id) as states:
        await told(states)
        assert await desk.served.store.drafts.delete(draft.draft_id, draft.version)
        async with asyncio.timeout(20):
            assert [new async for new in states if new is not None] == []
    async with live.watch(desk, "0" * 22) as states, asyncio.timeout(20):
        assert [new async for new in states] == []


async def test_a_ledger_that_fails_for_a_while(desk: Desk) -> None:
    """Streams end, and browsers come back: whoever does is told again, also while a slow one has not left yet."""
    live, draft = Live(), await checking(desk)
    async with live.watch(desk, draft.draft_id) as slow:
        await told(slow)
        desk.fails = True
        async with asyncio.timeout(20):
            assert [new async for new in slow if new is not None] == []
        desk.fails = False
        async with live.watch(desk, draft.draft_id) as states:
            assert await told(states) is not None
            assert await told(states) is None  # it goes on: a breath, and not its end
            assert await desk.served.store.drafts.change(draft.draft_id, draft.version, stage=Stage.columns)
            new = await told(states)
            while new is None:
                new = await told(states)


async def test_a_run_is_watched_to_its_end(desk: Desk) -> None:
    """Numbers of this moment grow while it is sent, and end with what the ledger has."""
    live = Live()
    draft = await desk.served.draft("spring", 60, settings={"rate.per_second": 40, "rate.in_flight": 4})
    await desk.supervisor.launch(draft, who="Anna", confirmed=60)
    done: list[int] = []
    async with live.watch(desk, draft.draft_id) as states, asyncio.timeout(60):
        async for new in states:
            if new is None:
                continue
            done.append(new[1].done)
            if new[1].texts["state"] == "Finished":
                assert new[1].texts["progress"] == "60 of 60 contacts, 100 %"
                break
    assert done == sorted(done)
    assert len(set(done)) > 2
    desk.served.check_each_once(60)

"""What is not as it was when it was confirmed, or goes wrong: held with its sentence, and nothing is lost."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.clock import now_ms
from dispatcher.errors import AccountLocked, AuthenticationError
from dispatcher.model import PausedBy, RowState
from dispatcher.web.running import State
from tests.integration.web.served import Served, served
from tests.support.machine import Machine
from tests.support.rehearsal import phone

SLOW = {"rate": {"per_second": 40, "in_flight": 4}}


async def test_more_than_was_confirmed(tmp_path: Path) -> None:
    """Nothing is sent before the new number is typed."""
    async with served(tmp_path) as s:
        draft = await s.launched("spring", 30, confirmed=29)
        await s.until_state(draft, State.held)
        assert await s.why(draft) == (
            "More contacts would be reached than were confirmed, so nothing more is sent."
            " (29 were confirmed, and now it is 30)"
        )
        assert s.creates() == 0
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await asyncio.sleep(1)
        await s.until_state(draft, State.held)
        assert s.creates() == 0
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft), confirmed=30)
        await s.until_state(draft, State.finished)
        s.check_each_once(30)


async def test_a_flow_published_anew(tmp_path: Path) -> None:
    """What contacts would get is not what was looked at: whoever goes on has been told, and confirms that."""
    async with served(tmp_path) as s:
        draft = await s.launched("spring", 10, revision=7)
        await s.until_state(draft, State.held)
        assert "revision 7 was confirmed, and now it is revision 1" in await s.why(draft)
        assert s.creates() == 0
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await s.until_state(draft, State.finished)


async def test_a_look_that_is_cut_short(tmp_path: Path) -> None:
    """Studio lists more than is looked through for whom others have reached: held; whoever goes on was told of it."""
    overrides = {"campaign": {"repeat_after_h": 16, "repeat_look_back_max": 3}}
    async with served(tmp_path, overrides=overrides) as s:
        for n in range(5):
            s.plant(phone(900 + n))
        draft = await s.launched("spring", 4)
        await s.until_state(draft, State.held)
        assert s.creates() == 0
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await s.until_state(draft, State.finished)
        s.check_each_once(4)


async def test_refused_credentials(tmp_path: Path) -> None:
    """An error that needs a person: those sent before are known, the others wait, the next campaign is told as well."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.launched("spring", 60)
        await s.until_created("one", 10)
        s.faults({"401": 1, "read_401": 1})
        await s.until_state(draft, State.held)
        why = await s.why(draft)
        assert why
        assert "401" not in why.split("(")[0]
        rows = (await s.status(draft)).rows
        assert rows[RowState.created] == s.creates() < 60
        assert rows[RowState.planned] == 60 - rows[RowState.created]
        s.faults({})
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await s.until_state(draft, State.finished)
        s.check_each_once(60)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[None]:
    """Undoes whatever a test did to the size that files may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill_disk(s: Served) -> None:
    """No file of the ledger may grow by more than two pages."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    sizes = [file.stat().st_size for file in (s.folder / "state").glob("ledger.sqlite3*")]
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes) + 8192, hard))


@pytest.mark.usefixtures("small_disk")
async def test_a_full_disk(tmp_path: Path) -> None:
    """It stops at once, and is held as soon as there is room; nothing is lost or sent twice."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        draft = await s.launched("spring", 300)
        await s.until_created("one", 20)
        fill_disk(s)
        async with asyncio.timeout(40):
            while (now := s.running.running(draft.draft_id)) is None or now.stop_reason is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await s.until_state(draft, State.held)
        assert "disk" in await s.why(draft)
        sent = s.creates()
        assert (await s.status(draft)).rows[RowState.created] == sent < 300
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await s.until_state(draft, State.finished)
        s.check_each_once(300)


@pytest.mark.chaos
@pytest.mark.usefixtures("small_disk")
async def test_a_disk_that_stays_full(tmp_path: Path) -> None:
    """Held even where that cannot be written, and written as soon as there is room."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        draft = await s.launched("spring", 300)
        await s.until_created("one", 20)
        fill_disk(s)
        await s.until_state(draft, State.held, most_s=90)
        assert "disk" in await s.why(draft)
        sent = s.creates()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        async with asyncio.timeout(20):
            while (await s.status(draft)).paused is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert s.creates() == sent < 300
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await s.until_state(draft, State.finished)
        s.check_each_once(300)


async def test_credentials_that_are_gone(tmp_path: Path) -> None:
    """It is held for that, may be looked at and paused all the same, and goes on once they are back."""
    async with served(tmp_path) as s:
        draft = await s.launched("spring", 10, due_ms=now_ms() + 1_500)
        s.accounts.problem = AuthenticationError("there are no credentials")
        await s.until_state(draft, State.held)
        assert await s.why(draft)
        assert (await s.running.pause(draft, who="Ben")).by is PausedBy.held
        s.accounts.problem = None
        await s.running.go_on(await s.fresh(draft), who="Anna", seen=await s.seen(draft))
        await s.until_state(draft, State.finished)
        s.check_each_once(10)


async def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """Deleted before its time: nothing can be sent, and that is said."""
    async with served(tmp_path) as s:
        draft = await s.draft("spring", 10)
        await s.store.uploads.delete_file(draft.uploads[0], 1)
        await s.running.launch(draft, who="Anna", confirmed=10)
        await s.until_state(draft, State.held)
        assert "was deleted" in await s.why(draft)


def own_times(s: Served, hours: float) -> Path:
    """Ten contacts, five of them hours later."""
    at = datetime.fromtimestamp(s.sandboxes["one"].now_us() / 1e6, UTC) + timedelta(hours=hours)
    lines = [f"{phone(n)},Name,{f'{at:%Y-%m-%dT%H:%M:%SZ}' if n > 5 else ''}\n" for n in range(1, 11)]
    path = s.folder / "times.csv"
    path.write_text("phone,first_name,from\n" + "".join(lines), encoding="utf-8")
    return path


async def test_what_only_waits_leaves_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its account is free meanwhile, for others and for a terminal; when the time has come it goes on by itself."""
    machine = Machine(monkeypatch)
    machine.put_to(datetime(2026, 11, 18, 12, tzinfo=UTC))
    async with served(tmp_path, clock=machine) as s:
        settings = {"columns.not_before": "from"}
        draft = await s.draft("spring", 10, source=own_times(s, hours=2), settings=settings)
        draft = await s.running.launch(draft, who="Anna", confirmed=10)
        await s.until_state(draft, State.waiting)
        shown = await s.running.look(await s.fresh(draft))
        assert shown.until_ms is not None
        assert abs(shown.until_ms / 1000 - machine() - 7200) < 60
        assert s.creates() == 5
        assert await s.running.queue() == []
        other = await s.launched("summer", 10, first=1001)
        await s.until_state(other, State.finished)
        sends = s.accounts.of(draft)
        try:
            async with open_campaign("terminal", sends.settings, sends.credentials):
                pass
        except AccountLocked:
            pytest.fail("the account is not free")
        assert s.creates() == 15
        machine.put_to(datetime(2026, 11, 18, 14, 1, tzinfo=UTC))
        await s.until_state(draft, State.finished)
        s.check_each_once(20)

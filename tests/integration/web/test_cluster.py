"""The page on a ledger of many machines: it plans, orders and watches; workers send, whatever becomes of the page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from dispatcher.campaign import rehearse_campaign
from dispatcher.campaign.retry_choice import RetryChoice
from dispatcher.clock import now_ms
from dispatcher.errors import LedgerError, LedgerGone, UsageError
from dispatcher.ledger.wishes import Ordered
from dispatcher.model import PausedBy, RowState
from dispatcher.web.running import State
from dispatcher.web.running.errors import NameTaken
from dispatcher.web.standing import sender_of, standing
from dispatcher.web.store import Draft, Stage
from tests.integration.cluster.machines import SLOW, until
from tests.integration.web.clustered import Page, paged
from tests.support import postgres
from tests.support.rehearsal import phone, write_contacts

HOUR_MS = 3_600_000


async def until_begun(page: Page, rows: int = 1) -> None:
    """Wait until the sandbox has so many."""
    await page.until_created("one", rows)


async def test_what_is_launched_workers_send(tmp_path: Path) -> None:
    """Planned and ordered with its settings by the page, without the account's secret; sent by a worker, each once."""
    async with paged(tmp_path, has_secret=False) as page, page.cluster.working():
        draft = await page.launched("spring", 200)
        await page.until_state(draft, State.finished)
        assert (await page.status(draft)).rows[RowState.created] == 200
        page.check_each_once(200)
        assert (await page.fresh(draft)).planned == 1
        assert await page.history() == ["launched"]


async def test_without_a_worker_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits in the queue, and after a while the page says that no worker serves the account; then one comes."""
    monkeypatch.setattr("dispatcher.web.running.workers.UNSERVED_S", 1.0)
    async with paged(tmp_path) as page:
        draft = await page.launched("spring", 20)

        async def is_told() -> bool:
            shown = await page.running.look(await page.fresh(draft))
            text = standing(shown, await page.status(draft), None, zone="UTC", now_ms=now_ms()).texts["reason"]
            return "No worker serves this account" in text

        await until(is_told, most_s=20)
        assert (page.creates(), await page.state(draft)) == (0, State.queued)
        async with page.cluster.working():
            await page.until_state(draft, State.finished)
        page.check_each_once(20)


async def test_who_sends_is_told(tmp_path: Path) -> None:
    """The machine and its process, how fast it goes, and the queue."""
    async with paged(tmp_path, overrides=SLOW) as page, page.cluster.working():
        draft = await page.launched("spring", 200)
        await until_begun(page)

        async def is_told() -> bool:
            shown = await page.running.look(await page.fresh(draft))
            return "(process " in sender_of(shown, await page.status(draft))

        await until(is_told, most_s=10)
        shown, status = await page.running.look(await page.fresh(draft)), await page.status(draft)
        assert shown.state is State.sending
        assert sender_of(shown, status).startswith(socket.gethostname())

        async def has_speed() -> bool:
            shown = await page.running.look(await page.fresh(draft))
            live = page.running.live(draft.draft_id)
            texts = standing(shown, await page.status(draft), live, zone="UTC", now_ms=now_ms()).texts
            return texts["rate"].endswith("of 40 a second") and not texts["rate"].startswith("0.0")

        await until(has_speed, most_s=10)
        (queued,) = await page.running.queue()
        assert queued.is_running
        assert queued.holder.startswith(socket.gethostname())
        assert page.running.running(draft.draft_id) is None


async def test_pause_and_go_on(tmp_path: Path) -> None:
    """From the page, while a worker sends."""
    async with paged(tmp_path, overrides=SLOW) as page, page.cluster.working():
        draft = await page.launched("spring", 200)
        await until_begun(page)
        await page.running.pause(draft, who="Anna")
        await page.until_state(draft, State.paused)
        await asyncio.sleep(1)
        created = page.creates()
        await asyncio.sleep(1)
        assert page.creates() == created < 200
        await page.running.go_on(await page.fresh(draft), who="Anna", seen=await page.seen(draft))
        await page.until_state(draft, State.finished)
        page.check_each_once(200)


async def test_corrected_rows_are_added_while_a_worker_sends(tmp_path: Path) -> None:
    """It makes room for the page, which plans them, and goes on with all; and once more when all was sent."""
    async with paged(tmp_path, overrides=SLOW) as page, page.cluster.working():
        draft = await page.launched("spring", 200)
        await until_begun(page)
        added = await page.upload(write_contacts(tmp_path / "added.csv", 40, first=201))
        await page.running.correct(await page.fresh(draft), (added,), confirmed=240, who="Anna")
        await until(lambda: planned(page, draft.draft_id, 2), most_s=20)
        assert page.creates() < 200
        await page.until_state(draft, State.finished)
        page.check_each_once(240)
        late = await page.upload(write_contacts(tmp_path / "late.csv", 10, first=241))
        await page.running.correct(await page.fresh(draft), (late,), confirmed=10, who="Anna")
        await until(lambda: planned(page, draft.draft_id, 3), most_s=20)
        await page.until_state(draft, State.finished)
        page.check_each_once(250)


async def planned(page: Page, draft_id: str, files: int) -> bool:
    draft = await page.store.drafts.get(draft_id)
    return draft is not None and draft.planned == files


async def test_more_than_confirmed_is_held_before_a_worker_has_it(tmp_path: Path) -> None:
    """Nothing of what was not confirmed is sent; confirmed anew it goes on."""
    async with paged(tmp_path) as page, page.cluster.working():
        draft = await page.launched("spring", 20, confirmed=19)
        await page.until_state(draft, State.held)
        assert (page.creates(), (await page.fresh(draft)).planned) == (0, 0)
        await page.running.go_on(await page.fresh(draft), who="Anna", seen=await page.seen(draft), confirmed=20)
        await page.until_state(draft, State.finished)
        added = await page.upload(write_contacts(tmp_path / "added.csv", 5, first=21))
        await page.running.correct(await page.fresh(draft), (added,), confirmed=4, who="Anna")
        await page.until_state(draft, State.held)
        assert page.creates() == 20
        await page.running.go_on(await page.fresh(draft), who="Anna", seen=await page.seen(draft), confirmed=5)
        await page.until_state(draft, State.finished)
        page.check_each_once(25)


async def test_the_page_is_away(tmp_path: Path) -> None:
    """Workers go on, also with what begins meanwhile; nothing is held when the page is back after hours."""
    async with paged(tmp_path, overrides=SLOW) as page, page.cluster.working():
        draft = await page.launched("spring", 100)
        await until_begun(page)
        later = await page.launched("autumn", 20, first=201, due_ms=now_ms() + 4_000)
        await until(lambda: planned(page, later.draft_id, 1), most_s=15)
        record = await page.record(later)
        await page.stop()
        await page.cluster.until_sent(record)
        at_ms = now_ms()
        page.now_ms = lambda: at_ms + 5 * HOUR_MS
        await page.start()
        await page.until_state(draft, State.finished)
        await page.until_state(later, State.finished)
        page.check_each_once(120)
        assert "held" not in await page.history()


async def test_the_page_comes_back_meanwhile(tmp_path: Path) -> None:
    """After hours, on another machine by its number, while a worker sends: it is not touched."""
    async with paged(tmp_path, overrides=SLOW) as page, page.cluster.working():
        draft = await page.launched("spring", 200)
        await until_begun(page)
        await page.stop()
        at_ms = now_ms()
        await page.store.server.note(alive_at_ms=at_ms - 5 * HOUR_MS, host_id="b" * 32)
        await page.start()
        assert await page.state(draft) in (State.sending, State.queued)
        await page.until_state(draft, State.finished)
        page.check_each_once(200)
        status = await page.status(draft)
        assert (status.paused, status.run is not None) == (None, True)


async def test_a_worker_is_killed_and_another_goes_on(tmp_path: Path) -> None:
    """The page says who has it, and who has it then; nobody is reached twice, or never."""
    async with paged(tmp_path, overrides=SLOW) as page, page.worker() as first:
        draft = await page.launched("spring", 200)
        await until_begun(page, 20)

        async def is_sent_by(pid: int) -> bool:
            shown = await page.running.look(await page.fresh(draft))
            return f"(process {pid})" in sender_of(shown, await page.status(draft))

        await until(lambda: is_sent_by(first.pid), most_s=10)
        first.kill()
        await first.wait()
        assert 20 <= page.creates() < 200
        async with page.worker() as second:
            await until(lambda: is_sent_by(second.pid), most_s=30)
            await page.until_state(draft, State.finished)
        page.check_each_once(200)


async def test_a_time_is_taken_back(tmp_path: Path) -> None:
    """It was planned ahead, so that workers begin without the page. Taken back nobody sends it; launched anew, once."""
    async with paged(tmp_path) as page, page.cluster.working():
        draft = await page.launched("spring", 20, due_ms=now_ms() + HOUR_MS)
        await until(lambda: planned(page, draft.draft_id, 1), most_s=15)
        assert await page.state(draft) is State.scheduled
        taken = await page.running.unschedule(await page.fresh(draft), who="Anna")
        assert (taken.planned, taken.due_ms, (await page.status(draft)).due_ms) == (0, None, None)
        await asyncio.sleep(2)
        assert page.creates() == 0
        await page.running.launch(taken, who="Anna", confirmed=20)
        await page.until_state(draft, State.finished)
        page.check_each_once(20)


async def test_stopped_for_good_and_put_back(tmp_path: Path) -> None:
    """While a worker sends it; it makes room."""
    async with paged(tmp_path, overrides=SLOW, has_secret=False) as page, page.cluster.working():
        draft = await page.launched("spring", 200)
        await until_begun(page, 10)
        with pytest.raises(UsageError):
            await page.running.stop_for_good(draft, who="Anna", reason=" ")
        rows = await page.running.stop_for_good(await page.fresh(draft), who="Anna", reason="wrong text")
        assert 0 < rows < 200
        await page.until_state(draft, State.stopped)
        created = page.creates()
        await asyncio.sleep(1.5)
        assert page.creates() == created == 200 - rows
        await page.running.put_back(await page.fresh(draft), who="Anna", seen=await page.seen(draft), confirmed=rows)
        await page.until_state(draft, State.finished)
        page.check_each_once(200)


async def test_two_pages_on_one_ledger(tmp_path: Path) -> None:
    """The second is told that the name is taken, planned or not; what is the other's it leaves alone, and sees."""
    async with paged(tmp_path) as page, page.other() as other:
        draft = await page.draft("spring", 20)
        same = await other.draft("spring", 20)
        await page.running.launch(draft, who="Anna", confirmed=20)
        for _ in range(2):
            with pytest.raises(NameTaken):
                await other.running.launch(await other.fresh(same), who="Bob", confirmed=20)
            await until(lambda: planned(page, draft.draft_id, 1), most_s=15)
        assert (await other.fresh(same)).stage is Stage.checked
        async with page.cluster.working():
            await page.until_state(draft, State.finished)
        (status,) = await other.running.register.statuses()
        assert other.running.look_at_other(status).state is State.finished
        page.check_each_once(20)


async def test_a_worker_s_hold_is_told(tmp_path: Path) -> None:
    """What only the worker could find out: here that the account has no such flow."""
    async with paged(tmp_path, has_secret=False) as page, page.cluster.working():
        draft = await page.draft("spring", 20, settings={"campaign.flow": "FW" + "9" * 32})
        await page.running.launch(draft, who="Anna", confirmed=20)
        await page.until_state(draft, State.held)
        pause = (await page.running.look(await page.fresh(draft))).pause
        assert pause is not None
        assert (pause.by, "seen by the worker on" in pause.reason, page.creates()) == (PausedBy.held, True, 0)


async def test_refused_rows_are_sent_again(tmp_path: Path) -> None:
    """The page plans them again, under the account's lease, without its secret; a worker sends them."""
    async with paged(tmp_path, has_secret=False) as page, page.cluster.working():
        page.faults({"reject": 1})
        draft = await page.launched("spring", 20)
        await page.until_state(draft, State.finished)
        assert (await page.status(draft)).rows[RowState.rejected] == 20
        page.faults({})
        await page.running.retry(await page.fresh(draft), RetryChoice(all_rejected=True), confirmed=20, who="Anna")
        await page.until_state(draft, State.finished)
        page.check_each_once(20)


async def test_a_test_while_a_worker_sends(tmp_path: Path) -> None:
    """It makes room for a moment, and goes on."""
    async with paged(tmp_path, overrides=SLOW) as page, page.cluster.working():
        other = await page.launched("autumn", 200, first=1001)
        await until_begun(page)
        draft = await page.draft("spring", 3)
        sends = page.accounts.of(draft)
        scratch = page.store.uploads.check_folder(draft.draft_id) / "ledger.sqlite3"
        scratch.parent.mkdir(parents=True, exist_ok=True)
        path = await page.store.uploads.path(draft.uploads[0])
        async with rehearse_campaign("spring", sends.settings, sends.credentials, scratch=scratch, anew=True) as one:
            await one.plan(str(path))
        found = await page.running.test_send(draft, to="+14155550123", row_number=None, who="Anna")
        assert found["outcome"] == "created"
        assert page.creates() < 200
        await page.until_state(other, State.finished)
        page.check_each_once(201)


async def test_a_look_of_a_worker_s_that_is_cut_short(tmp_path: Path) -> None:
    """It is held; whoever goes on has read so, and it is sent."""
    overrides = {"campaign": {"repeat_after_h": 16, "repeat_look_back_max": 3}}
    async with paged(tmp_path, overrides=overrides) as page, page.cluster.working():
        for n in range(6):
            page.plant(phone(900 + n))
        draft = await page.launched("spring", 20)
        await page.until_state(draft, State.held)
        assert page.creates() == 0
        await page.running.go_on(await page.fresh(draft), who="Anna", seen=await page.seen(draft))
        await page.until_state(draft, State.finished)
        assert (await page.status(draft)).rows[RowState.created] == 20


async def test_settings_that_were_put_right(tmp_path: Path) -> None:
    """What an administrator has changed holds once somebody goes on, for workers, too."""
    async with paged(tmp_path) as page, page.cluster.working():
        page.accounts.overrides["guard"] = {"max_rows": 10}  # type: ignore[index]
        draft = await page.launched("spring", 20)
        await page.until_state(draft, State.held)
        page.accounts.overrides["guard"] = {"max_rows": 0}  # type: ignore[index]
        await page.running.go_on(await page.fresh(draft), who="Anna", seen=await page.seen(draft))
        await page.until_state(draft, State.finished)
        page.check_each_once(20)


async def test_stopped_while_its_file_is_planned(tmp_path: Path) -> None:
    """Nobody knows of it yet: the next server plans it anew, compares it with what was confirmed, each row once."""
    rows = 20_000
    async with paged(tmp_path) as page, page.cluster.working():
        draft = await page.launched("spring", rows, confirmed=1)
        await until(lambda: is_loading(page, draft), most_s=20)
        await page.stop()
        assert (await page.fresh(draft)).planned == 0
        await page.start()
        await page.until_state(draft, State.held)
        status = await page.status(draft)
        assert (status.rows[RowState.planned], sum(status.rows.values()), status.earlier_rows) == (rows, rows, {})
        assert page.creates() == 0


async def is_loading(page: Page, draft: Draft) -> bool:
    snapshot = page.running.running(draft.draft_id)
    return snapshot is not None and snapshot.plan_rows > 0


async def test_the_ledger_s_server_restarts(tmp_path: Path) -> None:
    """Everybody waits for it, the page too, and goes on; nothing is held for it."""
    with postgres.PrivateServer() as server:
        async with paged(tmp_path, overrides=SLOW, server=server) as page, page.cluster.working():
            draft = await page.launched("spring", 200)
            await until_begun(page, 20)
            added = await page.upload(write_contacts(tmp_path / "added.csv", 20, first=201))
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(3)
            await asyncio.to_thread(server.start)

            async def is_back() -> bool:
                with contextlib.suppress(LedgerError):
                    return bool(await page.state(draft))
                return False

            await until(is_back)
            await page.running.correct(await page.fresh(draft), (added,), confirmed=220, who="Anna")
            await until(lambda: planned(page, draft.draft_id, 2))
            await page.until_state(draft, State.finished)
            page.check_each_once(220)
            assert "held" not in await page.history()


async def test_another_server_s_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page ends, to be begun anew by whoever looks after it: it can tell nothing any more that is true."""
    async with paged(tmp_path) as page:

        async def gone() -> list[Ordered]:
            raise LedgerGone

        monkeypatch.setattr(page.running.register, "ordered", gone)
        async with asyncio.timeout(10):
            assert isinstance(await page.running.gone(), LedgerGone)

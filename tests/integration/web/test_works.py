"""What is done between two turns of an account: stop for good, put back, recall, look up, retry, correct, test."""

from __future__ import annotations

import asyncio
import contextlib
import csv
from pathlib import Path

import pytest

from dispatcher.campaign import rehearse_campaign
from dispatcher.campaign.retry_choice import RetryChoice
from dispatcher.campaign.retry_choices import facets
from dispatcher.errors import UsageError
from dispatcher.model import RowState
from dispatcher.web.running import State
from dispatcher.web.running.errors import AccountBusy, MoreThanConfirmed, SomebodyWasFirst
from dispatcher.web.store import Draft
from tests.integration.web.served import Served, served
from tests.support.rehearsal import phone, write_contacts

SLOW = {"rate": {"per_second": 40, "in_flight": 4}}


async def test_stop_for_good_and_put_back(tmp_path: Path) -> None:
    """It needs a reason, takes the others out at once, and can be undone: each is reached once then."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.launched("spring", 80)
        behind = await s.launched("summer", 10, first=1001)
        await s.until_created("one", 10)
        with pytest.raises(UsageError):
            await s.running.stop_for_good(draft, who="Ben", reason=" ")
        cancelled = await s.running.stop_for_good(draft, who="Ben", reason="wrong price")
        assert (await s.state(draft), await s.why(draft)) == (State.stopped, "wrong price")
        rows = (await s.status(draft)).rows
        assert (rows[RowState.skipped], rows[RowState.planned]) == (cancelled, 0)
        assert cancelled == 80 - rows[RowState.created] > 0
        await s.until_state(behind, State.finished)
        # A restart changes nothing of it.
        await s.stop()
        await s.start()
        await asyncio.sleep(2.5)
        assert (await s.state(draft), s.creates()) == (State.stopped, rows[RowState.created] + 10)
        seen = await s.seen(draft)
        with pytest.raises(MoreThanConfirmed):
            await s.running.put_back(await s.fresh(draft), who="Anna", seen=seen, confirmed=1)
        assert await s.state(draft) is State.stopped
        await s.running.put_back(await s.fresh(draft), who="Anna", seen=seen, confirmed=80)
        await s.until_state(draft, State.finished)
        s.check_each_once(90)


async def test_recall_ends_this_campaigns_alone(tmp_path: Path) -> None:
    """It is paused, and so is for a moment what runs on the account, which goes on; nobody else's are ended."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02, ends_after_s=None) as s:
        draft = await s.launched("spring", 20)
        await s.until_state(draft, State.finished)
        other = await s.launched("summer", 200, first=1001)
        await s.until_created("one", 30)
        result = await s.running.recall(await s.fresh(draft), who="Anna")
        assert (result.error, result.ended) == (None, 20)
        assert s.creates() < 200
        assert await s.state(draft) is State.finished
        await s.until_state(other, State.finished)
        assert s.sandboxes["one"].stats()["active"] == 200
        s.check_each_once(220)


async def test_a_recall_pauses_what_is_left(tmp_path: Path) -> None:
    """Whoever calls back what was sent does not want the others reached."""
    async with served(tmp_path, overrides=SLOW, latency_s=0.02, ends_after_s=None) as s:
        draft = await s.launched("spring", 100)
        await s.until_created("one", 10)
        result = await s.running.recall(await s.fresh(draft), who="Anna")
        sent = s.creates()
        assert (result.ended, await s.state(draft), await s.why(draft)) == (sent, State.paused, "recalled by Anna")
        await asyncio.sleep(2.5)
        assert (s.creates(), s.sandboxes["one"].stats()["active"]) == (sent, 0)


async def test_retry_of_one_code(tmp_path: Path) -> None:
    """Those rows only, and no more than was typed; the others stay refused."""
    async with served(tmp_path) as s:
        s.faults({"reject": 1})
        draft = await s.launched("spring", 20)
        await s.until_state(draft, State.finished)
        assert (await s.status(draft)).rows[RowState.rejected] == 20
        s.faults({})
        view = await s.running.view_of(draft)
        codes = {row.error_code async for row in view.each_row()}
        (code,) = codes
        assert code is not None
        with pytest.raises(UsageError):
            await s.running.retry(await s.fresh(draft), RetryChoice(codes=(code + 1,)), confirmed=20, who="Anna")
        with pytest.raises(MoreThanConfirmed):
            await s.running.retry(await s.fresh(draft), RetryChoice(codes=(code,)), confirmed=19, who="Anna")
        assert s.creates() == 0
        await s.running.retry(await s.fresh(draft), RetryChoice(codes=(code,)), confirmed=20, who="Anna")
        await s.until_state(draft, State.finished)
        s.check_each_once(20)


async def test_a_retry_form_counts_once(tmp_path: Path) -> None:
    """Sent again by a second click or a stale tab it does nothing, also where as many are refused again."""
    async with served(tmp_path) as s:
        s.faults({"reject": 1})
        draft = await s.launched("spring", 5)
        await s.until_state(draft, State.finished)
        seen = (await s.fresh(draft)).version
        for _ in range(2):
            again = s.running.retry(
                await s.fresh(draft), RetryChoice(all_rejected=True), confirmed=5, who="Anna", seen=seen
            )
            with contextlib.suppress(SomebodyWasFirst):
                await again
            await s.until_state(draft, State.finished)
        assert s.sandboxes["one"].stats()["creates_total_requests"] == 10


async def test_a_test_form_counts_once(tmp_path: Path) -> None:
    """Two clicks at one moment are one test, and one line in the history."""
    async with served(tmp_path, latency_s=0.2) as s:
        draft = await s.draft("spring", 3)
        await _checked(s, draft)
        tests = (s.running.test_send(draft, to="+14155550123", row_number=2, who="Anna") for _ in range(3))
        came = await asyncio.gather(*tests, return_exceptions=True)
        assert [type(one) for one in came[1:]] == [SomebodyWasFirst, SomebodyWasFirst]
        assert (await s.history()).count("tested") == 1
        assert s.sandboxes["one"].stats()["creates_total_requests"] == 1


async def test_rows_in_doubt_are_looked_up(tmp_path: Path) -> None:
    """What was lost on the wire is found, or sent once it is proved that there is nothing."""
    async with served(tmp_path, overrides={"reconcile": {"at_end": False}}) as s:
        s.faults({"reset_after": 0.3, "reset_before": 0.3})
        draft = await s.launched("spring", 40)
        await s.until_state(draft, State.finished)
        s.faults({})
        unknown = (await s.status(draft)).rows[RowState.unknown]
        assert unknown > 0
        found = await s.running.reconcile(await s.fresh(draft), who="Anna")
        assert found.created + found.planned == unknown
        await s.until_state(draft, State.finished)
        s.check_each_once(40)


async def test_corrected_rows_are_a_part(tmp_path: Path) -> None:
    """Rows of the first file that it lacks stay, those that wait, too; the new ones are sent, and nobody twice."""
    async with served(tmp_path) as s:
        source = tmp_path / "spring.csv"
        source.write_text(
            "phone,first_name\n" + "".join(f"{phone(n)},Name\n" for n in range(1, 11)) + "12,Name\n", encoding="utf-8"
        )
        draft = await s.draft("spring", 10, source=source)
        s.faults({"reject": 0.5})
        draft = await s.running.launch(draft, who="Anna", confirmed=10)
        await s.until_state(draft, State.finished)
        s.faults({})
        refused = (await s.status(draft)).rows[RowState.rejected]
        assert (await s.status(draft)).rows[RowState.invalid] == 1
        await s.running.pause(draft, who="Ben", reason="wait")
        await s.running.retry(await s.fresh(draft), RetryChoice(all_rejected=True), confirmed=refused, who="Ben")
        corrected = await s.upload(write_contacts(tmp_path / "corrected.csv", 2, first=10))
        draft = await s.running.correct(await s.fresh(draft), (corrected,), confirmed=refused + 1, who="Ben")
        await s.running.go_on(draft, who="Ben", seen=await s.seen(draft))
        async with asyncio.timeout(20):
            while (await s.fresh(draft)).planned < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await s.until_state(draft, State.finished)
        s.check_each_once(11)
        # The report is of all its rows, and not of the corrected ones alone.
        async with asyncio.timeout(20):
            while s.running.running(draft.draft_id) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        with s.running.report_path(draft.draft_id).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["phone"] for row in rows if row["dispatch_status"] == "created"} == {phone(n) for n in range(1, 12)}
        # What was wrong in the first file and was not corrected is still told.
        assert [row["phone"] for row in rows if row["dispatch_status"] == "invalid"] == ["12"]


async def test_corrections_are_added_together(tmp_path: Path) -> None:
    """What was corrected may have been corrected again before it is added: both files are planned, each once."""
    async with served(tmp_path) as s:
        draft = await s.launched("spring", 3)
        await s.until_state(draft, State.finished)
        first = await s.upload(write_contacts(tmp_path / "first.csv", 2, first=4))
        second = await s.upload(write_contacts(tmp_path / "second.csv", 3, first=5))
        await s.running.correct(await s.fresh(draft), (first, second), confirmed=4, who="Ben")
        await s.until_created("one", 7)
        await s.until_state(draft, State.finished)
        assert (await s.fresh(draft)).planned == 3
        s.check_each_once(7)


async def test_corrected_while_the_last_are_sent(tmp_path: Path) -> None:
    """The run that ends then takes the order back; what came meanwhile is sent all the same."""
    async with served(tmp_path, latency_s=0.5) as s:
        draft = await s.launched("spring", 10)
        await s.until_created("one", 10)
        corrected = await s.upload(write_contacts(tmp_path / "corrected.csv", 2, first=10))
        assert s.running.running(draft.draft_id) is not None
        await s.running.correct(await s.fresh(draft), (corrected,), confirmed=11, who="Ben")
        await s.until_created("one", 11)
        await s.until_state(draft, State.finished)
        s.check_each_once(11)


async def _checked(s: Served, draft: Draft) -> None:
    """What the child leaves of a check."""
    sends = s.accounts.of(draft)
    scratch = s.store.uploads.check_folder(draft.draft_id) / "ledger.sqlite3"
    scratch.parent.mkdir(parents=True)
    async with rehearse_campaign(draft.name, sends.settings, sends.credentials, scratch=scratch, anew=True) as copy:
        await copy.plan(str(s.folder / f"{draft.name}.csv"))


async def test_a_test_waits_politely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It interrupts nobody: it says what is being sent, and goes where the account is free; no row changes."""
    monkeypatch.setattr("dispatcher.web.running.works.TEST_S", 0.5)
    async with served(tmp_path, overrides=SLOW, latency_s=0.02) as s:
        draft = await s.draft("summer", 3, first=1001)
        await _checked(s, draft)
        running = await s.launched("spring", 60)
        await s.until_created("one", 5)
        with pytest.raises(AccountBusy) as caught:
            await s.running.test_send(draft, to="+14155550123", row_number=2, who="Anna")
        assert caught.value.found == "'spring' is being sent"
        await s.until_state(running, State.finished)
        sent = await s.running.test_send(await s.fresh(draft), to="+14155550123", row_number=2, who="Anna")
        assert sent["outcome"] == "created"
        assert (await s.fresh(draft)).test == sent
        assert s.contacts()["+14155550123"] == 1
        draft = await s.running.launch(await s.fresh(draft), who="Anna", confirmed=3)
        await s.until_state(draft, State.finished)
        assert (s.creates(), (await s.status(draft)).rows[RowState.created]) == (64, 3)


async def test_all_files_are_worked_on(tmp_path: Path) -> None:
    """What is stopped, put back, refused and retried counts the rows of every file of a corrected campaign."""
    async with served(tmp_path) as s:
        s.faults({"reject": 1})
        draft = await s.launched("spring", 6)
        await s.until_state(draft, State.finished)
        corrected = await s.upload(write_contacts(tmp_path / "corrected.csv", 3, first=7))
        await s.running.correct(await s.fresh(draft), (corrected,), confirmed=3, who="Ben")
        async with asyncio.timeout(20):
            while (await s.status(draft)).earlier_rows.get(RowState.rejected) != 6:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await s.until_state(draft, State.finished)
        s.faults({})
        view = await s.running.view_of(draft)
        (facet,) = await facets(view)
        assert facet.rows == 9
        assert facet.code is not None
        await s.running.pause(draft, who="Ben")
        choice = RetryChoice(codes=(facet.code,))
        await s.running.retry(await s.fresh(draft), choice, confirmed=facet.rows, who="Ben")
        await s.running.stop_for_good(await s.fresh(draft), who="Ben", reason="not today")
        cancelled = (await view.reasons(whole_campaign=True))["cancelled"]
        assert (cancelled, await s.state(draft)) == (9, State.stopped)
        seen = await s.seen(draft)
        await s.running.put_back(await s.fresh(draft), who="Anna", seen=seen, confirmed=cancelled)
        await s.until_state(draft, State.finished)
        s.check_each_once(9)

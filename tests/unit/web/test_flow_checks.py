"""What Studio says of a draft's flow: asked of a real sandbox once a minute, for the draft as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dispatcher.campaign import Rehearsal, rehearse_campaign
from dispatcher.campaign.flow_check import NotChecked
from dispatcher.errors import DispatcherError
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.sandbox.faults import parse_phases
from dispatcher.settings import Settings
from dispatcher.web import flow_checks as module
from dispatcher.web.flow_checks import KEPT_MAX, KEPT_S, FlowChecks
from dispatcher.web.store import Draft
from tests.support.rehearsal import ACCOUNT_SID, CREDENTIALS, QUICK, write_contacts
from tests.unit.web.running.drafts import LAUNCHED as DRAFT
from tests.unit.web.test_flows import Clock


@dataclass
class Desk:
    """A checked file, opened anew for each page, and a clock."""

    folder: Path
    sandbox: Sandbox
    checks: FlowChecks
    clock: Clock

    def asked(self) -> int:
        """Requests so far."""
        return sum(self.sandbox.stats()["requests"].values())

    def fails(self, is_down: bool) -> None:
        """Have Studio answer nothing useful, or well again."""
        table = {"read_403": 1.0} if is_down else {}
        self.sandbox.fault_plan.replace(parse_phases(table), self.sandbox.now_us())

    def open(self, *, anew: bool = False) -> AbstractAsyncContextManager[Rehearsal]:
        """The draft's check, as a page opens it."""
        tables = {name: dict(values) for name, values in QUICK.items()}
        tables["account"] = {"base_url": self.sandbox.base_url}
        tables["state"] = {"dir": str(self.folder)}
        settings = Settings.model_validate(tables)
        return rehearse_campaign("spring", settings, CREDENTIALS, scratch=self.folder / "check.sqlite3", anew=anew)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    async with Sandbox(SandboxSettings(account_sid=ACCOUNT_SID)) as sandbox:
        found = Desk(tmp_path, sandbox, FlowChecks(), clock)
        async with found.open(anew=True) as rehearsal:
            await rehearsal.plan(write_contacts(tmp_path / "a.csv", 5))
        yield found


async def test_a_draft_s_flow_is_asked_for_once_a_minute(desk: Desk) -> None:
    """By whatever page of it; a draft that has changed, and another one, are asked for anew."""
    async with desk.open() as page:
        found = await desk.checks.of(DRAFT, page, has_credentials=True)
    once = desk.asked()
    assert once
    assert (found.error, found.skipped, found.revision) == (None, None, 1)
    async with desk.open() as page:
        assert await desk.checks.of(DRAFT, page, has_credentials=True) is found
        # Its texts are rendered from what was seen.
        assert (await desk.checks.preview(DRAFT, page, 3)).row_number == 3
        spread = await desk.checks.spread(DRAFT, page)
        assert await desk.checks.spread(DRAFT, page) is spread
    assert desk.asked() == once
    for other in (replace(DRAFT, version=DRAFT.version + 1), replace(DRAFT, draft_id="e" * 22)):
        before = desk.asked()
        async with desk.open() as page:
            assert await desk.checks.of(other, page, has_credentials=True) is not found
        assert desk.asked() > before
    desk.clock.now_s += KEPT_S
    before = desk.asked()
    async with desk.open() as page:
        assert await desk.checks.of(DRAFT, page, has_credentials=True) is not found
    assert desk.asked() > before


async def test_a_preview_first_is_seen_by_the_check(desk: Desk) -> None:
    """Whichever page is opened first: the flow is looked at once, whatever row is shown."""
    numbers = []
    for row in (None, 2, 4):
        async with desk.open() as page:
            numbers.append((await desk.checks.preview(DRAFT, page, row)).row_number)
        if row is None:
            once = desk.asked()
    assert numbers == [2, 2, 4]
    assert desk.asked() == once


async def test_no_answer_is_not_kept(desk: Desk) -> None:
    """It is told as a value, and the next page asks again; texts that cannot be made are told by the error itself."""
    desk.fails(is_down=True)
    async with desk.open() as page:
        found = await desk.checks.of(DRAFT, page, has_credentials=True)
        assert isinstance(found.error, DispatcherError)
        assert (found.findings, found.revision) == ((), None)
        with pytest.raises(DispatcherError):
            await desk.checks.preview(DRAFT, page, None)
        with pytest.raises(DispatcherError):
            await desk.checks.spread(DRAFT, page)
    desk.fails(is_down=False)
    async with desk.open() as page:
        assert (await desk.checks.of(DRAFT, page, has_credentials=True)).error is None


async def test_what_cannot_be_asked_says_why(desk: Desk) -> None:
    """Without credentials nobody is asked; once there are some, it is."""
    async with desk.open() as page:
        before = desk.asked()
        found = await desk.checks.of(DRAFT, page, has_credentials=False)
        assert (found.skipped, found.revision, desk.asked()) == (NotChecked.no_credentials, None, before)
        assert (await desk.checks.of(DRAFT, page, has_credentials=True)).skipped is None


async def test_few_drafts_answers_are_kept(desk: Desk) -> None:
    """The oldest go first; one that was found anew is no old one."""
    drafts = [replace(DRAFT, draft_id=f"{n:022}") for n in range(KEPT_MAX)]

    async def asks(draft: Draft) -> bool:
        before = desk.asked()
        async with desk.open() as page:
            await desk.checks.of(draft, page, has_credentials=True)
        return desk.asked() > before

    assert [await asks(draft) for draft in drafts] == [True] * KEPT_MAX
    desk.clock.now_s += KEPT_S
    # The second is looked at anew: it outlives the third.
    assert await asks(drafts[1])
    for version in (1, 2):
        assert await asks(replace(DRAFT, version=version))
    assert not await asks(drafts[1])
    assert len(desk.checks._found) <= KEPT_MAX

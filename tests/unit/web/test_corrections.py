"""Corrected rows for a campaign that was launched: added once, to the campaign that they were checked against."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dispatcher.web.corrections import add_correction, begin_correction, corrected_draft, is_correction
from dispatcher.web.running import SomebodyWasFirst, State, Supervisor
from dispatcher.web.store import Draft, Stage, Store
from tests.integration.web.served import Served, served
from tests.support.rehearsal import write_contacts
from tests.unit.web.running.drafts import LAUNCHED


@dataclass
class Desk:
    """As much of a site as is needed."""

    served: Served
    store: Store
    supervisor: Supervisor

    async def correction(self, into: Draft, name: str, *, first: int, rows: int = 2) -> Draft:
        """A draft of corrected rows, checked."""
        path = write_contacts(self.served.folder / f"{name}.csv", rows, first=first)
        begun = await begin_correction(self.store, into, await self.served.upload(path), who="Anna", audit=None)
        checked = await self.store.drafts.change(begun.draft_id, begun.version, stage=Stage.checked)
        assert checked is not None
        return checked

    async def add(self, draft: Draft, confirmed: int = 2) -> Draft:
        """As a sender confirms it."""
        return await add_correction(self, draft, confirmed=confirmed, who="Sue", source="")  # type: ignore[arg-type]

    async def launched(self) -> Draft:
        """A campaign of three rows, sent."""
        draft = await self.served.launched("spring", 3)
        await self.served.until_state(draft, State.finished)
        return await self.served.fresh(draft)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with served(tmp_path) as found:
        yield Desk(found, found.store, found.running)


@pytest.mark.parametrize(
    ("look", "into"),
    [(None, None), ({}, None), ({"columns": []}, None), ({"into": "d7"}, "d7"), ({"into": 7}, None)],
)
def test_which_draft_is_one_of_corrections(look: dict[str, Any] | None, into: str | None) -> None:
    """Told by what was seen of its file alone; any other is a campaign of its own."""
    draft = replace(LAUNCHED, look=look)
    assert corrected_draft(draft) == into
    assert is_correction(draft) is (into is not None)


async def test_corrected_rows_are_added_once(desk: Desk) -> None:
    """They are sent with their campaign, nobody gets anything twice, and their draft is gone."""
    into = await desk.launched()
    # Row 3 was sent before; 4 is new.
    draft = await desk.correction(into, "corrected", first=3)
    assert (corrected_draft(draft), draft.planned) == (into.draft_id, 1)
    assert (await desk.add(draft)).draft_id == into.draft_id
    assert await desk.store.drafts.get(draft.draft_id) is None
    await desk.served.until_created("one", 4)
    await desk.served.until_state(into, State.finished)
    desk.served.check_each_once(4)
    with pytest.raises(SomebodyWasFirst):
        await desk.add(draft)


async def test_what_was_checked_against_is_no_more(desk: Desk) -> None:
    """Somebody added other rows meanwhile: the first one's are added, the second is told, and keeps what it has."""
    into = await desk.launched()
    first = await desk.correction(into, "a", first=10)
    second = await desk.correction(into, "b", first=20)
    await desk.add(first)
    with pytest.raises(SomebodyWasFirst):
        await desk.add(second)
    assert await desk.store.drafts.get(second.draft_id) == second
    await desk.served.until_created("one", 5)
    await desk.served.until_state(into, State.finished)
    desk.served.check_each_once(5)


@pytest.mark.parametrize("look", [{"into": "0" * 22}, {}, None])
async def test_a_campaign_that_is_gone(desk: Desk, look: dict[str, Any] | None) -> None:
    """Deleted, or never meant: nothing is added to anything."""
    into = await desk.launched()
    draft = replace(await desk.correction(into, "corrected", first=10), look=look)
    with pytest.raises(SomebodyWasFirst):
        await desk.add(draft)
    assert (await desk.served.fresh(into)).uploads == into.uploads


async def test_a_campaign_that_was_not_launched(desk: Desk) -> None:
    """Rows are added to what a sender has confirmed, and to nothing else."""
    into = await desk.served.draft("spring", 3)
    draft = await desk.correction(into, "corrected", first=10)
    with pytest.raises(SomebodyWasFirst):
        await desk.add(draft)


async def test_a_correction_is_one_from_its_first_moment(desk: Desk) -> None:
    """A server that is killed meanwhile finds no draft that looks like a campaign of its own, of all those files."""
    into = await desk.launched()
    begun = await begin_correction(desk.store, into, "u2", who="Anna", audit=None)
    assert begun.version == 0, "nothing was changed after it was there"
    kept = await desk.served.fresh(begun)
    assert kept == begun
    assert (kept.name, kept.profile, kept.settings) == (into.name, into.profile, into.settings)
    assert (kept.uploads, kept.planned, kept.stage) == ((*into.uploads, "u2"), len(into.uploads), Stage.checking)
    assert corrected_draft(kept) == into.draft_id

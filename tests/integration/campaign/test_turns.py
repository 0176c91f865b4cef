"""A turn of an ordered campaign on a machine that has neither the file nor the lists: all of it is in the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.campaign import Campaign, open_campaign
from dispatcher.campaign.handing import HandedOver
from dispatcher.campaign.launch import Launched, LaunchOptions
from dispatcher.campaign.opening import leased_campaign, opened_ledger
from dispatcher.campaign.turns import take_turn
from dispatcher.errors import CampaignPaused, SuppressionError
from dispatcher.events import EventBus
from dispatcher.model import Reason, RowState
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings.ordered import settings_from, settings_to_send
from tests.support.rehearsal import CREDENTIALS, Rehearsal, phone


@contextlib.asynccontextmanager
async def planned(folder: Path, rows: int, *, lists: bool = False) -> AsyncIterator[Rehearsal]:
    """A campaign that was planned on another machine, whose files are gone now."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as studio:
        there = folder / "there"
        there.mkdir()
        found = Rehearsal(folder, studio)
        if lists:
            (there / "dnc.csv").write_text(f"phone\n{phone(2)}\n", encoding="utf-8")
            found.overrides["suppress"] = {"files": [str(there / "dnc.csv")]}
        source = found.contacts(rows)
        async with open_campaign(found.name, found.settings(), CREDENTIALS) as campaign:
            await campaign.plan(source)
            await campaign.count_left_out()
        source.unlink()
        shutil.rmtree(there)
        yield found


@contextlib.asynccontextmanager
async def taken(found: Rehearsal, *, lists_of_ledger: bool = True) -> AsyncIterator[Campaign]:
    """The campaign, as a worker opens it."""
    own = found.settings()
    settings = settings_from(settings_to_send(own), own)
    async with opened_ledger(own, create=False) as ledger:
        (record,) = await ledger.campaigns()
        async with leased_campaign(
            ledger, record, settings, CREDENTIALS, bus=EventBus(), lists_of_ledger=lists_of_ledger
        ) as campaign:
            yield campaign


async def turn(campaign: Campaign, stopping: list[HandedOver] | None = None) -> Launched:
    def check() -> None:
        if stopping:
            raise stopping[0]

    options = LaunchOptions(report=None, whole_campaign=True)
    return await take_turn(campaign, options, check=check, confirm=lambda _: None)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def test_all_is_sent_and_nothing_is_left_on_this_machine(tmp_path: Path) -> None:
    """No file is read, and no report is written: it holds contacts' cells."""
    async with planned(tmp_path, 20) as found, taken(found) as campaign:
        before = files(tmp_path)
        launched = await turn(campaign)
        assert (launched.report, launched.report_error, launched.result.error) == (None, None, None)
        assert launched.result.status.rows[RowState.created] == 20
        assert files(tmp_path) == before
        assert (await campaign.status()).report_path is None


async def test_lists_are_those_that_the_ledger_has_read(tmp_path: Path) -> None:
    """Whoever is on one is left out, though its file is another machine's; without them nothing would be sent."""
    async with planned(tmp_path, 5, lists=True) as found:
        async with taken(found, lists_of_ledger=False) as campaign:
            with pytest.raises(SuppressionError):
                await turn(campaign)
        async with taken(found) as campaign:
            launched = await turn(campaign)
        assert launched.result.status.rows[RowState.created] == 4
        assert launched.skipped == {Reason.suppressed: 1}
        assert phone(2) not in found.sandbox.stats()["created_by_to"]


async def test_a_list_that_was_never_read_stops_it(tmp_path: Path) -> None:
    """Nobody knows whom it names."""
    async with planned(tmp_path, 5) as found:
        found.overrides["suppress"] = {"files": ["/lists/other.csv"]}
        async with taken(found) as campaign:
            with pytest.raises(SuppressionError, match=r"other\.csv is not in the ledger"):
                await turn(campaign)
        assert found.sandbox.stats()["creates"] == 0


async def test_a_list_that_was_read_too_long_ago_stops_it(tmp_path: Path) -> None:
    """As one whose file is too old."""
    async with planned(tmp_path, 5, lists=True) as found:
        found.overrides["suppress"]["max_age_days"] = 1e-9
        async with taken(found) as campaign:
            await asyncio.sleep(0.01)
            with pytest.raises(SuppressionError, match="older than"):
                await turn(campaign)


async def test_a_pause_is_told(tmp_path: Path) -> None:
    """Before anything is asked of Studio."""
    async with planned(tmp_path, 5) as found, taken(found) as campaign:
        await campaign.pause("wrong price")
        with pytest.raises(CampaignPaused):
            await turn(campaign)
        assert found.sandbox.stats()["creates"] == 0


async def test_a_stop_before_it_sends_is_one(tmp_path: Path) -> None:
    """Nothing of it has begun: the next one does."""
    async with planned(tmp_path, 5) as found, taken(found) as campaign:
        stopping = HandedOver()
        with pytest.raises(HandedOver) as caught:
            await turn(campaign, [stopping])
        assert caught.value is stopping
        assert (await campaign.status()).running is False

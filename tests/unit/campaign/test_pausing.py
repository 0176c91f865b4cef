"""A campaign that is paused while somebody is about to send it, against a real sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.campaign import open_campaign, view_campaign
from dispatcher.campaign.launch import LaunchOptions, launch
from dispatcher.errors import CampaignPaused, ExitCode, GuardTripped
from dispatcher.model import RowState
from dispatcher.reporting.summary import CampaignState, campaign_state
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.rehearsal import CREDENTIALS, Rehearsal

REPORT = Path("report.csv")


async def test_the_later_pause_stays(tmp_path: Path) -> None:
    """Who was asked about one pause lifts that one; another that came meanwhile holds, and nothing is sent."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox)
        settings = rehearsal.settings()
        async with open_campaign("spring", settings, CREDENTIALS) as campaign:
            await campaign.plan(rehearsal.contacts(5))
            await campaign.pause("lunch")
            seen = await campaign.seen_pause()
            # While the question is open.
            await campaign.lift_pause(await campaign.wish())
            async with view_campaign("spring", settings) as other:
                await other.pause("wrong price")
            with pytest.raises(CampaignPaused) as caught:
                await launch(
                    campaign,
                    LaunchOptions(report=REPORT),
                    confirm=lambda ahead: None,
                    before=lambda: campaign.lift_pause(seen),
                )
            assert caught.value.found == "wrong price"
            assert sandbox.stats()["creates"] == 0
            await campaign.lift_pause(await campaign.seen_pause())
            # Lifted by another already: nothing is wrong with that.
            await campaign.lift_pause(seen)
            assert (await campaign.send()).exit_code is ExitCode.OK
            assert sandbox.stats()["creates"] == 5


async def test_a_pause_that_nobody_was_asked_about(tmp_path: Path) -> None:
    """It came when nothing had been paused: the send itself stops at it, with a report and 5."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox)
        async with open_campaign("spring", rehearsal.settings(), CREDENTIALS) as campaign:
            await campaign.plan(rehearsal.contacts(5))
            seen = await campaign.seen_pause()

            async def before() -> None:
                await campaign.pause()
                await campaign.lift_pause(seen)

            launched = await launch(campaign, LaunchOptions(report=REPORT), confirm=lambda ahead: None, before=before)
            assert (launched.exit_code, sandbox.stats()["creates"]) == (ExitCode.STOPPED, 0)
            assert isinstance(launched.result.error, CampaignPaused)
            assert not isinstance(launched.result.error, GuardTripped)
            assert launched.result.status.rows[RowState.planned] == 5
            assert campaign_state(launched.result.status) is CampaignState.paused
            assert launched.report == REPORT

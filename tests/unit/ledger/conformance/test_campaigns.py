"""Campaigns and accounts: found by name, and never mixed up."""

from __future__ import annotations

import pytest

from dispatcher.errors import CampaignMismatch, CampaignNotFound
from dispatcher.ledger import Ledger
from dispatcher.remedies import Advice, AnyOf, Option, Setting
from tests.support.ledgers import ACCOUNT_SID, BASE_URL, FLOW_SID, account, campaign, lines, planned


async def test_a_name_is_one_campaign(ledger: Ledger) -> None:
    """A name is one campaign."""
    spring = await campaign(ledger)
    assert await campaign(ledger) == spring == await ledger.find_campaign("spring")
    await campaign(ledger, "summer")
    assert [record.name for record in await ledger.campaigns()] == ["spring", "summer"]


async def test_an_accounts_host_belongs_to_it(ledger: Ledger) -> None:
    """An account's host belongs to it: the same SID at another host is another account."""
    here, there = await account(ledger), await ledger.account(ACCOUNT_SID, "http://localhost")
    assert here != there
    assert await account(ledger) == here


async def test_a_name_belongs_to_one_flow_and_account(ledger: Ledger) -> None:
    """A name belongs to one flow and account."""
    spring = await campaign(ledger)
    with pytest.raises(CampaignMismatch, match="another flow") as caught:
        await ledger.open_campaign("spring", spring.account, "FW" + "1" * 32)
    assert (caught.value.found, caught.value.fix) == (
        FLOW_SID,
        AnyOf(Option("campaign", "spring-2"), Setting("campaign.flow", FLOW_SID)),
    )
    with pytest.raises(CampaignMismatch, match="another account") as caught:
        await ledger.open_campaign("spring", await ledger.account(ACCOUNT_SID, "http://localhost"), FLOW_SID)
    assert caught.value.found == f"{ACCOUNT_SID} at {BASE_URL}"
    assert await ledger.find_campaign("spring") == spring


async def test_a_name_that_is_not_there_finds_the_nearest(ledger: Ledger) -> None:
    """A name that is not there finds the nearest."""
    with pytest.raises(CampaignNotFound) as caught:
        await ledger.find_campaign("spring")
    assert caught.value.found == "an empty ledger"
    await campaign(ledger, "spring-2026")
    with pytest.raises(CampaignNotFound) as caught:
        await ledger.find_campaign("sprang-2026")
    assert (caught.value.found, caught.value.fix) == ("spring-2026", Advice("did you mean 'spring-2026'?"))


async def test_the_reports_place_is_remembered(ledger: Ledger) -> None:
    """The report's place is remembered."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a"))
    await ledger.set_report_path(spring, "spring-report.csv")
    status = await ledger.status(spring)
    assert (status.report_path, status.campaign.input_id) == ("spring-report.csv", counts.input_id)

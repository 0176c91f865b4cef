"""Campaigns and accounts: found by name, and never mixed up."""

from __future__ import annotations

import pytest

from dispatcher.errors import CampaignMismatch, CampaignNotFound
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord
from dispatcher.model import Outcome, RowState
from dispatcher.remedies import Advice, Setting
from tests.support.ledgers import ACCOUNT_SID, BASE_URL, FLOW_SID, NONE, account, campaign, end, lines, planned


async def test_a_name_is_one_campaign(ledger: Ledger) -> None:
    """A name is one campaign."""
    spring = await campaign(ledger)
    assert await campaign(ledger) == spring == await ledger.find_campaign("spring")
    await campaign(ledger, "summer")
    assert [record.name for record in await ledger.campaigns()] == ["spring", "summer"]


async def test_an_accounts_host_belongs_to_it(ledger: Ledger) -> None:
    """An account's host belongs to it: the same SID at another host is another account."""
    here, there = await account(ledger), await ledger.account(ACCOUNT_SID, "http://127.0.0.1:8080")
    assert here != there
    assert await account(ledger) == here


async def _begun(ledger: Ledger, record: CampaignRecord) -> None:
    """An attempt of the campaign's is on its way, and ends."""
    await planned(ledger, record, lines("+15550100001"))
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    (row,) = await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    await ledger.end_rows(run, [end(row, Outcome.created)], now_ms=6, totals=NONE)
    await ledger.stop_run(run, now_ms=7, reason=None, totals=NONE)


async def test_a_begun_campaign_keeps_its_flow_and_account(ledger: Ledger) -> None:
    """After its first attempt, and nothing that is advised would reach anybody twice."""
    spring = await campaign(ledger)
    await _begun(ledger, spring)
    with pytest.raises(CampaignMismatch, match="another flow") as caught:
        await ledger.open_campaign("spring", spring.account, "FW" + "1" * 32)
    assert (caught.value.found, caught.value.fix) == (FLOW_SID, Setting("campaign.flow", FLOW_SID))
    if ledger.is_shared:
        return
    other = await ledger.account("AC" + "1" * 32, BASE_URL)
    with pytest.raises(CampaignMismatch, match="another account") as caught:
        await ledger.open_campaign("spring", other, FLOW_SID)
    assert caught.value.found == f"{ACCOUNT_SID} at {BASE_URL}"
    assert caught.value.fix == Advice("go on with the account it belongs to")
    assert (await ledger.find_campaign("spring")).flow_sid == FLOW_SID
    with pytest.raises(CampaignMismatch, match="another account"):
        await ledger.find_campaign("spring", other)


async def test_flow_and_account_can_change_before(ledger: Ledger) -> None:
    """Until the first attempt: a wrong flow that was noticed in the check costs nothing."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("+15550100001"))
    moved = await ledger.open_campaign("spring", spring.account, "FW" + "1" * 32)
    assert (moved.campaign_id, moved.flow_sid, moved.input_id) == (
        spring.campaign_id,
        "FW" + "1" * 32,
        counts.input_id,
    )
    if ledger.is_shared:
        return
    other = await ledger.account("AC" + "1" * 32, BASE_URL)
    moved = await ledger.open_campaign("spring", other, FLOW_SID)
    assert (moved.campaign_id, moved.account) == (spring.campaign_id, other)
    assert [record.account for record in await ledger.campaigns()] == [other]


async def test_accounts_of_a_server_have_names_of_their_own(ledger: Ledger) -> None:
    """Many teams share it: none takes another's campaign away, with the rows that it has planned, nor is in its way."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("+15550100001"))
    if not ledger.is_shared:
        return
    other = await ledger.account("AC" + "1" * 32, BASE_URL)
    theirs = await ledger.open_campaign("spring", other, "FW" + "1" * 32)
    assert (theirs.account, theirs.flow_sid, theirs.input_id) == (other, "FW" + "1" * 32, None)
    await planned(ledger, theirs, lines("+15550100001"))
    for record in (spring, theirs):
        assert (await ledger.status(record)).rows[RowState.planned] == 1
        assert (await ledger.find_campaign("spring", record.account)).campaign_id == record.campaign_id
    with pytest.raises(CampaignMismatch, match="several accounts"):
        await ledger.find_campaign("spring")


async def test_what_a_server_is_to_send_stays(ledger: Ledger) -> None:
    """With the account it was ordered for, before its first attempt already; its flow may still be changed."""
    spring = await campaign(ledger)
    await ledger.wishes.order(spring, await ledger.wishes.of(spring), 70_000)
    if ledger.is_shared:
        return
    other = await ledger.account("AC" + "1" * 32, BASE_URL)
    with pytest.raises(CampaignMismatch, match="another account"):
        await ledger.open_campaign("spring", other, FLOW_SID)
    assert (await ledger.open_campaign("spring", spring.account, "FW" + "1" * 32)).campaign_id == spring.campaign_id
    await ledger.wishes.order(spring, await ledger.wishes.of(spring), None)
    assert (await ledger.open_campaign("spring", other, FLOW_SID)).account == other


async def test_a_killed_run_that_sent_nothing(ledger: Ledger) -> None:
    """It is no first attempt; one that may be at work is."""
    spring = await campaign(ledger)
    await ledger.start_run(spring, window_limit=200, now_ms=1)
    async with ledger.lease(spring.account, wait=False):
        with pytest.raises(CampaignMismatch, match="another flow"):
            await ledger.open_campaign("spring", spring.account, "FW" + "1" * 32)
    assert (await ledger.open_campaign("spring", spring.account, "FW" + "1" * 32)).campaign_id == spring.campaign_id


async def test_a_rehearsal_may_have_the_same_name(ledger: Ledger) -> None:
    """Names are unique per account: a campaign of this machine's sandbox is in no real one's way."""
    rehearsed = await campaign(ledger)
    await _begun(ledger, rehearsed)
    real = await ledger.open_campaign(
        "spring", await ledger.account(ACCOUNT_SID, "https://studio.example.com"), FLOW_SID
    )
    assert real.campaign_id != rehearsed.campaign_id
    assert await ledger.find_campaign("spring", real.account) == real
    with pytest.raises(CampaignMismatch, match="several accounts"):
        await ledger.find_campaign("spring")


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

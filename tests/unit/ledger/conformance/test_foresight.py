"""Whom the account has reached lately, as people are told before they send."""

from __future__ import annotations

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord
from dispatcher.model import Outcome
from tests.support.ledgers import NONE, account, campaign, end, lines, planned

ANN, BOB, CYD = "+15550100001", "+15550100002", "+15550100003"


async def sent(ledger: Ledger, record: CampaignRecord, now_ms: int, outcome: Outcome = Outcome.created) -> None:
    run = await ledger.start_run(record, window_limit=200, now_ms=now_ms)
    rows = await ledger.begin_rows(run, 100, now_ms=now_ms, input_id=None)
    await ledger.end_rows(run, [end(row, outcome, at_ms=now_ms) for row in rows], now_ms=now_ms, totals=NONE)
    await ledger.stop_run(run, now_ms=now_ms, reason=None, totals=NONE)


async def test_who_was_reached_is_told_by_campaign(ledger: Ledger) -> None:
    """On any flow, by whichever channel, after the moment, of this account; the place is that of the question."""
    spring = await campaign(ledger)
    other_flow = await ledger.open_campaign("may", spring.account, "FW" + "2" * 32)
    await planned(ledger, spring, lines(ANN, BOB))
    await sent(ledger, spring, 1_000)
    await planned(ledger, other_flow, lines(BOB))
    await sent(ledger, other_flow, 2_000)
    found = await ledger.foresight.reached(spring.account, [CYD, f"whatsapp:{BOB}", ANN], 999)
    told = {(one.place, one.campaign, one.begun_at_ms) for one in found}
    assert told == {(1, "spring", 1_000), (1, "may", 2_000), (2, "spring", 1_000)}
    later = await ledger.foresight.reached(spring.account, [ANN, BOB], 1_000)
    assert [(one.place, one.campaign) for one in later] == [(1, "may")]
    stranger = await account(ledger, "AC" + "9" * 32)
    assert await ledger.foresight.reached(stranger, [ANN, BOB], 0) == []
    assert await ledger.foresight.reached(spring.account, [], 0) == []


@pytest.mark.parametrize("outcome", [*Outcome])
async def test_only_what_may_have_reached_them_counts(ledger: Ledger, outcome: Outcome) -> None:
    """As for those who are held back: created and unknown count, what created nothing does not."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(ANN))
    await sent(ledger, spring, 1_000, outcome)
    found = await ledger.foresight.reached(spring.account, [ANN], 0)
    assert bool(found) == (outcome in (Outcome.created, Outcome.unknown))


async def test_planned_addresses_come_in_order(ledger: Ledger) -> None:
    """Those of a file that are planned; an end is told."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(CYD, ANN, BOB))
    addresses, after = await ledger.foresight.planned(counts.input_id)
    assert addresses == [CYD, ANN, BOB]
    assert after is not None
    assert await ledger.foresight.planned(counts.input_id, after=after) == ([], None)

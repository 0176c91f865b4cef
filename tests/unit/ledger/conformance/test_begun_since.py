"""What an account has begun since a moment: what a daily cap counts from."""

from __future__ import annotations

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord
from dispatcher.model import Outcome
from tests.support.ledgers import NONE, account, campaign, end, lines, planned
from tests.unit.ledger.conformance.harness import Harness

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


async def send(ledger: Ledger, record: CampaignRecord, now_ms: int, outcome: Outcome | None = Outcome.created) -> None:
    run = await ledger.start_run(record, window_limit=200, now_ms=now_ms)
    rows = await ledger.begin_rows(run, 100, now_ms=now_ms, input_id=None)
    if outcome is not None:
        await ledger.end_rows(run, [end(row, outcome, at_ms=now_ms) for row in rows], now_ms=now_ms, totals=NONE)
        await ledger.stop_run(run, now_ms=now_ms, reason=None, totals=NONE)


async def test_of_all_campaigns_since_then(ledger: Ledger, harness: Harness) -> None:
    """Of every campaign and flow of the account, and of no other account; from that moment on."""
    spring = await campaign(ledger)
    alert = await ledger.open_campaign("alert", spring.account, "FW" + "9" * 32)
    other = await campaign(ledger, "other", "AC" + "9" * 32)
    for record, hours, people in ((spring, 5, 2), (alert, 2, 3), (other, 2, 4)):
        await planned(ledger, record, lines(*[f"+1555010{n:04}" for n in range(people)]))
        await send(ledger, record, NOW_MS - hours * HOUR_MS)
    owner = spring.account
    assert await ledger.begun_since(owner, NOW_MS - 6 * HOUR_MS) == 5
    assert await ledger.begun_since(owner, NOW_MS - 5 * HOUR_MS) == 5
    assert await ledger.begun_since(owner, NOW_MS - 5 * HOUR_MS + 1) == 3
    assert await ledger.begun_since(owner, NOW_MS) == 0
    assert await ledger.begun_since(await account(ledger, "AC" + "9" * 32), 0) == 4


@pytest.mark.parametrize("outcome", [*Outcome, None])
async def test_what_may_have_been_created_counts(ledger: Ledger, outcome: Outcome | None) -> None:
    """Created, unknown and on the wire count; what is proved to have created nothing does not."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("+15550100001"))
    await send(ledger, spring, NOW_MS, outcome)
    counts = outcome in (Outcome.created, Outcome.unknown, None)
    assert await ledger.begun_since(spring.account, NOW_MS) == counts


async def test_when_the_first_may_go(ledger: Ledger) -> None:
    """At once, where one row has no time of its own; none where none waits."""
    spring = await campaign(ledger)
    assert await ledger.places.first_due_ms(spring, None) is None
    await planned(ledger, spring, lines("+15550100001"))
    assert await ledger.places.first_due_ms(spring, None) == 0
    await send(ledger, spring, NOW_MS)
    assert await ledger.places.first_due_ms(spring, None) is None

"""What a run tells of itself while nothing ends, to those who look into its ledger from other machines."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from dispatcher.errors import LedgerUnreachable
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import Account, CampaignRecord, Run, RunTotals
from dispatcher.sending.pulse import PULSE_S, pulse

CAMPAIGN = CampaignRecord(
    campaign_id=1,
    name="spring",
    account=Account(account_id=1, account_sid="AC" + "0" * 32, base_url="http://127.0.0.1"),
    flow_sid="FW",
    input_id=1,
)
RUN = Run(run_id=1, campaign=CAMPAIGN, epoch=1, recovered=0)


class Told:
    """A ledger that keeps what a run tells of itself. `fails`: it cannot be reached."""

    def __init__(self, *, is_shared: bool = True) -> None:
        self.is_shared = is_shared
        self.fails = False
        self.totals: list[RunTotals] = []

    async def end_rows(self, run: Run, ends: Any, *, now_ms: int, totals: RunTotals) -> None:
        assert (run, ends) == (RUN, [])
        if self.fails:
            raise LedgerUnreachable("the ledger cannot be reached", fix="look after it")
        self.totals.append(totals)


async def test_while_it_waits() -> None:
    """So often it says that it is there and what it waits for; not any more afterwards."""
    ledger, now = Told(), RunTotals(waits="a pause", waits_until_ms=5)
    async with pulse(cast(Ledger, ledger), RUN, lambda: now):
        await asyncio.sleep(PULSE_S * 2.5)
        assert ledger.totals == [now] * 2
        now = RunTotals()
        await asyncio.sleep(PULSE_S)
        assert ledger.totals[-1] == now
    await asyncio.sleep(PULSE_S * 3)
    assert len(ledger.totals) == 3


async def test_what_has_just_begun_to_wait() -> None:
    """Its last answers were written before it did."""
    ledger, now = Told(), RunTotals()
    async with pulse(cast(Ledger, ledger), RUN, lambda: now):
        await asyncio.sleep(PULSE_S / 2)
        now = RunTotals(requests=9, waits="a pause")
        await asyncio.sleep(PULSE_S)
    assert ledger.totals == [now]


async def test_while_it_sends() -> None:
    """What is written with the answers says all of it."""
    ledger, requests = Told(), 0

    def totals() -> RunTotals:
        return RunTotals(requests=requests)

    async with pulse(cast(Ledger, ledger), RUN, totals):
        for _ in range(4):
            requests += 1
            await asyncio.sleep(PULSE_S)
        assert ledger.totals == []
        await asyncio.sleep(PULSE_S * 2)
        assert ledger.totals


async def test_a_ledger_that_cannot_be_reached() -> None:
    """Whoever cannot be told now is told the next time."""
    ledger = Told()
    ledger.fails = True
    async with pulse(cast(Ledger, ledger), RUN, RunTotals):
        await asyncio.sleep(PULSE_S * 1.5)
        ledger.fails = False
        await asyncio.sleep(PULSE_S)
    assert len(ledger.totals) == 1


async def test_nobody_looks_on() -> None:
    """A ledger in a file has no other machines."""
    ledger = Told(is_shared=False)
    async with pulse(cast(Ledger, ledger), RUN, RunTotals):
        await asyncio.sleep(PULSE_S * 3)
    assert ledger.totals == []

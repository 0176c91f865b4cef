"""People and campaigns that are taken out of a ledger, under everybody's lease."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.campaign.archive import aged_campaigns, old_enough
from dispatcher.campaign.forgetting import open_forgetting
from dispatcher.events import EventBus
from dispatcher.ledger import open_ledger
from dispatcher.settings import Settings
from tests.support.ledgers import NONE, campaign, lines, planned

FAR_MS = 1 << 50


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"state": {"dir": str(tmp_path / "state")}})


async def test_what_is_run_meanwhile_is_not_pruned(settings: Settings) -> None:
    """While somebody is asked, a campaign may be sent again and be over: it is not old any more."""
    ledger = await open_ledger(settings.state)
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    for record in (spring, summer):
        await planned(ledger, record, lines("+12025550101"))
        await ledger.cancel_rows(record, "no")
    old, _ = old_enough(await aged_campaigns(settings), 1, FAR_MS)
    assert [one.status.campaign.name for one in old] == ["spring", "summer"]
    run = await ledger.start_run(summer, window_limit=200, now_ms=FAR_MS)
    await ledger.stop_run(run, now_ms=FAR_MS, reason=None, totals=NONE)
    async with open_forgetting(settings, bus=EventBus(), wait=False, rehearsals=False) as opened:
        pruned, rows = await opened.prune(old)
    assert ([one.status.campaign.name for one in pruned], rows) == (["spring"], 1)
    assert [one.age.is_pruned for one in await aged_campaigns(settings)] == [True, False]
    await ledger.close()

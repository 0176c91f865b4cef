"""What of a launch on a cluster is the command line's: what is refused, and who is told."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.cli import entrusting
from dispatcher.cli.render.campaign import sender_pairs
from dispatcher.errors import UsageError
from dispatcher.ledger.records import CampaignRecord, CampaignStatus, LatestRun
from dispatcher.model import RowState
from dispatcher.remedies import AnyOf, Setting
from dispatcher.settings import Settings
from tests.unit.campaign import values

HERE = Settings()
CLUSTER = Settings.model_validate({"state": {"url": "postgresql://db.example/dispatcher"}})


def status(**changes: Any) -> CampaignStatus:
    return replace(values.status({RowState.planned: 1}), **changes)


def test_only_a_cluster_has_workers() -> None:
    """On one machine this process sends, as ever."""
    assert entrusting.entrusting_of(HERE, until_done=True) is None
    found = entrusting.entrusting_of(CLUSTER, until_done=True)
    assert found is not None
    assert found.until_done


async def test_whom_the_hint_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers of that ledger, of this campaign."""
    told = []

    async def hint_shift(settings: Settings, record: CampaignRecord) -> None:
        told.append((settings, record))

    monkeypatch.setitem(sys.modules, "dispatcher.cluster.app", SimpleNamespace(hint_shift=hint_shift))
    found = entrusting.entrusting_of(CLUSTER, until_done=False)
    assert found is not None
    await found.hint(status().campaign)
    assert told == [(CLUSTER, status().campaign)]


def test_a_part_is_refused() -> None:
    """With what does the same; on one machine it is what it always was."""
    entrusting.refuse_limit(CLUSTER, None)
    entrusting.refuse_limit(HERE, 5)
    with pytest.raises(UsageError) as refused:
        entrusting.refuse_limit(CLUSTER, 5)
    assert isinstance(refused.value.fix, AnyOf)
    assert refused.value.fix.remedies[0] == Setting("canary.rows", 5)


def test_who_sends_is_shown() -> None:
    """With how fast it may, and what it waits for; where none does, whether the account is held by somebody else."""
    run = LatestRun(run_id=1, host="alpha", waits="Studio answered 429", waits_until_ms=0, rate_per_s=12.5)
    lines = dict(sender_pairs(status(running=True, run=run), is_busy=True))
    assert str(lines["sent by"]) == "alpha, 12.5/s allowed"
    assert str(lines["waits"]).startswith("Studio answered 429, until 1970-01-01")
    assert [label for label, _ in sender_pairs(status(run=run), is_busy=True)] == ["account"]
    assert sender_pairs(status(run=run), is_busy=False) == []

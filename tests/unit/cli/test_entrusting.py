"""What of a launch on a cluster is the command line's: what is refused, and who is told."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.cli import entrusting
from dispatcher.cli.render.campaign import sender_pairs, state_text
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


@pytest.mark.parametrize(("settings", "again", "earlier"), [(HERE, True, 3), (CLUSTER, False, 3), (CLUSTER, True, 0)])
async def test_again_is_for_one_file(settings: Settings, again: bool, earlier: int) -> None:
    """On one machine it is for what this run sends; on a cluster no row of another file may wait."""

    async def found() -> CampaignStatus:
        return status(earlier_rows={RowState.planned: earlier})

    campaign: Any = SimpleNamespace(settings=settings, name="spring", status=found)
    await entrusting.refuse_again(campaign, again=again)


async def test_again_with_rows_of_other_files() -> None:
    """They would be reached again, and nobody has asked for that."""

    async def found() -> CampaignStatus:
        return status(earlier_rows={RowState.planned: 1})

    campaign: Any = SimpleNamespace(settings=CLUSTER, name="spring", status=found)
    with pytest.raises(UsageError) as refused:
        await entrusting.refuse_again(campaign, again=True)
    assert refused.value.found == "1 row of earlier files of campaign 'spring' still to be sent"


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


@pytest.mark.parametrize(
    ("is_settled", "who"),
    [
        (None, "its server is to send it"),
        (True, "its workers are to send it"),
        (False, "whoever has planned it has not ordered it yet"),
    ],
)
def test_who_is_to_send_it(is_settled: bool | None, who: str) -> None:
    """On one machine a page's server; on a cluster workers, once they are told how."""
    assert who in state_text(status(due_ms=1, is_settled=is_settled)).plain

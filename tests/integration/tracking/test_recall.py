"""Recall ends what the campaign has started and nothing else, whatever comes between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.errors import ExitCode, FlowNotFound
from dispatcher.events import Event, Tracking
from dispatcher.model import ExecutionStatus
from dispatcher.remedies import Command
from dispatcher.sandbox import default_flow
from tests.integration.tracking.sent import TO_THE_END_S, sent, written
from tests.support.rehearsal import CREDENTIALS, phone

ACTIVE, ENDED, GONE = ExecutionStatus
#: Executions that do not end by themselves.
LASTING: dict[str, Any] = {"flow": default_flow(), "ends_after_s": None}


@pytest.mark.parametrize("version", ["v2", "v1"])
async def test_a_half_run_campaign_is_recalled(tmp_path: Path, version: str) -> None:
    """After the recall of a half-run campaign no execution is active, and the rest stays `planned`."""
    async with sent(tmp_path, 0, api_version=version, **LASTING) as one:
        rehearsal = one.rehearsal
        await rehearsal.run(rehearsal.contacts(60), limit=30)
        assert one.sandbox.stats()["active"] == 30
        result = await one.recall()
        assert (result.exit_code, result.ended, result.already_ended, result.failed) == (ExitCode.OK, 30, 0, 0)
        stats = one.sandbox.stats()
        assert (stats["active"], stats["creates"]) == (0, 30)
        assert rehearsal.states() == {"created": 30, "planned": 30}
        # It is known of each that we ended it, and asked nothing twice.
        rows = await one.report()
        assert [row["status"] for row in rows] == ["recalled"] * 30 + [""] * 30
        assert all(row["ended_at"] for row in rows[:30])
        one.count_reads()
        again = await one.recall()
        assert (again.ended, one.reads) == (0, {})


async def test_only_the_campaign_s_own_executions_are_ended(tmp_path: Path) -> None:
    async with sent(tmp_path, 10, **LASTING) as one:
        theirs = one.rehearsal.plant(phone(99))
        one.rehearsal.name = "autumn"
        await one.rehearsal.run(one.rehearsal.contacts(5, first=500))
        one.rehearsal.name = "spring"
        result = await one.recall()
        assert result.ended == 10
        sids = one.sandbox.studio.executions.sids
        active = {
            sids.at(execution.n)
            for execution in one.sandbox.studio.executions.log
            if execution.status(one.sandbox.now_us()) == "active"
        }
        assert theirs in active
        assert len(active) == 6


async def test_executions_that_had_ended(tmp_path: Path) -> None:
    """Executions that had ended are left alone, and what became of all is read later."""
    async with sent(tmp_path, 40) as one:
        one.clock.freeze()
        one.clock.ahead_s = 20.0
        active = one.sandbox.stats()["active"]
        assert 5 < active < 35
        result = await one.recall()
        assert (result.ended, result.already_ended) == (active, 0)
        assert one.reads["update"] == active
        one.clock.ahead_s = TO_THE_END_S
        tracked = await one.track(steps="always")
        assert (tracked.read, tracked.counts.recalled) == (40, active)
        assert [row["status"] for row in await one.report(steps="always")].count("recalled") == active


async def test_one_that_ends_by_itself_meanwhile(tmp_path: Path) -> None:
    """An execution that ends by itself meanwhile is counted apart."""
    async with written(tmp_path, 12, age_s=0.0, ends_after_s=lambda n: TO_THE_END_S / 2) as one:
        # After the look: once the first is ended, all others end by themselves.
        async with one.campaign(concurrency=1) as campaign:

            def time_passes(event: Event) -> None:
                if isinstance(event, Tracking) and "ended already" in event.detail:
                    one.clock.ahead_s = TO_THE_END_S

            campaign.bus.subscribe(time_passes)
            result = await campaign.recall()
        assert (result.ended, result.already_ended) == (1, 11)
        assert result.exit_code is ExitCode.OK
        assert (await one.track()).counts.recalled == 1


@pytest.mark.parametrize(
    "faults",
    [
        {"update_429": 0.4},
        {"update_500_before": 0.2, "update_500_after": 0.2},
        {"update_reset_before": 0.2, "update_reset_after": 0.2},
        {"update_hang_after": 0.05, "read_500": 0.2},
    ],
)
async def test_faults_leave_nothing_active(tmp_path: Path, faults: dict[str, float]) -> None:
    """Faults of reads and updates leave nothing active: the recall is repeated until it is through."""
    async with sent(tmp_path, 40, **LASTING) as one:
        one.rehearsal.faults(faults)
        async with one.campaign() as campaign:
            pass
        one.rehearsal.overrides["timeouts"] = {"answer_s": 0.5}
        settings = one.rehearsal.settings()
        for _ in range(5):
            async with open_campaign("spring", settings, CREDENTIALS, create=False) as campaign:
                result = await campaign.recall()
            if result.exit_code is ExitCode.OK:
                break
        assert result.exit_code is ExitCode.OK
        assert one.sandbox.stats()["active"] == 0
        counts = (await one.track(details=False)).counts
        assert counts.by_status == {ACTIVE: 0, ENDED: 40, GONE: 0}


async def test_a_recall_that_is_stopped(tmp_path: Path) -> None:
    """A recall that is stopped on the way goes on later.

    A stop lets requests under way finish, so that each execution is counted once by the recall that ended it.
    """
    # Answers come one after the other: at each moment other requests are under way.
    async with sent(tmp_path, 60, latency_s=0.01, latency_jitter_s=0.05, **LASTING) as one:
        async with one.campaign(concurrency=4) as campaign:

            def stop(event: Event) -> None:
                if isinstance(event, Tracking) and "ended already" in event.detail and event.done >= 10:
                    campaign.stop()

            campaign.bus.subscribe(stop)
            first = await campaign.recall()
        assert first.exit_code is ExitCode.INTERRUPTED
        assert first.error is not None
        assert first.error.fix == Command("recall", ("spring",))
        assert 0 < first.ended < 60
        assert one.sandbox.stats()["active"] == 60 - first.ended
        second = await one.recall()
        assert one.sandbox.stats()["active"] == 0
        assert (second.ended, second.already_ended) == (60 - first.ended, 0)


async def test_a_flow_that_is_not_there(tmp_path: Path) -> None:
    """A flow that is not there is an error, and nothing is taken for gone: a later recall ends all."""
    async with sent(tmp_path, 5, **LASTING) as one:
        one.rehearsal.faults({"read_404": 1.0, "update_404": 1.0})
        with pytest.raises(FlowNotFound):
            await one.recall()
        one.rehearsal.faults({})
        assert (await one.recall()).ended == 5


async def test_deleted_executions_are_gone(tmp_path: Path) -> None:
    """Deleted executions are `gone`, and the rest is ended."""
    async with sent(tmp_path, 10, **LASTING) as one:
        await one.track(details=False)
        executions = one.sandbox.studio.executions
        for execution in executions.log[:3]:
            executions.delete(execution, one.sandbox.now_us())
        result = await one.recall()
        assert (result.ended, one.sandbox.stats()["active"]) == (7, 0)
        assert (await one.track(details=False)).counts.by_status[GONE] == 3


async def test_a_thousand_are_ended_in_a_moment(tmp_path: Path) -> None:
    """One recall ends more than a thousand executions, many at once."""
    async with written(tmp_path, 1_200, ends_after_s=lambda n: None) as one:
        result = await one.recall(concurrency=50)
        assert (result.ended, one.sandbox.stats()["active"]) == (1_200, 0)

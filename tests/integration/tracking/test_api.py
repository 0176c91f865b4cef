"""Flow, Execution, Context, Step and Step Context from Python, on both versions of the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatcher.campaign import studio_client
from dispatcher.errors import ResourceNotFound
from dispatcher.sandbox import DEFAULT_FLOW_SID
from tests.integration.tracking.sent import TO_THE_END_S, sent, written
from tests.support.rehearsal import CREDENTIALS


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_every_resource_is_typed_and_reachable(tmp_path: Path, version: str) -> None:
    async with sent(tmp_path, 5, api_version=version) as one:
        one.clock.ahead_s = TO_THE_END_S
        async with studio_client(one.rehearsal.settings(), CREDENTIALS) as studio:
            (flow,) = [flow async for flow in studio.flows()]
            assert (flow.sid, flow.status) == (DEFAULT_FLOW_SID, "published")
            executions = [execution async for execution in studio.executions(flow.sid)]
            assert len(executions) == 5
            first = executions[-1]
            assert (first.status, type(first.date_created)) == ("ended", datetime)
            assert await studio.execution(flow.sid, first.sid) == first
            context = await studio.execution_context(flow.sid, first.sid)
            assert (context.execution_sid, context.parameter("first_name")) == (first.sid, "Name 1")
            steps = [step async for step in studio.steps(flow.sid, first.sid)]
            assert (steps[0].transitioned_to, steps[-1].transitioned_from) == ("Ended", "Trigger")
            assert await studio.step(flow.sid, first.sid, steps[0].sid) == steps[0]
            at_step = await studio.step_context(flow.sid, first.sid, steps[0].sid)
            assert (at_step.step_sid, at_step.context) == (steps[0].sid, context.context)
            with pytest.raises(ResourceNotFound):
                await studio.step_context(flow.sid, first.sid, "FT" + "0" * 32)
            assert first.to_json()["date_created"] == first.date_created.strftime("%Y-%m-%dT%H:%M:%SZ")  # type: ignore[union-attr]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_executions_by_page_and_by_time(tmp_path: Path, version: str) -> None:
    """Executions are listed page after page, and by time."""
    async with written(tmp_path, 2_500) as one:
        one.rehearsal.overrides["account"] = {"api_version": version}
        for execution in one.sandbox.studio.executions.log:
            execution.created_us += execution.n * 10_000
        start = datetime.fromtimestamp(one.sandbox.studio.executions.log[0].created_us / 1e6, UTC)
        async with studio_client(one.rehearsal.settings(), CREDENTIALS) as studio:
            everything = [execution.sid async for execution in studio.executions(DEFAULT_FLOW_SID)]
            assert len(set(everything)) == 2_500
            assert one.reads["list"] == 3
            recent = studio.executions(DEFAULT_FLOW_SID, created_from=start + timedelta(seconds=15))
            assert 900 < len([execution.sid async for execution in recent]) < 1_200


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_executions_of_one_status(tmp_path: Path, version: str) -> None:
    """v1's lists know no filter: the client keeps what was asked for, and both versions give the same."""
    async with written(tmp_path, 20, ends_after_s=lambda n: 1.0 if n % 4 else None) as one:
        one.rehearsal.overrides["account"] = {"api_version": version}
        async with studio_client(one.rehearsal.settings(), CREDENTIALS) as studio:
            counts = [
                len([execution async for execution in studio.executions(DEFAULT_FLOW_SID, status=status, page_size=7)])
                for status in ("active", "ended", None)
            ]
        assert counts == [5, 15, 20]

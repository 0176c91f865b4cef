"""Tracking against a real server: what it finds is true, what it costs is counted there, and faults lose nothing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ExitCode, FlowNotFound
from dispatcher.events import Event, Tracking
from dispatcher.model import ExecutionStatus
from dispatcher.remedies import Command
from dispatcher.sandbox import DEFAULT_FLOW_SID, FlowRevision, SandboxFlow
from tests.integration.tracking.sent import REPLY, TO_THE_END_S, Sent, sent, written

ACTIVE, ENDED, GONE = ExecutionStatus


async def shown(one: Sent, **tracking: Any) -> dict[str, dict[str, str]]:
    """SID → what the report shows, in the shape of `Sent.truth`."""
    return {
        row["dispatch_execution_sid"]: {name: row[name] for name in ("status", "path", "error_code", REPLY)}
        for row in await one.report(**tracking)
    }


# --- what it finds ---


@pytest.mark.parametrize("steps", ["auto", "always"])
async def test_the_report_shows_the_truth(tmp_path: Path, steps: str) -> None:
    """Once all executions have ended, the report shows the truth about each."""
    async with sent(tmp_path, 150) as one:
        one.clock.ahead_s = TO_THE_END_S
        result = await one.track(steps=steps)
        assert (result.exit_code, result.read, result.incomplete, result.failed) == (ExitCode.OK, 150, 0, 0)
        assert result.counts.by_status == {ACTIVE: 0, ENDED: 150, GONE: 0}
        truth = one.truth()
        assert await shown(one, steps=steps) == truth
        assert len({row["path"] for row in truth.values()}) == 5
        assert {row["error_code"] for row in truth.values()} == {"", "21610", "30003", "30007"}
        for row in await one.report(steps=steps):
            assert row["last_step"] == row["path"].split(" > ")[-1]
            assert row["ended_at"].endswith("Z")
            if row["error_code"] == "21610":
                assert row["error_message"] == "ask_yes_no: the contact has opted out"
                assert row["advice"].startswith("Take the contact off the list")


async def test_the_report_of_a_v1_campaign(tmp_path: Path) -> None:
    """On v1, too, the report shows the truth about each execution."""
    async with sent(tmp_path, 40, api_version="v1") as one:
        one.clock.ahead_s = TO_THE_END_S
        result = await one.track(steps="always")
        assert (result.exit_code, result.read) == (ExitCode.OK, 40)
        assert await shown(one, steps="always") == one.truth()


async def test_executions_that_still_walk(tmp_path: Path) -> None:
    """While executions walk only their status is known, and later the rest."""
    async with sent(tmp_path, 60) as one:
        one.clock.freeze()
        one.clock.ahead_s = 20.0
        first = await one.track()
        active, ended = first.counts.by_status[ACTIVE], first.counts.by_status[ENDED]
        assert active > 10
        assert ended > 10
        assert first.read == ended
        rows = await one.report()
        assert {row["path"] for row in rows if row["status"] == "active"} == {""}
        assert all(row["path"] for row in rows if row["status"] == "ended")
        one.clock.ahead_s = TO_THE_END_S
        second = await one.track()
        assert second.read == active
        assert await shown(one) == one.truth()


async def test_a_campaign_that_was_never_tracked(tmp_path: Path) -> None:
    """The report of a campaign that was never tracked has no columns of tracking."""
    async with sent(tmp_path, 3) as one:
        assert not [name for name in (await one.report())[0] if "outcome" in name or name == "last_step"]


async def test_a_reply_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    """A reply that a spreadsheet would run is made harmless in the report."""
    async with sent(tmp_path, 3, variables=["flow.data.first_name", "contact.channel.address"]) as one:
        one.rehearsal.name = "evil"
        source = tmp_path / "evil.csv"
        source.write_text('phone,first_name\n+14155550199,"=HYPERLINK(""http://x"")"\n', encoding="utf-8")
        await one.rehearsal.run(source)
        one.clock.ahead_s = TO_THE_END_S
        await one.track()
        (row,) = await one.report()
        assert row["first_name"] == '=HYPERLINK("http://x")'
        assert row["flow.data.first_name"] == '\'=HYPERLINK("http://x")'
        assert row["contact.channel.address"] == "+14155550199"


# --- what it costs ---


async def test_the_status_of_ten_thousand(tmp_path: Path) -> None:
    """The status of ten thousand executions costs a few list pages."""
    async with written(tmp_path, 10_000, ends_after_s=lambda n: 1.0 if n % 2 else None) as one:
        result = await one.track(details=False)
        assert result.counts.by_status == {ACTIVE: 5_000, ENDED: 5_000, GONE: 0}
        assert sum(one.reads.values()) <= 20
        # Of the ended nothing is asked again; the active ones are listed.
        one.count_reads()
        await one.track(details=False)
        assert sum(one.reads.values()) <= 20


async def test_what_details_cost(tmp_path: Path) -> None:
    """Details cost at most eleven reads for ten executions."""
    async with sent(tmp_path, 400) as one:
        one.clock.ahead_s = TO_THE_END_S
        result = await one.track()
        assert (result.read, result.incomplete) == (400, 0)
        assert sum(one.reads.values()) <= 1.1 * 400
        assert await shown(one) == one.truth()


async def test_contexts_that_prove_no_path(tmp_path: Path) -> None:
    """Where Contexts do not prove paths, the steps are read instead."""
    # Executions that do not walk leave nothing in their contexts.
    async with written(tmp_path, 400) as one:
        one.rehearsal.overrides["suppress"] = {"learn": False}
        result = await one.track()
        assert (result.read, result.incomplete) == (400, 0)
        assert sum(one.reads.values()) <= 1.1 * 400
        assert {row["path"] for row in await one.report()} == {"ask_yes_no"}
        # Whoever has answered may have opted out: only the context says so.
        one.count_reads()
        one.rehearsal.overrides["suppress"] = {}
        result = await one.track()
        assert (result.read, result.incomplete, result.opted_out) == (400, 0, 0)
        assert 1.9 * 400 <= sum(one.reads.values()) <= 2.1 * 400


async def test_details_that_need_both_reads(tmp_path: Path) -> None:
    """Where only Context and steps together would do, the cost is bounded, and what is left open is said."""
    async with written(tmp_path, 400, parameters='{"x": "1"}') as one:
        one.variables = ["flow.data.x"]
        result = await one.track()
        assert sum(one.reads.values()) <= 1.1 * 400 + 30
        assert result.read == 400
        assert 300 < result.incomplete < 400
        rows = await one.report()
        assert {row["flow.data.x"] for row in rows} == {"1"}
        assert sum(row["path"] == "" for row in rows) == result.incomplete
        # The user's word: both for all.
        one.count_reads()
        whole = await one.track(steps="always")
        assert (whole.read, whole.incomplete) == (400, 0)
        assert one.reads["context"] == one.reads["steps"] == 400
        assert {row["path"] for row in await one.report(steps="always")} == {"ask_yes_no"}


async def test_what_is_known_whole(tmp_path: Path) -> None:
    """What is known whole is not asked again, but for other values."""
    async with sent(tmp_path, 30) as one:
        one.clock.ahead_s = TO_THE_END_S
        await one.track()
        one.count_reads()
        again = await one.track()
        assert (again.read, one.reads) == (0, {})
        one.variables = [REPLY, "flow.variables.coming"]
        other = await one.track()
        assert other.read == 30
        assert "list" not in one.reads
        assert {row["flow.variables.coming"] for row in await one.report()} >= {"yes", "no", ""}


async def test_a_few_executions_that_are_left(tmp_path: Path) -> None:
    """A few executions that are left are asked one by one, instead of listing all."""
    async with written(tmp_path, 5_000, ends_after_s=lambda n: None if n in (0, 4_999) else 1.0) as one:
        await one.track(details=False)
        one.count_reads()
        await one.track(details=False)
        assert one.reads == {"flow": 1, "fetch": 2}


async def test_reads_keep_to_their_rate(tmp_path: Path) -> None:
    """Reads keep to their rate and to their number at once."""
    async with sent(tmp_path, 60, latency_s=0.02) as one:
        one.clock.ahead_s = TO_THE_END_S
        one.sandbox._worst_in_flight = 0
        started = time.monotonic()
        await one.track(per_second=40, concurrency=3)
        assert time.monotonic() - started > 1.0
        assert one.sandbox.stats()["worst_concurrency"] <= 3


# --- faults ---


@pytest.mark.parametrize(
    "faults",
    [
        {"read_429": 0.3},
        {"read_500": 0.3},
        {"read_503": 0.15, "read_html_502": 0.15},
        {"read_reset": 0.1, "read_disconnect": 0.1, "read_garbage": 0.1},
        {"read_cut_head": 0.1, "read_cut_body": 0.1, "read_unparsable": 0.1},
        {"read_429": 1.0, "for_requests": 6},
    ],
)
async def test_faults_of_reads_cost_time_and_nothing_else(tmp_path: Path, faults: dict[str, float]) -> None:
    async with sent(tmp_path, 60) as one:
        one.clock.ahead_s = TO_THE_END_S
        one.rehearsal.faults(faults)
        result = await one.track()
        # A read is tried five times; whatever was too much for it is left to the next look.
        one.rehearsal.faults({})
        if result.failed:
            assert result.exit_code is ExitCode.STOPPED
            result = await one.track()
        assert result.exit_code is ExitCode.OK
        assert await shown(one) == one.truth()


async def test_page_tokens_that_always_expire(tmp_path: Path) -> None:
    """Page tokens that always expire only make the list start again."""
    # Created over half a minute, a thousand to a page.
    async with written(tmp_path, 4_500) as one:
        log = one.sandbox.studio.executions.log
        for execution in log:
            execution.created_us += execution.n * 6_000
        one.rehearsal.faults({"read_page_token": 1.0})
        result = await one.track(details=False)
        assert result.counts.by_status[ENDED] == 4_500
        assert one.reads["list"] <= 12
        assert one.reads["fetch"] == 2


async def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    """A list that cannot be read at all is made up for by asking one by one."""
    async with written(tmp_path, 1_500) as one:
        # All in one second: a list that starts again there leads no further.
        one.rehearsal.faults({"read_page_token": 1.0})
        result = await one.track(details=False)
        assert (result.exit_code, result.counts.by_status[ENDED]) == (ExitCode.OK, 1_500)
        assert one.reads["fetch"] < 600


async def test_a_deleted_execution_is_gone(tmp_path: Path) -> None:
    """A deleted execution is `gone`, and the others are read."""
    async with sent(tmp_path, 20) as one:
        one.clock.ahead_s = TO_THE_END_S
        executions = one.sandbox.studio.executions
        for execution in executions.log[5:8]:
            executions.delete(execution, one.sandbox.now_us())
        result = await one.track()
        assert result.counts.by_status == {ACTIVE: 0, ENDED: 17, GONE: 3}
        assert (result.read, result.exit_code) == (17, ExitCode.OK)
        assert [row["status"] for row in await one.report()].count("gone") == 3


async def test_one_deleted_after_it_was_listed(tmp_path: Path) -> None:
    """An execution that is deleted after it was listed is `gone`."""
    async with sent(tmp_path, 20) as one:
        one.clock.ahead_s = TO_THE_END_S
        await one.track(details=False)
        executions = one.sandbox.studio.executions
        executions.delete(executions.log[7], one.sandbox.now_us())
        result = await one.track()
        assert (result.counts.by_status[GONE], result.read) == (1, 19)


async def test_executions_long_past_retention(tmp_path: Path) -> None:
    """Executions past their thirty days are `gone` without being asked for."""
    async with written(tmp_path, 50, age_s=32 * 86_400.0) as one:
        result = await one.track()
        assert result.counts.by_status[GONE] == 50
        assert one.reads == {"flow": 1}


async def test_executions_just_past_retention(tmp_path: Path) -> None:
    """Executions just past their retention of thirty days are asked for, and `gone`."""
    async with written(tmp_path, 50, age_s=30.5 * 86_400.0) as one:
        result = await one.track()
        assert result.counts.by_status[GONE] == 50


async def test_a_machine_clock_far_ahead(tmp_path: Path) -> None:
    """A machine whose clock is ahead by more than the retention takes nothing for gone."""
    # The ledger's clock and this machine's agree with each other, and not with Studio's.
    async with written(tmp_path, 50, begun_ago_s=32 * 86_400.0, clock_skew_s=-32 * 86_400.0) as one:
        result = await one.track()
        assert result.counts.by_status[ENDED] == 50


@pytest.mark.parametrize("skew_s", [-3_600.0, 3_600.0])
async def test_clocks_that_differ_by_an_hour_cost_nothing(tmp_path: Path, skew_s: float) -> None:
    async with written(tmp_path, 3_000, clock_skew_s=skew_s) as one:
        result = await one.track(details=False)
        assert result.counts.by_status[ENDED] == 3_000
        assert sum(one.reads.values()) <= 10


async def test_a_clock_that_was_wrong_while_sending(tmp_path: Path) -> None:
    """A clock that was wrong while sending and is right now costs nothing."""
    async with written(tmp_path, 3_000, begun_ago_s=7_200.0) as one:
        result = await one.track(details=False)
        assert result.counts.by_status[ENDED] == 3_000
        assert sum(one.reads.values()) <= 10


async def test_a_flow_that_is_not_there(tmp_path: Path) -> None:
    """A flow that is not there is an error, and nothing is taken for gone."""
    async with sent(tmp_path, 5) as one:
        one.rehearsal.faults({"read_404": 1.0})
        with pytest.raises(FlowNotFound):
            await one.track()
        one.rehearsal.faults({})
        one.clock.ahead_s = TO_THE_END_S
        result = await one.track()
        assert result.counts.by_status == {ACTIVE: 0, ENDED: 5, GONE: 0}


@pytest.mark.parametrize(("fault", "code"), [("read_401", 4), ("read_403", 4)])
async def test_credentials_refused_on_the_way(tmp_path: Path, fault: str, code: int) -> None:
    """Credentials that are refused on the way stop the look, and what was read is kept."""
    async with sent(tmp_path, 40) as one:
        one.clock.ahead_s = TO_THE_END_S
        # Twenty reads, and then none any more.
        one.rehearsal.faults({"read_slow": 0.0, "for_requests": 20, "then": {fault: 1.0}})
        result = await one.track()
        assert result.exit_code == code
        one.rehearsal.faults({})
        one.count_reads()
        rest = await one.track()
        assert 0 < result.read < 40
        assert rest.read == 40 - result.read
        assert await shown(one) == one.truth()


async def test_contexts_of_a_megabyte_are_read(tmp_path: Path) -> None:
    large = '{"x": "%s"}' % ("y" * 1_000_000)
    async with written(tmp_path, 12, parameters=large) as one:
        one.variables = ["flow.data.x"]
        result = await one.track(steps="always")
        assert (result.read, result.failed) == (12, 0)
        for row in await one.report(steps="always"):
            assert row["flow.data.x"].startswith("yyyy")
            assert len(row["flow.data.x"]) == 2_000


async def test_a_studio_that_stops_answering(tmp_path: Path) -> None:
    """A Studio that answers nothing any more ends the look with its error."""
    async with sent(tmp_path, 60) as one:
        one.clock.ahead_s = TO_THE_END_S
        await one.track(details=False)
        one.rehearsal.faults({"read_slow": 0.0, "for_requests": 3, "then": {"read_500": 1.0}})
        one.rehearsal.overrides["retry"] = {"read_attempts": 2, "backoff_base_s": 0.01, "backoff_max_s": 0.01}
        result = await one.track(concurrency=2)
        assert result.exit_code is ExitCode.STOPPED
        assert result.error is not None
        # It gave up after consecutive failures, not after all sixty.
        assert one.reads["context"] < 40


async def test_tracking_that_is_stopped(tmp_path: Path) -> None:
    """Tracking that is stopped on the way goes on later.

    What was read before the stop is kept, and not read again.
    """
    # Two at a time, so that progress is reported several times before the end, however the machine is loaded.
    async with sent(tmp_path, 120, latency_s=0.01) as one:
        one.clock.ahead_s = TO_THE_END_S
        async with one.campaign(concurrency=2) as campaign:

            def stop(event: Event) -> None:
                if isinstance(event, Tracking) and event.done >= 30:
                    campaign.stop()

            campaign.bus.subscribe(stop)
            first = await campaign.track()
        assert first.exit_code is ExitCode.INTERRUPTED
        assert first.error is not None
        assert first.error.fix == Command("track", ("spring",))
        assert 0 < first.read < 120
        rest = await one.track()
        assert rest.read == 120 - first.read
        assert one.reads["context"] <= 130
        assert await shown(one) == one.truth()


async def test_following_looks_again_until_all_have_ended(tmp_path: Path) -> None:
    """Tracking that follows looks again until all executions have ended."""
    async with sent(tmp_path, 30) as one:

        async def time_passes() -> None:
            for _ in range(10):
                await asyncio.sleep(0.1)
                one.clock.ahead_s += TO_THE_END_S / 8

        passing = asyncio.create_task(time_passes())
        result = await one.track(follow=True, every_s=0.15)
        await passing
        assert (result.exit_code, result.counts.by_status[ENDED], result.read) == (ExitCode.OK, 30, 30)
        assert await shown(one) == one.truth()


async def test_rows_sent_after_a_look_are_found_by_the_next(tmp_path: Path) -> None:
    async with sent(tmp_path, 10) as one:
        one.clock.ahead_s = TO_THE_END_S
        await one.track()
        await one.rehearsal.run(one.rehearsal.contacts(10, first=100))
        result = await one.track()
        assert (result.counts.created, result.counts.unseen) == (20, 0)
        assert result.counts.by_status[ACTIVE] > 0


async def test_a_flow_that_goes_in_circles(tmp_path: Path) -> None:
    """The path through a flow that goes in circles is told by its steps."""
    states = [
        {"name": "T", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": "a"}], "properties": {}},
        {
            "name": "a",
            "type": "send-and-wait-for-reply",
            "transitions": [{"event": "timeout", "next": "a"}, {"event": "incomingMessage", "next": "b"}],
            "properties": {"timeout": "10", "body": "{{flow.data.first_name}}?"},
        },
        {"name": "b", "type": "send-message", "transitions": [{"event": "sent"}], "properties": {"body": "!"}},
    ]
    revision = FlowRevision(
        revision=1, status="published", definition={"states": states, "initial_state": "T", "flags": {}}
    )
    flow = SandboxFlow(sid=DEFAULT_FLOW_SID, friendly_name="circle", revisions=(revision,))
    async with sent(tmp_path, 60, flow=flow, variables=[]) as one:
        one.clock.ahead_s = TO_THE_END_S
        result = await one.track()
        assert (result.read, result.incomplete) == (60, 0)
        truth = one.truth()
        rows = await one.report()
        assert {row["dispatch_execution_sid"]: row["path"] for row in rows} == {
            sid: row["path"] for sid, row in truth.items()
        }
        assert max(row["path"].count("a") for row in rows) > 3


async def test_progress_tells_how_far_it_is(tmp_path: Path) -> None:
    """The events of tracking tell how far it is, up to the last execution."""
    async with sent(tmp_path, 30, latency_s=0.01) as one:
        one.clock.ahead_s = TO_THE_END_S
        told: list[Tracking] = []
        one.rehearsal.bus.subscribe(lambda event: told.append(event) if isinstance(event, Tracking) else None)
        await one.track()
        assert [event.done for event in told] == sorted(event.done for event in told)
        assert (told[-1].done, told[-1].total) == (30, 30)

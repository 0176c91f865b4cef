"""A campaign entrusted to workers: ordered under the lease, sent by another, looked at until it is done."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import Campaign, open_campaign, view_campaign
from dispatcher.campaign import entrusting as room
from dispatcher.campaign.entrusting import Entrusting
from dispatcher.campaign.launch import LaunchOptions, launch
from dispatcher.campaign.ordering import due_from_ms, settings_of_order
from dispatcher.clock import now_ms
from dispatcher.errors import CampaignPaused, ExitCode, Interrupted, StoppedEarly
from dispatcher.events import Phase
from dispatcher.ledger.records import CampaignStatus
from dispatcher.model import PausedBy, RowState, empty_counts
from dispatcher.remedies import Command, Remedy
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.rehearsal import CREDENTIALS, Rehearsal, phone

WITHIN_S = 30.0


@dataclass
class Workers:
    """Whoever sends: a task of this process, begun by the hint. `tell` keeps what people are told."""

    rehearsal: Rehearsal
    #: Who sends; None: nobody comes.
    shift: Any = None
    told: list[tuple[str, Remedy | None]] = field(default_factory=list)
    hints: int = 0
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def hint(self, record: object) -> None:
        self.hints += 1
        if self.shift is not None:
            self.tasks.append(asyncio.create_task(self.shift()))

    def entrusting(self, **more: Any) -> Entrusting:
        return Entrusting(hint=self.hint, tell=lambda text, fix: self.told.append((text, fix)), poll_s=0.02, **more)

    async def send(self) -> None:
        """As a worker does: its own settings and credentials, the whole campaign."""
        async with self.opened() as campaign:
            await campaign.send(whole_campaign=True)

    def opened(self) -> contextlib.AbstractAsyncContextManager[Campaign]:
        return open_campaign("spring", self.rehearsal.settings(), CREDENTIALS, create=False, wait=True)


@contextlib.asynccontextmanager
async def opened(
    tmp_path: Path, rows: int = 5, people: list[dict[str, str]] | None = None, **overrides: dict[str, Any]
) -> AsyncIterator[tuple[Workers, Campaign]]:
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = Rehearsal(tmp_path, sandbox, overrides=overrides)
        workers = Workers(rehearsal)
        workers.shift = workers.send
        async with (
            asyncio.timeout(WITHIN_S),
            open_campaign("spring", rehearsal.settings(), CREDENTIALS, bus=rehearsal.bus) as campaign,
        ):
            await campaign.plan(people or rehearsal.contacts(rows))
            yield workers, campaign
            await asyncio.gather(*workers.tasks)


def states(tmp_path: Path) -> list[str]:
    import csv

    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        return [row["dispatch_status"] for row in csv.DictReader(file)]


async def entrust(tmp_path: Path, workers: Workers, campaign: Campaign, **more: Any) -> Any:
    return await launch(
        campaign,
        LaunchOptions(report=tmp_path / "report.csv", whole_campaign=True),
        confirm=lambda ahead: None,
        entrusting=workers.entrusting(**more),
    )


async def test_workers_send_what_was_confirmed(tmp_path: Path) -> None:
    """The terminal sends nothing, and ends as if it had: numbers, report and exit code are those of a run."""
    async with opened(tmp_path) as (workers, campaign):
        launched = await entrust(tmp_path, workers, campaign)
        result = launched.result
        assert (launched.exit_code, launched.errors, workers.hints, workers.told) == (ExitCode.OK, (), 1, [])
        assert result.run is not None
        assert (result.run.created, result.run.requests, result.run.rejected, result.run.unknown) == (5, 5, 0, 0)
        assert result.run.run_id == result.status.run.run_id
        assert (result.status.due_ms, states(tmp_path)) == (None, ["created"] * 5)
        now = campaign.bus.snapshot()
        assert (now.phase, now.done, now.to_send, now.requests) == (Phase.finished, 5, 5, 5)
        assert now.rows[RowState.created] == 5
        await campaign.report(workers.rehearsal.report_path)
        workers.rehearsal.assert_books_balance()


async def test_all_runs_since_the_order_count(tmp_path: Path) -> None:
    """One worker dies after some rows, another goes on: both together are what this launch has come to."""
    async with opened(tmp_path, rows=9) as (workers, campaign):

        async def shifts() -> None:
            for limit in (4, None):
                async with workers.opened() as shift:
                    await shift.send(whole_campaign=True, limit=limit)

        workers.shift = shifts
        launched = await entrust(tmp_path, workers, campaign)
        assert (launched.result.run.created, launched.result.run.requests) == (9, 9)
        assert launched.exit_code is ExitCode.OK


async def test_nothing_to_send_is_nobodys_work(tmp_path: Path) -> None:
    """Where every row has its answer nobody has to come."""
    async with opened(tmp_path) as (workers, campaign):
        await campaign.send()
        workers.shift = None
        launched = await entrust(tmp_path, workers, campaign)
        assert (launched.exit_code, launched.result.run, workers.hints) == (ExitCode.OK, None, 0)
        assert launched.result.status.due_ms is None
        assert states(tmp_path) == ["created"] * 5


async def test_whoever_leaves_stops_nothing(tmp_path: Path) -> None:
    """Ctrl-C ends the looking on: resumable, and the order holds."""
    async with opened(tmp_path) as (workers, campaign):

        async def leave() -> None:
            campaign.stop()

        workers.shift = leave
        launched = await entrust(tmp_path, workers, campaign)
        (error,) = launched.errors
        assert isinstance(error, Interrupted)
        assert error.fix == Command("pause", ("spring",), does="has them stop")
        assert launched.exit_code is ExitCode.INTERRUPTED
        assert launched.result.status.due_ms is not None
        assert states(tmp_path) == ["planned"] * 5
        # And somebody does what was ordered.
        await workers.send()
        assert (await campaign.status()).rows[RowState.created] == 5


@pytest.mark.parametrize("by", [PausedBy.user, PausedBy.held])
async def test_a_pause_ends_it(tmp_path: Path, by: PausedBy) -> None:
    """Whoever has paused or held it, and why, is what the launch ends with."""
    async with opened(tmp_path) as (workers, campaign):

        async def pause() -> None:
            settings = workers.rehearsal.settings()
            async with view_campaign("spring", settings) as view:
                await (view.pause("wrong price") if by is PausedBy.user else view.hold("wrong price"))

        workers.shift = pause
        launched = await entrust(tmp_path, workers, campaign)
        (error,) = launched.errors
        assert isinstance(error, CampaignPaused)
        assert (error.found, launched.exit_code) == ("wrong price", ExitCode.STOPPED)
        assert launched.result.status.rows[RowState.planned] == 5


async def test_what_is_paused_is_not_ordered(tmp_path: Path) -> None:
    """A file that is run again does not lift a pause, and nobody is asked to send it."""
    async with opened(tmp_path) as (workers, campaign):
        await campaign.pause("wrong price")
        launched = await entrust(tmp_path, workers, campaign)
        assert (launched.exit_code, workers.hints) == (ExitCode.STOPPED, 0)
        assert launched.result.status.due_ms is None


async def test_an_order_that_is_taken_back_ends_it(tmp_path: Path) -> None:
    """Rows wait, and nobody is to send them: whoever looks on would wait for ever."""
    async with opened(tmp_path) as (workers, campaign):

        async def withdraw() -> None:
            async with view_campaign("spring", workers.rehearsal.settings()) as view:
                assert await view.order(await view.wish(), None)

        workers.shift = withdraw
        launched = await entrust(tmp_path, workers, campaign)
        assert isinstance(launched.errors[0], StoppedEarly)
        assert launched.exit_code is ExitCode.STOPPED


async def test_what_is_cancelled_needs_nobody(tmp_path: Path) -> None:
    """Rows that are taken out meanwhile, from wherever, are done with: also where no worker is there."""
    async with opened(tmp_path) as (workers, campaign):

        async def cancel() -> None:
            async with view_campaign("spring", workers.rehearsal.settings()) as view:
                assert await view.cancel("wrong price") == 5

        workers.shift = cancel
        launched = await entrust(tmp_path, workers, campaign)
        assert (launched.exit_code, states(tmp_path)) == (ExitCode.OK, ["skipped"] * 5)


async def test_a_start_is_waited_for_by_the_workers(tmp_path: Path) -> None:
    """It is ordered for its start; whoever ordered it is told of that, and need not stay."""
    async with opened(tmp_path, schedule={"start_at": "2100-06-01T09:00Z"}) as (workers, campaign):
        workers.shift = None
        launched = await entrust(tmp_path, workers, campaign)
        result = launched.result
        assert launched.exit_code is ExitCode.WAITING
        assert (result.status.due_ms, result.next_at_ms) == (4115523600000, 4115523600000)
        assert [(one.rows, one.why) for one in result.waiting] == [(5, "start")]
        assert campaign.bus.snapshot().phase is Phase.waiting


async def test_what_waits_is_watched_where_asked_to(tmp_path: Path) -> None:
    """With `until_done` it is looked on while rows wait, with the countdown."""
    async with opened(tmp_path, schedule={"start_at": "2100-06-01T09:00Z"}) as (workers, campaign):
        seen: list[Any] = []

        async def look() -> None:
            while campaign.bus.snapshot().waiting is None:  # noqa: ASYNC110 - what it waits for sets no event
                await asyncio.sleep(0.01)
            seen.append(campaign.bus.snapshot().waiting)
            async with view_campaign("spring", workers.rehearsal.settings()) as view:
                await view.cancel("never mind")

        workers.shift = look
        launched = await entrust(tmp_path, workers, campaign, until_done=True)
        assert launched.exit_code is ExitCode.OK
        assert seen[0].kind.value == "due"
        assert seen[0].remaining_s > 1e6


async def test_nobody_is_left_to_wonder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no worker takes it that is said once, with what to do; and it is sent as soon as one does."""
    monkeypatch.setattr(room, "UNSERVED_S", 0.1)
    async with opened(tmp_path) as (workers, campaign):

        async def late() -> None:
            while not workers.told:  # noqa: ASYNC110 - what it waits for sets no event
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            await workers.send()

        workers.shift = late
        launched = await entrust(tmp_path, workers, campaign)
        assert launched.exit_code is ExitCode.OK
        ((text, fix),) = workers.told
        assert text.startswith("no worker has taken the account")
        assert isinstance(fix, Command)
        assert fix.name == "worker"
        assert CREDENTIALS.account_sid in fix.does


async def test_the_first_order_sets_the_accounts_rate(tmp_path: Path) -> None:
    """It is the account's from then on, whatever the next one's settings say; what the order was given ends with it."""
    async with opened(tmp_path) as (workers, campaign):
        assert await campaign.take_rate() is None
        await entrust(tmp_path, workers, campaign)
        ((ordered, own),) = workers.rehearsal.query("SELECT settings, per_second FROM campaigns JOIN accounts")
        assert (ordered, own) == (None, 500)
        workers.rehearsal.overrides["rate"] = {"per_second": 20}
        async with workers.opened() as other:
            assert await other.take_rate() == 20
            assert other.settings.rate.per_second == 500
            assert await other.take_rate() is None


async def test_a_hint_may_fail(tmp_path: Path) -> None:
    """Whatever is wrong with it: the order holds, and whoever looks for work finds it."""
    async with opened(tmp_path) as (workers, campaign):

        async def fails(record: object) -> None:
            await workers.hint(record)
            raise ImportError

        told = replace(workers.entrusting(), hint=fails)
        assert (await campaign.entrust(told)).exit_code is ExitCode.OK
        assert workers.hints == 1


async def test_rows_of_another_day(tmp_path: Path) -> None:
    """The worker sends what may go, and says until when the others wait: 7, and `next_at`, as on one machine."""
    people = [{"phone": phone(1), "when": ""}, {"phone": phone(2), "when": "2100-06-01T09:00Z"}]
    columns = {"to": "phone", "not_before": "when"}
    async with opened(tmp_path, people=people, columns=columns) as (workers, campaign):
        launched = await entrust(tmp_path, workers, campaign)
        result = launched.result
        assert launched.exit_code is ExitCode.WAITING
        assert [(one.rows, one.until_ms, one.why) for one in result.waiting] == [(1, 4115523600000, "row")]
        assert (result.run.created, result.remaining, states(tmp_path)) == (1, 0, ["created", "planned"])
        # With other settings it is looked anew: what the run has said of those rows does not hold any more.
        workers.rehearsal.overrides["schedule"] = {"deadline": "2099-01-01T00:00Z"}
        async with workers.opened() as again:
            launched = await entrust(tmp_path, workers, again)
        assert launched.result.status.rows[RowState.skipped] == 1
        assert (launched.exit_code, launched.result.status.due_ms) == (ExitCode.OK, None)


async def test_half_a_change_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are read before the order is: between the two a run may have sent the last row and ended."""
    async with opened(tmp_path) as (workers, campaign):
        read, halves = room.Entrusted._status, 0

        async def half(self: room.Entrusted) -> CampaignStatus:
            nonlocal halves
            found = await read(self)
            if found.due_ms is None and found.rows[RowState.created] == 5 and not halves:
                halves += 1
                return replace(found, rows=empty_counts() | {RowState.planned: 1, RowState.created: 4})
            return found

        monkeypatch.setattr(room.Entrusted, "_status", half)
        launched = await entrust(tmp_path, workers, campaign)
        assert (launched.exit_code, launched.errors, halves) == (ExitCode.OK, (), 1)


async def test_what_was_chosen_here_goes_with_the_order(tmp_path: Path) -> None:
    """A worker has no flags: what they say of one launch stands in its settings."""
    async with opened(tmp_path) as (workers, _):
        settings = workers.rehearsal.settings()
        assert settings_of_order(settings, again=False, look_short=False) == settings
        assert settings_of_order(settings, again=True, look_short=False).repeat_after_ms == 0
        short = settings_of_order(settings, again=False, look_short=True)
        assert short.campaign.repeat_look_back_max > settings.campaign.repeat_look_back_max
        assert due_from_ms(settings, 7) == 7
        # A start on each contact's own clock is begun where it comes first.
        own = {"schedule": {"start_at": "2100-06-01T09:00"}}
        wall = settings.model_validate(settings.model_dump(by_alias=True) | own)
        assert due_from_ms(wall, now_ms()) == 4115523600000 - 14 * 3_600_000

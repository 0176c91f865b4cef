"""A program's own rows, planned, sent and read back through `dispatcher` alone."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from dispatcher import (
    Campaign,
    CampaignView,
    Cell,
    Contacts,
    Interrupted,
    PlanOptions,
    Reason,
    RowState,
    Sandbox,
    SandboxSettings,
    Selection,
    Settings,
    UsageError,
    open_campaign,
    rehearse_campaign,
)
from tests.integration.campaign.test_front_end import CREDENTIALS, contacts, settings_of, until

ROWS = 40


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(limit_per_s=500, latency_s=0)) as running:
        yield running


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    return settings_of(sandbox, tmp_path)


def people(first: int, last: int) -> Iterator[dict[str, Cell]]:
    """The rows that `contacts` writes into a file."""
    for n in range(first, last):
        yield {"phone": f"+1415{2_000_000 + n}", "first_name": f"Name {n}"}


async def standing(campaign: CampaignView) -> object:
    """All that a campaign's ledger tells of it."""
    return (
        await campaign.status(),
        await campaign.inputs(),
        await campaign.reasons(),
        [row async for row in campaign.each_row()],
    )


async def test_the_report_is_that_of_the_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same rows from a file and from a program: the same report, byte for byte, and the same counts."""
    file = contacts(tmp_path / "spring.csv", ROWS, ["12", "", "+14152000003"])
    wrong = ("12", None, "+14152000003")
    rows: list[Mapping[str, Cell]] = [*people(0, ROWS), *({"phone": cell, "first_name": "Wrong"} for cell in wrong)]
    sources: list[tuple[str, Contacts]] = [("a", file), ("b", rows)]
    reports, counts = [], []
    for folder, source in sources:
        home = tmp_path / folder
        home.mkdir()
        async with open_campaign("spring", settings_of(sandbox, home), CREDENTIALS) as campaign:
            counts.append(await campaign.plan(source))
            await campaign.report(home / "report.csv")
            reports.append((home / "report.csv").read_bytes())
    assert reports[0] == reports[1]
    assert reports[0].count(b"\n") == ROWS + 4
    assert counts[0] == counts[1]
    assert counts[0].reasons == {Reason.to_no_country: 1, Reason.to_missing: 1, Reason.duplicate: 1}


async def test_rows_are_sent_once_and_read_back(settings: Settings, sandbox: Sandbox) -> None:
    """The same rows planned again send nothing; each is there with its times, aware of their zone."""
    begun = datetime.datetime.now(datetime.UTC)
    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        await campaign.plan(people(0, ROWS), source="crm-export")
        await campaign.send()
        again = await campaign.plan(list(people(0, ROWS)), source="crm-export")
        assert (again.new, again.rows[RowState.created]) == (0, ROWS)
        await campaign.send()
        assert [item.source for item in await campaign.inputs()] == ["crm-export"] * 2
        digests = {item.sha256 for item in await campaign.inputs()}
        assert len(digests) == 1
        rows = [row async for row in campaign.each_row()]
        status = await campaign.status()
    assert sandbox.stats()["creates"] == ROWS
    assert [row.row_number for row in rows] == [*range(2, ROWS + 2)]
    ended = datetime.datetime.now(datetime.UTC)
    for row in rows:
        assert row.sent_at is not None
        assert row.ended_at is not None
        assert begun < row.sent_at <= row.ended_at < ended
        assert row.sent_at.timestamp() * 1000 == row.sent_at_ms
    assert status.first_started_at is not None
    assert begun < status.first_started_at < rows[0].ended_at  # type: ignore[operator]
    assert status.next_at is None


async def test_rows_one_by_one_are_those_of_the_batches(settings: Settings) -> None:
    """With the same choice, and as they stood when the first was read."""
    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        await campaign.plan([*people(0, ROWS), {"phone": "12", "first_name": None}])
        batches = [row async for batch in campaign.rows() for row in batch]
        assert [row async for row in campaign.each_row()] == batches
        failed = [row async for row in campaign.each_row(only=Selection.parse("failed"))]
        assert [row.row_number for row in failed] == [ROWS + 2]
        assert [row async for row in campaign.each_row(reason=Reason.to_no_country, after_row=9)] == failed
        assert [row async for row in campaign.each_row(after_row=ROWS + 2)] == []
        states: set[RowState] = set()
        async for row in campaign.each_row():
            if not states:
                await campaign.send()
            states.add(row.state)
        assert states == {RowState.planned, RowState.invalid}
        assert {row.state async for row in campaign.each_row()} == {RowState.created, RowState.invalid}


async def test_a_loop_that_is_left_early(settings: Settings) -> None:
    """The ledger can be worked with and closed all the same, whether or not the loop was closed."""
    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        await campaign.plan(people(0, ROWS))
        async with contextlib.aclosing(campaign.each_row()) as rows:
            async for _ in rows:
                break
        left = campaign.each_row()
        await anext(left)
        await campaign.send()
    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        assert (await campaign.status()).rows[RowState.created] == ROWS


@pytest.mark.parametrize("at", [0, 1, 25_000])
async def test_what_the_rows_raise_changes_nothing(settings: Settings, sandbox: Sandbox, at: int) -> None:
    """The exception comes as it is; the campaign is as it was, may be sent, and planned again."""
    error = ConnectionResetError("the database is gone")

    def rows() -> Iterator[dict[str, Cell]]:
        for n, row in enumerate(people(0, 30_000)):
            if n == at:
                raise error
            yield row

    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        await campaign.plan(people(0, 5))
        before = await standing(campaign)
        with pytest.raises(ConnectionResetError) as raised:
            await campaign.plan(rows())
        assert raised.value is error
        assert await standing(campaign) == before
        await campaign.send()
        assert sandbox.stats()["creates"] == 5
        counts = await campaign.plan(people(0, ROWS))
        assert (counts.total, counts.new) == (ROWS, ROWS - 5)


async def test_a_refused_value_changes_nothing(settings: Settings) -> None:
    """As what the rows raise; a campaign that is new stays without rows."""
    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        wrong: Mapping[str, Cell] = {"phone": "+14152999999", "first_name": True}
        with pytest.raises(UsageError, match='row 12: column "first_name" holds a bool'):
            await campaign.plan([*people(0, 10), wrong])
        assert await campaign.inputs() == []
        assert [row async for row in campaign.each_row()] == []


async def test_pages_are_parts_unless_they_are_whole(settings: Settings, sandbox: Sandbox) -> None:
    """Rows planned page by page all stay; where they are the whole, those that are missing are taken out."""
    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        await campaign.plan(people(0, 10))
        second = await campaign.plan(people(10, 20))
        assert (second.left_planned, second.missing) == (10, 0)
        await campaign.send(limit=5, whole_campaign=True)
        whole = await campaign.plan(people(15, 30), PlanOptions(whole=True))
        assert (whole.total, whole.new, whole.missing) == (15, 10, 10)
        await campaign.send(whole_campaign=True)
        assert sandbox.stats()["creates"] == 20
    with pytest.raises(UsageError):
        PlanOptions(whole=True, add=True)


async def test_a_rehearsal_takes_rows_too(settings: Settings, sandbox: Sandbox) -> None:
    """A check of rows needs no file, and leaves nothing."""
    async with rehearse_campaign("spring", settings, CREDENTIALS) as rehearsal:
        counts = await rehearsal.plan(people(0, 3), source="crm-export")
        assert counts.rows[RowState.planned] == 3
        first = await rehearsal.first_request()
        assert first is not None
        assert first.parameters["first_name"] == "Name 0"
    assert sandbox.stats()["creates"] == 0
    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        assert await campaign.inputs() == []


async def test_planning_rows_can_be_stopped(settings: Settings) -> None:
    """However many are still to come; the campaign is as it was."""
    taken = 0

    def endless() -> Iterator[dict[str, Cell]]:
        nonlocal taken
        for row in people(0, 7_000_000):
            taken += 1
            yield row

    async def stop(campaign: Campaign) -> None:
        await until(lambda: taken > 15_000)
        campaign.stop()

    async with open_campaign("spring", settings, CREDENTIALS) as campaign:
        stopping = asyncio.create_task(stop(campaign))
        with pytest.raises(Interrupted):
            await campaign.plan(endless())
        await stopping
        assert taken < 200_000
        assert await campaign.inputs() == []

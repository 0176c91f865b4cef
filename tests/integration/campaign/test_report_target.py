"""A campaign keeps one report path, and neither its own nor another campaign's file is ever replaced by a report."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from dispatcher.campaign import Campaign, open_campaign
from dispatcher.errors import ReportError
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.rehearsal import CREDENTIALS, Rehearsal


@pytest.fixture
async def rehearsal(tmp_path: Path) -> AsyncIterator[Rehearsal]:
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        yield Rehearsal(tmp_path, sandbox)


def put(name: str, text: str) -> None:
    """A file of somebody's in the working folder."""
    Path(name).write_text(text, encoding="utf-8")


def entered(name: str) -> None:
    """A folder in this one, and from now on the working folder."""
    Path(name).mkdir()
    os.chdir(name)  # the fixture of all tests goes back


def opened(rehearsal: Rehearsal, name: str = "spring") -> AbstractAsyncContextManager[Campaign]:
    return open_campaign(name, rehearsal.settings(), CREDENTIALS)


async def test_one_campaign_keeps_one_path(rehearsal: Rehearsal) -> None:
    """Path and format are those of the last report, also from another folder, until others are named."""
    here = rehearsal.folder
    async with opened(rehearsal) as campaign:
        assert await campaign.report_target() == Path("spring-report.csv")
        await campaign.plan(rehearsal.contacts(3))
        await campaign.report(await campaign.report_target(Path("out.xlsx")))
        entered("other")
        assert await campaign.report_target() == here / "out.xlsx"
        await campaign.report("part.csv", remember=False)
        assert await campaign.report_target() == here / "out.xlsx"
        assert await campaign.report_target(Path("new.parquet")) == Path("new.parquet")
        await campaign.report("new.parquet")
        assert await campaign.report_target() == here / "other" / "new.parquet"


async def test_no_campaign_s_file_is_replaced(rehearsal: Rehearsal) -> None:
    """A file that any campaign was made from is refused, by whatever name, also where it is a report of ours."""
    source = rehearsal.contacts(3)
    async with opened(rehearsal) as campaign:
        await campaign.plan(source)
        await campaign.report("r.csv")
    async with opened(rehearsal, "autumn") as other:
        await other.plan("r.csv")
        os.symlink("r.csv", "link.csv")  # noqa: PTH211
        os.link("r.csv", "same.csv")
        for path in (
            source,
            Path("r.csv"),
            rehearsal.folder / ".." / rehearsal.folder.name / "r.csv",
            Path("link.csv"),
        ):
            before = path.read_bytes()
            for overwrite in (False, True):
                with pytest.raises(ReportError):
                    await other.report_target(path, overwrite=overwrite)
                with pytest.raises(ReportError):
                    await other.report(path, overwrite=overwrite)
            assert path.read_bytes() == before
        assert await other.report_target(Path("same.csv")) == Path("same.csv")  # the name goes, the file stays


async def test_a_report_that_is_fed_back_is_kept(rehearsal: Rehearsal) -> None:
    """Its own corrections are in it: the campaign's next report takes the next name of the same form."""
    async with opened(rehearsal) as campaign:
        await campaign.plan(rehearsal.contacts(3))
        await campaign.report(await campaign.report_target(Path("r.csv.gz")))
        target = await campaign.report_target(source="r.csv.gz")
        assert target == rehearsal.folder / "r-2.csv.gz"
        with pytest.raises(ReportError):
            await campaign.report_target(Path("r.csv.gz"), source="r.csv.gz")
        await campaign.plan("r.csv.gz")
        await campaign.report(target)
        assert await campaign.report_target() == target


async def test_a_default_name_that_is_taken_is_passed_over(rehearsal: Rehearsal) -> None:
    """Nobody asked for `spring-report.csv`: where somebody's file has that name, the report takes another.

    A name that was chosen, or was the campaign's before, is refused instead, with both ways out.
    """
    put("spring-report.csv", "my own notes")
    async with opened(rehearsal) as campaign:
        await campaign.plan(rehearsal.contacts(3))
        target = await campaign.report_target()
        assert target == Path("spring-report-2.csv")
        with pytest.raises(ReportError, match="no report of this program"):
            await campaign.report_target(Path("spring-report.csv"))
        assert await campaign.report_target(Path("spring-report.csv"), overwrite=True) == Path("spring-report.csv")
        await campaign.report(target)
        put(str(target), "my own notes, too")
        with pytest.raises(ReportError, match="no report of this program"):
            await campaign.report_target()

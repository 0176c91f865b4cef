"""The rows of a file that will not be sent, from a real file and a real ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dispatcher.campaign import Rehearsal, rehearse_campaign
from dispatcher.campaign.problems import EXAMPLES, bad_rows, check_object, examples, left_out
from dispatcher.ledger.records import PlanCounts
from dispatcher.model import RowState
from dispatcher.settings import Settings

LINES = [
    "+12025550100,A",
    "123,Short",
    ",Missing",
    "4.41E+11,Mangled",
    "+12025550100,Twice",
    *(f"12{n},Short" for n in range(5)),
]


class Planned(NamedTuple):
    campaign: Rehearsal
    counts: PlanCounts


@pytest.fixture
async def planned(tmp_path: Path) -> AsyncIterator[Planned]:
    source = tmp_path / "spring.csv"
    source.write_text("phone,first_name\n" + "".join(f"{line}\n" for line in LINES), encoding="utf-8")
    settings = Settings.model_validate(
        {
            "columns": {"to": "phone", "region": "US"},
            "campaign": {"from": "+15550001111"},
            "state": {"dir": str(tmp_path / "state")},
        }
    )
    async with rehearse_campaign("spring", settings) as campaign:
        yield Planned(campaign, await campaign.plan(source))


async def test_each_bad_row_says_what_to_do(planned: Planned) -> None:
    """Each bad row says what is wrong and what to do.

    Its number, column, value, reason and advice, in the file's order.
    """
    rows = await bad_rows(planned.campaign)
    assert len(rows) == left_out(planned.counts) == len(LINES) - 1
    assert [row.row_number for row in rows] == list(range(3, len(LINES) + 2))
    assert all(row.message and row.advice for row in rows)
    mangled = rows[2]
    assert (mangled.column, mangled.value, mangled.reason) == ("phone", "4.41E+11", "to_mangled")
    assert (rows[3].state, rows[3].reason) == (RowState.skipped, "duplicate")


async def test_bad_rows_come_in_pages(planned: Planned) -> None:
    """So many after a row number, of one reason: page after page has each once."""
    campaign = planned.campaign
    everything = await bad_rows(campaign)
    found = []
    after = 0
    for _ in everything:
        page = await bad_rows(campaign, after_row=after, limit=2)
        assert len(page) <= 2
        found += page
        after = page[-1].row_number if page else after
    assert found == everything
    short = await bad_rows(campaign, reason="to_invalid", after_row=3, limit=3)
    assert [row.row_number for row in short] == [7, 8, 9]
    assert await bad_rows(campaign, after_row=10_000) == []


async def test_examples_are_the_first_of_each_reason(planned: Planned) -> None:
    """At most three each; none is missing."""
    found = await examples(planned.campaign, planned.counts)
    assert found == {"to_invalid": [3, 7, 8], "to_missing": [4], "to_mangled": [5], "duplicate": [6]}
    assert all(len(numbers) <= EXAMPLES for numbers in found.values())


async def test_the_object_counts_what_it_leaves_out(planned: Planned) -> None:
    """Scripts are told how many problems are not in it."""
    rows = await bad_rows(planned.campaign, limit=4)
    found = check_object("spring.csv", "spring", planned.counts, rows)
    assert (len(found["problems"]), found["problems_left_out"], found["total"]) == (4, len(LINES) - 5, len(LINES))
    assert set(found["problems"][0]) == {"row_number", "state", "reason", "column", "value", "message", "advice"}

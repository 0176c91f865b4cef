"""A list that breaks off is read on from where it broke, and nothing is given twice or left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import PageExpired
from dispatcher.studio.listing import resumed
from dispatcher.studio.resources import Execution

START = datetime(2026, 1, 1, tzinfo=UTC)


class Server:
    """Lists executions newest first; breaks off after as many as the next entry of `breaks` says."""

    def __init__(self, seconds: list[int], breaks: list[int]) -> None:
        self.executions = [
            Execution(sid=f"FN{n}", date_created=START + timedelta(seconds=second))
            for n, second in enumerate(sorted(seconds, reverse=True))
        ]
        self.breaks = list(breaks)
        self.lists = 0

    async def pages(self, created_to: datetime | None) -> AsyncIterator[Execution]:
        self.lists += 1
        left = self.breaks.pop(0) if self.breaks else None
        for execution in self.executions:
            if created_to is not None and execution.date_created is not None and execution.date_created >= created_to:
                continue
            if left == 0:
                raise PageExpired
            left = None if left is None else left - 1
            yield execution


async def read(server: Server, created_to: datetime | None = None) -> list[str]:
    return [execution.sid async for execution in resumed(server.pages, created_to)]


@given(st.lists(st.integers(0, 8), max_size=12), st.lists(st.integers(9, 12), max_size=4))
async def test_whatever_breaks_every_execution_is_given_once(seconds: list[int], breaks: list[int]) -> None:
    # At least as many per list as there are in the fullest second, so that each list leads on.
    server = Server(seconds, [most for most in breaks if most > max(map(seconds.count, seconds), default=0)])
    assert await read(server) == [execution.sid for execution in server.executions]


async def test_a_list_that_breaks_off_often() -> None:
    """A list that breaks off again and again is read second by second."""
    server = Server([1, 2, 2, 3, 4, 5], [2, 3, 3, 3, 3])
    assert await read(server) == ["FN0", "FN1", "FN2", "FN3", "FN4", "FN5"]
    assert server.lists == 3


async def test_the_bound_of_the_list_stays() -> None:
    """A list that is read on after a break keeps the bound that it was asked for with."""
    server = Server([1, 2, 3], [1])
    assert await read(server, START + timedelta(seconds=3)) == ["FN1", "FN2"]


async def test_a_list_that_leads_no_further_is_an_error() -> None:
    with pytest.raises(PageExpired):
        await read(Server([1, 1, 1, 1], [2, 2, 2]))
    with pytest.raises(PageExpired):
        await read(Server([1], [0]))

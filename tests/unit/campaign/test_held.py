"""Rows that a cool-off would hold, taken out of those that wait otherwise."""

from __future__ import annotations

from collections import Counter

import pytest

from dispatcher.campaign.held import delayed
from dispatcher.ledger.senders import DueOf
from dispatcher.rules.gate import Due

EAST, WEST = 1, 2
#: A row's own time, and two ends of cool-offs, one before and one after it.
NOON, SOON, LATE = 1_000, 500, 2_000


@pytest.mark.parametrize(
    ("waiting", "held", "found"),
    [
        ([DueOf("", Due(EAST, 0), 5)], {}, {("", Due(EAST, 0)): 5}),
        ([DueOf("", Due(EAST, 0), 5)], {(Due(EAST, 0), LATE): 5}, {("", Due(EAST, LATE)): 5}),
        (
            [DueOf("", Due(EAST, 0), 5)],
            {(Due(EAST, 0), SOON): 1, (Due(EAST, 0), LATE): 2},
            {("", Due(EAST, SOON)): 1, ("", Due(EAST, LATE)): 2, ("", Due(EAST, 0)): 2},
        ),
        # Neither goes before the other.
        ([DueOf("", Due(EAST, NOON), 2)], {(Due(EAST, NOON), SOON): 2}, {("", Due(EAST, NOON)): 2}),
        (
            [DueOf("", Due(EAST, NOON), 2)],
            {(Due(EAST, NOON), LATE): 1},
            {("", Due(EAST, LATE)): 1, ("", Due(EAST, NOON)): 1},
        ),
        # Other places, and other times of the same place, are not touched.
        (
            [DueOf("", Due(EAST, 0), 1), DueOf("", Due(WEST, 0), 1), DueOf("", Due(WEST, NOON), 1)],
            {(Due(WEST, 0), LATE): 1},
            {("", Due(EAST, 0)): 1, ("", Due(WEST, LATE)): 1, ("", Due(WEST, NOON)): 1},
        ),
        # Of several senders, and of several files: as many as are held, and no more.
        (
            [DueOf("M", Due(EAST, 0), 2), DueOf("N", Due(EAST, 0), 4)],
            {(Due(EAST, 0), LATE): 3},
            {("M", Due(EAST, LATE)): 2, ("N", Due(EAST, LATE)): 1, ("N", Due(EAST, 0)): 3},
        ),
        # Those that wait for nothing else are told as well.
        (
            [DueOf("", Due(EAST, NOON), 2)],
            {(Due(EAST, 0), LATE): 3},
            {("", Due(EAST, NOON)): 2, ("", Due(EAST, LATE)): 3},
        ),
    ],
)
def test_by_place(waiting: list[DueOf], held: dict[tuple[Due, int], int], found: dict[tuple[str, Due], int]) -> None:
    """Each held row goes once, not before its cool-off is over, and all others as they did."""
    told = delayed(waiting, held, placed=True)
    assert Counter({(one.sender, one.due): one.rows for one in told}) == found
    assert len(told) == len(found)


def test_whatever_the_place() -> None:
    """Where no hours hold, rows of all places wait together."""
    waiting = [DueOf("", Due(0, NOON), 4)]
    held = {(Due(EAST, NOON), LATE): 1, (Due(WEST, NOON), LATE): 2, (Due(WEST, 0), SOON): 5}
    assert delayed(waiting, held, placed=False) == [
        DueOf("", Due(0, LATE), 3),
        DueOf("", Due(0, NOON), 1),
        DueOf("", Due(0, SOON), 5),
    ]

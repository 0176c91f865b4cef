"""Which rows go first, and when the others follow."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.model import RowState
from dispatcher.rules.canary import Fate, Verdict, judge, spread

WELL = Fate(RowState.created, is_read=True)
ACTIVE = Fate(RowState.created)
BLOCKED = Fate(RowState.created, is_read=True, error_code=30007)
UNREACHED = Fate(RowState.created, is_read=True, error_code=30003)
REFUSED = Fate(RowState.rejected, 21211)
UNKNOWN = Fate(RowState.unknown)
STOP = Fate(RowState.created, is_read=True, opted_out=True)
UNSUBSCRIBED = Fate(RowState.created, is_read=True, error_code=21610, opted_out=True)


@pytest.mark.parametrize(
    ("rows", "wanted", "positions"),
    [
        (10, 5, [1, 3, 5, 7, 9]),
        (10, 1, [5]),
        (7, 3, [1, 3, 5]),
        (3, 3, [0, 1, 2]),
        (2, 5, [0, 1]),
        (0, 5, []),
        (5, 0, []),
    ],
)
def test_the_spread(rows: int, wanted: int, positions: list[int]) -> None:
    """Over the file, not its head; all where there are no more."""
    assert spread(rows, wanted) == positions


@given(st.integers(0, 5000), st.integers(0, 300))
def test_any_spread(rows: int, wanted: int) -> None:
    """As many as can be, in order, none twice, with gaps that differ by one at most, and none larger at the ends."""
    found = spread(rows, wanted)
    assert len(found) == min(rows, wanted)
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert all(gap >= 1 for gap in gaps)
    assert not gaps or max(gaps) - min(gaps) <= 1
    if found:
        assert 0 <= found[0] <= rows // len(found)
        assert rows - rows // len(found) - 1 <= found[-1] < rows


@pytest.mark.parametrize(
    ("fates", "said"),
    [
        ([WELL] * 50, Verdict(True, "50 of 50 known, 0 failed, 0 opted out")),
        (
            [WELL] * 44 + [BLOCKED] * 4 + [REFUSED] * 2,
            Verdict(False, "6 of 50 failed: 30007 4, rejected 2; more than 5 %"),
        ),
        ([WELL] * 48 + [UNREACHED, UNKNOWN], Verdict(True, "50 of 50 known, 2 failed, 0 opted out")),
        # Exactly the share is not above it.
        ([WELL] * 38 + [UNKNOWN] * 2, Verdict(True, "40 of 40 known, 2 failed, 0 opted out")),
        ([WELL] * 37 + [UNKNOWN] * 3, Verdict(False, "3 of 40 failed: unknown 3; more than 5 %")),
        ([WELL] * 98 + [STOP, UNSUBSCRIBED], Verdict(True, "100 of 100 known, 0 failed, 2 opted out")),
        ([WELL] * 97 + [STOP, STOP, UNSUBSCRIBED], Verdict(False, "3 of 100 opted out; more than 2 %")),
        (
            [WELL] * 90 + [STOP] * 3 + [BLOCKED] * 7,
            Verdict(False, "7 of 100 failed: 30007 7; more than 5 %; 3 of 100 opted out; more than 2 %"),
        ),
        # Of those that are known, where these are enough.
        ([WELL] * 77 + [BLOCKED] * 5 + [ACTIVE] * 18, Verdict(False, "5 of 82 failed: 30007 5; more than 5 %")),
        ([WELL] * 80 + [ACTIVE] * 20, Verdict(True, "80 of 100 known, 0 failed, 0 opted out")),
        ([WELL] * 79 + [ACTIVE] * 21, None),
        # What is too much already need not be waited for.
        ([BLOCKED] * 6 + [ACTIVE] * 94, Verdict(False, "6 of 100 failed: 30007 6; more than 5 %")),
        ([BLOCKED] * 5 + [ACTIVE] * 95, None),
        ([], None),
    ],
)
def test_the_verdict(fates: list[Fate], said: Verdict | None) -> None:
    """The numbers of what is too much; nothing while too little is known."""
    assert judge(fates, max_failed=0.05, max_opted_out=0.02, is_last=False) == said


def test_the_last_look() -> None:
    """Too little is known, and will not be more: that is no reason to go on."""
    said = judge([WELL] * 39 + [ACTIVE] * 11, max_failed=0.05, max_opted_out=0.02, is_last=True)
    assert said == Verdict(False, "what became of only 39 of 50 is known; less than 80 %")
    said = judge([WELL] * 40 + [ACTIVE] * 10, max_failed=0.05, max_opted_out=0.02, is_last=True)
    assert said == Verdict(True, "40 of 50 known, 0 failed, 0 opted out")


def test_off() -> None:
    """A share of 0 stops nothing."""
    said = judge([REFUSED] * 5 + [STOP] * 5, max_failed=0, max_opted_out=0, is_last=True)
    assert said == Verdict(True, "10 of 10 known, 5 failed, 5 opted out")


@given(st.lists(st.sampled_from([WELL, ACTIVE, BLOCKED, REFUSED, UNKNOWN, STOP]), max_size=120), st.booleans())
def test_any_verdict(fates: list[Fate], is_last: bool) -> None:
    """It never passes with too much of the known, and with each row that fails it is no better."""
    said = judge(fates, max_failed=0.05, max_opted_out=0.02, is_last=is_last)
    assert said is not None or not is_last
    known = [fate for fate in fates if fate is not ACTIVE]
    if said is not None and said.passed:
        assert len(known) >= 0.8 * len(fates) > 0
        assert sum(fate in (BLOCKED, REFUSED, UNKNOWN) for fate in known) <= 0.05 * len(known)
        assert known.count(STOP) <= 0.02 * len(known)
        return
    worse = judge([*fates, REFUSED], max_failed=0.05, max_opted_out=0.02, is_last=True)
    enough = len(known) >= 0.8 * len(fates)
    assert not enough or (worse is not None and not worse.passed)

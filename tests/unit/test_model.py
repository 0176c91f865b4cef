"""The words: what is written into ledgers, reports and executions must never change its spelling."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.model import STATE_AFTER, Outcome, Reason, RowState, dispatch_id, empty_counts


def test_the_states_are_spelled_so() -> None:
    """Ledgers on disk and scripts that read reports hold these strings."""
    states = ["planned", "sending", "created", "rejected", "busy", "unknown", "invalid", "skipped"]
    assert [state.value for state in RowState] == states
    assert list(empty_counts()) == list(RowState)


def test_every_outcome_leads_to_a_state() -> None:
    """And never to `sending`: an attempt that has ended is not under way."""
    assert set(STATE_AFTER) == set(Outcome)
    assert RowState.sending not in STATE_AFTER.values()


@pytest.mark.parametrize("words", [RowState, Outcome, Reason])
def test_a_word_is_its_name(words: type[RowState] | type[Outcome] | type[Reason]) -> None:
    """The same string in code, SQL, JSON and documentation."""
    assert all(word.value == word.name == str(word) for word in words)


def test_the_id_is_the_same_for_ever() -> None:
    """It travels inside executions and proves them ours, after upgrades too: this one was made by 0.1.0."""
    account, flow = "AC" + "0" * 32, "FW" + "1" * 32
    assert dispatch_id(account, flow, "spring", "+15550001111") == "d-973b26d23eee8045e34619db"


PARTS = st.tuples(st.text(), st.text(), st.text(), st.text())


@given(PARTS, PARTS)
def test_two_rows_have_two_ids(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Ids are equal only where all four parts are, unless a part holds the separator, which no part of ours does."""
    ids = [dispatch_id(*(part.replace("\x1f", "") for part in parts)) for parts in (one, other)]
    same = [part.replace("\x1f", "") for part in one] == [part.replace("\x1f", "") for part in other]
    assert (ids[0] == ids[1]) == same
    assert all(re.fullmatch(r"d-[0-9a-f]{24}", found) for found in ids)

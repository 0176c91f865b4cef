"""The words of `--only`."""

from __future__ import annotations

import pytest

from dispatcher.errors import UsageError
from dispatcher.model import RowState
from dispatcher.remedies import Option
from dispatcher.reporting.selection import Selection


@pytest.mark.parametrize("state", list(RowState))
def test_every_state_is_a_word(state: RowState) -> None:
    """The same word as everywhere."""
    assert Selection.parse(state.value).states == {state}


def test_the_word_failed() -> None:
    """`failed` is what a person can do something about: rejected, busy, invalid.

    Not unknown: such a row may have been sent, and a re-run of these must not hold it.
    """
    assert Selection.parse("failed").states == {RowState.rejected, RowState.busy, RowState.invalid}


def test_words_may_be_listed_and_mixed() -> None:
    """With commas, blanks, capitals; in one option or several."""
    wanted = {RowState.rejected, RowState.busy, RowState.invalid, RowState.unknown}
    assert Selection.parse(" Failed, unknown ,").states == wanted
    assert Selection.parse(["failed", "unknown"]).states == wanted


def test_all_is_every_state() -> None:
    """So that a script can say it."""
    assert Selection.parse("all").states == set(RowState)


def test_an_unknown_word_gets_the_nearest() -> None:
    """A spelling mistake is no empty report."""
    with pytest.raises(UsageError) as caught:
        Selection.parse("created,regected")
    assert caught.value.fix == Option("only", "rejected")
    with pytest.raises(UsageError) as caught:
        Selection.parse("zzz")
    assert "failed" in str(caught.value.fix)


@pytest.mark.parametrize("text", ["", " , ", []])
def test_nothing_is_no_selection(text: str | list[str]) -> None:
    """An empty shell variable must not make an empty report."""
    with pytest.raises(UsageError):
        Selection.parse(text)

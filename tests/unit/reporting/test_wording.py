"""What each row is told: an answer for every state, reason and refusal, in sentences that may stand anywhere."""

from __future__ import annotations

import re

import pytest

from dispatcher.model import Reason, RowState
from dispatcher.reporting.columns import harmless
from dispatcher.reporting.wording import REASONS, STATES, reason_meaning, row_advice
from dispatcher.studio.advice import CODES

REFUSED = RowState.rejected


def test_every_state_and_reason_has_words() -> None:
    """In the order of a row's life, and none is forgotten."""
    assert list(STATES) == list(RowState)
    assert list(REASONS) == list(Reason)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 418, 422, 451, None])
@pytest.mark.parametrize("code", [None, 99999])
def test_an_unknown_code_still_gets_advice(status: int | None, code: int | None) -> None:
    """By the HTTP status, and in the worst case by the state."""
    assert row_advice(REFUSED, http_status=status, error_code=code)


@pytest.mark.parametrize("state", [state for state in RowState if state is not RowState.created])
def test_every_state_that_is_not_success_has_advice(state: RowState) -> None:
    """An answer for every row."""
    assert row_advice(state)


def test_a_created_row_needs_no_advice() -> None:
    """Whatever its last answer was."""
    assert row_advice(RowState.created, http_status=409, error_code=20409) == ""


def test_unknown_is_never_told_to_send_again() -> None:
    """A row that may have been created is resolved by reconcile, whatever the server's error was."""
    for code in (None, 20500, 20503, 21211):
        assert "Reconcile" in row_advice(RowState.unknown, http_status=500, error_code=code)


def test_a_planned_row_forgets_an_old_refusal() -> None:
    """It waits to be sent again."""
    assert row_advice(RowState.planned, http_status=400, error_code=21211) == row_advice(RowState.planned)


def test_a_reason_counts_where_the_row_is_left_out() -> None:
    """A row that was sent after all is told of its answer; a reason that is not known, of its state."""
    assert row_advice(RowState.invalid, reason="to_missing") == REASONS[Reason.to_missing].advice
    assert row_advice(RowState.planned, reason="to_missing") == row_advice(RowState.planned)
    assert row_advice(RowState.skipped, reason="from_the_future") == STATES[RowState.skipped].advice
    assert reason_meaning("from_the_future") == ""


def test_every_sentence_may_stand_in_any_table() -> None:
    """It starts with a letter, ends with a full stop, is one line, is no formula, and fits a table."""
    sentences = [explained.advice for explained in CODES.values()]
    sentences += [row_advice(state, http_status=status) for state in RowState for status in (None, *range(400, 430))]
    sentences += [wording.advice for wording in REASONS.values()]
    for sentence in filter(None, sentences):
        assert sentence[0].isalpha()
        assert sentence.endswith(".")
        assert sentence.isprintable()
        assert harmless(sentence) == sentence
        assert len(sentence) <= 120


def test_no_words_of_a_front_end() -> None:
    """No flag, command, setting or mark-up: the same words stand in a report and on a page."""
    texts = [text for wording in (*STATES.values(), *REASONS.values()) for text in (wording.meaning, wording.advice)]
    texts += [text for explained in CODES.values() for text in (explained.meaning, explained.advice)]
    texts += [row_advice(REFUSED, http_status=status) for status in range(400, 430)]
    for text in texts:
        assert not re.search(r"--|\bdispatcher\b|[\[\]`<>]", text), text

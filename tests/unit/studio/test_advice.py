"""What a refused row is told."""

from __future__ import annotations

import pytest

from dispatcher.model import Reason, RowState
from dispatcher.reporting.columns import harmless
from dispatcher.studio.advice import CODES, advice, meaning

REFUSED = RowState.rejected
#: Codes that Studio or an execution's steps are known to give.
KNOWN = [
    *(20001, 20003, 20404, 20409, 20422, 20429, 20500, 20503, 21211, 21408, 21610, 21612, 21614, 30001, 30003, 30004),
    *(30005, 30006, 30007, 30008, 30032, 30034, 63016, 81000, 81001, 81018, 81023),
]


@pytest.mark.parametrize("code", KNOWN)
def test_every_known_code_is_explained(code: int) -> None:
    """A meaning in a few words, and one sentence of what to do."""
    assert meaning(code)
    assert advice(REFUSED, 400, code) == CODES[code].advice


def test_the_code_says_more_than_the_status() -> None:
    """21610 is an opt-out, whatever HTTP status it came with."""
    assert "START" in advice(REFUSED, 400, 21610)
    assert advice(REFUSED, 400, 21610) != advice(REFUSED, 400, None)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 418, 422, 451, None])
@pytest.mark.parametrize("code", [None, 99999])
def test_an_unknown_code_still_gets_advice(status: int | None, code: int | None) -> None:
    """By the HTTP status, and in the worst case by the state."""
    assert advice(REFUSED, status, code)
    assert meaning(99999) is None


@pytest.mark.parametrize("state", [state for state in RowState if state is not RowState.created])
def test_every_state_that_is_not_success_has_advice(state: RowState) -> None:
    """An answer for every row."""
    assert advice(state, None, None)


def test_a_created_row_needs_no_advice() -> None:
    """Whatever its last answer was."""
    assert advice(RowState.created, 409, 20409) == ""


def test_doubt_is_never_answered_with_sending_again() -> None:
    """A row that may have been created is settled by reconcile, whatever the server's error was."""
    for code in (None, 20500, 20503, 21211):
        assert "reconcile" in advice(RowState.unknown, 500, code)


def test_a_planned_row_is_not_told_of_an_old_refusal() -> None:
    """It waits to be sent again."""
    assert advice(RowState.planned, 400, 21211) == advice(RowState.planned, None, None)


def test_every_sentence_may_stand_in_any_table_as_it_is() -> None:
    """It starts with a letter, ends with a full stop, is one line, is no formula, and fits a table."""
    sentences = [explained.advice for explained in CODES.values()]
    sentences += [advice(state, status, None) for state in RowState for status in (None, *range(400, 430))]
    sentences += [reason.advice for reason in Reason]
    for sentence in filter(None, sentences):
        assert sentence[0].isalpha()
        assert sentence.endswith(".")
        assert sentence.isprintable()
        assert harmless(sentence) == sentence
        assert len(sentence) <= 120
    for explained in CODES.values():
        assert explained.meaning[0].isalpha()
        assert not explained.meaning.endswith(".")
        assert len(explained.meaning) <= 70

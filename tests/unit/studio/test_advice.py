"""What Twilio's error codes and statuses mean."""

from __future__ import annotations

import pytest

from dispatcher.studio.advice import CODES, answer_advice, meaning

#: Codes that Studio or an execution's steps are known to give.
KNOWN = [
    *(20001, 20003, 20404, 20409, 20422, 20429, 20500, 20503, 21211, 21408, 21610, 21612, 21614, 30001, 30003, 30004),
    *(30005, 30006, 30007, 30008, 30032, 30034, 63016, 81000, 81001, 81018, 81023),
]


@pytest.mark.parametrize("code", KNOWN)
def test_every_known_code_is_explained(code: int) -> None:
    """A meaning in a few words, and one sentence of what to do."""
    assert meaning(code)
    assert answer_advice(400, code) == CODES[code].advice


def test_the_code_says_more_than_the_status() -> None:
    """21610 is an opt-out, whatever HTTP status it came with."""
    assert "START" in (answer_advice(400, 21610) or "")
    assert answer_advice(400, 21610) != answer_advice(400, None)


def test_an_unknown_answer_has_no_advice() -> None:
    """Whoever asks has something to say by the row's state."""
    assert answer_advice(418, 99999) is None
    assert answer_advice(None, None) is None
    assert meaning(99999) is None


def test_meanings_are_a_few_words() -> None:
    """They begin with a letter and go on after a colon or in a table's cell."""
    for explained in CODES.values():
        assert explained.meaning[0].isalpha()
        assert not explained.meaning.endswith(".")
        assert len(explained.meaning) <= 70

"""What a preview says of the texts that contacts get."""

from __future__ import annotations

from dispatcher.studio.segments import size_of
from dispatcher.web.texts import size_sentence


def test_letters_that_cannot_be_seen_are_named() -> None:
    """What makes a text longer is told so that it can be found: also what turns a line round."""
    told = size_sentence(size_of("caf\u202e\u00e9 \u0151 " + "x" * 80), is_least=False)
    assert told.endswith("as they need another alphabet: U+202E \u0151")
    assert told.startswith("88 characters, 2 SMS parts. ")


def test_one_part_is_one() -> None:
    """Parts are counted as people count."""
    assert size_sentence(size_of("x"), is_least=True) == "At least 1 character, 1 SMS part"

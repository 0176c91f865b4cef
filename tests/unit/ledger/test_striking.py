"""A person's number is found in any text, however it is written, and nothing else is."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.ledger.striking import Person, struck

NUMBER = "2025550101"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("+12025550101", ""),
        ("whatsapp:+12025550101", "whatsapp:"),
        ("call (202) 555-0101 now", "call  now"),
        ("1-202-555-0101.", "."),
        ("from +1 202.555.0101!", "from !"),
        ("0012025550101", ""),
        ("00 1 202\u00a0555\u20110101", ""),
        ('{"a": "2025550101", "b": "x"}', '{"a": "", "b": "x"}'),
        ("99999999992025550101", "9999999999"),
        ("2025550101 and 2025550101", " and "),
        ("2025550102", "2025550102"),
        ("202555010", "202555010"),
        ("", ""),
    ],
)
def test_a_number_is_struck(text: str, left: str) -> None:
    """With what belongs to it, and all that stands around it is left."""
    assert struck(text, NUMBER) == left


@given(st.text(), st.text())
def test_nothing_is_left_of_it(before: str, after: str) -> None:
    """Wherever it stands; and a second time changes nothing."""
    once = struck(before + NUMBER + after, NUMBER)
    assert once is not None
    assert NUMBER not in once
    assert struck(once, NUMBER) == once


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("+442025550101", "+442025550101"),
        ("+44 (0)20 2555 0101", "+44 (0)20 2555 0101"),
        ("+44) 2025550101 or +1 (202) 555-0101", "+44) 2025550101 or "),
        ("+1 (0) 202 555 0101", ""),
        ("001 202 555 0101, 011 1 202 555 0101", ", "),
        ("12025550101 0 202 555 0101 2025550101", "  "),
        ("at 00 2025550101, 00 44 2025550101, + 0 2025550101", "at , , + "),
    ],
)
def test_another_country_s_number_stays(text: str, left: str) -> None:
    """Where it says so of itself: the same digits are somebody else's there."""
    assert struck(text, Person(f"+1{NUMBER}", NUMBER).sought) == left


def test_a_short_number_is_found_nowhere() -> None:
    """Four digits stand in anything; nothing at all is never a number."""
    assert struck("1234", "1234") == "1234"
    assert struck(None, NUMBER) is None


def test_who_has_no_number() -> None:
    """An address that is none is told by the whole cell alone."""
    alice = Person("alice")
    assert (alice.without("client:alice"), alice.without(" alice "), alice.without("alice b")) == ("", "", "alice b")
    assert alice.may_be_in(b'[["client:alice"]]')
    assert not alice.may_be_in(b'[["bob"]]')
    assert alice.hint == "alice"

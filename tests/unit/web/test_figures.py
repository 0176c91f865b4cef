"""Counts and masked addresses."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.model import pseudonym_of
from dispatcher.rules.numbering import calling_code
from dispatcher.web.figures import _SHORT_CODES, masked, masked_sid, number, rate, sample, share


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+15551234534", "+1 555 ••• ••34"),
        ("+4915112345678", "+49 151 ••• ••• 78"),
        ("+447700900123", "+44 770 ••• ••23"),
        ("+4512345678", "+45 1 ••• ••78"),
        ("+3545812345", "+354 ••• ••45"),
        ("+29012345", "+290 ••• ••"),
        ("whatsapp:+15551234534", "WhatsApp +1 555 ••• ••34"),
        ("WhatsApp:+15551234534", "WhatsApp +1 555 ••• ••34"),
        ("rcs:+15551234534", "RCS +1 555 ••• ••34"),
        ("client:anna", "client a•••"),
        ("sip:anna@pbx.example.com", "SIP a•••@p•••"),
        ("anna@example.com", "a•••@e•••"),
        ("messenger:1234567890", "messenger •••90"),
        ("12345", "•••"),
        ("", "•••"),
        (pseudonym_of("+15551234534", b"key"), "forgotten"),
    ],
)
def test_addresses_are_masked(address: str, shown: str) -> None:
    """By which channel and from where, and the last digits; never who."""
    assert masked(address) == shown


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_of_a_number_five_digits_are_hidden(number_: str) -> None:
    """Of any number: what is shown is its beginning and its end, and at least five digits are not shown."""
    shown = masked(number_).replace(" ", "")
    assert len(shown) == len(number_)
    assert shown.count("•") >= min(5, len(number_) - 4)
    pattern = re.escape(shown).replace("•", "[0-9]")
    assert re.fullmatch(pattern, number_)


@given(st.from_regex(r"[a-z0-9._-]{2,30}", fullmatch=True), st.from_regex(r"[a-z0-9.-]{2,30}", fullmatch=True))
def test_of_a_name_one_letter_is_shown(name: str, host: str) -> None:
    """However long it is: not even that is told."""
    assert len(masked(f"sip:{name}@{host}")) == len("SIP a•••@h•••")
    assert masked(f"client:x{name}") == "client x•••"


def test_the_codes_are_the_plan_s() -> None:
    """The calling codes of one and two digits are those of the numbering plan, as the phone library has it."""
    found = {code for n in range(10, 1000) if (code := calling_code(f"+{n}0000000")) is not None}
    assert {code for code in found if len(code) < 3} == _SHORT_CODES


def test_numbers_for_people() -> None:
    """Thousands are told apart; a share is only whole when nothing is missing."""
    assert (number(1_234_567), number(0)) == ("1,234,567", "0")
    shares = [share(*pair) for pair in ((412, 1234), (0, 5), (1, 1000), (999, 1000), (5, 5), (0, 0))]
    assert shares == ["33 %", "0 %", "less than 1 %", "99 %", "100 %", ""]
    assert [rate(n) for n in (19.84, 0.5, 1000)] == ["19.8 a second", "0.5 a second", "1,000 a second"]
    assert (masked_sid("AC" + "0" * 28 + "4f2a"), masked_sid("")) == ("…4f2a", "")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("+12135550100", "+12135…"),
        ("(202) 555-0123", "(202) 5…"),
        ("0171 1234567", "0171 1…"),
        ("2026-03-02 09:00", "2026-03-02 09:00"),
        ("Jun", "Jun"),
        ("C0001", "C0001"),
        ("call +1 213 555 0100 or 12", "call +1 213… or 12"),
        ("x" * 100, "x" * 24),
        ("", ""),
    ],
)
def test_an_example_is_no_number(cell: str, shown: str) -> None:
    """Enough to know the column by, and nobody's number."""
    assert sample(cell) == shown

"""What people and spreadsheets make of a number is undone, or refused with what happened to it."""

from __future__ import annotations

import pytest

from dispatcher.intake.phones import Addresses
from dispatcher.model import Reason, Refusal

DE = Addresses("DE")
_MARKS = "'\"`\u00b4\u2018\u2019\u201a\u201b\u201c\u201e\u2033\u2032\u02b9\u02bc\u02bb\uff07\uff02\u00ab"


@pytest.mark.parametrize("mark", [*_MARKS, "''", "' '", "\u200b\u2019"])
@pytest.mark.parametrize("text", ["015112345678", "+4915112345678", "tel:+4915112345678"])
def test_marks_before_a_number_are_no_part_of_it(mark: str, text: str) -> None:
    """Apostrophes and quotation marks of every kind, as guards and as typing makes them, are left out."""
    assert DE.read(mark + text) == "+4915112345678"


@pytest.mark.parametrize("text", ['"0151 12345678"', "“0151 12345678”", "«0151 12345678»", "'tel:+4915112345678'"])
def test_quotation_marks_around_a_number_are_no_part_of_it(text: str) -> None:
    """A number that is quoted twice is the number."""
    assert DE.read(text) == "+4915112345678"


@pytest.mark.parametrize("text", ["client:ann'", 'client:ann"'])
def test_a_name_keeps_its_own_marks(text: str) -> None:
    """What ends in a mark without beginning with one is a name that has it."""
    assert DE.read(text) == text


@pytest.mark.parametrize(
    "text",
    ["(0202)555-0123", "0202.555.0123", "0202/5550123", "+492025550123", "tel:+492025550123"],
)
def test_full_width_punctuation_is_punctuation(text: str) -> None:
    """Whoever types full-width digits types full-width marks between them."""
    widened = "".join(chr(ord(character) + 0xFEE0) for character in text)
    assert DE.read(widened) == "+492025550123"


def test_a_raised_digit_is_none() -> None:
    """A footnote's mark is no digit of the number."""
    assert DE.read("0151 1234567²") == Refusal(Reason.to_invalid, "…567² has '²' in it")


@pytest.mark.parametrize("region", ["DE", "US", "NO", "DK", "SE", "AT", "IT", "HK"])
@pytest.mark.parametrize(
    "text",
    ["2026-03-02", "1985-12-24", "2026/03/02", "2026.03.02", "02.03.2026", "24.12.1985", "03/02/2026", "12-3-2026"],
)
def test_a_date_is_no_number(region: str, text: str) -> None:
    """A column of dates taken for the numbers' would call strangers where numbers have as many digits."""
    right = Refusal(Reason.to_mangled, f"…{text[-4:]} is a date, not a number")
    assert Addresses(region).read(text) == right
    assert Addresses(region).read_column([text]) == ([None], {0: right})


@pytest.mark.parametrize(
    "text",
    [
        "#NV",
        "#WERT!",
        "#BEZUG!",
        "#NOMBRE?",
        "#N/D",
        "#¡VALOR!",
        "#\u0417\u041d\u0410\u0427!",
        "#DIV/0!",
        "#####",
        "Err:502",
    ],
)
def test_errors_in_any_language_are_a_spreadsheets(text: str) -> None:
    """A spreadsheet writes its errors in its user's language."""
    assert DE.read(text) == Refusal(Reason.to_mangled, f"{text} is a spreadsheet's error, not a number")


@pytest.mark.parametrize("text", ["\\N", "(null)", "n.a.", "---", "\u2014", "..", "/", "''"])
def test_signs_of_nothing_are_a_missing_number(text: str) -> None:
    """What databases and people write where there is nothing."""
    answer = DE.read(text)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.to_missing


def test_a_rounded_number_with_all_its_digits_is_not_shown() -> None:
    """E-notation of many digits is a whole number."""
    assert DE.read("4.915112345678E+12") == Refusal(
        Reason.to_mangled, "…E+12 is a rounded number (E-notation): its last digits are lost"
    )


@pytest.mark.parametrize("text", ["7290.0", "7290.00", "3101,0"])
def test_a_short_number_that_became_a_decimal_one_is_refused(text: str) -> None:
    """In Tokelau four digits are a number, and five another."""
    answer = Addresses("TK").read(text)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.to_mangled

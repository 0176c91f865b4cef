"""What a table looks like: its header, its numbers' column, their country."""

from __future__ import annotations

import pytest

from dispatcher.intake.guesses import (
    NumbersGuess,
    RegionGuess,
    column_looks,
    has_code,
    header_row,
    is_like_number,
    numbers_column,
    region,
    valid_with,
)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("+12025550123", True),
        (" (202) 555-0123 ", True),
        ("0151 1234567", True),
        ("612345678", True),
        ("06.12.34.56.78", True),
        ("whatsapp:+12025550123", True),
        ("tel:+12025550123", True),
        ("'+12025550123", True),
        ("0049151/12345678", True),
        ("2026-03-31", False),
        ("31.12.2026", False),
        ("2026-03-31 14:00", False),
        ("12345.67", False),
        ("123456", False),
        ("1234567890123456", False),
        ("Ada", False),
        ("a@example.org", False),
        ("Main Street 1234567", False),
        ("", False),
    ],
)
def test_what_looks_like_a_number(text: str, is_one: bool) -> None:
    """Right or wrong, it is written as phone numbers are; dates and amounts are not."""
    assert is_like_number(text) is is_one


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ([("Phone", "Name"), ("612345678", "Ada")], 0),
        ([("Spring recall 2026", "", ""), ("Phone", "Name", "City"), ("612345678", "Ada", "Lyon")], 2),
        (
            [
                ("Spring 2026", "", ""),
                ("as of 2026-01-02", "", ""),
                ("Tél.", "Prénom", "Ville"),
                ("612345678", "A", "B"),
            ],
            3,
        ),
        ([("Phone", "", "Note"), ("612345678", "Ada", "")], 0),
        ([("612345678", "Ada"), ("612345679", "Bob")], None),
        ([("Phone",), ("612345678",)], 0),
        ([("612345678",)], None),
        ([("Phone", "Name")], 0),
        ([("2026", "2027"), ("612345678", "1")], None),
        ([("Recall", "spring", ""), ("Phone", "Name", "City"), ("612345678", "Ada", "Lyon")], 2),
        ([("Phone", "", "Note", ""), ("", "Ada", "x", "y"), ("612345678", "Ada", "x", "y")], 0),
        ([("612345678", "Ada"), ("n/a", "Bob"), ("612345679", "Cy")], None),
        ([("2026-01-02", ""), ("Phone", "Name"), ("612345679", "Cy")], 2),
        ([("Name", "City"), ("Ada", "Lyon"), ("Bob", "Lyon")], 0),
        # A title over all columns, then names: the first row that is names is taken, and shown.
        ([("Owl", "Dental"), ("Phone", "Name"), ("612345678", "Ada")], 0),
    ],
)
def test_where_the_names_stand(rows: list[tuple[str, ...]], number: int | None) -> None:
    """The first row of texts that is about as full as those below it."""
    below = [(at, row) for at, row in enumerate(rows[1:], 2)]
    assert header_row(rows[0], below) == number


FIVE = ["612345678", "623456789", "634567891", "645678912", "656789123"]


@pytest.mark.parametrize(
    ("columns", "guess"),
    [
        ({"Name": ["A"] * 5, "Téléphone": FIVE}, NumbersGuess("Téléphone", True)),
        ({"Kundennummer": FIVE}, NumbersGuess("Kundennummer")),
        ({"Kundennummer": FIVE, "Telefon": FIVE}, NumbersGuess("Telefon")),
        ({"Telefon": FIVE, "Mobil": FIVE}, NumbersGuess("Mobil")),
        ({"a": FIVE, "b": FIVE}, NumbersGuess(None)),
        ({"a": FIVE, "b": [*FIVE[:4], "x"]}, NumbersGuess("a")),
        ({"Hotel": FIVE}, NumbersGuess("Hotel")),
        ({"Phone": [*FIVE[:3], "x", "y"]}, NumbersGuess("Phone")),
        ({"Phone": [*FIVE[:1], "x", "y", "z", "-"], "Name": ["A"] * 5}, NumbersGuess("Phone")),
        ({"Id": [*FIVE[:1], "x", "y", "z", "-"], "Name": ["A"] * 5}, NumbersGuess(None)),
        ({"Phone": ["x"] * 5, "Name": ["A"] * 5}, NumbersGuess(None)),
        ({"Phone": [""] * 5}, NumbersGuess(None)),
        ({"": FIVE}, NumbersGuess(None)),
    ],
)
def test_the_numbers_column(columns: dict[str, list[str]], guess: NumbersGuess) -> None:
    """By its cells; among several by its name. Certain only where both say so and nothing else looks like it."""
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    assert numbers_column(column_looks(list(columns), rows)) == guess


@pytest.mark.parametrize(
    ("numbers", "guess"),
    [
        ([*FIVE, "+33612345678"], RegionGuess(True, "FR")),
        ([*FIVE, "0033612345678"], RegionGuess(True, "FR")),
        ([*FIVE, "+12025550123", "+33612345678"], RegionGuess(True, "FR")),
        ([*FIVE, "+12025550123"], RegionGuess(True)),
        (FIVE, RegionGuess(True)),
        (["+33612345678", "+12025550123", "Ada"], RegionGuess(False)),
        (["2025550123", "whatsapp:+12025550123"], RegionGuess(True, "US")),
        ([], RegionGuess(False)),
    ],
)
def test_the_country(numbers: list[str], guess: RegionGuess) -> None:
    """Numbers with a code tell it, where it fits those without; where all have one, none is needed."""
    assert region(numbers) == guess


def test_how_many_are_right() -> None:
    """A country's numbers are counted, and a country that there is not is an error."""
    assert (valid_with(FIVE, "FR"), valid_with(FIVE, "US"), valid_with(FIVE, None)) == (5, 0, 0)
    with pytest.raises(ValueError, match="XX"):
        valid_with(FIVE, "XX")


@pytest.mark.parametrize(
    ("text", "has"),
    [("+1", True), ("0049", True), ("whatsapp:+1", True), ("(0)49", False), ("(+49) 151", True), ("049", False)],
)
def test_a_country_code(text: str, has: bool) -> None:
    """A plus, or two zeros."""
    assert has_code(text) is has

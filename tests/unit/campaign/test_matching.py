"""Which column a variable means: certain, likely, or not told."""

from __future__ import annotations

import pytest

from dispatcher.campaign.matching import fold, match


@pytest.mark.parametrize(
    ("variable", "columns", "certain", "guess"),
    [
        ("first_name", ["first_name", "First name"], "first_name", None),
        ("first_name", ["First name", "Phone"], "First name", None),
        ("first_name", ["FirstName"], "FirstName", None),
        ("first_name", ["First name", "FIRST_NAME"], None, "FIRST_NAME"),
        ("prenom", ["Prénom", "Nom"], "Prénom", None),
        ("strasse", ["Straße"], "Straße", None),
        ("first_name", ["Vorname", "Nachname"], None, "Vorname"),
        ("first_name", ["Prénom", "Nom"], None, "Prénom"),
        ("first_name", ["Vorname", "Rufname"], None, None),
        ("first_name", ["Name", "Ort"], None, "Name"),
        ("name", ["Customer name", "City"], None, "Customer name"),
        ("name", ["Customer name", "Pet name"], None, None),
        ("apointment", ["Appointment"], None, "Appointment"),
        ("voucher", ["Name", "Ort"], None, None),
        ("voucher", [], None, None),
        ("first_name", ["]] #", "x = 1"], None, None),
        ("_", ["-", "  ."], None, None),
    ],
)
def test_one_variable(variable: str, columns: list[str], certain: str | None, guess: str | None) -> None:
    """Certain where the names are one but for how they are written; likely names are a guess; two likely ones none."""
    found = match([variable], columns)
    assert (found.certain.get(variable), found.guesses.get(variable)) == (certain, guess)


def test_each_variable_in_one_of_both() -> None:
    """A column that is certainly one variable's is no guess for another, and none is guessed twice."""
    found = match(["first_name", "FIRST", "name", "x"], ["first_name", "Name", "first"])
    assert found.certain == {"first_name": "first_name", "FIRST": "first", "name": "Name"}
    assert found.guesses == {"x": None}
    twice = match(["firstname", "first_name"], ["First name"])
    assert twice.certain == {}
    assert list(twice.guesses.values()) == ["First name", None]


def test_two_variables_of_one_spelling() -> None:
    """A column that is named exactly so is one variable's own, and not the other's."""
    found = match(["first_name", "First_Name"], ["first_name"])
    assert found.certain == {"first_name": "first_name"}
    assert found.guesses == {"First_Name": None}


@pytest.mark.parametrize(
    "name", ["First Name", "first_name", "FIRST-NAME", "FirstName", " first.name ", "Fïrst\u00a0Name"]
)
def test_writers_differ(name: str) -> None:
    """Case, accents, blanks and punctuation are how a name is written."""
    assert fold(name) == "firstname"

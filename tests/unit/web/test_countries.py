"""Countries for a choice."""

from __future__ import annotations

from dispatcher.intake.phones import countries
from dispatcher.web.countries import country_choices, country_name


def test_every_country_with_numbers_once() -> None:
    """By its English name; each code can be told back, one that is none by itself."""
    choices = dict(country_choices())
    assert set(choices) == countries()
    assert len(country_choices()) == len(choices) > 200
    assert (choices["US"], choices["DE"], choices["XK"]) == ("United States", "Germany", "Kosovo")
    assert all(name != code for code, name in choices.items())
    assert (country_name("DE"), country_name("ZZ"), country_name("")) == ("Germany", "ZZ", "")


def test_countries_where_they_are_looked_for() -> None:
    """Åland Islands under A, Réunion before Romania: by the letter, not by its accent or number."""
    names = [name for _, name in country_choices()]
    for first, second in (
        ("Åland Islands", "Albania"),
        ("Côte d’Ivoire", "Croatia"),
        ("Réunion", "Romania"),
        ("São Tomé & Príncipe", "Saudi Arabia"),
    ):
        assert names.index(first) < names.index(second)
    assert names[0] == "Afghanistan"
    assert names[-1] == "Zimbabwe"

"""Countries by their English names, for a choice."""

from __future__ import annotations

import functools
import unicodedata

from babel import Locale


@functools.cache
def country_choices() -> tuple[tuple[str, str], ...]:
    """Two letters and the name of each country that has telephone numbers, by name."""
    # Reads numbers' plans, which takes a tenth of a second.
    from dispatcher.intake.phones import countries

    names = Locale("en").territories
    return tuple(sorted(((code, names.get(code, code)) for code in countries()), key=lambda pair: _place(pair[1])))


def _place(name: str) -> str:
    """Where a name is looked for: Åland Islands under A."""
    letters = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()


def country_name(code: str) -> str:
    """A country's name; its code where it has none."""
    return dict(country_choices()).get(code, code)

"""Countries by their English names, for a choice."""

from __future__ import annotations

import functools

from babel import Locale


@functools.cache
def country_choices() -> tuple[tuple[str, str], ...]:
    """Two letters and the name of each country that has telephone numbers, by name."""
    # Reads numbers' plans, which takes a tenth of a second.
    from dispatcher.intake.phones import countries

    names = Locale("en").territories
    return tuple(sorted(((code, names.get(code, code)) for code in countries()), key=lambda pair: pair[1]))


def country_name(code: str) -> str:
    """A country's name; its code where it has none."""
    return dict(country_choices()).get(code, code)

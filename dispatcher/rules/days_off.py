"""Public holidays of a country or a state. The only file with `holidays`, which is slow to import."""

from __future__ import annotations

from functools import cache


def days_off(country: str | None, area: str | None, years: range) -> frozenset[int]:
    """The public holidays of these years, as days since 0001-01-01 (`date.toordinal`).

    country, area: ISO 3166-1 and 3166-2 codes (US, US-FL). Days that stand in for a holiday on a weekend count too. A
    state that the library does not know has its country's holidays; a country that it does not know has none.
    """
    return frozenset[int]().union(*(_of_year(country, area, year) for year in years)) if country else frozenset()


@cache
def _of_year(country: str, area: str | None, year: int) -> frozenset[int]:
    import holidays

    subdivision = area.partition("-")[2] if area else None
    for subdiv in (subdivision, None):
        try:
            return frozenset(day.toordinal() for day in holidays.country_holidays(country, subdiv=subdiv, years=year))
        except NotImplementedError:
            continue
    return frozenset()

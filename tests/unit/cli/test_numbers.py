"""Moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dispatcher.cli.render.numbers import local_text


def test_a_moment_on_the_contacts_clock() -> None:
    """Today the hour alone; another day with it, and another year with that: a wrong year in a file must be seen."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    years = {now.replace(year=now.year + 2, day=1), now.replace(year=now.year - 1, day=1)}
    for at in (now, *years):
        shown = local_text(round(at.timestamp() * 1000), "UTC")
        assert (str(at.year) in shown) == (at in years), shown
        assert shown.startswith(f"{at:%H:%M}")
        assert shown.endswith("in UTC")
    later = now + timedelta(days=1)
    assert f" on {later:%a %d %b}" in local_text(round(later.timestamp() * 1000), "UTC")

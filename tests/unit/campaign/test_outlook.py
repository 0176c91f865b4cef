"""What a send would do, and how its number is confirmed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.campaign.outlook import duration_s, outlook, read_count
from dispatcher.model import RowState
from dispatcher.settings import RateSettings, Settings
from tests.unit.campaign.values import status


def settings(**rate: object) -> Settings:
    return Settings(rate=RateSettings(**rate))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "rate", "seconds"),
    [
        (198, {}, 10.0),
        (0, {}, 0.0),
        (198, {"pace": "spike"}, 0.0),
        (199, {"pace": "spike"}, 10.0),
        (397, {"pace": "spike"}, 20.0),
        (100, {"per_second": 10, "headroom": 0}, 10.0),
        # What the senders carry lowers the pace, and never raises it.
        (100, {"messages_per_second": 1}, 100.0),
        (100, {"messages_per_second": 3, "messages_per_execution": 2}, 100 / 1.5),
        (198, {"messages_per_second": 100}, 10.0),
        (11, {"messages_per_second": 1, "pace": "spike"}, 10.0),
    ],
)
def test_the_duration_is_that_of_the_rate(rows: int, rate: dict[str, object], seconds: float) -> None:
    """Evenly at the rate, or whole windows with a wait between them."""
    assert duration_s(rows, settings(**rate)) == pytest.approx(seconds)


def test_what_may_be_sent() -> None:
    """Planned rows of this file, and rows left unknown of every file; a limit caps both."""
    found = status(
        {RowState.planned: 10, RowState.unknown: 2, RowState.created: 5},
        {RowState.planned: 7, RowState.sending: 1},
    )
    assert outlook(found, settings()).most == 13
    assert outlook(found, settings(), whole_campaign=True).most == 20
    assert outlook(found, settings(), limit=4).most == 4
    assert outlook(found, settings(), extra=3).most == 16
    assert outlook(found, settings()).unresolved == 3


@pytest.mark.parametrize(
    ("typed", "count"),
    [
        ("1234\n", 1234),
        (" 1,234 ", 1234),
        ("1 234", 1234),
        ("1\u202f234", 1234),
        ("1_234", 1234),
        ("1'234", 1234),
        ("0", 0),
        ("012", None),
        ("12.5", None),
        ("1.234", None),
        ("-5", None),
        ("+5", None),
        ("١٢", None),
        ("yes", None),
        ("", None),
    ],
)
def test_a_typed_number_is_read_as_people_write_it(typed: str, count: int | None) -> None:
    """Thousands may be set apart; what could be read in two ways is no number."""
    assert read_count(typed) == count


@given(st.integers(0, 10**9))
def test_what_is_shown_can_be_typed(count: int) -> None:
    """Both ways in which the program writes a count confirm it."""
    assert read_count(f"{count}") == read_count(f"{count:,}") == count

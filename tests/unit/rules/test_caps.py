"""How much at most from midnight to midnight of one zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dispatcher.rules.caps import DailyCap

HOUR_MS = 3_600_000
LA = "America/Los_Angeles"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "at", "begins", "ends"),
    [
        (LA, "2026-11-26T07:59:59.999", "2026-11-25T08:00", "2026-11-26T08:00"),
        (LA, "2026-11-26T08:00", "2026-11-26T08:00", "2026-11-27T08:00"),
        # The day on which summer time begins has 23 hours, that on which it ends 25.
        (LA, "2026-03-08T20:00", "2026-03-08T08:00", "2026-03-09T07:00"),
        (LA, "2026-11-01T20:00", "2026-11-01T07:00", "2026-11-02T08:00"),
        # In Havana midnight is skipped in spring and comes twice in autumn.
        ("America/Havana", "2026-03-08T12:00", "2026-03-08T05:00", "2026-03-09T04:00"),
        ("America/Havana", "2024-11-03T12:00", "2024-11-03T04:00", "2024-11-04T05:00"),
        ("UTC", "2026-11-26T12:00", "2026-11-26T00:00", "2026-11-27T00:00"),
    ],
)
def test_the_day(zone: str, at: str, begins: str, ends: str) -> None:
    """It begins at midnight of the zone, over changes of its clock."""
    assert DailyCap(1, zone).day(ms(at)) == (ms(begins), ms(ends))


def test_reached_until_midnight() -> None:
    """So many and no more; at midnight, and not before, there is room for as many again."""
    cap, at_ms = DailyCap(3, LA), ms("2026-11-26T07:00")
    cap.seed(1, at_ms)
    assert (cap.room(at_ms), cap.until_ms(at_ms)) == (2, None)
    cap.begin(1)
    cap.begin(2)
    assert (cap.room(at_ms), cap.until_ms(at_ms)) == (0, ms("2026-11-26T08:00"))
    assert cap.room(at_ms + HOUR_MS - 1) == 0
    assert (cap.room(at_ms + HOUR_MS), cap.until_ms(at_ms + HOUR_MS)) == (3, None)


def test_what_created_nothing_makes_room() -> None:
    """Once, and only of today: what yesterday began and is known today does not."""
    cap, at_ms = DailyCap(2, LA), ms("2026-11-26T07:00")
    for attempt_id in (1, 2):
        cap.room(at_ms)
        cap.begin(attempt_id)
    cap.end(1, counts=True)
    assert cap.room(at_ms) == 0
    cap.end(2, counts=False)
    cap.end(2, counts=False)
    assert cap.room(at_ms) == 1
    cap.begin(3)
    at_ms += HOUR_MS
    assert cap.room(at_ms) == 2
    cap.begin(4)
    cap.end(3, counts=False)
    assert cap.room(at_ms) == 1


def test_more_than_the_cap_is_none() -> None:
    """Where it was lowered, or others have begun more, there is no room."""
    cap = DailyCap(2, "UTC")
    cap.seed(5, 0)
    assert cap.room(1) == 0

"""What goes on by itself, and what is held: by table."""

from __future__ import annotations

from datetime import UTC

import pytest

from dispatcher.web.running.restart import Due, Mark, held_as_late, held_at_start

MINUTE_MS = 60_000
#: 2026-11-27 19:40 UTC.
NOW_MS = 1_795_808_400_000
HERE = "a" * 32
GOES_ON = None


def due(
    minutes_ago: float, *, is_chosen: bool = False, is_begun: bool = True, waited_until: float | None = None
) -> Due:
    """An order of so long ago; `waited_until`: so long ago, too."""
    return Due(
        due_ms=NOW_MS - int(minutes_ago * MINUTE_MS),
        is_chosen=is_chosen,
        is_begun=is_begun,
        next_at_ms=None if waited_until is None else NOW_MS - int(waited_until * MINUTE_MS),
    )


def mark(minutes_ago: float, host_id: str = HERE) -> Mark:
    """A server that was alive so long ago."""
    return Mark(alive_at_ms=NOW_MS - int(minutes_ago * MINUTE_MS), host_id=host_id)


@pytest.mark.parametrize(
    ("order", "left", "said"),
    [
        (due(5), mark(1), GOES_ON),
        (due(600), mark(1), GOES_ON),
        (due(600), mark(15), GOES_ON),
        (due(600), mark(15.1), "dispatcher was off from 19:24 to 19:40"),
        (due(600), mark(337), "dispatcher was off from 14:03 to 19:40"),
        (due(600), mark(1440), "dispatcher was off from 19:40 on 26 November to 19:40"),
        # It waited for its hours meanwhile.
        (due(600, waited_until=-60), mark(337), GOES_ON),
        (due(600, waited_until=14), mark(337), GOES_ON),
        (due(600, waited_until=16), mark(337), "dispatcher was off from 14:03 to 19:40"),
        (due(600, waited_until=-60), mark(337, "b" * 32), "another machine"),
        # Somebody said "now", and it was not begun: as any other.
        (due(600, is_begun=False), mark(1), GOES_ON),
        (due(600, is_begun=False), mark(337), "dispatcher was off from 14:03 to 19:40"),
        # A time that was chosen.
        (due(-60, is_chosen=True, is_begun=False), mark(600), GOES_ON),
        (due(14, is_chosen=True, is_begun=False), mark(14), GOES_ON),
        (due(16, is_chosen=True, is_begun=False), mark(1), "It was to begin at 19:24 and could not"),
        (due(16, is_chosen=True, is_begun=False), mark(600), "It was to begin at 19:24 and could not"),
        (
            due(5, is_chosen=True, is_begun=False),
            mark(600),
            "dispatcher was off from 9:40 to 19:40".replace(" 9", " 09"),
        ),
        (due(600, is_chosen=True), mark(1), GOES_ON),
        # Whoever has the first machine may send it.
        (due(5), mark(1, "b" * 32), "another machine"),
        (due(-60, is_chosen=True, is_begun=False), mark(1, "b" * 32), "another machine"),
        (due(5), Mark(alive_at_ms=None, host_id=None), "not known when dispatcher was here last"),
    ],
)
def test_what_is_held_at_a_start(order: Due, left: Mark, said: str | None) -> None:
    """By the time of the order, the time of the absence and the machine."""
    found = held_at_start(order, left, HERE, NOW_MS, UTC)
    assert (found is None) if said is None else (found is not None and said in found)


@pytest.mark.parametrize(
    "left", [mark(1), mark(337), mark(1, "b" * 32), Mark(alive_at_ms=None, host_id=None)], ids=["1", "off", "b", "none"]
)
def test_what_workers_send_is_never_held_for_the_page(left: Mark) -> None:
    """It went on without it; only what the page alone could have begun is looked at as anywhere."""
    assert held_at_start(due(600), left, HERE, NOW_MS, UTC, by_workers=True) is None
    order = due(600, is_begun=False)
    assert held_at_start(order, left, HERE, NOW_MS, UTC, by_workers=True) == held_at_start(
        order, left, HERE, NOW_MS, UTC
    )


def test_a_time_is_late_after_a_quarter() -> None:
    """Not by the minute, and never once it has begun."""
    assert held_as_late(due(15, is_chosen=True, is_begun=False), NOW_MS, UTC) is None
    assert held_as_late(due(15.1, is_chosen=True, is_begun=False), NOW_MS, UTC) is not None
    assert held_as_late(due(600, is_chosen=True), NOW_MS, UTC) is None
    assert held_as_late(due(600, is_begun=False), NOW_MS, UTC) is None

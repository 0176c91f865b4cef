"""How much at most from midnight to midnight of one zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dispatcher.rules.caps import UNCAPPED, Capped, DailyCap, Rooms, SenderCap, capped

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


def test_each_sender_until_midnight() -> None:
    """Each has its own room; who has none left is full until midnight, and not a millisecond longer."""
    cap, at_ms = SenderCap(3, LA), ms("2026-11-26T07:00")
    cap.seed({"A": 2, "B": 3}, at_ms)
    assert [cap.rooms(at_ms).of(sender) for sender in "ABC"] == [1, 0, 3]
    assert capped(at_ms, None, cap) == Capped(ms("2026-11-26T08:00"), senders=frozenset("B"))
    cap.begin([(1, "A"), (2, "C")])
    assert [cap.rooms(at_ms).of(sender) for sender in "ABC"] == [0, 0, 2]
    assert sorted(cap.rooms(at_ms + HOUR_MS - 1).full) == ["A", "B"]
    assert [cap.rooms(at_ms + HOUR_MS).of(sender) for sender in "ABC"] == [3, 3, 3]
    assert capped(at_ms + HOUR_MS, None, cap) == Capped(ms("2026-11-27T08:00"))


def test_room_of_a_sender_comes_back() -> None:
    """Where nothing was created, once; and not to a day that was not that one's."""
    cap, at_ms = SenderCap(2, LA), ms("2026-11-26T07:00")
    cap.seed({}, at_ms)
    cap.begin([(1, "A"), (2, "A"), (3, "B")])
    before = cap.rooms(at_ms)
    cap.end(1, counts=True)
    cap.end(2, counts=False)
    cap.end(2, counts=False)
    cap.end(9, counts=False)
    assert [cap.rooms(at_ms).of(sender) for sender in "AB"] == [1, 1]
    # A claim that is on its way keeps what it was told.
    assert before.of("A") == 0
    tomorrow_ms = at_ms + HOUR_MS
    cap.rooms(tomorrow_ms)
    cap.begin([(4, "B")])
    cap.end(3, counts=False)
    assert cap.rooms(tomorrow_ms).of("B") == 1


@pytest.mark.parametrize(
    ("all_begun", "by_sender", "some", "until"),
    [
        (4, {"A": 2}, False, {"A": None, "B": None}),
        (4, {"A": 3}, True, {"A": 8, "B": None}),
        (5, {"A": 1}, False, {"A": 8, "B": 8}),
        (5, {"A": 4}, False, {"A": 8, "B": 8}),
    ],
)
def test_both_caps(all_begun: int, by_sender: dict[str, int], some: bool, until: dict[str, int | None]) -> None:
    """The account's holds all; a sender's holds that sender alone."""
    at_ms = ms("2026-11-26T07:00")
    cap, sender_cap = DailyCap(5, LA), SenderCap(3, LA)
    cap.seed(all_begun, at_ms)
    sender_cap.seed(by_sender, at_ms)
    found = capped(at_ms, cap, sender_cap)
    midnight = {8: ms("2026-11-26T08:00"), None: None}
    assert (found.some, {sender: found.of_ms(sender) for sender in "AB"}) == (
        some,
        {sender: midnight[at] for sender, at in until.items()},
    )


def test_no_caps() -> None:
    """There is room for all."""
    assert capped(0, None, None) is UNCAPPED
    assert (UNCAPPED.everyone_ms, UNCAPPED.some, UNCAPPED.of_ms("A")) == (None, False, None)
    assert Rooms(5, {"A": 7}).of("A") == 0

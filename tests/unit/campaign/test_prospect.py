"""What a send would come to by the clock, and how that is said."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dispatcher.campaign.prospect import End, Prospect, foresee, long_code, prospect_object
from dispatcher.cli.render.campaign import prospect_lines
from dispatcher.ledger.senders import DueOf
from dispatcher.model import Reason
from dispatcher.rules.caps import DailyCap, SenderCap
from dispatcher.rules.gate import Due, Schedule
from dispatcher.rules.hours import read_hours
from dispatcher.rules.places import NOWHERE, Place, PlaceSource
from dispatcher.rules.starts import Begin, MissedLocal
from dispatcher.rules.times import Moment, read_moment
from dispatcher.settings import Settings

NEW_YORK, LONDON = "America/New_York", "Europe/London"
PLACES: dict[int, Place | None] = {
    1: Place((NEW_YORK,), "US", None, PlaceSource.column),
    2: Place((LONDON,), "GB", None, PlaceSource.column),
    3: NOWHERE,
}
HOURS = read_hours([], own="09:00-21:00")
LONG_CODE = "+12025550123"


def ms(text: str, zone: str = NEW_YORK) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def moment(text: str) -> Moment:
    found = read_moment(text)
    assert isinstance(found, Moment)
    return found


def chosen(sender: str | None = None, **tables: dict[str, Any]) -> Settings:
    return Settings.model_validate({"campaign": {"from": sender}, **tables})


def foreseen(
    rows: dict[int, int], now: str, settings: Settings | None = None, schedule: Schedule | None = None, **more: Any
) -> Prospect:
    of = schedule or Schedule(HOURS, PLACES)
    waiting = [DueOf("", Due(place_id, 0), n) for place_id, n in rows.items()]
    return foresee(waiting, settings or chosen(), of, of, ms(now), **more)


def told(found: Prospect | None) -> str:
    return "\n".join(f"{label}: {text}" for label, text in prospect_lines(found))


def test_nothing_to_tell() -> None:
    """Where all go now, and in time, the duration says all; and where no rule holds."""
    assert told(foreseen({1: 100}, "2026-07-15T12:00")) == ""
    assert told(None) == ""
    assert prospect_object(None) is None


def test_the_rate_runs_past_the_closing() -> None:
    """How many of those that may go now leave in time, until when, and when all is done."""
    settings = chosen(rate={"per_second": 1, "headroom": 0})
    found = foreseen({1: 5000, 2: 10}, "2026-07-15T20:00", settings)
    assert found.closing == End(at_ms=ms("2026-07-15T21:00"), zone=NEW_YORK)
    text = told(found)
    assert "closing: 3,600 of 5,000 rows that may go now leave before" in text
    assert "21:00" in text
    assert "at this rate 1,400 do not" in text
    assert "done: 09:23" in text
    assert NEW_YORK in text
    assert prospect_object(found) == {
        "open_now": 5000,
        "held_back": 1400,
        "closes_at": "2026-07-16T01:00:00Z",
        "expired": 0,
        "left_out": {},
        "done_at": "2026-07-16T13:23:20Z",
        "queued_at_closing": 0,
        "missed_by_min": None,
    }


def test_what_the_senders_carry_is_the_rate() -> None:
    """messages_per_second lowers the pace, and so what leaves today."""
    settings = chosen(LONG_CODE, rate={"messages_per_second": 1})
    found = foreseen({1: 5000}, "2026-07-15T20:00", settings)
    assert (found.estimate.held_back, found.queued) == (1400, None)


def test_when_those_that_wait_are_done() -> None:
    """Where some wait for their hours, when the last has left, though nothing is held back."""
    lines = told(foreseen({1: 10, 2: 100}, "2026-07-15T18:00")).splitlines()
    assert lines[0] == "now: 10 of 110 rows may go"
    assert lines[1].startswith("done: 09:00")


@pytest.mark.parametrize("sender_cap", [False, True])
def test_a_cap_is_told_where_nothing_closes(sender_cap: bool) -> None:
    """All may go now, by their hours, and no place closes: the day on which a cap lets the last go is told."""
    always = Schedule(read_hours([], own="00:00-24:00"), PLACES)
    caps: dict[str, Any] = {"sender_cap": SenderCap(100, NEW_YORK)} if sender_cap else {"cap": DailyCap(100, NEW_YORK)}
    text = told(foreseen({1: 250}, "2026-07-15T12:00", schedule=always, **caps))
    assert "done: 00:00 on Fri 17 Jul" in text
    assert told(foreseen({1: 100}, "2026-07-15T12:00", schedule=always, **caps)) == ""


def test_what_is_left_out() -> None:
    """A deadline that comes first, for some places alone, and what has no zone."""
    schedule = Schedule(HOURS, PLACES, start=moment("2026-07-15T09:00"), deadline=moment("2026-07-15T12:00Z"))
    found = foreseen({1: 7, 2: 5, 3: 2}, "2026-07-15T03:30", schedule=schedule)
    assert found.left_out == {Reason.expired: 7, Reason.zone_unknown: 2}
    text = told(found)
    assert "too late: 7 rows are left out (expired)" in text
    assert "left out: 2 rows (zone_unknown)" in text
    # At this rate it comes before the rest.
    slow = chosen(rate={"per_second": 0.1, "window_s": 100, "headroom": 0})
    cut = foreseen({2: 1000}, "2026-07-15T07:50", slow, schedule)
    assert (cut.estimate.expired, "too late: 940 rows" in told(cut)) == (940, True)


def test_a_start_that_is_missed() -> None:
    """Left out, or moved to the next day: then it is done a day later."""
    now = ms("2026-07-15T09:00:03")
    for missed, expired in (("skip", 5), ("next_day", 0), ("now", 0)):
        begin = Begin(now, 3_600_000, MissedLocal(missed))
        schedule = Schedule(HOURS, PLACES, start=moment("2026-07-15T09:00"), begin=begin)
        found = foreseen({1: 7, 2: 5}, "2026-07-15T09:00:03", schedule=schedule)
        assert found.left_out.get(Reason.expired, 0) == expired
        tomorrow = found.estimate.done_ms is not None and found.estimate.done_ms > ms("2026-07-16T09:00", LONDON)
        assert tomorrow is (missed == "next_day")


@pytest.mark.parametrize(
    ("sender", "column", "is_one"),
    [
        (LONG_CODE, None, True),
        ("+18005550123", None, False),
        ("+18885550123", None, False),
        ("whatsapp:+12025550123", None, False),
        ("MG" + "0" * 32, None, False),
        ("+442071234567", None, False),
        ("12345", None, False),
        (LONG_CODE, "sender", False),
        (None, None, False),
    ],
)
def test_one_long_code(sender: str | None, column: str | None, is_one: bool) -> None:
    """One number of North America for all, and not a toll-free one."""
    settings = Settings.model_validate({"campaign": {"from": sender, "from_column": column}})
    assert (long_code(settings) == LONG_CODE) is is_one


def test_a_queue_that_runs_into_the_night() -> None:
    """What one long code has not carried by the closing is told with the setting, though all is created in time."""
    found = foreseen({1: 5000}, "2026-07-15T20:00", chosen(LONG_CODE))
    assert found.estimate.held_back == 0
    assert found.queued is not None
    assert (found.queued.rows, found.queued.closing) == (1400, End(at_ms=ms("2026-07-15T21:00"), zone=NEW_YORK))
    text = told(found)
    assert "1,400 rows would still be in Twilio's queue when their places close, the first at 21:00" in text
    assert "messages_per_second = 1" in text
    # Neither where it keeps up, nor from other senders, nor where the pace is set.
    assert foreseen({1: 3000}, "2026-07-15T20:00", chosen(LONG_CODE)).queued is None
    assert foreseen({1: 5000}, "2026-07-15T20:00", chosen("+18005550123")).queued is None
    assert foreseen({1: 5000}, "2026-07-15T20:00", chosen(LONG_CODE), limit=3000).queued is None
    # Two messages each: half as many.
    twice = chosen(LONG_CODE, rate={"messages_per_execution": 2})
    assert (foreseen({1: 3000}, "2026-07-15T20:00", twice).queued or found.queued).rows == 1200


def test_a_queue_of_those_that_wait() -> None:
    """Rows that wait for the morning are told, too, where they are more than its day carries."""
    found = foreseen({1: 60_000}, "2026-07-15T03:00", chosen(LONG_CODE))
    assert found.queued is not None
    assert found.queued.rows == 60_000 - 12 * 3600

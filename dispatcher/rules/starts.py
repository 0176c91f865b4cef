"""A campaign's start on the contacts' own clocks: where it has passed when the campaign begins, and what then.

A company in New York begins at its 09:00; in London it is 14:00 then. When a campaign has begun is a fact that the
ledger keeps: whoever asked the present time instead would move the start with every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.rules.clocks import DAY_S
from dispatcher.rules.times import Moment

_DAY_MS = DAY_S * 1000


class MissedLocal(StrEnum):
    """What becomes of a place whose start has passed when the campaign begins."""

    #: Its rows go at once.
    now = "now"
    #: They go when the same time comes next, by the clock there.
    next_day = "next_day"
    #: They are left out.
    skip = "skip"


@dataclass(frozen=True, slots=True)
class Begin:
    """When a campaign has begun, and what is done where that was too late. Times are milliseconds since 1970."""

    at_ms: int
    #: So much later is not late: a run that begins at 09:00:03 has not missed the 09:00 of its own zone.
    grace_ms: int = 0
    missed: MissedLocal = MissedLocal.now


def start_ms(start: Moment, zones: Sequence[str], begin: Begin | None = None) -> int | None:
    """When a campaign starts for contacts who may be in any of these zones; None: it never does, as that was missed.

    Nobody misses an instant, which is the same for all, and without a `begin` nobody misses anything.
    Raises: clocks.UnknownZone.
    """
    first_ms = start.last_ms(zones)
    if begin is None or start.is_instant or begin.missed is MissedLocal.now:
        return first_ms
    late_ms = begin.at_ms - begin.grace_ms
    if first_ms >= late_ms:
        return first_ms
    if begin.missed is MissedLocal.skip:
        return None
    # Days by the wall: the one on which clocks change is an hour shorter or longer.
    days = max(1, (late_ms - first_ms) // _DAY_MS)
    while (next_ms := _days_later(start, days).last_ms(zones)) < late_ms:
        days += 1
    return next_ms


def _days_later(start: Moment, days: int) -> Moment:
    return Moment(start.at_ms + days * _DAY_MS, is_instant=False, is_day=start.is_day)

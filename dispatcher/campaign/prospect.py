"""What a send would come to by the clock: how many rows leave before their places close, and when all is done.

Asked before anything is sent, and of the counts by place alone, so that a million rows are told as quickly as ten.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dispatcher.campaign.caps import caps_at
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.forecast import held_now
from dispatcher.campaign.held import delayed
from dispatcher.campaign.outlook import pace_per_s
from dispatcher.campaign.starts import begun, moments_of
from dispatcher.campaign.timing import hours_of, missed_by_ms, schedule_ahead, set_hours, utc_text
from dispatcher.clock import now_ms as local_ms
from dispatcher.model import Reason

if TYPE_CHECKING:
    from dispatcher.campaign.estimate import Closing, Estimate
    from dispatcher.ledger.senders import DueOf
    from dispatcher.rules.caps import DailyCap, SenderCap
    from dispatcher.rules.gate import Due, Schedule
    from dispatcher.settings import Settings

#: What one long code of the North American plan carries by itself (Twilio's error 30001 and its pages on queues).
LONG_CODE_PER_S = 1.0
_LONG_CODE = re.compile(r"\+1[2-9]\d{9}", re.ASCII)
#: Whose numbers carry more: toll-free ones.
_TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A place's closing, as people read it."""

    at_ms: int
    #: An IANA name; None: it is no place with a zone.
    zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Messages that Twilio would still have in its queue when their contacts' places close."""

    #: The one sender.
    sender: str
    rows: int
    closing: End


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What becomes of the rows that wait, if they are sent from now on."""

    estimate: Estimate
    #: The first closing at which rows that may go now are left; None: there is none.
    closing: End | None
    #: In whose zone to tell when it is done: that of the most rows. None: in this machine's.
    zone: str | None
    #: Rows that are left out as soon as the run begins: reason → how many.
    left_out: Mapping[Reason, int]
    #: None: the sender keeps up, as far as is known.
    queued: Queued | None = None
    #: How long ago it should have started for all, where it is not to go on by itself; None: it goes.
    missed_ms: int | None = None


async def prospect(
    context: CampaignContext,
    input_id: int | None,
    *,
    limit: int | None = None,
    held: Mapping[tuple[Due, int], int] | None = None,
) -> Prospect | None:
    """What becomes of the rows of an input, or of all, that wait; None: they go whenever they come.

    As far as their places are known; nothing changes. `held`: as for `forecast`. Raises: SettingsError, LedgerError.
    """
    from dispatcher.ledger.senders import DueOf
    from dispatcher.rules.gate import Schedule
    from dispatcher.rules.hours import Hours

    settings = context.settings
    if not settings.keeps_places:
        return None
    record, ledger, at_ms = await context.current(), context.ledger, local_ms()
    cap, sender_cap = await caps_at(context, at_ms)
    if sender_cap is not None:
        waiting = await ledger.senders.waiting(record, input_id, placed=True)
    else:
        # Who sends them is all the same.
        waiting = [DueOf("", due, n) for due, n in await ledger.places.waiting(record, input_id)]
    if held is None:
        held = await held_now(context, input_id)
    if held:
        waiting = delayed(waiting, held, placed=True)
    schedule = await schedule_ahead(context, hours_of(settings))
    # Where rows are sent at night, and are only warned of, the hours say what a queue makes worse all the same.
    told = schedule if settings.hours_mode == "wait" else await schedule_ahead(context, set_hours(settings))
    found = foresee(waiting, settings, schedule, told, at_ms, limit=limit, cap=cap, sender_cap=sender_cap)
    if settings.schedule.late == "send":
        return found
    # Whether a run goes on is asked before it has begun.
    start, _ = moments_of(settings)
    so_far = Schedule(Hours((), None, 0), schedule.places, start=start, begin=await begun(context, start))
    return replace(found, missed_ms=await missed_by_ms(context, input_id, so_far, at_ms))


def foresee(
    waiting: Iterable[DueOf],
    settings: Settings,
    schedule: Schedule,
    hours: Schedule,
    at_ms: int,
    *,
    limit: int | None = None,
    cap: DailyCap | None = None,
    sender_cap: SenderCap | None = None,
) -> Prospect:
    """The same, of rows by sender, place and own time. `hours`: the schedule with the hours told, held or not."""
    from dispatcher.campaign.estimate import estimate

    left_out: Counter[Reason] = Counter()
    by_zone: Counter[str | None] = Counter()
    sent: list[DueOf] = []
    for one in waiting:
        _, due, rows = one
        if schedule.earliest_ms(due, at_ms) is None:
            left_out[schedule.left_out(due.place_id, at_ms) or Reason.expired] += rows
        else:
            sent.append(one)
            by_zone[_zone(schedule, due.place_id)] += rows
    per_s = pace_per_s(settings)
    found = estimate(sent, schedule, at_ms, per_s, limit=limit, cap=cap, sender_cap=sender_cap)
    return Prospect(
        estimate=found,
        closing=_end(schedule, found.closing),
        zone=max(by_zone, key=lambda zone: by_zone[zone]) if by_zone else None,
        left_out=left_out,
        queued=_queued(sent, settings, hours, at_ms, per_s, limit, cap, sender_cap),
    )


def long_code(settings: Settings) -> str | None:
    """The one number of North America that all messages come from; None: another sender, or one that carries more."""
    sender = settings.campaign.from_ or ""
    if settings.campaign.from_column or not _LONG_CODE.fullmatch(sender) or sender[2:5] in _TOLL_FREE:
        return None
    return sender


def _queued(
    waiting: Iterable[DueOf],
    settings: Settings,
    hours: Schedule,
    at_ms: int,
    per_s: float,
    limit: int | None,
    cap: DailyCap | None,
    sender_cap: SenderCap | None,
) -> Queued | None:
    """What the one long code has not carried when places close, of what is sent before."""
    from dispatcher.campaign.estimate import estimate

    sender = long_code(settings)
    carried_per_s = LONG_CODE_PER_S / settings.rate.messages_per_execution
    if sender is None or settings.rate.messages_per_second or per_s <= carried_per_s:
        return None
    rows = list(waiting)
    created, carried = (
        estimate(rows, hours, at_ms, pace, limit=limit, cap=cap, sender_cap=sender_cap)
        for pace in (per_s, carried_per_s)
    )
    closing = _end(hours, carried.over_at)
    late = carried.over - created.over
    return Queued(sender=sender, rows=late, closing=closing) if closing and late > 0 else None


def _end(schedule: Schedule, closing: Closing | None) -> End | None:
    return closing and End(at_ms=closing.at_ms, zone=_zone(schedule, closing.place_id))


def _zone(schedule: Schedule, place_id: int) -> str | None:
    place = schedule.places.get(place_id)
    return place.zones[0] if place and place.zones else None


def prospect_object(found: Prospect | None) -> dict[str, Any] | None:
    """For `--json`; None where there is nothing to foresee."""
    if found is None:
        return None
    ahead = found.estimate
    return {
        "open_now": ahead.open_now,
        "held_back": ahead.held_back,
        "closes_at": utc_text(found.closing.at_ms) if found.closing else None,
        "expired": ahead.expired,
        "left_out": {reason.value: rows for reason, rows in found.left_out.items()},
        "done_at": utc_text(ahead.done_ms) if ahead.done_ms is not None else None,
        "queued_at_closing": found.queued.rows if found.queued else 0,
        "missed_by_min": None if found.missed_ms is None else found.missed_ms // 60_000,
    }

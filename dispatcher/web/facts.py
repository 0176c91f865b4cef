"""What sending would do, for people: labels and values, and what they should stop at. Pure.

The numbers are the campaign room's: the same that a terminal shows before it asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.model import Reason
from dispatcher.plurals import counted
from dispatcher.web.figures import masked_sid, rate
from dispatcher.web.times import about, city, duration, short_moment
from dispatcher.web.words import reason_words

if TYPE_CHECKING:
    from dispatcher.campaign.outlook import Outlook
    from dispatcher.campaign.prospect import Prospect
    from dispatcher.campaign.timing import Waiting
    from dispatcher.settings import Settings

#: So many times at which rows wait are told one by one.
WAITING_SHOWN = 6
_WHY = {
    "start": " (the start)",
    "row": " (their own time)",
    "cool_off": " (reached lately)",
    "cap": " (enough for today)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """What a person should know before going on."""

    title: str
    text: str


def ahead_facts(
    ahead: Outlook,
    waiting: Sequence[Waiting],
    prospect: Prospect | None,
    settings: Settings,
    *,
    account_sid: str,
    flow: str,
    zone: str,
    now_ms: int,
) -> list[tuple[str, str]]:
    """Label and value, in the order in which they are read. `zone`: whose clock tells when all is done."""
    found = [("Flow", flow), ("From", settings.campaign.from_ or "the sender of each row")]
    found.append(("Account", masked_sid(account_sid)))
    if ahead.most:
        paced = rate(settings.rate.paced_per_second)
        found.append(("Takes", f"{about(ahead.duration_s)} at {paced}"))
    found += _held(ahead)
    found += list(_hours(settings, waiting, zone, now_ms))
    if prospect is not None:
        found += list(_foreseen(prospect, zone, now_ms))
    if settings.canary.rows:
        found.append(("First", f"{counted(settings.canary.rows, 'contact')}, then a look at what became of them"))
    return found


def _held(ahead: Outlook) -> list[tuple[str, str]]:
    """Who is left out though planned."""
    found = []
    if ahead.unresolved:
        found.append(("In doubt", f"{counted(ahead.unresolved, 'row is', 'rows are')} looked up first"))
    if ahead.contacted:
        were = counted(ahead.contacted, "contact was", "contacts were")
        found.append(("Left out", f"{were} reached a short time ago"))
    if ahead.suppressed:
        found.append(("Left out", f"{counted(ahead.suppressed, 'contact')} on a list of those who must not be reached"))
    if ahead.cooled_off:
        found.append(("Left out", f"{counted(ahead.cooled_off, 'contact')} reached as often as is allowed"))
    return found


def _hours(settings: Settings, waiting: Sequence[Waiting], zone: str, now_ms: int) -> Iterator[tuple[str, str]]:
    mode = settings.hours_mode
    if mode == "wait":
        yield "Hours", "kept: whoever has night waits for the morning"
    elif mode == "off":
        reason = "it is no marketing" if settings.campaign.purpose == "transactional" else "they are switched off here"
        yield "Hours", f"not kept: {reason}"
    else:
        night = sum(one.rows for one in waiting if one.why == "hours")
        yield "Hours", f"not kept; {counted(night, 'contact has', 'contacts have')} night now"
        waiting = [one for one in waiting if one.why != "hours"]
    for one in waiting[:WAITING_SHOWN]:
        at = short_moment(one.until_ms, one.zone or zone, now_ms=now_ms)
        where = f" in {city(one.zone)}" if one.zone else ""
        yield "Wait", f"{counted(one.rows, 'contact')} until {at}{where}{_WHY.get(one.why, '')}"
    if len(waiting) > WAITING_SHOWN:
        yield "Wait", f"{counted(sum(one.rows for one in waiting[WAITING_SHOWN:]), 'contact')} later"


def _foreseen(prospect: Prospect, zone: str, now_ms: int) -> Iterator[tuple[str, str]]:
    ahead = prospect.estimate
    expired = ahead.expired + prospect.left_out.get(Reason.expired, 0)
    if expired:
        yield "Too late", f"{counted(expired, 'contact is', 'contacts are')} left out: the end comes before their turn"
    for reason, rows in prospect.left_out.items():
        if reason is not Reason.expired:
            yield "Left out", f"{counted(rows, 'contact')}: {reason_words(reason).meaning}"
    if prospect.closing is not None:
        at = short_moment(prospect.closing.at_ms, prospect.closing.zone or zone, now_ms=now_ms)
        yield "Today", f"{ahead.open_now - ahead.held_back:,} before night, the first places close at {at}"
    if ahead.done_ms is not None and (ahead.capped or ahead.open_now - ahead.held_back < ahead.rows):
        yield (
            "Done",
            f"{short_moment(ahead.done_ms, prospect.zone or zone, now_ms=now_ms, named=True)}, at the earliest",
        )
    elif ahead.done_ms is None and ahead.rows:
        yield "Done", "not within two months, at this rate"


def warnings(prospect: Prospect | None, *, tested: bool) -> list[Caution]:
    """What a person should stop at."""
    found = []
    if not tested:
        found.append(
            Caution(title="No test was sent", text="One message to your own phone shows what contacts will see.")
        )
    if prospect is not None and prospect.missed_ms is not None:
        ago = duration(prospect.missed_ms / 1000)
        found.append(Caution(title="The start was missed", text=f"All contacts should have been begun {ago} ago."))
    if prospect is not None and prospect.queued is not None:
        rows = counted(prospect.queued.rows, "message")
        found.append(
            Caution(
                title="Some would arrive at night",
                text=f"One such number carries about one message a second: {rows} would still wait at Twilio when"
                " their places close.",
            )
        )
    return found

"""What goes on by itself, and what is held until a person has looked. Pure: times in, a sentence out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

#: Whoever was away for longer does not go on unasked, and what is so late does not begin.
GRACE_MS = 15 * 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the last server of the folder has left; None: there was none."""

    alive_at_ms: int | None
    host_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An order, as far as its time matters."""

    due_ms: int
    #: The time was chosen by a person; otherwise it is when somebody said "now".
    is_chosen: bool
    #: Its file is in the ledger already: it has begun, or could have.
    is_begun: bool
    #: The time that its rows wait for; None: for none.
    next_at_ms: int | None = None


def held_at_start(
    due: Due, mark: Mark, host_id: str, now_ms: int, zone: tzinfo | None = None, *, by_workers: bool = False
) -> str | None:
    """Why an order is held where a server starts, or wakes up; None: it goes on by itself.

    `zone`: in which times are told; None: the machine's own. `by_workers`: what has begun goes on without any server of
    the page's, on whatever machine that was; only what nobody could begin without it is looked at.
    """
    if by_workers and due.is_begun:
        return None
    if mark.host_id is not None and mark.host_id != host_id:
        return "This is another machine, or a copy of the folder: the first one may be sending it"
    if mark.alive_at_ms is None:
        # A ledger with orders, and no server that has ever been here: the page's own file is gone.
        return "It is not known when dispatcher was here last"
    away_ms = now_ms - mark.alive_at_ms
    # What waited for its hours meanwhile, and still does, has missed nothing.
    was_wanted = due.due_ms <= now_ms and (due.next_at_ms is None or now_ms - due.next_at_ms > GRACE_MS)
    if away_ms > GRACE_MS and was_wanted and not missed(due, now_ms):
        return f"dispatcher was off from {span_text(mark.alive_at_ms, now_ms, zone)}"
    return held_as_late(due, now_ms, zone)


def missed(due: Due, now_ms: int) -> bool:
    """Whether a chosen time has passed by so much that nothing may begin."""
    return due.is_chosen and not due.is_begun and now_ms - due.due_ms > GRACE_MS


def held_as_late(due: Due, now_ms: int, zone: tzinfo | None = None) -> str | None:
    """Why an order is held whose time was missed; None: it was not."""
    if not missed(due, now_ms):
        return None
    return f"It was to begin at {moment_text(due.due_ms, now_ms, zone)} and could not; nothing of it was sent"


def span_text(from_ms: int, to_ms: int, zone: tzinfo | None = None) -> str:
    """`14:03 to 19:40`, with the day where it is another one."""
    return f"{moment_text(from_ms, to_ms, zone)} to {moment_text(to_ms, to_ms, zone)}"


def moment_text(at_ms: int, now_ms: int, zone: tzinfo | None = None) -> str:
    """`14:03`; on another day than now, `14:03 on 26 November`."""
    at, now = (datetime.fromtimestamp(ms / 1000, zone).astimezone(zone) for ms in (at_ms, now_ms))
    text = f"{at:%H:%M}"
    return text if at.date() == now.date() else f"{text} on {at.day} {at:%B}"

"""A campaign's page in texts: state, why it waits, how far it is, how fast. Pure; the stream says the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dispatcher.events import Phase, WaitKind
from dispatcher.model import PausedBy, RowState
from dispatcher.plurals import counted
from dispatcher.web.error_words import ADMIN
from dispatcher.web.figures import masked_sid, share
from dispatcher.web.running import Shown, State
from dispatcher.web.times import duration, short_moment
from dispatcher.web.words import STATE_WORDS, WAIT_WORDS, is_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dispatcher.events import Snapshot
    from dispatcher.ledger.records import CampaignStatus

#: How each state looks: what goes on, what is well, what waits, what a person has to look at.
TONES: dict[State, str] = {
    State.sending: "going",
    State.settling: "going",
    State.recalling: "going",
    State.checking: "going",
    State.finished: "good",
    State.scheduled: "wait",
    State.queued: "wait",
    State.waiting: "wait",
    State.paused: "wait",
    State.left: "wait",
    State.held: "bad",
    State.stopped: "quiet",
}
_PHASES = {
    Phase.planning: "The file is read into the record of what was sent.",
    Phase.reconciling: "Rows that are not sure are looked up at Studio.",
    Phase.looking_back: "It is looked up whom others have reached on this flow.",
    Phase.watching: "Its workers send it.",
    Phase.recalling: "Conversations that are still open are being ended.",
    Phase.tracking: "It is looked up what became of the conversations.",
}
#: These waits are how it should be: nobody needs to be told.
_USUAL = frozenset({WaitKind.window})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a campaign stands, as its page shows it."""

    #: Changes whenever the page needs other buttons: then it is loaded anew.
    page: str
    done: int
    total: int
    #: Place on the page → what stands there; an empty one is hidden.
    texts: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """For the stream."""
        return {"page": self.page, "done": self.done, "total": self.total, "texts": dict(self.texts)}


def standing(
    shown: Shown, status: CampaignStatus | None, snapshot: Snapshot | None, *, zone: str, now_ms: int
) -> Standing:
    """What the page says. `snapshot`: it is worked on in this server now."""
    rows = all_rows(status, snapshot)
    total = sum(rows[state] for state in RowState if state not in (RowState.invalid, RowState.skipped))
    done = total - rows[RowState.planned] - rows[RowState.sending]
    texts = {
        "state": shown.state.value,
        "reason": _by_workers(shown, status, zone, now_ms) or _reason(shown, snapshot, zone, now_ms),
        "worker": _worker(shown, status),
        "progress": f"{done:,} of {counted(total, 'contact')}" + (f", {share(done, total)}" if total else ""),
        **{f"rows-{state.value}": f"{rows[state]:,}" for state in RowState},
        "rows-left-out": f"{rows[RowState.invalid] + rows[RowState.skipped]:,}",
        **_speed(snapshot, now_ms, zone),
    }
    buttons = ",".join(button.value for button in shown.buttons)
    return Standing(page=f"{shown.state.name} {buttons}", done=done, total=total, texts=texts)


def all_rows(status: CampaignStatus | None, snapshot: Snapshot | None) -> dict[RowState, int]:
    """Rows of all the campaign's files by state; those of the latest as they are at this moment."""
    rows = dict.fromkeys(RowState, 0)
    if snapshot is not None and any(snapshot.rows.values()):
        rows |= snapshot.rows
    elif status is not None:
        rows |= status.rows
    if status is not None:
        for state, n in status.earlier_rows.items():
            rows[state] += n
    return rows


def _reason(shown: Shown, snapshot: Snapshot | None, zone: str, now_ms: int) -> str:
    """Why nothing leaves now, and until when; empty: nothing needs to be said."""
    if shown.state is State.scheduled and shown.until_ms is not None:
        return f"It begins {short_moment(shown.until_ms, zone, now_ms=now_ms, named=True)}, by itself."
    if shown.state is State.waiting and shown.until_ms is not None:
        until = short_moment(shown.until_ms, zone, now_ms=now_ms, named=True)
        return f"The others may be reached later. It goes on {until}, by itself."
    if shown.state is State.queued:
        return _queued(shown)
    if shown.pause is not None:
        return _paused(shown, zone, now_ms)
    if snapshot is None:
        return ""
    wait = snapshot.waiting
    if wait is not None and wait.kind not in _USUAL:
        until = f" Goes on in {duration(wait.remaining_s)}." if wait.remaining_s else ""
        return f"{WAIT_WORDS[wait.kind]}{until}"
    return _PHASES.get(snapshot.phase, "")


def _worker(shown: Shown, status: CampaignStatus | None) -> str:
    sender = sender_of(shown, status)
    return f"Sent by the worker on {sender}." if sender else ""


def sender_of(shown: Shown, status: CampaignStatus | None) -> str:
    """On a cluster, which machine sends it; empty: none does, or it is no cluster."""
    serving = shown.serving
    if serving is None or status is None or not status.running or status.run is None:
        return ""
    host = status.run.host
    # Its process is known while it has the account.
    text = serving.holder_text if host and (serving.holder or "").rpartition(":")[0] == host else host
    return text or "a machine that is not known"


def _by_workers(shown: Shown, status: CampaignStatus | None, zone: str, now_ms: int) -> str:
    """On a cluster, why nothing leaves now; empty: something else says it."""
    serving, run = shown.serving, status.run if status is not None else None
    if serving is None or shown.pause is not None or shown.state not in (State.queued, State.sending):
        return ""
    if status is not None and status.running:
        if run is None or not run.waits:
            return ""
        # What another version tells may be for a terminal.
        why = f": {run.waits}" if is_fit(run.waits) else ""
        until = ""
        if run.waits_until_ms is not None and run.waits_until_ms > now_ms:
            until = f" Goes on {short_moment(run.waits_until_ms, zone, now_ms=now_ms)}."
        return f"Its worker waits{why}.{until}"
    if shown.state is not State.queued:
        return ""
    if serving.is_unserved(now_ms) and serving.idle_since_ms is not None:
        since = short_moment(serving.idle_since_ms, zone, now_ms=now_ms)
        return (
            f"No worker serves this account, since {since}. It is sent as soon as one does: ask {ADMIN} to start one"
            f" with the credentials of account {masked_sid(serving.account.account_sid)}."
        )
    if serving.holder is not None:
        return f"{serving.holder_text} works for the account, for another campaign or file. It goes on by itself."
    return ""


def _queued(shown: Shown) -> str:
    if shown.waits_for:
        return "Another program sends for this account. It begins when that has finished."
    if shown.place:
        come = counted(shown.place, "campaign of the account comes", "campaigns of the account come")
        return f"{come} before it. It begins by itself."
    return "It begins in a moment."


def _paused(shown: Shown, zone: str, now_ms: int) -> str:
    pause = shown.pause
    assert pause is not None
    since = short_moment(pause.at_ms, zone, now_ms=now_ms)
    why = pause.reason.strip()
    who = {
        PausedBy.user: "Paused",
        PausedBy.guard: "Stopped by the guard",
        PausedBy.canary: "Stopped after the first contacts",
        PausedBy.held: "Held",
    }[pause.by]
    if not why:
        return f"{who} since {since}."
    # A hold's reason is whole sentences as a rule; what a person has given stands as it was typed.
    between = "." if pause.by is PausedBy.held and why[0].isupper() else ":"
    return f"{who} since {since}{between} {why}" + ("" if why.endswith((".", "!", "?")) else ".")


def _speed(snapshot: Snapshot | None, now_ms: int, zone: str) -> dict[str, str]:
    if snapshot is None or snapshot.phase is not Phase.sending or snapshot.elapsed_s is None:
        return {"rate": "", "window": "", "eta": ""}
    eta = ""
    if snapshot.eta_s is not None:
        at = short_moment(now_ms + int(snapshot.eta_s * 1000), zone, now_ms=now_ms)
        eta = f"Done at about {at.removeprefix('today ')}."
    return {
        "rate": f"{snapshot.rate_per_s:.1f} of {snapshot.rate_limit_per_s:g} a second",
        "window": f"{snapshot.worst_window:,} of {snapshot.window_limit:,} in ten seconds",
        "eta": eta,
    }


def state_meaning(state: RowState) -> str:
    """What a row's state is called on the page."""
    return STATE_WORDS[state].meaning

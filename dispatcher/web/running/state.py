"""A campaign's state in one word for people, and what can be done in it. Pure, one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dispatcher.events import Phase
from dispatcher.model import Pause, PausedBy, RowState
from dispatcher.web.store import Draft, Stage

if TYPE_CHECKING:
    from dispatcher.events import Snapshot
    from dispatcher.ledger.records import CampaignStatus
    from dispatcher.web.running.workers import Serving


class State(StrEnum):
    """As it stands on the page."""

    draft = "Draft"
    checking = "Checking"
    needs_columns = "Needs columns"
    checked = "Checked"
    scheduled = "Scheduled"
    queued = "Queued"
    sending = "Sending"
    waiting = "Waiting"
    paused = "Paused"
    settling = "Settling rows in doubt"
    recalling = "Recalling"
    finished = "Finished"
    stopped = "Stopped"
    held = "Held"
    #: Sent from a terminal, and not to its end: it goes on there.
    left = "Not finished"


class Button(StrEnum):
    """What can be done."""

    columns = "columns"
    cancel_check = "cancel_check"
    check = "check"
    preview = "preview"
    send = "send"
    delete = "delete"
    unschedule = "unschedule"
    pause = "pause"
    go_on = "go_on"
    stop = "stop"
    put_back = "put_back"
    correct = "correct"
    recall = "recall"
    reconcile = "reconcile"
    retry = "retry"
    download = "download"


_BUTTONS: dict[State, tuple[Button, ...]] = {
    State.draft: (Button.columns, Button.delete),
    State.checking: (Button.cancel_check,),
    State.needs_columns: (Button.columns, Button.delete),
    State.checked: (Button.columns, Button.check, Button.preview, Button.send, Button.delete),
    # Nothing of it has begun: taking the time back is all that a stop would be.
    State.scheduled: (Button.check, Button.preview, Button.unschedule, Button.pause),
    State.queued: (Button.pause, Button.stop),
    State.sending: (Button.pause, Button.stop),
    State.waiting: (Button.pause, Button.stop),
    State.paused: (Button.go_on, Button.stop),
    State.settling: (Button.pause, Button.stop),
    State.recalling: (),
    State.finished: (),
    State.stopped: (Button.put_back,),
    State.held: (Button.go_on, Button.stop),
    State.left: (Button.pause,),
}
#: While it stands still, what was sent can be worked on.
_AT_REST = (State.waiting, State.paused, State.finished, State.held)
#: What a terminal has begun goes on there.
_OF_A_TERMINAL = frozenset({Button.pause, Button.download})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a campaign's page says of it."""

    state: State
    #: Until when it waits, or when it begins.
    until_ms: int | None = None
    #: Why it stands still: a pause with who, since when and why.
    pause: Pause | None = None
    #: How many of its account's queue come before it, and what the first of them waits for.
    place: int | None = None
    waits_for: str | None = None
    buttons: tuple[Button, ...] = ()
    #: On a cluster: who works for its account.
    serving: Serving | None = None


def page_state(
    draft: Draft | None,
    status: CampaignStatus | None,
    snapshot: Snapshot | None = None,
    *,
    now_ms: int,
    place: int | None = None,
    waits_for: str | None = None,
    held: Pause | None = None,
) -> Shown:
    """A campaign's state. `draft` None: it is a terminal's; `status` None: the ledger does not know it (yet).

    `snapshot`: it is worked on here; `place`: how many are before it in its account's queue; `held`: for what could not
    be written into the ledger.
    """
    if draft is not None and draft.stage is not Stage.launched:
        return _shown(_STAGES[draft.stage], status, draft)
    pause = held or (status.paused if status is not None else None)
    due_ms = status.due_ms if status is not None else None
    if snapshot is not None:
        return _shown(_PHASES.get(snapshot.phase, State.sending), status, draft, pause=pause)
    if status is not None and status.running:
        return _shown(State.sending, status, draft, pause=pause)
    if pause is not None:
        return _shown(_at_pause(draft, status, pause), status, draft, pause=pause)
    if status is None:
        return _shown(State.queued, status, draft, place=place, waits_for=waits_for)
    if due_ms is not None and due_ms > now_ms:
        return _shown(State.scheduled, status, draft, until_ms=due_ms)
    if not _waits(status) and due_ms is None:
        return _shown(State.finished, status, draft)
    if status.next_at_ms is not None and status.next_at_ms > now_ms:
        return _shown(State.waiting, status, draft, until_ms=status.next_at_ms)
    if due_ms is None:
        # The server does not send it, and rows wait: somebody else has begun it, or has to say so.
        return _shown(State.left if draft is None else State.paused, status, draft)
    return _shown(State.queued, status, draft, place=place, waits_for=waits_for)


_STAGES = {
    Stage.columns: State.needs_columns,
    Stage.checking: State.checking,
    Stage.failed: State.draft,
    Stage.checked: State.checked,
}
_PHASES = {
    Phase.reconciling: State.settling,
    Phase.recalling: State.recalling,
    Phase.tracking: State.recalling,
}


def _at_pause(draft: Draft | None, status: CampaignStatus | None, pause: Pause) -> State:
    """One that nobody is to send any more was stopped for good: going on is a launch of its own."""
    is_over = status is not None and status.due_ms is None
    if draft is None and status is not None and not _waits(status):
        return State.finished
    if draft is not None and is_over:
        return State.stopped
    return State.held if pause.by is PausedBy.held else State.paused


def _waits(status: CampaignStatus) -> bool:
    """Whether rows wait, of any of its files."""
    return any(status.rows[state] or status.earlier_rows.get(state) for state in (RowState.planned, RowState.sending))


def _any(status: CampaignStatus | None, state: RowState) -> bool:
    return status is not None and bool(status.rows[state] or status.earlier_rows.get(state))


def _shown(
    state: State,
    status: CampaignStatus | None,
    draft: Draft | None,
    *,
    until_ms: int | None = None,
    pause: Pause | None = None,
    place: int | None = None,
    waits_for: str | None = None,
) -> Shown:
    buttons = list(_BUTTONS[state])
    if pause is not None and Button.pause in buttons:
        buttons.remove(Button.pause)  # it stops at its next rows
    if state in _AT_REST:
        buttons.append(Button.correct)
        buttons += [Button.retry] * (_any(status, RowState.rejected) or _any(status, RowState.busy))
    if state in _AT_REST or state is State.stopped:
        buttons += [Button.reconcile] * (_any(status, RowState.unknown) or _any(status, RowState.sending))
    if _any(status, RowState.created) and state is not State.recalling:
        buttons.append(Button.recall)
    if status is not None and any(status.rows.values()):
        buttons.append(Button.download)
    if draft is None:
        buttons = [button for button in buttons if button in _OF_A_TERMINAL]
    return Shown(
        state=state,
        until_ms=until_ms,
        pause=pause,
        place=place,
        waits_for=waits_for,
        buttons=tuple(buttons),
    )

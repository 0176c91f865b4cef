"""What is known of a row that is unknown, and what follows from it. Pure.

Proof that nothing was created is a list that is seen to be up to date and does not show it: it has had its time, and it
shows an execution that began after the attempt had ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.ledger.records import LastCreated, SentExecution, UnknownRow
from dispatcher.model import Absence, Outcome
from dispatcher.settings import ReconcileSettings
from dispatcher.studio.resources import Execution

#: Studio keeps executions for 30 days from their start (studio/user-guide); a day of margin.
RETENTION_S = 29 * 24 * 3600.0
#: So much further back the list is read for a program that is gone and never measured how wrong its clock was.
UNKNOWN_CLOCK_S = 24 * 3600.0
#: So much further back it is read in any case: clocks jump, and headers are wrong for a while. It costs pages only.
SLACK_S = 300.0
#: Studio's dates are whole seconds, and a skew is measured to half a second.
GRANULARITY_S = 1.5


@dataclass(frozen=True, slots=True)
class Skew:
    """How far Studio's clock was ahead of ours in this process: the least and the most that was measured."""

    least_s: float = 0.0
    most_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When an attempt's execution was created, if it was: on Studio's clock, where nothing else is said.

    Seconds since the epoch.
    """

    #: The attempt was begun then, or later: on our clock.
    begun_s: float
    #: It had ended then, and its request was on its way no more: on our clock.
    ended_s: float
    #: Not before this, whatever the clocks did.
    earliest_s: float
    #: Nor before this, if they were as they were measured.
    likely_s: float
    #: Not after this; None: that is not known.
    latest_s: float | None
    #: What was created from then on began after the attempt had ended, if the clocks were as they were measured.
    later_s: float


def window(
    row: UnknownRow, skew: Skew, settings: ReconcileSettings, *, own_run: bool, seen_s: float, late_s: float
) -> Window:
    """Where to look for the row's execution, by all that is known of the clocks.

    No skew moves the beginning to a later time: Studio's clock may have been right when the intent was written and jump
    ahead afterwards, or its header alone. `seen_s`: when this process first saw the row unknown, `late_s`: how long a
    request may be on its way after it was given up.
    """
    theirs_s = None if row.clock_skew_ms is None else row.clock_skew_ms / 1000
    measured = own_run or theirs_s is not None
    begun_s, ended_s = row.begun_at_ms / 1000, row.ended_at_ms / 1000
    if not measured:
        # The clock that wrote this may have been wrong by anything. An intent in the future may be as old as whatever
        # Studio keeps, and the end is not believed.
        ended_s = seen_s
        if begun_s > seen_s + 1:
            begun_s = seen_s - (RETENTION_S - UNKNOWN_CLOCK_S)
    elif theirs_s is not None and not own_run:
        # By Studio's clock that clock and ours can be compared.
        ended_s = min(ended_s + max(0.0, theirs_s - skew.least_s), seen_s)
    ended_s += late_s
    skews_s = (0.0, skew.least_s, skew.most_s, 0.0 if theirs_s is None else theirs_s)
    margin_s = settings.clock_skew_s + (0.0 if measured else UNKNOWN_CLOCK_S)
    first_s = min([begun_s, *(one.begun_at_ms / 1000 for one in row.absent)])
    return Window(
        begun_s=begun_s if own_run or theirs_s is None else begun_s + min(0.0, theirs_s - skew.most_s),
        ended_s=ended_s,
        earliest_s=first_s + min(skews_s) - margin_s - SLACK_S,
        likely_s=begun_s + min(skews_s) - settings.clock_skew_s,
        latest_s=ended_s + max(skews_s) + margin_s + SLACK_S if measured else None,
        later_s=ended_s + skew.most_s + settings.clock_skew_s + GRANULARITY_S,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the list and the Contexts say about one unknown row."""

    #: An execution that carries an id of the row.
    ours: Execution | None = None
    #: Executions that could not be told from ours.
    ambiguous: tuple[str, ...] = ()
    #: The Context of one of those is not there, or not yet.
    unread: bool = False
    #: The list shows an execution that began after the attempt had ended.
    later: bool = False
    #: One that began after it, and that the list does not show: it is known not to be up to date. None: there is none.
    missing: LastCreated | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a row: an outcome, or (None) wait until then, or stay unknown with a note."""

    outcome: Outcome | None = None
    execution_sid: str | None = None
    absence: Absence | None = None
    wait_until_s: float | None = None
    note: str | None = None


def is_later(row: UnknownRow, newest: SentExecution | None, *, late_s: float) -> bool:
    """Whether our own newest execution was sent for after the attempt had ended: known without any clock but our own.

    A later run has begun after this one was dead; within a run one clock dates both.
    """
    if newest is None or newest.run_id < row.run_id:
        return False
    waited_ms = newest.sent_at_ms - row.ended_at_ms
    return waited_ms >= late_s * 1000 or (newest.run_id > row.run_id and not late_s)


def decide(
    row: UnknownRow,
    evidence: Evidence,
    *,
    listed_s: float,
    begun_s: float,
    ended_s: float,
    settle_s: float,
    has_id: bool,
    may_assume: bool,
) -> Decision:
    """The rule.

    `listed_s`: when the list was asked for; `begun_s`, `ended_s`: see `Window`. All on our clock. `may_assume`: nothing
    waits to be sent, whose execution would show that the list is up to date.
    """
    if evidence.ours is not None:
        return Decision(outcome=Outcome.created, execution_sid=evidence.ours.sid)
    if evidence.unread and has_id and listed_s < ended_s + settle_s:
        return Decision(wait_until_s=ended_s + settle_s)
    if evidence.ambiguous:
        seen = ", ".join(evidence.ambiguous[:3])
        if has_id:
            return Decision(note=f"an execution exists that may be this row's or another's: {seen}")
        return Decision(
            note=f"an execution of this contact exists ({seen}); without an id only address and time speak for it"
        )
    if listed_s - begun_s > RETENTION_S:
        return Decision(note="too old: Studio keeps executions for 30 days, so the list proves nothing")
    if not has_id:
        return Decision(note="no execution of this contact is listed; without an id in Parameters that is no proof")
    if listed_s < ended_s + settle_s:
        return Decision(wait_until_s=ended_s + settle_s)
    if evidence.later:
        return Decision(outcome=Outcome.not_sent, absence=Absence.proved)
    if evidence.missing is not None:
        answered_s = evidence.missing.answered_at_ms / 1000
        if answered_s <= listed_s < answered_s + settle_s:
            return Decision(wait_until_s=answered_s + settle_s)
        last = evidence.missing.execution_sid
        return Decision(note=f"not listed, nor is {last}, which was created later: the list is not up to date")
    nothing = "no execution of it is listed, nor any that began later: the list may not be up to date"
    if row.http_status is not None and 200 <= row.http_status < 300:
        return Decision(note=f"Studio answered {row.http_status}, which says that it was created; {nothing}")
    if any(one.absence is not Absence.proved for one in row.absent):
        return Decision(note=f"sent again once already; {nothing}")
    if not may_assume:
        return Decision(note=f"{nothing}; it is looked up again once others have been sent")
    return Decision(outcome=Outcome.not_sent, absence=Absence.assumed)

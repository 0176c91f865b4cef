"""What the end of a shift means for its campaign: whether it goes on, when, and whether a person has to look. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dispatcher.campaign.handing import HandedOver
from dispatcher.campaign.turns import Came, Outcome
from dispatcher.errors import DispatcherError, LedgerError, LedgerGone, StudioUnavailable

if TYPE_CHECKING:
    from dispatcher.campaign.launch import Launched


class End(StrEnum):
    """How a shift ended."""

    #: Nothing is left to send.
    ended = "ended"
    #: Nothing is left but rows that wait for their time, which the ledger knows.
    waits = "waits"
    #: Somebody has paused it, or it is not wanted any more.
    stopped = "stopped"
    #: It goes on at once, here or on another machine.
    handed_over = "handed over"
    #: Another process works for the account.
    locked = "locked"
    #: Not this machine's to send: it lacks the credentials, or what a newer version has ordered.
    not_ours = "not ours"
    #: The ledger or Studio does not answer: it is tried again.
    away = "away"
    #: The ledger is not the one that it was: this process must not go on.
    gone = "gone"
    #: A person has to look.
    held = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a shift ended, and why."""

    end: End
    error: DispatcherError | None = None
    #: When the first row may go that waits.
    next_at_ms: int | None = None


def end_of(outcome: Outcome, launched: Launched | None = None) -> Ended:
    """What a turn's outcome is to a cluster: what keeps one machine from going on is nothing to hold a campaign for."""
    error = outcome.error
    if isinstance(error, HandedOver):
        return Ended(end=End.handed_over, error=error)
    if outcome.came is Came.locked:
        return Ended(end=End.locked, error=error)
    if isinstance(error, LedgerGone):
        return Ended(end=End.gone, error=error)
    if isinstance(error, LedgerError | StudioUnavailable):
        return Ended(end=End.away, error=error)
    if outcome.came is Came.stopped:
        return Ended(end=End.stopped, error=error)
    if outcome.came is Came.failed:
        return Ended(end=End.held, error=error)
    next_at_ms = launched.result.next_at_ms if launched is not None else None
    return Ended(end=End.ended if next_at_ms is None else End.waits, next_at_ms=next_at_ms)


def sentence(error: DispatcherError | None, host: str) -> str:
    """Why a campaign is held, for people: what has happened, what was found, and on which machine."""
    if error is None:
        return f"its worker on {host} does not say why"
    found = f" ({error.found})" if error.found else ""
    return f"{error.message}{found}; seen by the worker on {host}"

"""A turn of a campaign that was ordered: what a server does in the place of somebody who sits at a terminal.

    not paused ──► its flow fits ──► who is left out is counted ──► launch, of all its files

What a turn comes to is decided here, too: it has ended, somebody has stopped it, another works for the account, or a
person has to look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dispatcher.campaign.flow_check import stop_unless_flow_fits
from dispatcher.campaign.launch import Confirm, LaunchOptions, launch
from dispatcher.errors import AccountLocked, CampaignPaused, DispatcherError, LeaseLost, LookCutShort
from dispatcher.model import RowState
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.campaign.launch import Launched
    from dispatcher.ledger.records import CampaignStatus


class Came(StrEnum):
    """What a turn came to, as far as its account's line goes on differently."""

    #: It has ended, or waits for its next time: the ledger says which.
    ended = "ended"
    #: Somebody has stopped it: a pause, the server, something else on the account.
    stopped = "stopped"
    #: Another program works for the account.
    locked = "locked"
    #: A person has to look: `error` says why.
    failed = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a turn ended."""

    came: Came
    error: DispatcherError | None = None


def outcome_of(launched: Launched, stopping: DispatcherError | None) -> Outcome:
    """What a launch came to; `stopping`: why its turn was to stop, if it was."""
    if launched.result.error is not None:
        return ended_by(launched.result.error, stopping)
    if launched.result.reconcile_error is not None:
        return Outcome(came=Came.failed, error=launched.result.reconcile_error)
    left = launched.result.remaining
    if left:
        are = counted(left, "contact was", "contacts were")
        return Outcome(came=Came.failed, error=DispatcherError(f"{are} not reached, as often as it was tried"))
    return Outcome(came=Came.ended)


def ended_by(error: DispatcherError, stopping: DispatcherError | None) -> Outcome:
    """What it means that this has ended a turn."""
    if isinstance(error, LeaseLost | AccountLocked):
        return Outcome(came=Came.locked, error=error)
    if error is stopping or isinstance(error, CampaignPaused):
        return Outcome(came=Came.stopped, error=error)
    return Outcome(came=Came.failed, error=error)


async def take_turn(
    campaign: Campaign,
    options: LaunchOptions,
    *,
    check: Callable[[], None],
    confirm: Confirm,
    seen_revision: Callable[[int | None], None] = lambda _: None,
    may_look_short: Callable[[LookCutShort], None] | None = None,
) -> Launched:
    """Send what is planned of it. `check` raises where the turn is to stop: a stop reaches only what runs.

    `seen_revision`: called with the flow's revision, and raises to refuse it. Raises: as `check_not_paused`,
    `stop_unless_flow_fits` and `launch` do; what `check`, `seen_revision` and `confirm` do.
    """
    check()
    await campaign.check_not_paused()
    if _waits(await campaign.status()):
        check()
        await stop_unless_flow_fits(campaign, lambda _: None)
        seen_revision(campaign.seen_revision)
    check()
    left_out = await campaign.count_left_out()
    return await launch(
        campaign,
        options,
        confirm=confirm,
        repeats=left_out.contacted,
        suppressed=left_out.suppressed,
        may_look_short=may_look_short,
        shown=lambda: _Checked(check),
    )


class _Checked:
    """The last moment before it sends."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    async def __aenter__(self) -> None:
        self._check()

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left to do."""


def _waits(status: CampaignStatus) -> bool:
    return any(status.rows[state] or status.earlier_rows.get(state) for state in (RowState.planned, RowState.sending))

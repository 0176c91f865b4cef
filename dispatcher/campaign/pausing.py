"""Pausing a campaign and having it go on, whoever sends it meanwhile."""

from __future__ import annotations

from collections.abc import Collection

from dispatcher.campaign.context import CampaignContext
from dispatcher.clock import now_ms
from dispatcher.ledger.wishes import Wish, refusal
from dispatcher.model import Pause, PausedBy


async def pause(context: CampaignContext, reason: str) -> tuple[Pause, bool]:
    """See `CampaignView.pause`."""
    wanted = Pause(at_ms=now_ms(), by=PausedBy.user, reason=reason)
    return await context.ledger.wishes.pause(await context.current(), wanted)


async def hold(context: CampaignContext, reason: str) -> tuple[Pause, bool]:
    """See `CampaignView.hold`."""
    wanted = Pause(at_ms=now_ms(), by=PausedBy.held, reason=reason)
    return await context.ledger.wishes.pause(await context.current(), wanted)


def check_not_paused(context: CampaignContext, wish: Wish) -> None:
    """Raises: CampaignPaused."""
    if wish.pause is not None:
        raise refusal(context.name, wish.pause)


def check_may_lift(context: CampaignContext, wish: Wish, accepted: Collection[PausedBy]) -> None:
    """Whoever would lift a verdict's pause must have asked for that. Raises: GuardTripped, CanaryStopped."""
    if wish.pause is not None and wish.pause.by.is_verdict and wish.pause.by not in accepted:
        raise refusal(context.name, wish.pause)


async def lift(context: CampaignContext, seen: Wish) -> None:
    """See `Campaign.lift_pause`."""
    record, wishes = await context.current(), context.ledger.wishes
    if seen.pause is not None and not await wishes.lift(record, seen):
        check_not_paused(context, await wishes.of(record))

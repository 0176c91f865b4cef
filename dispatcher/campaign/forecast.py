"""What the rules would make of the rows that wait, were they sent now: asked before anything is sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dispatcher.campaign.caps import capped_now
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.restraint import cooloffs_of
from dispatcher.campaign.timing import Waiting, schedule_ahead, set_hours, waiting_rows
from dispatcher.clock import now_ms as local_ms

if TYPE_CHECKING:
    from dispatcher.rules.gate import Due, Schedule


async def forecast(context: CampaignContext, input_id: int | None) -> list[Waiting]:
    """What has to wait for its hours (or would have to, were they not only warned of), a time, a cool-off or a cap.

    Of the rows of an input, or of all, as far as the places are known; nothing changes.
    Raises: SettingsError, LedgerError.
    """
    settings, schedule, at_ms = context.settings, await _schedule(context), local_ms()
    if schedule is None and not settings.rows_may_wait:
        return []
    held = Counter[tuple["Due", int]]()
    if settings.cooloff.action == "wait":
        held = await _held(context, input_id, schedule, at_ms)
    return await waiting_rows(context, schedule, input_id, at_ms, await capped_now(context), held=held)


async def cooled_off(context: CampaignContext, input_id: int | None) -> int:
    """How many of them would be left out, as their contacts were reached as often as is allowed.

    None where such rows wait. Raises: as `forecast`.
    """
    if context.settings.cooloff.action != "skip":
        return 0
    return (await _held(context, input_id, await _schedule(context), local_ms())).total()


async def _schedule(context: CampaignContext) -> Schedule | None:
    settings = context.settings
    return await schedule_ahead(context, set_hours(settings)) if settings.keeps_places else None


async def _held(
    context: CampaignContext, input_id: int | None, schedule: Schedule | None, at_ms: int
) -> Counter[tuple[Due, int]]:
    # Presets bring theirs where their hours are waited for.
    cooloffs = cooloffs_of(context.settings, schedule if context.settings.hours_mode == "wait" else None)
    if cooloffs is None:
        return Counter()
    return await context.ledger.places.cooling(await context.current(), input_id, cooloffs, at_ms)

"""What the rules would make of the rows that wait, were they sent now: asked before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dispatcher.campaign.caps import capped_at
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.restraint import cooloffs_of
from dispatcher.campaign.timing import Waiting, hours_of, schedule_ahead, set_hours, waiting_rows
from dispatcher.clock import now_ms as local_ms

if TYPE_CHECKING:
    from dispatcher.rules.gate import Due, Schedule


async def forecast(
    context: CampaignContext, input_id: int | None, *, held: Mapping[tuple[Due, int], int] | None = None
) -> list[Waiting]:
    """What has to wait for its hours (or would have to, were they not only warned of), a time, a cool-off or a cap.

    Of the rows of an input, or of all, as far as the places are known; nothing changes. `held`: what `held_now` has
    found of them; None: it is asked. Raises: SettingsError, LedgerError.
    """
    schedule = await _schedule(context)
    if schedule is None and not context.settings.rows_may_wait:
        return []
    if held is None:
        held = await held_now(context, input_id)
    at_ms = local_ms()
    return await waiting_rows(context, schedule, input_id, at_ms, await capped_at(context, at_ms), held=held)


async def waiting_now(context: CampaignContext, input_id: int | None) -> list[Waiting]:
    """What waits, as its sender would say: nothing does for hours that are only warned of. Raises: as `forecast`."""
    schedule = await schedule_ahead(context, hours_of(context.settings)) if context.settings.keeps_places else None
    at_ms = local_ms()
    return await waiting_rows(context, schedule, input_id, at_ms, await capped_at(context, at_ms))


async def held_now(context: CampaignContext, input_id: int | None) -> Mapping[tuple[Due, int], int]:
    """Rows that a claim would hold for their cool-off: see `held.delayed`. Reads each row that waits.

    Raises: as `forecast`.
    """
    return await _held(context, input_id) if context.settings.cooloff.action == "wait" else {}


async def cooled_off(context: CampaignContext, input_id: int | None) -> int:
    """How many of them would be left out, as their contacts were reached as often as is allowed.

    None where such rows wait. Raises: as `forecast`.
    """
    if context.settings.cooloff.action != "skip":
        return 0
    return (await _held(context, input_id)).total()


async def _schedule(context: CampaignContext) -> Schedule | None:
    settings = context.settings
    return await schedule_ahead(context, set_hours(settings)) if settings.keeps_places else None


async def _held(context: CampaignContext, input_id: int | None) -> Counter[tuple[Due, int]]:
    # Presets bring theirs where their hours are waited for.
    schedule = await _schedule(context) if context.settings.hours_mode == "wait" else None
    cooloffs = cooloffs_of(context.settings, schedule)
    if cooloffs is None:
        return Counter()
    return await context.ledger.places.cooling(await context.current(), input_id, cooloffs, local_ms())

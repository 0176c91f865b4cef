"""How often and how much, by a campaign's settings: its cool-offs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.campaign.timing import hours_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dispatcher.rules.cooloff import CoolOff, CoolOffs
    from dispatcher.rules.gate import Schedule
    from dispatcher.rules.places import Place
    from dispatcher.settings import Settings


def cooloffs_of(settings: Settings, schedule: Schedule | None) -> CoolOffs | None:
    """How often a contact may be reached; None: as often as there are rows. Raises: HoursError.

    Presets bring theirs where their hours are waited for.
    """
    from dispatcher.rules.cooloff import CoolOff, CoolOffs

    if settings.campaign.purpose == "transactional":
        return None
    chosen = settings.cooloff
    found = CoolOffs(
        own=CoolOff(chosen.max, chosen.period_h) if chosen.max else None,
        of_places=_of_presets(settings, schedule.places) if schedule else {},
        skips=chosen.action == "skip",
    )
    return found or None


def _of_presets(settings: Settings, places: Mapping[int, Place | None]) -> dict[int, list[CoolOff]]:
    found: dict[int, list[CoolOff]] = {}
    presets = [one for one in hours_of(settings).presets if one.cooloff]
    for place_id, place in places.items():
        there = [one.cooloff for one in presets if place and one.applies(place.country, place.area) and one.cooloff]
        if there:
            found[place_id] = there
    return found

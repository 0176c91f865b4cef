"""The hours that hold by the settings, as people look at them: what holds, where, and how it is now. No ledger needed,
but for a campaign's places.

What is answered for a contact is asked of the same schedule that a run asks, and always as if hours were waited for: a
rehearsal, where they are off, is where somebody looks them up before it matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.starts import begin_at, moments_of
from dispatcher.campaign.suppressions import addresses_of
from dispatcher.campaign.timing import check, hours_of, schedule_ahead
from dispatcher.errors import UsageError
from dispatcher.intake.timing import places_of
from dispatcher.model import Reason, Refusal, contact_of
from dispatcher.remedies import Advice
from dispatcher.rules import clocks
from dispatcher.rules.gate import Due, Schedule
from dispatcher.rules.hours import HORIZON_DAYS, Hours, Span, openings
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.presets import Preset, presets
from dispatcher.rules.week import write_week
from dispatcher.settings import Settings

#: Looked at by whoever names no number, beside the zones of [columns] region.
MAIN_ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Europe/London",
    "Europe/Paris",
    "Asia/Kolkata",
    "Australia/Sydney",
)
_DAY_MS = clocks.DAY_S * 1000


class ModeSource(StrEnum):
    """Why hours are waited for, or not."""

    set = "set"
    default = "default"
    #: Studio is on this machine: a rehearsal.
    loopback = "loopback"
    #: [campaign] purpose.
    transactional = "transactional"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it is with a contact, or with a zone. Times are milliseconds since 1970."""

    #: The normalised address; None: a zone is looked at.
    address: str | None
    #: None: not known.
    place: Place | None
    #: Why nothing is sent there (zone_unknown, no_window, expired); None: it is, sooner or later.
    left_out: Reason | None
    presets: tuple[str, ...]
    #: When the hours open on the present day of `clock`, start and deadline apart.
    today: tuple[Span, ...]
    is_open: bool
    #: Until when, if it is open; None: no end is in sight.
    closes_ms: int | None
    #: When it opens next, if it is closed; None: never.
    opens_ms: int | None

    @property
    def clock(self) -> str:
        """The zone that times are shown in."""
        return self.place.zones[0] if self.place and self.place.zones else "UTC"


class HoursShown:
    """The hours of these settings at an instant."""

    def __init__(self, settings: Settings, now_ms: int) -> None:
        """Raises: HoursError, SettingsError: hours or a schedule that cannot be kept."""
        waited = settings.model_copy(
            update={
                "hours": settings.hours.model_copy(update={"mode": "wait"}),
                "campaign": settings.campaign.model_copy(update={"purpose": None}),
            }
        )
        check(waited)
        self.settings = settings
        self.now_ms = now_ms
        self.hours: Hours = hours_of(waited)
        self._places = places_of(settings)

    @property
    def mode_source(self) -> ModeSource:
        """Why `settings.hours_mode` is what it is."""
        if self.settings.campaign.purpose == "transactional":
            return ModeSource.transactional
        if self.settings.hours.mode is not None:
            return ModeSource.set
        return ModeSource.loopback if self.settings.is_loopback else ModeSource.default

    def zones(self) -> list[Standing]:
        """The main zones, and those of the settings' region: one for each clock that differs."""
        names = list(MAIN_ZONES)
        for name in clocks.zones_by_country().get((self.settings.columns.region or "").upper(), ()):
            if clocks.count_clocks([*names, name]) > clocks.count_clocks(names):
                names.append(name)
        countries = clocks.country_of()
        places = [Place((name,), countries.get(name), None, PlaceSource.column) for name in names]
        return self._standings([(None, place) for place in places])

    def contacts(self, texts: Sequence[str], zone: str = "", area: str = "") -> list[Standing]:
        """Contacts as a person types them, with the cells that a file would have beside them.

        Raises: UsageError: what is no number and no address, no zone or no state.
        """
        found: list[tuple[str | None, Place | None]] = []
        for address in dict.fromkeys(addresses_of(texts, self.settings)):
            place = self._places.of(address, zone, area)
            if isinstance(place, Refusal):
                raise UsageError(place.sentence, fix=Advice("correct it, or leave it out"))
            found.append((address, place))
        return self._standings(found)

    async def campaign(self, context: CampaignContext) -> list[tuple[int, Standing]]:
        """The places of a campaign's rows that wait, those of the most rows first, each with how many.

        By when it has begun, or as if it began now. Raises: SettingsError, LedgerError.
        """
        schedule, rows = await schedule_ahead(context, self.hours), Counter[int]()
        for due, n in await context.ledger.places.waiting(await context.current(), None):
            rows[due.place_id] += n
        return [(n, self._standing(schedule, place_id, None)) for place_id, n in rows.most_common()]

    def _standings(self, found: Sequence[tuple[str | None, Place | None]]) -> list[Standing]:
        start, deadline = moments_of(self.settings)
        places = {number: place for number, (_, place) in enumerate(found, 1)}
        begin = begin_at(self.settings, self.now_ms)
        schedule = Schedule(self.hours, places, start=start, deadline=deadline, begin=begin)
        return [self._standing(schedule, number, address) for number, (address, _) in enumerate(found, 1)]

    def _standing(self, schedule: Schedule, place_id: int, address: str | None) -> Standing:
        place = schedule.places[place_id]
        left_out = schedule.left_out(place_id, self.now_ms)
        if place is None and address is not None and contact_of(address)[:1] == "+":
            left_out = Reason.zone_unknown
        closes_ms = None if left_out else (schedule.gate(self.now_ms).places or {}).get(place_id)
        return Standing(
            address=address,
            place=place,
            left_out=left_out,
            presets=tuple(one.name for one in self.hours.applying(place.country, place.area)) if place else (),
            today=self._today(place) if place and place.zones else (),
            is_open=closes_ms is not None,
            closes_ms=None if closes_ms is None or closes_ms > self.now_ms + HORIZON_DAYS * _DAY_MS else closes_ms,
            opens_ms=schedule.earliest_ms(Due(place_id, 0), self.now_ms)
            if not left_out and closes_ms is None
            else None,
        )

    def _today(self, place: Place) -> tuple[Span, ...]:
        zone, now_s = place.zones[0], self.now_ms // 1000
        ahead_s = clocks.segments(zone, now_s, now_s)[0][1]
        midnight_s = (now_s + ahead_s) // clocks.DAY_S * clocks.DAY_S
        begins_ms, ends_ms = (
            clocks.zone_instants(zone, wall_s)[0] * 1000 for wall_s in (midnight_s, midnight_s + clocks.DAY_S)
        )
        return tuple(span for span in openings(place, self.hours, begins_ms, days=2) if span[0] < ends_ms)


def outermost(zones: Sequence[str], at_ms: int) -> tuple[str, ...]:
    """Of zones those whose clocks are the furthest ahead and behind at an instant; one where all show the same."""
    by_clock = {clocks.segments(name, at_ms // 1000, at_ms // 1000)[0][1]: name for name in reversed(zones)}
    return tuple(dict.fromkeys((by_clock[max(by_clock)], by_clock[min(by_clock)])))


# --- for `--json` ---


def hours_object(shown: HoursShown) -> dict[str, Any]:
    """What holds by the settings."""
    settings = shown.settings
    return {
        "mode": settings.hours_mode,
        "mode_source": shown.mode_source.value,
        "presets": [one.name for one in shown.hours.presets],
        "override": list(settings.hours.override),
        "open": settings.hours.open,
        "holidays": settings.hours.holidays,
        "close_early_min": settings.hours.close_early_min,
        "zone_unknown": settings.hours.zone_unknown,
        "default_zone": settings.hours.default_zone,
        "start_at": settings.schedule.start_at,
        "deadline": settings.schedule.deadline,
        "schedule_zone": settings.schedule.zone,
        "missed_local": settings.schedule.missed_local,
        "tz_version": clocks.TZ_VERSION,
        "now": _iso(shown.now_ms, "UTC"),
    }


def standing_object(one: Standing, now_ms: int) -> dict[str, Any]:
    """Times in ISO 8601, each with the offset of the zone `clock`."""

    def at(at_ms: int | None) -> str | None:
        return None if at_ms is None else _iso(at_ms, one.clock)

    place = one.place
    return {
        **({} if one.address is None else {"address": one.address}),
        "zones": list(place.zones) if place else [],
        "country": place.country if place else None,
        "state": place.area if place else None,
        **({} if one.address is None else {"told_by": place.source.value if place else None}),
        "presets": list(one.presets),
        "left_out": one.left_out.value if one.left_out else None,
        "clock": one.clock,
        "now": at(now_ms),
        "today": [{"opens": at(opens), "closes": at(closes)} for opens, closes in one.today],
        "open": one.is_open,
        "closes_at": at(one.closes_ms),
        "opens_at": at(one.opens_ms),
    }


def preset_objects() -> list[dict[str, Any]]:
    """The presets that the program brings along."""
    return [_preset_object(one) for one in presets().values()]


def _preset_object(one: Preset) -> dict[str, Any]:
    cooloff = {"max": one.cooloff.max, "period_h": one.cooloff.period_h} if one.cooloff else None
    return {
        "name": one.name,
        "kind": one.kind.value,
        "open": write_week(one.week),
        "holidays": "closed" if one.holidays_closed else "open",
        "applies_to": None if one.applies_to is None else sorted(one.applies_to),
        "cooloff": cooloff,
        "source": one.source,
        "checked_on": one.checked_on.isoformat(),
    }


def _iso(at_ms: int, zone: str) -> str:
    return clocks.wall_time(zone, at_ms // 1000).isoformat()

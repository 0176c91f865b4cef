"""The hours of a campaign, of contacts and of the presets, on a terminal. Every time has its zone beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rich.text import Text

from dispatcher.campaign.hours_shown import HoursShown, ModeSource, Standing, outermost
from dispatcher.campaign.starts import CONTACTS
from dispatcher.cli.render.terminal import print_line, print_pairs, print_rows, say, visible
from dispatcher.model import Reason
from dispatcher.rules import clocks
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.presets import Preset, presets
from dispatcher.rules.times import Moment, read_moment
from dispatcher.rules.week import write_week

_NO_ADVICE = "facts with their sources, not legal advice"
_MODES = {
    "wait": "rows wait for their hours",
    "warn": "rows at night are told, and sent all the same",
    "off": "rows are sent at any hour",
}
_WHY = {
    ModeSource.set: "as it is set",
    ModeSource.default: "the default",
    ModeSource.loopback: "Studio is on this machine: a rehearsal",
    ModeSource.transactional: '[campaign] purpose = "transactional"',
}
_TOLD_BY = {
    PlaceSource.column: "by the zone or state beside it",
    PlaceSource.area_code: "by its area code; that it was ported or has moved, no number tells",
    PlaceSource.country: "by its country code and first digits, which have one clock",
    PlaceSource.several_zones: "several clocks; it is open when it is open by each of them",
    PlaceSource.default: "by [hours] default_zone: nothing else tells it",
}
_LEFT_OUT = {
    Reason.zone_unknown: "left out (zone_unknown), exit code 3: a zone column or [hours] default_zone helps",
    Reason.no_window: "left out (no_window): the hours that hold there never open",
    Reason.expired: "left out (expired): the deadline comes first, or the start was missed",
}
_MISSED = {
    "next_day": "by a contact's clock when the campaign begins: at that time of the next day",
    "skip": "by a contact's clock when the campaign begins: left out (expired)",
}
#: So many zones are named.
_ZONES_SHOWN = 3


def print_hours(shown: HoursShown, zones: list[Standing]) -> None:
    """What holds by the settings, and how it is now in some zones."""
    settings = shown.settings
    chosen = settings.hours
    lines: list[tuple[str, Text | str]] = [
        ("hours", _mode_text(shown)),
        ("presets", ", ".join(one.name for one in shown.hours.presets) or "none"),
    ]
    if chosen.override:
        lines.append(("overridden", Text(", ".join(chosen.override), style="yellow")))
    lines.append(("your own", "none" if chosen.open is None else visible(_week_text(chosen.open))))
    lines.append(("holidays", "as other days, but where a preset closes" if chosen.holidays == "open" else "closed"))
    lines.append(("closes early", f"{chosen.close_early_min} min before each end"))
    lines.append(("unknown zone", _unknown_text(shown)))
    lines += _set_times(shown)
    lines.append(("time zones", f"tzdata {clocks.TZ_VERSION}"))
    print_pairs(lines)
    _say_if_off(shown)
    print_rows(("zone", "now there", "open", "here"), [(one.clock, *_now_cells(one, shown.now_ms)) for one in zones])
    say("States may be narrower than their country: dispatcher hours NUMBER", "bright_black")


def print_contacts(shown: HoursShown, contacts: list[Standing]) -> None:
    """Each contact's place, what holds there, and when it is open."""
    _say_if_off(shown)
    if set_times := _set_times(shown):
        print_pairs(set_times)
    for one in contacts:
        print_line(one.address or "")
        lines: list[tuple[str, Text | str]] = [("  place", _place_text(one))]
        if one.place:
            own = ["your own"] if shown.hours.own else []
            lines.append(("  holds", ", ".join([*one.presets, *own]) or "nothing: open at any hour"))
            for number, zone in enumerate(outermost(one.place.zones, shown.now_ms)):
                lines.append(("" if number else "  today", _today_text(one, zone, shown.now_ms)))
        lines.append(("  now", _now_text(one)))
        print_pairs(lines)


def print_campaign(shown: HoursShown, name: str, found: list[tuple[int, Standing]]) -> None:
    """Where its rows wait, and when they may go."""
    _say_if_off(shown)
    print_pairs([("campaign", Text(visible(name), style="bold")), *_set_times(shown)])
    if not found:
        say("no row waits of which it is known where its contact is", "bright_black")
        return
    cells = [(f"{rows:,}", _where_text(one), *_now_cells(one, shown.now_ms)) for rows, one in found]
    print_rows(("rows", "place", "now there", "open", "here"), cells)


def _where_text(one: Standing) -> str:
    if one.place is None or not one.place.zones:
        return "not known"
    return f"{one.place.area or one.place.country or ''} {_zones_text(one.place)}".strip()


def print_presets() -> None:
    """Each preset with its hours, where it applies, its source and when that was checked."""
    print_pairs([(name, preset_text(one)) for name, one in presets().items()])
    say(_NO_ADVICE, "bright_black")


def preset_text(one: Preset) -> Text:
    """Its hours and where they hold; below them the source."""
    where = "everywhere" if one.applies_to is None else ", ".join(sorted(one.applies_to))
    told = [_week_text(write_week(one.week)), where]
    if one.holidays_closed:
        told.append("closed on public holidays")
    if one.cooloff:
        told.append(f"{one.cooloff.max} contacts in {one.cooloff.period_h} h at most, which is not counted yet")
    return Text.assemble(" · ".join(told), (f"\n{one.source} (checked {one.checked_on})", "bright_black"))


def _say_if_off(shown: HoursShown) -> None:
    if shown.settings.hours_mode != "wait":
        say(f"{_mode_text(shown)}; what follows would hold if they waited", "yellow")


def _mode_text(shown: HoursShown) -> str:
    mode = shown.settings.hours_mode
    return f"{mode}: {_MODES[mode]} ({_WHY[shown.mode_source]})"


def _week_text(written: str | Mapping[str, str]) -> str:
    if isinstance(written, str):
        return f"{written} every day"
    return ", ".join(f"{days} {hours}" if hours else f"not on {days}" for days, hours in written.items())


def _unknown_text(shown: HoursShown) -> str:
    chosen = shown.settings.hours
    if chosen.zone_unknown == "default" and chosen.default_zone:
        return f"taken to be in {visible(chosen.default_zone)}"
    return "left out (zone_unknown), exit code 3"


_ON_EACH = " on each contact's own clock"


def _set_times(shown: HoursShown) -> list[tuple[str, Text | str]]:
    """The campaign's start and deadline, if it has them."""
    schedule = shown.settings.schedule
    found: list[tuple[str, Text | str]] = []
    for label, text in (("start", schedule.start_at), ("deadline", schedule.deadline)):
        moment = read_moment(text or "")
        if isinstance(moment, Moment):
            whose = "" if moment.is_instant else f" {_whose(schedule.zone)}"
            found.append((label, f"{visible(text or '')}{whose}"))
            if label == "start" and whose == _ON_EACH and schedule.missed_local != "now":
                found.append(("if missed", _MISSED[schedule.missed_local]))
    return found


def _whose(zone: str) -> str:
    return _ON_EACH.strip() if zone.strip().casefold() == CONTACTS else f"in {visible(zone)}"


def _place_text(one: Standing) -> str:
    if one.place is None:
        if one.left_out is Reason.zone_unknown:
            return "not known: nothing tells its time zone"
        return "not known, and no hours hold for addresses that are no number"
    place = one.place
    where = place.area or place.country
    return f"{f'{where}: ' if where else ''}{_zones_text(place)}\n{_TOLD_BY[place.source]}"


def _zones_text(place: Place) -> str:
    more = len(place.zones) - _ZONES_SHOWN
    return ", ".join(place.zones[:_ZONES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _today_text(one: Standing, zone: str, now_ms: int) -> str:
    """The day's windows by one of the place's clocks, which may have another date."""
    if not one.today:
        return f"closed on {_wall(now_ms, one.clock):%a %Y-%m-%d} in {one.clock}"
    told, day = "", None
    for opens, closes in ((_wall(opens, zone), _wall(closes, zone)) for opens, closes in one.today):
        told += ("; " if day else "") + f"{opens:%a %Y-%m-%d}" if opens.date() != day else ","
        told += f" {opens:%H:%M}-{closes:%H:%M}"
        day = opens.date()
    return f"{told} in {zone}"


def _now_text(one: Standing) -> Text:
    if one.left_out:
        return Text(_LEFT_OUT[one.left_out], style="red")
    at_ms = one.closes_ms if one.is_open else one.opens_ms
    told = Text("open", style="green") if one.is_open else Text("closed", style="yellow")
    if at_ms is None:
        return Text.assemble(told, " at any hour")
    wall = _wall(at_ms, one.clock)
    told = Text.assemble(told, " until " if one.is_open else ", opens ", f"{_moment(wall)} in {one.clock}")
    return Text.assemble(told, f"\n= {_moment(_here(at_ms))} here")


def _now_cells(one: Standing, now_ms: int) -> tuple[Text | str, ...]:
    now = f"{_wall(now_ms, one.clock):%a %H:%M}"
    if one.left_out:
        return now, Text(one.left_out.value, style="red"), ""
    at_ms = one.closes_ms if one.is_open else one.opens_ms
    if at_ms is None:
        return now, Text("at any hour", style="green"), ""
    there = f"{_wall(at_ms, one.clock):%a %d %H:%M}"
    told = Text(f"until {there}", style="green") if one.is_open else Text(f"opens {there}", style="yellow")
    return now, told, f"{_here(at_ms):%a %d %H:%M %Z}"


def _here(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000).astimezone()


def _wall(at_ms: int, zone: str) -> datetime:
    return clocks.wall_time(zone, at_ms // 1000)


def _moment(wall: datetime) -> str:
    """With its offset: where clocks are set back, an hour comes twice."""
    return f"{wall:%a %Y-%m-%d %H:%M} (UTC{wall.isoformat()[-6:]})"

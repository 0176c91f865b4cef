"""A campaign's start and deadline, by its settings, and when it has begun, by its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.campaign.context import CampaignContext
from dispatcher.clock import now_ms as local_ms
from dispatcher.errors import SettingsError
from dispatcher.model import Refusal
from dispatcher.remedies import Setting

if TYPE_CHECKING:
    from dispatcher.ledger.records import Run
    from dispatcher.rules.gate import Schedule
    from dispatcher.rules.starts import Begin
    from dispatcher.rules.times import Moment
    from dispatcher.settings import Settings

#: [schedule] zone: whose clocks they are of.
CONTACTS = "contact"


def check_schedule(settings: Settings) -> None:
    """Raises: SettingsError: a start, a deadline or a zone that cannot be read, or no time between the two anywhere."""
    _zone(settings)
    start, deadline = moments_of(settings)
    if start is None or deadline is None:
        return
    from dispatcher.rules.times import leaves_no_time

    if leaves_no_time(start, deadline):
        where = "" if start.is_instant == deadline.is_instant else ", wherever a contact is"
        raise SettingsError(
            f"[schedule] deadline: it is not after the start{where}",
            found=f"{settings.schedule.start_at} to {settings.schedule.deadline}",
            fix=Setting("schedule.deadline", "2026-12-01T18:00"),
        )


def moments_of(settings: Settings) -> tuple[Moment | None, Moment | None]:
    """Start and deadline; instants, where one zone's clock is meant. Raises: SettingsError."""
    zone = _zone(settings)
    start, deadline = (_moment(settings, name) for name in ("start_at", "deadline"))
    if zone is None:
        return start, deadline
    return start and start.begins_in(zone), deadline and deadline.ends_in(zone)


def _moment(settings: Settings, name: str) -> Moment | None:
    text = getattr(settings.schedule, name)
    if not text:
        return None
    from dispatcher.rules.times import read_moment

    moment = read_moment(text)
    if isinstance(moment, Refusal):
        fix = Setting(f"schedule.{name}", "2026-12-01T09:00")
        raise SettingsError(f"[schedule] {name}: {moment.sentence}", fix=fix)
    return moment


def _zone(settings: Settings) -> str | None:
    """Whose clock it is; None: each contact's own. Raises: SettingsError."""
    chosen = settings.schedule.zone.strip()
    if chosen.casefold() == CONTACTS:
        return None
    from dispatcher.rules.clocks import zone_name

    name = zone_name(chosen)
    if name is None:
        raise SettingsError(
            f"[schedule] zone: it is no IANA time zone, and not {CONTACTS!r}",
            found=repr(chosen[:60]),
            fix=Setting("schedule.zone", "America/New_York"),
        )
    return name


# --- when it has begun ---


def begin_at(settings: Settings, at_ms: int) -> Begin:
    """What it means, by the settings, that the campaign has begun then."""
    from dispatcher.rules.starts import Begin, MissedLocal

    chosen = settings.schedule
    return Begin(at_ms, chosen.grace_min * 60_000, MissedLocal(chosen.missed_local))


async def begun(context: CampaignContext, start: Moment | None) -> Begin | None:
    """When the campaign has begun with this start; None: it has not, or the start is one instant for all."""
    if start is None or start.is_instant:
        return None
    at_ms = await context.ledger.places.begun_ms(await context.current(), start.at_ms)
    return None if at_ms is None else begin_at(context.settings, at_ms)


async def begun_or_now(context: CampaignContext, start: Moment | None) -> Begin:
    """The same for whoever looks ahead: as if it began now, where it has not."""
    return await begun(context, start) or begin_at(context.settings, local_ms())


async def keep_beginning(context: CampaignContext, run: Run, schedule: Schedule, now_ms: int) -> None:
    """Keep that the campaign begins now, for good, if it has not before: later runs must not miss the start anew.

    Raises: LeaseLost, LedgerError.
    """
    start = schedule.start
    if start is not None and not start.is_instant:
        at_ms = await context.ledger.places.begin(run, start.at_ms, now_ms)
        schedule.begun(begin_at(context.settings, at_ms))

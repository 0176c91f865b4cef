"""When a campaign's rows may go, by its settings: its hours and schedule, and what waits until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.starts import begun, begun_or_now, check_schedule, keep_beginning, moments_of
from dispatcher.clock import now_ms as local_ms
from dispatcher.errors import SettingsError, StartMissed
from dispatcher.ledger.records import InputRecord, Run
from dispatcher.model import Refusal, RowState
from dispatcher.remedies import AnyOf, Setting

if TYPE_CHECKING:
    from dispatcher.ledger import LedgerSnapshot
    from dispatcher.ledger.places import Timed
    from dispatcher.reporting.wait_columns import WaitColumns
    from dispatcher.rules.caps import DailyCap
    from dispatcher.rules.gate import Due, Schedule
    from dispatcher.rules.hours import Hours
    from dispatcher.rules.places import Place
    from dispatcher.settings import Settings

_PLACED_AT_ONCE = 10_000
#: Those that wait, and those that may once it is known what became of them.
_MAY_WAIT = frozenset({RowState.planned, RowState.sending, RowState.unknown})

#: What the report says of rows that wait for the verdict on those that were sent first: a run waits for that, too.
_CANARY = "canary"


class WaitsFor(StrEnum):
    """What rows wait for."""

    hours = "hours"
    #: The campaign's start.
    start = "start"
    #: The row's own time.
    row = "row"
    #: The contact was reached as often as is allowed.
    cool_off = "cool_off"
    #: The next day: so many were begun today as may be.
    cap = "cap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Rows that wait together."""

    rows: int
    until_ms: int
    #: An IANA name, the contacts' own; None: no hours hold for them.
    zone: str | None
    why: WaitsFor


def hours_of(settings: Settings) -> Hours:
    """The hours that hold; none where they are not waited for. Raises: HoursError."""
    from dispatcher.rules.hours import Hours

    return set_hours(settings) if settings.hours_mode == "wait" else Hours((), None, 0)


def set_hours(settings: Settings) -> Hours:
    """The hours that are set, whether or not they are waited for."""
    from dispatcher.rules.hours import Hours, read_hours

    if settings.hours_mode == "off":
        return Hours((), None, 0)
    chosen = settings.hours
    return read_hours(
        chosen.presets,
        override=chosen.override,
        own=chosen.open,
        holidays=chosen.holidays,
        close_early_min=chosen.close_early_min,
    )


def check(settings: Settings) -> None:
    """Raises: SettingsError: hours or a schedule that cannot be kept; before anything is planned."""
    if settings.caps.per_day:
        from dispatcher.rules.clocks import zone_name

        if zone_name(settings.caps.day_zone) != settings.caps.day_zone:
            raise SettingsError(
                "[caps] day_zone: it is no IANA time zone",
                found=repr(settings.caps.day_zone[:60]),
                fix=Setting("caps.day_zone", "America/Los_Angeles"),
            )
    check_schedule(settings)
    if settings.keeps_places:
        set_hours(settings)


async def schedule_of(context: CampaignContext) -> Schedule | None:
    """The campaign's schedule, over the places of its rows; None: rows go at any time.

    Rows whose places nobody has looked up get theirs. Under the account's lease. Raises: SettingsError, LedgerError.
    """
    from dispatcher.rules.gate import Schedule

    settings = context.settings
    start, deadline = moments_of(settings)
    if settings.hours_mode != "wait" and start is None and deadline is None:
        return None
    hours = hours_of(settings)
    await _place_rows(context)
    begin = await begun(context, start)
    return Schedule(hours, await _places(context), start=start, deadline=deadline, begin=begin)


async def schedule_ahead(context: CampaignContext, hours: Hours) -> Schedule:
    """The same for whoever looks ahead, with these hours: as far as the places are known; nothing changes."""
    from dispatcher.rules.gate import Schedule

    start, deadline = moments_of(context.settings)
    begin = await begun_or_now(context, start)
    return Schedule(hours, await _places(context), start=start, deadline=deadline, begin=begin)


async def keep_start(context: CampaignContext, run: Run, input_id: int | None, schedule: Schedule, now_ms: int) -> None:
    """Where a campaign of which nothing was sent should have started long ago, do as `[schedule] late` says.

    Otherwise it has begun: see `starts.keep_beginning`. Raises: StartMissed.
    """
    if await _is_in_time(context, run, input_id, schedule, now_ms):
        await keep_beginning(context, run, schedule, now_ms)


async def _is_in_time(
    context: CampaignContext, run: Run, input_id: int | None, schedule: Schedule, now_ms: int
) -> bool:
    settings = context.settings.schedule
    missed_ms = None if settings.late == "send" else await missed_by_ms(context, input_id, schedule, now_ms)
    if missed_ms is None:
        return True
    if settings.late == "skip":
        await context.ledger.places.miss(run, input_id)
        return False
    raise StartMissed(
        f"the campaign was to start at {settings.start_at}, and nothing of it was sent",
        found=f"that is {missed_ms // 60_000:,} minutes ago",
        fix=AnyOf(Setting("schedule.start_at", "2026-12-01T09:00"), Setting("schedule.late", "send")),
    )


async def missed_by_ms(context: CampaignContext, input_id: int | None, schedule: Schedule, now_ms: int) -> int | None:
    """How long ago a campaign of which nothing was sent should have started for all; None: that is not so."""
    record = await context.current()
    due = await context.ledger.places.due(record, input_id)
    started_ms = schedule.all_started_ms(one.place_id for one in due)
    if started_ms is None or now_ms <= started_ms + context.settings.schedule.grace_min * 60_000:
        return None
    status = await context.ledger.status(record)
    if status.attempts or status.throttled or not status.rows[RowState.planned]:
        return None
    return now_ms - started_ms


def cap_of(settings: Settings) -> DailyCap | None:
    """How much may be begun a day; None: as much as there is."""
    from dispatcher.rules.caps import DailyCap

    return DailyCap(settings.caps.per_day, settings.caps.day_zone) if settings.caps.per_day else None


async def capped_until_ms(context: CampaignContext) -> int | None:
    """When more may be begun, where that is enough for today; None: it may now."""
    cap = cap_of(context.settings)
    if cap is None:
        return None
    at_ms = local_ms()
    account = (await context.current()).account
    cap.seed(await context.ledger.begun_since(account, cap.day(at_ms)[0]), at_ms)
    return cap.until_ms(at_ms)


async def _places(context: CampaignContext) -> dict[int, Place | None]:
    """The ledger's places, those of unknown zone as the settings are now: whatever they were when rows were planned."""
    from dispatcher.intake.timing import places_of
    from dispatcher.rules.places import NOWHERE

    found, settings = await context.ledger.places.all(), context.settings
    if settings.hours_mode != "wait":
        return {number: None if place == NOWHERE else place for number, place in found.items()}
    default = places_of(settings).default
    if default is None:
        return found
    return {number: default if place in (None, NOWHERE) else place for number, place in found.items()}


async def _place_rows(context: CampaignContext) -> None:
    """Rows that were planned by an earlier program, or while hours were off."""
    ledger, record = context.ledger, await context.current()
    for planned in await ledger.inputs(record):
        if await ledger.places.unplaced(planned.input_id, after=0):
            await _place_input(context, planned)


async def _place_input(context: CampaignContext, planned: InputRecord) -> None:
    from dispatcher.intake.header import visible
    from dispatcher.rules.places import Places, kept_place

    settings = context.settings
    names = [visible(name) for name in planned.header]
    zone, area = (
        names.index(visible(name)) if name and visible(name) in names else None
        for name in (settings.columns.zone, settings.columns.area)
    )
    places = Places()
    found: dict[int, Place | None] = {}
    async with context.ledger.snapshot() as view:
        async for batch in view.rows(planned.input_id, states=_MAY_WAIT):
            for row in batch:
                address, cells = row.to_address or "", [row.cells[at] if at is not None else "" for at in (zone, area)]
                place = places.of(address, *cells)
                # A cell that says nothing is known for a wrong one when a file is planned.
                found[row.row_id] = kept_place(address, None if isinstance(place, Refusal) else place)
            if len(found) >= _PLACED_AT_ONCE:
                await context.ledger.places.place(found)
                found = {}
    await context.ledger.places.place(found)


async def waits_may_be_told(context: CampaignContext, input_id: int) -> bool:
    """Whether a rule applies of which the report tells what rows wait for: hours, times, or a canary."""
    return (
        await context.ledger.places.are_kept(input_id) or await context.ledger.canaries.of(context.record) is not None
    )


async def wait_columns(context: CampaignContext, view: LedgerSnapshot) -> WaitColumns:
    """What the report tells of rows that wait. Raises: SettingsError."""
    from dispatcher.reporting.wait_columns import WaitColumns
    from dispatcher.rules.gate import Due

    schedule = await schedule_ahead(context, hours_of(context.settings))
    places, at_ms = schedule.places, local_ms()

    canary = await context.ledger.canaries.of(context.record)
    is_canary_open = canary is not None and not canary.is_settled

    def wait(timed: Timed) -> tuple[int | None, str] | None:
        if is_canary_open:
            # When there is a verdict cannot be told.
            return None, _CANARY
        due, is_placed = Due(timed.place_id, timed.not_before_ms), timed.place_id in places
        until_ms = schedule.earliest_ms(due, at_ms) if is_placed else timed.not_before_ms
        return None if until_ms is None or until_ms <= at_ms else (until_ms, _why(schedule, due, until_ms).value)

    return WaitColumns(view.times, places, wait)


def _why(schedule: Schedule, due: Due, until_ms: int) -> WaitsFor:
    if schedule.starts_ms(due.place_id) == until_ms:
        return WaitsFor.start
    return _own(until_ms) if due.first_ms == until_ms else WaitsFor.hours


async def waiting_rows(
    context: CampaignContext,
    schedule: Schedule | None,
    input_id: int | None,
    at_ms: int,
    capped_ms: int | None = None,
    *,
    held: Mapping[tuple[Due, int], int] | None = None,
) -> list[Waiting]:
    """What waits for its hours or a time, the first to go first. Reads all of it: some tenths of a second a million.

    `capped_ms`: nothing goes before that, as today's cap is reached. `held`: rows that a claim would hold, by
    where and when they may go by themselves, and until when: how many.
    """
    from dispatcher.rules.gate import Due

    record, day_zone = await context.current(), context.settings.caps.day_zone
    found: Counter[tuple[int, str | None, WaitsFor]] = Counter()
    if schedule is None:
        if capped_ms is not None:
            status, at_ms = await context.ledger.status(record), capped_ms
            earlier = 0 if input_id is not None else status.earlier_rows.get(RowState.planned, 0)
            found[capped_ms, day_zone, WaitsFor.cap] = status.rows[RowState.planned] + earlier
        for own_ms, n in await context.ledger.places.waiting_for_a_time(record, input_id, at_ms):
            found[own_ms, None, _own(own_ms)] += n
            if capped_ms is not None:
                found[capped_ms, day_zone, WaitsFor.cap] -= n
        for (due, held_ms), n in (held or {}).items():
            if held_ms > max(due.first_ms, at_ms):
                found[held_ms, None, WaitsFor.cool_off] += n
                if due.first_ms > at_ms:
                    found[due.first_ms, None, _own(due.first_ms)] -= n
                elif capped_ms is not None:
                    found[capped_ms, day_zone, WaitsFor.cap] -= n
        return _sorted(found)
    counted = Counter(dict(await context.ledger.places.waiting(record, input_id)))
    for (due, held_ms), n in (held or {}).items():
        counted[due] -= n
        counted[Due(due.place_id, max(due.first_ms, held_ms))] += n
    for due, n in (+counted).items():
        until_ms = schedule.earliest_ms(due, capped_ms or at_ms)
        if until_ms is None or until_ms <= at_ms:
            continue
        place = schedule.places.get(due.place_id)
        if until_ms == capped_ms:
            found[until_ms, day_zone, WaitsFor.cap] += n
            continue
        found[until_ms, place.zones[0] if place and place.zones else None, _why(schedule, due, until_ms)] += n
    return _sorted(found)


def _own(until_ms: int) -> WaitsFor:
    """What a row waits for that waits until then by itself."""
    from dispatcher.rules.cooloff import is_hold

    return WaitsFor.cool_off if is_hold(until_ms) else WaitsFor.row


def _sorted(found: Counter[tuple[int, str | None, WaitsFor]]) -> list[Waiting]:
    return [
        Waiting(rows=n, until_ms=until_ms, zone=zone, why=why)
        for (until_ms, zone, why), n in sorted((+found).items(), key=lambda item: (item[0][0], item[0][1] or ""))
    ]


def waiting_objects(waiting: Sequence[Waiting]) -> list[Mapping[str, object]]:
    """For `--json`: rows, until (UTC, ISO 8601), zone, why."""
    return [
        {"rows": one.rows, "until": utc_text(one.until_ms), "zone": one.zone, "why": one.why.value} for one in waiting
    ]


def utc_text(at_ms: int) -> str:
    """ISO 8601, UTC, whole seconds."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

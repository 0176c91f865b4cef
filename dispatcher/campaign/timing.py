"""When a campaign's rows may go, by its settings: its hours and schedule, and what waits until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from dispatcher.answers import HoursAnswer, WaitingAnswer
from dispatcher.campaign import caps
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.starts import begun, begun_or_now, check_schedule, keep_beginning, moments_of
from dispatcher.clock import now_ms as local_ms
from dispatcher.errors import StartMissed
from dispatcher.ledger.records import InputRecord, ReportRow, Run
from dispatcher.model import Refusal, RowState, moment
from dispatcher.remedies import AnyOf, Setting

if TYPE_CHECKING:
    from dispatcher.ledger import LedgerSnapshot
    from dispatcher.ledger.places import Timed
    from dispatcher.reporting.wait_columns import WaitColumns
    from dispatcher.rules.caps import Capped
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

    @property
    def until(self) -> datetime:
        """`until_ms`, in UTC."""
        return moment(self.until_ms)


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
    caps.check(settings)
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
    """Whether a rule applies of which the report tells what rows wait for: hours, times, daily caps, or a canary."""
    if context.settings.caps.is_set or await context.ledger.places.are_kept(input_id):
        return True
    return await context.ledger.canaries.of(context.record) is not None


async def wait_columns(context: CampaignContext, view: LedgerSnapshot, files: Mapping[int, InputRecord]) -> WaitColumns:
    """What the report tells of these files' rows that wait. Raises: SettingsError, LedgerError."""
    from dispatcher.reporting.wait_columns import WaitColumns
    from dispatcher.rules.gate import Due

    schedule = await schedule_ahead(context, hours_of(context.settings))
    places, at_ms = schedule.places, local_ms()
    capped = await caps.capped_at(context, at_ms)
    canary = await context.ledger.canaries.of(context.record)
    is_canary_open = canary is not None and not canary.is_settled

    def wait(row: ReportRow, timed: Timed) -> tuple[int | None, str] | None:
        if is_canary_open:
            # When there is a verdict cannot be told.
            return None, _CANARY
        due = Due(timed.place_id, timed.not_before_ms)
        capped_ms = capped.of_ms(files[row.input_id].sender(row.from_address) or "")
        found = _waits(schedule if timed.place_id in places else None, due, at_ms, capped_ms)
        return None if found is None else (found[0], found[1].value)

    return WaitColumns(view.times, places, wait)


def _waits(schedule: Schedule | None, due: Due, at_ms: int, capped_ms: int | None) -> tuple[int, WaitsFor] | None:
    """Until when rows wait, and for what; None: they do not, or are never sent. `capped_ms`: for the next day."""
    from_ms = capped_ms or at_ms
    until_ms = max(due.first_ms, from_ms) if schedule is None else schedule.earliest_ms(due, from_ms)
    if until_ms is None or until_ms <= at_ms:
        return None
    if until_ms == capped_ms:
        return until_ms, WaitsFor.cap
    return until_ms, _own(until_ms) if schedule is None else _why(schedule, due, until_ms)


def _why(schedule: Schedule, due: Due, until_ms: int) -> WaitsFor:
    if schedule.starts_ms(due.place_id) == until_ms:
        return WaitsFor.start
    return _own(until_ms) if due.first_ms == until_ms else WaitsFor.hours


async def waiting_rows(
    context: CampaignContext,
    schedule: Schedule | None,
    input_id: int | None,
    at_ms: int,
    capped: Capped,
    *,
    held: Mapping[tuple[Due, int], int] | None = None,
) -> list[Waiting]:
    """What waits for its hours or a time, the first to go first. Reads all of it: some tenths of a second a million.

    `capped`: of whom nothing goes before the next day, as today's cap is reached. `held`: rows that a claim would hold,
    by where and when they may go by themselves, and until when: how many.
    """
    from dispatcher.campaign.held import delayed
    from dispatcher.ledger.senders import DueOf
    from dispatcher.rules.gate import Due

    ledger, record = context.ledger, await context.current()
    # Who sends them matters only where some have sent enough.
    if capped.some:
        waiting = await ledger.senders.waiting(record, input_id, placed=schedule is not None)
    elif schedule is not None:
        waiting = [DueOf("", due, n) for due, n in await ledger.places.waiting(record, input_id)]
    else:
        # All that is planned, where nothing goes any more.
        later_ms = at_ms if capped.everyone_ms is None else -1
        timed = await ledger.places.waiting_for_a_time(record, input_id, later_ms)
        waiting = [DueOf("", Due(0, first_ms), n) for first_ms, n in timed]
    found: Counter[tuple[int, str | None, WaitsFor]] = Counter()
    for sender, due, n in delayed(waiting, held, placed=schedule is not None) if held else waiting:
        waits = _waits(schedule, due, at_ms, capped.of_ms(sender))
        if waits is None:
            continue
        until_ms, why = waits
        place = None if schedule is None else schedule.places.get(due.place_id)
        zone = place.zones[0] if place and place.zones else None
        found[until_ms, context.settings.caps.day_zone if why is WaitsFor.cap else zone, why] += n
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


def waiting_objects(waiting: Sequence[Waiting]) -> list[WaitingAnswer]:
    """For `--json`: rows, until (UTC, ISO 8601), zone, why."""
    return [
        {"rows": one.rows, "until": utc_text(one.until_ms), "zone": one.zone, "why": one.why.value} for one in waiting
    ]


def hours_answer(settings: Settings) -> HoursAnswer:
    """For `--json`: which hours hold by the settings. Raises: HoursError."""
    from dispatcher.rules.clocks import TZ_VERSION

    return {
        "mode": settings.hours_mode,
        "presets": [one.name for one in set_hours(settings).presets],
        "override": list(settings.hours.override),
        "tz_version": TZ_VERSION,
    }


def moment_text(at_ms: int) -> str:
    """ISO 8601, UTC, milliseconds."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_text(at_ms: int) -> str:
    """ISO 8601, UTC, whole seconds."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

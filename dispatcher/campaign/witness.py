"""Studio as the witness: whom others have started on the flow a short time ago, that this ledger knows nothing of.

Another folder, another machine, a lost ledger or one that was restored: what any of them has started stands in Studio's
list. It is read at the start of every run, before the first request, and who is found there is not reached again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dispatcher.campaign.context import CampaignContext
from dispatcher.clock import now_ms
from dispatcher.errors import (
    AuthenticationError,
    LookCutShort,
    PermissionRefused,
    ResourceNotFound,
    StudioError,
    StudioUnavailable,
)
from dispatcher.events import EventBus, LookingBack, Phase, PhaseChanged, RowsSkipped
from dispatcher.ledger.records import ForeignExecution, Look, Run
from dispatcher.model import contact_of
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, InTurn, Option, Setting
from dispatcher.settings import Settings
from dispatcher.studio.resources import Execution, began_by_contact, began_by_request

if TYPE_CHECKING:
    from dispatcher.studio.client import Studio

#: So much further back the list is read than the last look went: clocks jump.
SLACK_MS = 300_000
#: After so many executions listed the live view is told.
TOLD_EVERY = 5000


@dataclass(slots=True)
class _Listed:
    """What was read of the list."""

    #: Those that may have been begun by a create request, newest first.
    executions: list[Execution]
    listed: int = 0
    #: It was read as far back as it was to be.
    whole: bool = True


async def look_back(context: CampaignContext, studio: Studio, run: Run, *, may_be_short: bool) -> int:
    """Skip planned rows whose contacts others have started a short time ago; returns how many.

    `may_be_short`: where `repeat_look_back_max` ends the look before the period does, go on all the same.
    Raises: LookCutShort where it does not; StudioError, AuthenticationError: nothing can be told.
    """
    ledger, bus, settings = context.ledger, context.bus, context.settings
    bus.emit(PhaseChanged(phase=Phase.looking_back))
    try:
        looked_ms, skew_ms, wanted_ms = await _times(studio, run, settings)
        since_ms, chain_ms = _since(await ledger.last_look(run.campaign), wanted_ms, looked_ms, skew_ms)
        listed = await _list(studio, run, since_ms, settings.campaign.repeat_look_back_max, bus)
        foreign = await _foreign(context, studio, run, listed.executions)
    except (AuthenticationError, PermissionRefused) as error:
        unwitnessed = AnyOf(Advice("use a key that may list executions"), Setting("campaign.repeat_after_h", 0))
        error.fix = InTurn(error.fix, unwitnessed) if error.fix else unwitnessed
        raise
    if not listed.whole:
        if not may_be_short:
            raise _cut_short(listed, settings)
        oldest = listed.executions[-1].date_created if listed.executions else None
        chain_ms = _ms(oldest) if oldest is not None else looked_ms + skew_ms
    look = Look(looked_at_ms=looked_ms, clock_skew_ms=skew_ms, since_ms=chain_ms)
    await ledger.keep_look(run, look, foreign)
    skipped = await _skip(context, studio, run, wanted_ms=wanted_ms, skew_ms=skew_ms)
    if skipped:
        bus.emit(RowsSkipped(rows=skipped))
    return skipped


async def _times(studio: Studio, run: Run, settings: Settings) -> tuple[int, int, int]:
    """Now by our clock, Studio's less that, and where the period begins by Studio's, all in ms."""
    if studio.clock_skews_s is None:
        # Any answer tells Studio's clock; a key that may not read flows may list executions all the same.
        with contextlib.suppress(StudioError, PermissionRefused):
            await studio.flow(run.campaign.flow_sid)
    looked_ms = now_ms()
    least_s, _ = studio.clock_skews_s or (0.0, 0.0)
    skew_ms = round((studio.clock_skew_s or 0.0) * 1000)
    return looked_ms, skew_ms, looked_ms + min(skew_ms, round(least_s * 1000)) - settings.repeat_after_ms


def _since(last: Look | None, wanted_ms: int, looked_ms: int, skew_ms: int) -> tuple[int, int]:
    """From when on the list is read, and from when on nothing is missing then. By Studio's clock, in ms.

    What was created up to the last request of the last look's run is known. A look on a clock that was ahead is not
    believed, nor one that did not go back as far as is asked for now.
    """
    # A little further than it takes: measured once more, the period may begin a second earlier.
    whole_ms = wanted_ms - SLACK_MS
    if last is None or last.since_ms > wanted_ms:
        return whole_ms, whole_ms
    covered_ms = max(last.looked_at_ms, last.departed_at_ms or 0)
    if covered_ms > looked_ms:
        return whole_ms, whole_ms
    known_ms = covered_ms + min(last.clock_skew_ms, skew_ms) - SLACK_MS
    return max(whole_ms, known_ms), last.since_ms


async def _list(studio: Studio, run: Run, since_ms: int, most: int, bus: EventBus) -> _Listed:
    result = _Listed([])
    created_from = datetime.fromtimestamp(max(0, since_ms) / 1000, UTC)
    async for execution in studio.executions(run.campaign.flow_sid, created_from=created_from):
        if result.listed == most:
            result.whole = False
            break
        result.listed += 1
        if result.listed % TOLD_EVERY == 0:
            bus.emit(LookingBack(listed=result.listed))
        if not began_by_contact(execution):
            result.executions.append(execution)
    return result


#: What a look says that was cut short; workers tell it in the ledger, where a page knows it again.
CUT_SHORT = "Studio lists more executions of the last hours than are looked through"


def _cut_short(listed: _Listed, settings: Settings) -> LookCutShort:
    oldest = listed.executions[-1].date_created if listed.executions else None
    until = f", back to {oldest:%Y-%m-%d %H:%M} UTC" if oldest is not None else ""
    return LookCutShort(
        CUT_SHORT,
        found=f"{listed.listed:,} were read{until}; the period is {settings.campaign.repeat_after_h:g} hours",
        fix=AnyOf(
            Setting("campaign.repeat_look_back_max"),
            Setting("campaign.repeat_after_h"),
            Option("again"),
        ),
    )


async def _foreign(
    context: CampaignContext, studio: Studio, run: Run, executions: Iterable[Execution]
) -> list[ForeignExecution]:
    """Those that this ledger knows nothing of."""
    found: list[ForeignExecution] = []
    addresses: dict[str, str] = {}
    slots = asyncio.Semaphore(context.settings.reconcile.concurrency)

    def take(execution: Execution, address: str, by_api: bool | None) -> None:
        addresses[execution.sid] = address
        created = execution.date_created
        created_ms = _ms(created) if created is not None else now_ms()
        found.append(ForeignExecution(contact_of(address), execution.sid, created_ms, by_api))

    async def ask(execution: Execution) -> None:
        async with slots:
            seen = await _began(studio, run.campaign.flow_sid, execution.sid)
        if seen is not None and (address := seen[0]) is not None:
            take(execution, address, seen[1])

    hidden: list[Execution] = []
    for execution in executions:
        if execution.contact_channel_address is None:
            hidden.append(execution)
        else:
            take(execution, execution.contact_channel_address, began_by_request(execution) or None)
    # Whose these are only their Contexts say. Where one is not there, nobody can be told.
    await asyncio.gather(*(ask(execution) for execution in hidden))
    known = await context.ledger.known_executions(run.campaign.account, addresses)
    return [one for one in found if one.execution_sid not in known]


async def _began(studio: Studio, flow_sid: str, execution_sid: str) -> tuple[str | None, bool] | None:
    """The contact's address and whether a create request began it, by the Context; None: it is not there."""
    try:
        context = await studio.execution_context(flow_sid, execution_sid)
    except (ResourceNotFound, StudioUnavailable):
        return None
    return (context.address, context.began_by_api) if context.is_there else None


async def _skip(context: CampaignContext, studio: Studio, run: Run, *, wanted_ms: int, skew_ms: int) -> int:
    """Skip the planned rows of contacts that were seen within the period."""
    ledger, flow_sid = context.ledger, run.campaign.flow_sid
    kept = await ledger.foreign_executions(run.campaign, since_ms=wanted_ms)
    # What was kept once may be known by now, as the answer came later.
    known = await ledger.known_executions(run.campaign.account, {one.execution_sid: one.contact for one in kept})
    slots = asyncio.Semaphore(context.settings.reconcile.concurrency)

    async def counts(one: ForeignExecution) -> bool:
        if one.execution_sid in known or one.by_api is False:
            return False
        if one.by_api:
            return True
        async with slots:
            seen = await _began(studio, flow_sid, one.execution_sid)
        # Whoever began it: left out is put right by one more run, reached twice by none.
        return seen is None or seen[1]

    counted = await asyncio.gather(*(counts(one) for one in kept))
    newest: dict[str, int] = {}
    for one, it_counts in zip(kept, counted, strict=True):
        if it_counts:
            newest[one.contact] = max(newest.get(one.contact, 0), one.created_at_ms)
    studio_ms = now_ms() + skew_ms
    sentences = {contact: _sentence(studio_ms - created_ms) for contact, created_ms in newest.items()}
    return await ledger.skip_contacts(run, sentences) if sentences else 0


def _sentence(age_ms: int) -> str:
    return f"Studio shows an execution of {_age(age_ms)} ago that this ledger does not know"


def _age(age_ms: int) -> str:
    for unit, unit_ms in (("hour", 3_600_000), ("minute", 60_000)):
        if age_ms >= unit_ms:
            n = age_ms // unit_ms
            return counted(n, unit)
    return counted(max(0, age_ms // 1000), "second")


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)

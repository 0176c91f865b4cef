"""Opening a campaign: to view it, to work on it under its account's lease, or for a rehearsal that leaves nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.campaign.blocked import blocked_told
from dispatcher.campaign.campaign import Campaign
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.flow_names import with_flow_sid
from dispatcher.campaign.rehearsal import Rehearsal
from dispatcher.campaign.stop import StopRequests
from dispatcher.campaign.view import CampaignView
from dispatcher.errors import CampaignMismatch, CampaignNotFound, SettingsError
from dispatcher.events import EventBus
from dispatcher.ledger import Ledger, has_rehearsals, open_ledger, open_rehearsal, reopen_rehearsal
from dispatcher.ledger.identity import canonical_sid
from dispatcher.ledger.records import CampaignRecord, CampaignStatus
from dispatcher.remedies import Advice, AnyOf, InTurn, Setting
from dispatcher.settings import Credentials, Settings

if TYPE_CHECKING:
    from dispatcher.sending.account import OpenAccount

#: Stand in where a check is done without credentials or flow.
NO_ACCOUNT = "AC" + "0" * 32
NO_FLOW = "FW" + "0" * 32

#: The longest that a day can be, and the hour by which two clocks may be apart.
_DAY_MS = 26 * 3_600_000


@contextlib.asynccontextmanager
async def view_campaign(
    name: str, settings: Settings, credentials: Credentials | None = None, *, bus: EventBus | None = None
) -> AsyncIterator[CampaignView]:
    """Open a campaign that is there, to look at it, also while another process works on it. `track` needs credentials.

    Raises: CampaignNotFound, CampaignMismatch, LedgerError.
    """
    async with opened_ledger(settings, create=False) as ledger:
        with _rehearsals_told(settings):
            record = await found_record(ledger, name, settings, credentials)
        yield CampaignView(context_of(record, settings, credentials, ledger, bus), StopRequests())


@contextlib.asynccontextmanager
async def open_campaign(
    name: str,
    settings: Settings,
    credentials: Credentials | None = None,
    *,
    bus: EventBus | None = None,
    create: bool = True,
    wait: bool = False,
) -> AsyncIterator[Campaign]:
    """Open a campaign to work on it: whoever plans or sends for an account holds its lease. `wait` for it if need be.

    `create` off: the ledger and the campaign must be there. A flow that is set by its name is looked up in Studio.

    Raises: LedgerError, AccountLocked, CampaignNotFound, CampaignMismatch, SettingsError; StudioError, where the flow
    has to be looked up.
    """
    check_settle_time(settings)
    settings = await with_flow_sid(settings, credentials)
    bus = bus or EventBus()
    async with opened_ledger(settings, create=create) as ledger, blocked_told(ledger, bus):
        find = made_record if create else _existing
        with _rehearsals_told(settings):
            record = await find(ledger, name, settings, credentials)
        async with leased_campaign(ledger, record, settings, credentials, bus=bus, wait=wait) as campaign:
            yield campaign


@contextlib.asynccontextmanager
async def leased_campaign(
    ledger: Ledger,
    record: CampaignRecord,
    settings: Settings,
    credentials: Credentials | None,
    *,
    bus: EventBus,
    wait: bool = False,
    lists_of_ledger: bool = False,
) -> AsyncIterator[Campaign]:
    """A campaign of an open ledger, under its account's lease: see `open_campaign`; its flow is the record's.

    `lists_of_ledger`: see `CampaignContext`. Raises: LedgerError, AccountLocked, CampaignNotFound.
    """
    from dispatcher.sending.account import open_account

    stops = StopRequests()
    async with (
        open_account(record.account, settings, bus=bus, stop=stops.told) as account,
        contextlib.AsyncExitStack() as lease,
    ):
        await lease.enter_async_context(account.lease(ledger, wait=wait))
        # What was read before the lease may have been changed by whoever had it.
        record = await ledger.find_campaign(record.name, record.account)
        context = context_of(record, settings, credentials, ledger, bus, account)
        yield Campaign(replace(context, lists_of_ledger=lists_of_ledger), stops, lease.aclose)


@contextlib.asynccontextmanager
async def rehearse_campaign(
    name: str,
    settings: Settings,
    credentials: Credentials | None = None,
    *,
    bus: EventBus | None = None,
    scratch: Path | None = None,
    anew: bool = False,
) -> AsyncIterator[Rehearsal]:
    """Open a throw-away copy of a campaign (empty where it is new): checks and dry runs, which change nothing.

    `scratch`: a file in which the copy is kept. With `anew` it is made, in place of any that is there; without, it is
    opened as it was left, however often, and by several at once: its rows are those that were planned into it.

    Needs neither credentials nor a flow. Raises: LedgerError (also: there is no such file), CampaignMismatch (also: it
    was made for another flow or account); SettingsError, AuthenticationError and StudioError, where a flow is set by
    its name and there are credentials to look it up.
    """
    settings = await with_flow_sid(settings, credentials)
    async with contextlib.AsyncExitStack() as stack:
        if scratch is not None and not anew:
            ledger = await reopen_rehearsal(settings.state, scratch, loopback=settings.is_loopback)
            stack.push_async_callback(ledger.close)
            record = await _kept(ledger, name, settings, credentials)
        else:
            # What others have begun today counts for a cap, too.
            since_ms = max(settings.repeat_after_ms, _DAY_MS if settings.caps.is_set else 0)
            ledger = await open_rehearsal(
                settings.state, name, repeat_after_ms=since_ms, loopback=settings.is_loopback, scratch=scratch
            )
            stack.push_async_callback(ledger.close)
            record = await _rehearsed(ledger, name, settings, credentials)
        yield Rehearsal(context_of(record, settings, credentials, ledger, bus), StopRequests())


async def campaign_statuses(settings: Settings) -> list[CampaignStatus]:
    """Every campaign of a ledger, oldest first; none where there is no ledger. Raises: LedgerError."""
    try:
        async with opened_ledger(settings, create=False) as ledger:
            return [await ledger.status(record) for record in await ledger.campaigns()]
    except CampaignNotFound:
        return []


@contextlib.asynccontextmanager
async def opened_ledger(settings: Settings, *, create: bool) -> AsyncIterator[Ledger]:
    with _rehearsals_told(settings):
        ledger = await open_ledger(
            settings.state, create=create, loopback=settings.is_loopback, lease_s=settings.cluster.lease_s
        )
    try:
        yield ledger
    finally:
        await ledger.close()


@contextlib.contextmanager
def _rehearsals_told(settings: Settings) -> Iterator[None]:
    """A campaign that is not in the user's ledger may be in that of rehearsals, which only their host leads to."""
    try:
        yield
    except CampaignNotFound as error:
        if not settings.is_loopback and has_rehearsals(settings.state):
            host = Setting("account.base_url", "http://127.0.0.1:PORT")
            rehearsed = InTurn(Advice("a rehearsal is found by its host"), host)
            error.fix = AnyOf(error.fix, rehearsed) if error.fix else rehearsed
        raise


def context_of(
    record: CampaignRecord,
    settings: Settings,
    credentials: Credentials | None,
    ledger: Ledger,
    bus: EventBus | None,
    account: OpenAccount | None = None,
) -> CampaignContext:
    return CampaignContext(
        record=record,
        settings=settings,
        credentials=credentials,
        ledger=ledger,
        bus=bus or EventBus(),
        account=account,
    )


async def _existing(ledger: Ledger, name: str, settings: Settings, credentials: Credentials | None) -> CampaignRecord:
    """A campaign that is there, to work on. Its flow is the ledger's where the settings name none."""
    found = await found_record(ledger, name, settings, credentials)
    flow = settings.campaign.flow
    return found if flow in (None, found.flow_sid) else await ledger.open_campaign(name, found.account, flow)


async def found_record(
    ledger: Ledger, name: str, settings: Settings, credentials: Credentials | None
) -> CampaignRecord:
    """A campaign that is there, of the credentials' account. Nothing of it is changed."""
    if credentials is None:
        return await ledger.find_campaign(name)
    return await ledger.find_campaign(name, await ledger.account(credentials.account_sid, settings.studio_url))


async def made_record(ledger: Ledger, name: str, settings: Settings, credentials: Credentials | None) -> CampaignRecord:
    """The campaign, made where it is new."""
    flow = settings.campaign.flow
    if flow is None:
        raise SettingsError("the flow is not set", fix=Setting("campaign.flow", "FW…"))
    _check_answers_can_be_told(settings)
    if credentials is None:
        raise SettingsError("this needs credentials", fix="open the campaign with credentials")
    account = await ledger.account(credentials.account_sid, settings.studio_url)
    return await ledger.open_campaign(name, account, flow)


async def _rehearsed(ledger: Ledger, name: str, settings: Settings, credentials: Credentials | None) -> CampaignRecord:
    flow = settings.campaign.flow
    if flow is not None and credentials is not None:
        return await made_record(ledger, name, settings, credentials)
    # Checking a file needs neither: a campaign of that name, if there is one, else one that nobody sees.
    records = [record for record in await ledger.campaigns() if flow in (None, record.flow_sid)]
    known = {record.name: record for record in records}
    if name in known:
        return known[name]
    # Whom an account has reached is told where there is one alone.
    owners = {record.account: record.flow_sid for record in records}
    if len(owners) == 1:
        ((account, flow),) = owners.items()
    else:
        account = await ledger.account(NO_ACCOUNT, settings.studio_url)
    return await ledger.open_campaign(name, account, flow or NO_FLOW)


async def _kept(ledger: Ledger, name: str, settings: Settings, credentials: Credentials | None) -> CampaignRecord:
    """The campaign that a file was planned into. Nothing of it is changed."""
    planned = [record for record in await ledger.campaigns() if record.name == name and record.input_id is not None]
    # The ledger may have had campaigns of that name for several accounts: the last file is the one that was checked.
    found = max(planned, key=lambda record: record.input_id or 0, default=None)
    if found is None:
        raise CampaignNotFound(f"nothing was checked for campaign {name!r}", fix="check the file again")
    flow = settings.campaign.flow
    account_sid = canonical_sid(credentials.account_sid) if credentials else found.account.account_sid
    if flow not in (None, found.flow_sid) or account_sid != found.account.account_sid:
        raise CampaignMismatch(
            f"the rows of campaign {name!r} were checked for another flow or account", fix="check the file again"
        )
    return found


def check_settle_time(settings: Settings) -> None:
    """A request that was given up may be on its way for as long as its answer is waited for. Raises: SettingsError.

    A row that is looked for before that would be sent again, and then arrive twice. On this machine nothing is late.
    """
    from dispatcher.hosts import is_loopback

    settle_s, answer_s = settings.reconcile.settle_s, settings.timeouts.answer_s
    if settle_s <= answer_s and not is_loopback(settings.studio_url):
        raise SettingsError(
            "unknown rows would be sent again while their first request may still arrive",
            found=f"[reconcile] settle_s = {settle_s:g} is not above [timeouts] answer_s = {answer_s:g}",
            fix=AnyOf(Setting("reconcile.settle_s", answer_s + 30), Setting("timeouts.answer_s")),
        )


def _check_answers_can_be_told(settings: Settings) -> None:
    """v1 answers a second row of a contact with the first's execution: only the id tells them apart."""
    if settings.account.api_version == "v1" and settings.columns.key and not settings.campaign.id_parameter:
        raise SettingsError(
            "on v1, rows with a key of their own need an id in Parameters",
            found='[campaign] id_parameter = ""',
            fix=AnyOf(Setting("account.api_version", "v2"), Setting("campaign.id_parameter", "dispatch_id")),
        )

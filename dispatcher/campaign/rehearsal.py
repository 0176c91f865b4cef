"""What would be sent, and one request to a number of the user's own. No row of the campaign changes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.campaign.wiring import studio_client
from dispatcher.clock import now_ms
from dispatcher.errors import AccountLocked, UsageError
from dispatcher.ledger import SqliteLedger
from dispatcher.model import dispatch_id
from dispatcher.studio.forms import create_form
from dispatcher.studio.outcomes import Verdict

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """A create request as it would leave."""

    row_number: int
    to: str
    sender: str
    parameters: dict[str, str]


async def first_request(campaign: Campaign, ledger: SqliteLedger) -> PlannedRequest | None:
    """What would be sent first; None: nothing. `ledger` is a throw-away one: the row is claimed in it."""
    record, requests = await campaign.own_record(), await campaign.requests()
    begun_ms = now_ms()
    run = await ledger.start_run(record, window_limit=campaign.settings.window_limit, now_ms=begun_ms)
    rows = await ledger.begin_rows(run, 1, now_ms=begun_ms, input_id=record.input_id)
    if not rows:
        return None
    row = rows[0]
    return PlannedRequest(
        row_number=row.row_number, to=row.to_address, sender=requests.sender(row), parameters=requests.parameters(row)
    )


async def send_test(campaign: Campaign, to: str, *, wait: bool = False) -> tuple[PlannedRequest, Verdict]:
    """Send one create to a number of the user's own, with the first planned row's values; once, whatever comes.

    `campaign` was opened as scratch: no row changes. The account is locked meanwhile, and the limit
    kept. Raises: UsageError: no row is planned, or `to` is no number; AccountLocked, LedgerError.
    """
    from dispatcher.intake.phones import Addresses, Refusal
    from dispatcher.sending.account import open_account
    from dispatcher.sending.leasing import FileLeases
    from dispatcher.sending.single import send_single

    settings = campaign.settings
    address = Addresses(settings.columns.region).read(to)
    if isinstance(address, Refusal):
        raise UsageError(f"the test's number: {address.sentence}", fix="--test-to +1…")
    first = await campaign.first_request()
    if first is None:
        raise UsageError(
            "no row is planned: there are no values to test with", fix=f"dispatcher status {campaign.name}"
        )
    record = await campaign.own_record()
    # An id of its own: reconcile must not take the test for a row of the campaign with the same number.
    parameters = dict(first.parameters)
    if settings.campaign.id_parameter:
        parameters[settings.campaign.id_parameter] = dispatch_id(
            record.account.account_sid, record.flow_sid, f"{campaign.name} test", f"{address} {now_ms()}"
        )
    request = replace(first, to=address, parameters=parameters)
    state_dir = Path(settings.state.dir)
    ledger = await asyncio.to_thread(SqliteLedger.open, state_dir)
    stop = campaign.stopping
    form = create_form(request.to, request.sender, request.parameters)
    try:
        known = await ledger.account(record.account.account_sid, record.account.base_url)
        async with (
            open_account(known, settings, bus=campaign.bus, stop=stop.request) as account,
            account.lease(FileLeases(ledger, state_dir), wait=wait, stopped=stop.event),
            studio_client(settings, campaign.own_credentials(), gate=account.gate()) as studio,
        ):
            sent = await send_single(account, studio, record.flow_sid, form, api_version=settings.account.api_version)
    except AccountLocked as error:
        raise stop.error or error from None
    finally:
        await ledger.close()
    return request, sent.verdict

"""What would be sent, and one request to a number of the user's own. No row of the campaign changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.overlap import LOOKED_BACK_MS, Overlap, find_overlap
from dispatcher.campaign.planning import PlanOptions, plan
from dispatcher.campaign.preflight import check_account, preflight
from dispatcher.campaign.preview import find_row
from dispatcher.campaign.stop import StopRequest
from dispatcher.campaign.suppression import list_ids
from dispatcher.campaign.view import CampaignView
from dispatcher.clock import now_ms
from dispatcher.errors import UsageError
from dispatcher.ledger.records import PlanCounts
from dispatcher.model import Refusal, dispatch_id
from dispatcher.remedies import Advice, AnyOf, Command, Option, Setting

if TYPE_CHECKING:
    from dispatcher.intake.mappings import Contacts
    from dispatcher.sending.account import OpenAccount
    from dispatcher.studio.outcomes import Verdict
    from dispatcher.studio.preflight import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """A create request as it would leave."""

    row_number: int
    to: str
    sender: str
    parameters: dict[str, str]


class Rehearsal(CampaignView):
    """A throw-away copy of a campaign. Made by `rehearse_campaign`."""

    async def plan(
        self, contacts: Contacts, options: PlanOptions | None = None, *, source: str | None = None
    ) -> PlanCounts:
        """See `Campaign.plan`."""
        with self._stops.operation() as stop:
            return await plan(self._context, contacts, stop, options or PlanOptions(), name=source)

    async def preflight(self) -> list[Finding]:
        """See `Campaign.preflight`."""
        with self._stops.operation() as stop:
            return await preflight(self._context, self._seen or await self._look(stop))

    async def first_request(self) -> PlannedRequest | None:
        """What would be sent first; None: nothing."""
        return await _first_request(self._context)

    async def overlap(self, *, since_ms: int | None = None) -> Overlap:
        """Whom of its planned contacts the account has reached since then (None: in seven days), by any campaign.

        Raises: LedgerError.
        """
        return await find_overlap(self._context, now_ms() - LOOKED_BACK_MS if since_ms is None else since_ms)

    async def test_send(
        self, to: str, *, row_number: int | None = None, wait: bool = False
    ) -> tuple[PlannedRequest, Verdict]:
        """Send one create to a number of the user's own, with a row's values (the first planned one's); once.

        No row changes. It is done under the account's lease and counts against its limit, as every request does.
        `wait` for the lease if need be. Raises: UsageError: no row is planned, the file has no such row, or `to` is no
        number; AccountLocked, LedgerError, StudioError; why it was stopped.
        """
        with self._stops.operation() as stop:
            return await stop.race(_send_test(self._context, to, row_number, stop, wait=wait))


async def _first_request(context: CampaignContext) -> PlannedRequest | None:
    """`context` is a rehearsal's: whoever has it open, too, is asked to wait a moment."""
    from dispatcher.campaign.requests import requests_of

    record, requests = await context.current(), await requests_of(context)
    row = await context.ledger.foresight.first_row(
        record, now_ms=now_ms(), input_id=record.input_id, list_ids=await list_ids(context)
    )
    if row is None:
        return None
    return PlannedRequest(
        row_number=row.row_number, to=row.to_address, sender=requests.sender(row), parameters=requests.parameters(row)
    )


async def _request_of(context: CampaignContext, row_number: int) -> PlannedRequest | None:
    """A row's request, whatever became of it; without an id. None: there is no file. Raises: UsageError."""
    record = await context.current()
    inputs = {one.input_id: one for one in await context.ledger.inputs(record)}
    if record.input_id is None:
        return None
    async with context.ledger.snapshot() as view:
        row = await find_row(view, record.input_id, row_number)
    own = inputs[record.input_id]
    sender = own.sender(row.from_address) if row is not None else None
    if row is None or sender is None:
        raise UsageError(
            f"row {row_number} has no sender", fix=AnyOf(Advice("name another row"), Setting("campaign.from", "+1…"))
        )
    to, parameters = row.to_address or "", own.parameters(row.cells)
    return PlannedRequest(row_number=row_number, to=to, sender=sender, parameters=parameters)


async def _send_test(
    context: CampaignContext, to: str, row_number: int | None, stop: StopRequest, *, wait: bool
) -> tuple[PlannedRequest, Verdict]:
    from dispatcher.intake.phones import Addresses
    from dispatcher.ledger import open_ledger

    settings, record = context.settings, context.record
    address = Addresses(settings.columns.region).read(to)
    if isinstance(address, Refusal):
        raise UsageError(f"the test's number: {address.sentence}", fix=Option("test-to", "+1…"))
    first = await (_first_request(context) if row_number is None else _request_of(context, row_number))
    if first is None:
        raise UsageError("no row is planned: there are no values to test with", fix=Command("status", (context.name,)))
    request = replace(first, to=address, parameters=_with_own_id(context, first.parameters, address))
    ledger = await open_ledger(settings.state, loopback=settings.is_loopback)
    try:
        account_record = await ledger.account(record.account.account_sid, record.account.base_url)
        real = replace(context, record=replace(record, account=account_record), ledger=ledger)
        async with real.borrowed_account(stop) as account, account.lease(ledger, wait=wait):
            return request, await _send_one(real, request, account)
    finally:
        await ledger.close()


def _with_own_id(context: CampaignContext, parameters: dict[str, str], address: str) -> dict[str, str]:
    """An id of its own: reconcile must not take the test for a row of the campaign with the same number."""
    name, record = context.settings.campaign.id_parameter, context.record
    if not name:
        return parameters
    account_sid = record.account.account_sid
    return parameters | {
        name: dispatch_id(account_sid, record.flow_sid, f"{context.name} test", f"{address} {now_ms()}")
    }


async def _send_one(context: CampaignContext, request: PlannedRequest, account: OpenAccount) -> Verdict:
    """Send it as any other: intent first, within the limit, its departure kept."""
    from dispatcher.campaign.wiring import studio_client
    from dispatcher.sending.single import send_single
    from dispatcher.studio.forms import create_form

    ledger, settings = context.ledger, context.settings
    # Made before the intent is written, which would else count as one more departure.
    await account.limiter()
    async with studio_client(settings, context.required_credentials(), gate=account.gate()) as studio:
        await check_account(studio, account, context.record.flow_sid)
        attempt = await ledger.begin_test(
            account.record,
            to_address=request.to,
            from_address=request.sender,
            now_ms=now_ms(),
            list_ids=await list_ids(context),
        )
        form = create_form(request.to, request.sender, request.parameters)
        api_version = settings.account.api_version
        flow_sid = context.record.flow_sid
        sent = await send_single(account, studio, flow_sid, form, to=request.to, api_version=api_version)
    verdict = sent.verdict
    await ledger.end_test(
        attempt,
        outcome=verdict.outcome,
        sent_at_ms=sent.sent_at_ms,
        ended_at_ms=sent.ended_at_ms,
        execution_sid=verdict.execution_sid,
        http_status=verdict.http_status,
        error_code=verdict.error_code,
        error_message=verdict.message,
        request_id=sent.answer.request_id,
    )
    return verdict

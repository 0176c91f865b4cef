"""What would be sent, and one request to a number of the user's own. No row of the campaign changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dispatcher.campaign.locking import leased
from dispatcher.campaign.wiring import limiter_of, studio_client
from dispatcher.clock import now_ms
from dispatcher.errors import UsageError
from dispatcher.ledger import Ledger, open_ledger
from dispatcher.model import Outcome, dispatch_id
from dispatcher.studio.forms import create_form
from dispatcher.studio.outcomes import Verdict, classify

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """A create request as it would leave."""

    row_number: int
    to: str
    sender: str
    parameters: dict[str, str]


async def first_request(campaign: Campaign, ledger: Ledger) -> PlannedRequest | None:
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
    ledger = await open_ledger(settings.state)
    try:
        account = await ledger.account(record.account.account_sid, record.account.base_url)
        async with leased(ledger, account, campaign.bus, campaign.stopping, wait=wait):
            limiter = await limiter_of(account, settings, ledger)
            async with studio_client(settings, campaign.own_credentials()) as studio:
                await limiter.acquire(1)
                form = create_form(request.to, request.sender, request.parameters)
                attempt = await ledger.begin_test(account, to_address=str(address), now_ms=now_ms())
                sent_at_ms = now_ms()
                answer = await studio.create(record.flow_sid, form)
            verdict = classify(answer, api_version=settings.account.api_version)
            await ledger.end_test(
                attempt,
                outcome=verdict.outcome,
                sent_at_ms=None if verdict.outcome is Outcome.not_sent else sent_at_ms,
                ended_at_ms=now_ms(),
                execution_sid=verdict.execution_sid,
                http_status=verdict.http_status,
                error_code=verdict.error_code,
            )
    finally:
        await ledger.close()
    return request, verdict

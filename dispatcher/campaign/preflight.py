"""Whether the flow fits what was planned, asked before anything is sent."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.stop import StopRequest
from dispatcher.campaign.wiring import studio_client
from dispatcher.errors import PermissionRefused, StudioError

if TYPE_CHECKING:
    from dispatcher.sending.account import OpenAccount
    from dispatcher.studio.client import Studio
    from dispatcher.studio.preflight import Finding, SeenFlow


async def seen_flow(context: CampaignContext, stop: StopRequest) -> SeenFlow:
    """The campaign's flow as Studio shows it now: two reads, on v1 one. Raises: as `Campaign.preflight`."""
    from dispatcher.studio.preflight import look

    record = await context.current()
    credentials = context.required_credentials()
    async with (
        context.borrowed_account(stop) as account,
        studio_client(context.settings, credentials, gate=account.gate()) as studio,
    ):
        seen = await look(studio, record.flow_sid)
        account.check_owner(seen.flow.account_sid)
    return seen


async def preflight(context: CampaignContext, seen: SeenFlow) -> list[Finding]:
    """What Studio's flow and the latest file have to say to each other; see `Campaign.preflight`."""
    from dispatcher.studio.preflight import findings

    record = await context.current()
    inputs = await context.ledger.inputs(record)
    parameters: list[str] = []
    # A From of each row's own was checked row by row.
    sender = context.settings.campaign.from_
    if inputs:
        parameters = [*inputs[-1].parameter_columns, *inputs[-1].parameter_constants]
        sender = inputs[-1].from_address
    id_parameter = context.settings.campaign.id_parameter
    return findings(seen, parameters=parameters, sender=sender, id_parameter=id_parameter)


async def learn_clock(studio: Studio, flow_sid: str) -> None:
    """Ask Studio anything where it has not told yet what time it is. Raises: AuthenticationError."""
    if studio.clock_skew_s is None:
        with contextlib.suppress(StudioError, PermissionRefused):
            await studio.flow(flow_sid)


async def check_account(studio: Studio, account: OpenAccount, flow_sid: str) -> None:
    """Ask Studio whose the flow is, unless that is known. A flow that cannot be read says nothing.

    Raises: AuthenticationError where it is another account's, or the credentials are refused.
    """
    if account.is_checked:
        return
    try:
        flow = await studio.flow(flow_sid)
    except (StudioError, PermissionRefused):
        return
    account.check_owner(flow.account_sid)

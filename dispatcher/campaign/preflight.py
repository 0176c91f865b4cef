"""Whether the flow fits what was planned, asked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.stop import StopRequest
from dispatcher.campaign.wiring import studio_client

if TYPE_CHECKING:
    from dispatcher.studio.preflight import Finding


async def preflight(context: CampaignContext, stop: StopRequest) -> list[Finding]:
    """What Studio's flow and the latest file have to say to each other; see `Campaign.preflight`."""
    from dispatcher.studio.preflight import findings, look

    record = await context.current()
    inputs = await context.ledger.inputs(record)
    parameters: list[str] = []
    # A From of each row's own was checked row by row.
    sender = context.settings.campaign.from_
    if inputs:
        parameters = [*inputs[-1].parameter_columns, *inputs[-1].parameter_constants]
        sender = inputs[-1].from_address
    credentials = context.required_credentials()
    async with (
        context.borrowed_account(stop) as account,
        studio_client(context.settings, credentials, gate=account.gate()) as studio,
    ):
        seen = await look(studio, record.flow_sid)
    id_parameter = context.settings.campaign.id_parameter
    return findings(seen, parameters=parameters, sender=sender, id_parameter=id_parameter)

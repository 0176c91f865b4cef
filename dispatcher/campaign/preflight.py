"""Whether the flow fits what was planned, asked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.campaign.wiring import studio_client
from dispatcher.studio.preflight import Finding, findings, look

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign


async def preflight(campaign: Campaign) -> list[Finding]:
    """What Studio's flow and the latest file have to say to each other; see `Campaign.preflight`."""
    record = await campaign.own_record()
    inputs = await campaign.inputs()
    parameters: list[str] = []
    # A From of each row's own was checked row by row.
    sender = campaign.settings.campaign.from_
    if inputs:
        parameters = [*inputs[-1].parameter_columns, *inputs[-1].parameter_constants]
        sender = inputs[-1].from_address
    async with studio_client(campaign.settings, campaign.own_credentials()) as studio:
        seen = await look(studio, record.flow_sid)
    return findings(seen, parameters=parameters, sender=sender, id_parameter=campaign.settings.campaign.id_parameter)

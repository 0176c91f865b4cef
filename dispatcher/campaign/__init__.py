"""The composition root: plan → launch → run → report. What the command line, a page and the Python API call.

    async with open_campaign("spring", settings, credentials) as campaign:
        counts = await campaign.plan("contacts.csv")
        result = await campaign.send()
        await campaign.report("spring-report.csv")

Everything that is done to a campaign is here, but for asking and showing. The rooms below do not know each other: they
are joined here. `context.py` is handed down to every operation; `campaign.py`, `view.py` and `rehearsal.py` are the
faces of a campaign that is open for work, for viewing, or for a rehearsal.
"""

from __future__ import annotations

from dispatcher.campaign.campaign import Campaign
from dispatcher.campaign.opening import campaign_statuses, open_campaign, rehearse_campaign, view_campaign
from dispatcher.campaign.overlap import Overlap, ReachedBy
from dispatcher.campaign.preview import FlowPreview
from dispatcher.campaign.rehearsal import PlannedRequest, Rehearsal
from dispatcher.campaign.result import RunResult
from dispatcher.campaign.view import CampaignView
from dispatcher.campaign.wiring import studio_client

__all__ = [
    "Campaign",
    "CampaignView",
    "FlowPreview",
    "Overlap",
    "PlannedRequest",
    "ReachedBy",
    "Rehearsal",
    "RunResult",
    "campaign_statuses",
    "open_campaign",
    "rehearse_campaign",
    "studio_client",
    "view_campaign",
]

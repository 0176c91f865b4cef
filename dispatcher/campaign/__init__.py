"""The composition root: plan → send → reconcile → report. What the command line, a page and the Python API call.

    async with open_campaign("spring", settings, credentials) as campaign:
        counts = await campaign.plan("contacts.csv")
        result = await campaign.send()
        await campaign.report("spring-report.csv")

Everything that a command does to a campaign is here; nothing of it lives in the command line. The rooms below do not
know each other: they are joined here.
"""

from __future__ import annotations

from dispatcher.campaign.campaign import Campaign
from dispatcher.campaign.opening import campaign_statuses, open_campaign
from dispatcher.campaign.rehearsal import PlannedRequest
from dispatcher.campaign.run import RunResult
from dispatcher.campaign.wiring import studio_client

__all__ = ["Campaign", "PlannedRequest", "RunResult", "campaign_statuses", "open_campaign", "studio_client"]

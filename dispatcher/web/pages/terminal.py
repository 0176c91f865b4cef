"""A campaign that a terminal has sent: looked at, paused, its report downloaded. Going on is the terminal's."""

from __future__ import annotations

from aiohttp import web

from dispatcher.campaign import CampaignView
from dispatcher.campaign.naming import file_name
from dispatcher.clock import now_ms
from dispatcher.errors import CampaignMismatch, CampaignNotFound
from dispatcher.ledger.records import CampaignStatus
from dispatcher.web.access import Action
from dispatcher.web.drafts import line
from dispatcher.web.forms import Form
from dispatcher.web.pages.check import left_out
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, form, page
from dispatcher.web.site import SITE, Site
from dispatcher.web.standing import TONES, standing
from dispatcher.web.visitor import Visitor


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /t/{campaign_id}`."""
    site = request.app[SITE]
    status = await _status(request)
    view = await _view(site, status)
    shown = site.supervisor.look_at_other(status)
    now = standing(shown, status, None, zone=site.zone, now_ms=now_ms())
    return render(
        request,
        "terminal.html",
        campaign=status.campaign,
        problems={},
        now=now,
        is_cluster=site.supervisor.is_cluster,
        tone=TONES.get(shown.state, "quiet"),
        buttons={button.value for button in shown.buttons},
        left_out=left_out(await view.reasons()) if view is not None else [],
    )


async def pause(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST /t/{campaign_id}/pause`: whoever sends it stops at its next rows."""
    site, status = request.app[SITE], await _status(request)
    view = await _view(site, status)
    if view is None:
        raise web.HTTPConflict
    held, is_new = await view.pause(f"by {visitor.name}")
    if is_new:
        named = line(visitor, "paused", None, name=status.campaign.name, reason=held.reason)
        await site.store.audit.write(named)
    raise web.HTTPSeeOther(f"/t/{status.campaign.campaign_id}")


async def report(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """`GET /t/{campaign_id}/report.xlsx`."""
    site, status = request.app[SITE], await _status(request)
    view = await _view(site, status)
    if view is None or status.campaign.input_id is None:
        raise web.HTTPNotFound
    name = f"{file_name(status.campaign.name)}-report.xlsx"
    await site.store.audit.write(line(visitor, "downloaded", None, name=status.campaign.name, file="report.xlsx"))
    return await site.downloads.send(request, name, lambda path: view.report(path, remember=False, overwrite=True))


async def _status(request: web.Request) -> CampaignStatus:
    """Raises: HTTPNotFound."""
    asked = request.match_info["campaign_id"]
    for status in await request.app[SITE].supervisor.register.statuses():
        if str(status.campaign.campaign_id) == asked:
            return status
    raise web.HTTPNotFound


async def _view(site: Site, status: CampaignStatus) -> CampaignView | None:
    """The campaign, by the credentials of its account; None: this server has none of that account."""
    for profile in site.accounts.profiles:
        account = site.accounts.with_profile(profile)
        try:
            view = await site.supervisor.register.view(status.campaign.name, account.settings, account.owner)
        except (CampaignNotFound, CampaignMismatch):
            continue
        if view.record.campaign_id == status.campaign.campaign_id:
            return view
    return None


ROUTES: tuple[Route, ...] = (
    page("/t/{campaign_id}", Action.look, show),
    form("/t/{campaign_id}/pause", Action.pause, pause),
    page("/t/{campaign_id}/report.xlsx", Action.download, report),
)

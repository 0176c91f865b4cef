"""The first page: every campaign, how it stands, and where a new one begins."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.ledger.records import CampaignStatus
from dispatcher.model import RowState
from dispatcher.web.access import Action
from dispatcher.web.live import look
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, page
from dispatcher.web.running import Shown
from dispatcher.web.site import SITE, Site
from dispatcher.web.standing import TONES, all_rows, sender_of
from dispatcher.web.store import Draft, Stage
from dispatcher.web.times import machine_moment, short_moment
from dispatcher.web.visitor import Visitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A campaign in the list."""

    href: str
    name: str
    state: str
    tone: str
    at: str
    at_ms: int
    machine: str
    #: Contacts that have an answer, and all; empty: it is not known yet.
    sent: str
    by: str
    #: On a cluster, the machine that sends it; empty: none does.
    sender: str = ""


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /`."""
    site = request.app[SITE]
    return render(
        request,
        "campaigns.html",
        accounts=site.accounts.all(),
        campaigns=await _rows(site),
    )


async def _rows(site: Site) -> list[Row]:
    """Drafts and what they have become, then what terminals have sent; the newest first."""
    found: list[Row] = []
    known: set[int] = set()
    for draft in await site.store.drafts.list():
        shown, status = await look(site, draft)
        if status is not None:
            known.add(status.campaign.campaign_id)
        found.append(_of_draft(site, draft, shown, status))
    for status in await site.supervisor.register.statuses():
        if status.campaign.campaign_id not in known:
            found.append(_of_terminal(site, status))
    return sorted(found, key=lambda row: -row.at_ms)


def _of_draft(site: Site, draft: Draft, shown: Shown, status: CampaignStatus | None) -> Row:
    at_ms = draft.due_ms or draft.launched_at_ms or draft.created_at_ms
    sent = ""
    if status is not None:
        sent = _sent(status, site, draft.draft_id)
    elif draft.stage is Stage.checked and draft.check is not None:
        sent = f"{draft.check['rows']['planned']:,} can be sent"
    return Row(
        href=f"/c/{draft.draft_id}",
        name=draft.name,
        state=shown.state.value,
        tone=TONES.get(shown.state, "quiet"),
        at=short_moment(at_ms, draft.zone or site.zone, now_ms=now_ms(), named=draft.zone is not None),
        at_ms=at_ms,
        machine=machine_moment(at_ms),
        sent=sent,
        by=draft.launched_by or draft.created_by,
        sender=sender_of(shown, status),
    )


def _of_terminal(site: Site, status: CampaignStatus) -> Row:
    shown = site.supervisor.look_at_other(status)
    at_ms = status.first_started_at_ms or 0
    return Row(
        href=f"/t/{status.campaign.campaign_id}",
        name=status.campaign.name,
        state=shown.state.value,
        tone=TONES.get(shown.state, "quiet"),
        at=short_moment(at_ms, site.zone, now_ms=now_ms()) if at_ms else "not yet",
        at_ms=at_ms,
        machine=machine_moment(at_ms),
        sent=_sent(status, site, ""),
        by="a terminal",
        sender=sender_of(shown, status),
    )


def _sent(status: CampaignStatus, site: Site, draft_id: str) -> str:
    rows = all_rows(status, site.supervisor.live(draft_id) if draft_id else None)
    total = sum(rows[state] for state in RowState if state not in (RowState.invalid, RowState.skipped))
    return f"{total - rows[RowState.planned] - rows[RowState.sending]:,} of {total:,}" if total else ""


ROUTES: tuple[Route, ...] = (page("/", Action.look, show),)

"""Whether the server is well: in a word for the machine that looks after it, whole for whoever runs it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import orjson
from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError
from dispatcher.plurals import counted
from dispatcher.version import __version__
from dispatcher.web.access import Action
from dispatcher.web.accounts import Account
from dispatcher.web.figures import masked_sid, number
from dispatcher.web.health import Health
from dispatcher.web.metrics import CONTENT_TYPE, CampaignNumbers, ServerNumbers, exposition
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, open_to_all, page
from dispatcher.web.running import Serving
from dispatcher.web.site import SITE, Site
from dispatcher.web.store import Stage
from dispatcher.web.visitor import Visitor

_MB = 1_000_000
#: Below so much a run may end with a full disk, in megabytes.
_LOW_MB = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that was looked at. `tone`: good, wait or bad."""

    name: str
    tone: str
    word: str
    found: str


async def alive(request: web.Request) -> web.Response:
    """`GET /healthz`: for a balancer or a monitor; says nothing of anybody."""
    health = await _health(request.app[SITE])
    return web.Response(
        status=health.status,
        body=orjson.dumps(health.as_json()),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`, where that is asked for in the settings."""
    site = request.app[SITE]
    if not site.settings.metrics:
        raise web.HTTPNotFound
    text = exposition(await _numbers(site))
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /health`."""
    site = request.app[SITE]
    return render(request, "health.html", facts=await _facts(site), version=__version__, address=site.address.url)


async def _health(site: Site) -> Health:
    is_ok = True
    try:
        await site.store.uploads.total_bytes()
        await site.supervisor.register.ordered()
    except DispatcherError:
        is_ok = False
    return Health(loop_lag_s=site.lag.worst_s(), stores_ok=is_ok)


async def _numbers(site: Site) -> ServerNumbers:
    drafts = await site.store.drafts.list()
    of_name = {draft.name: draft for draft in drafts if draft.stage is Stage.launched}
    campaigns = []
    for status in await site.supervisor.register.statuses():
        draft = of_name.get(status.campaign.name)
        live = site.supervisor.live(draft.draft_id) if draft is not None else None
        rows = {state: n + status.earlier_rows.get(state, 0) for state, n in status.rows.items()}
        sid = status.campaign.account.account_sid
        campaigns.append(CampaignNumbers(campaign=status.campaign.name, account_sid=sid, rows=rows, live=live))
    return ServerNumbers(
        version=__version__,
        campaigns=tuple(campaigns),
        runs_begun=site.supervisor.runs_begun,
        queued=sum(not one.is_running for one in await site.supervisor.queue()),
        uploads=len({upload for draft in drafts for upload in draft.uploads}),
        uploads_bytes=await site.store.uploads.total_bytes(),
        checks=sum(draft.stage is Stage.checking for draft in drafts),
        loop_lag_s=site.lag.worst_s(),
    )


async def _facts(site: Site) -> list[Fact]:
    health = await _health(site)
    found = [
        Fact(
            name="Answers",
            tone="good" if health.is_ok else "bad",
            word="well" if health.is_ok else "late",
            found=f"{health.loop_lag_s * 1000:,.0f} ms late at the most in the last minute",
        )
    ]
    for account in site.accounts.all():
        ready = account.problem is None
        found.append(
            Fact(
                name=account.label,
                tone="good" if ready else "bad",
                word="ready" if ready else "not ready",
                found=_credentials_found(site, account),
            )
        )
    found += [_served(one) for one in site.supervisor.workers.all]
    free_mb = shutil.disk_usage(site.accounts.folder).free // _MB
    is_low = free_mb < _LOW_MB
    found.append(
        Fact(
            name="Disk",
            tone="wait" if is_low else "good",
            word="low" if is_low else "well",
            found=f"{number(free_mb)} MB are free",
        )
    )
    used_mb = await site.store.uploads.total_bytes() / _MB
    most_mb = site.settings.uploads_max_mb
    is_full = used_mb > 0.9 * most_mb
    found.append(
        Fact(
            name="Uploaded files",
            tone="wait" if is_full else "good",
            word="nearly full" if is_full else "well",
            found=f"{used_mb:,.0f} of {most_mb:,.0f} MB",
        )
    )
    queue = await site.supervisor.queue()
    running = sum(one.is_running for one in queue)
    found.append(
        Fact(
            name="Campaigns",
            tone="good",
            word="well",
            found=f"{counted(running, 'is', 'are')} being sent, {len(queue) - running:,} wait for their account",
        )
    )
    return found


def _credentials_found(site: Site, account: Account) -> str:
    if account.problem is not None:
        return "has no credentials: nothing can be sent from it"
    if site.accounts.with_profile(account.profile).credentials is None:
        return "is known here without its secret, which its workers have: tests and the flow's texts need it"
    return "has its credentials"


def _served(serving: Serving) -> Fact:
    """On a cluster: which machine works for an account of which something is ordered."""
    name = f"Worker for {masked_sid(serving.account.account_sid)}"
    if serving.holder is not None:
        return Fact(name=name, tone="good", word="at work", found=f"on {serving.holder_text}")
    if serving.is_unserved(now_ms()):
        found = "no worker has taken the account for half a minute: start one that has its credentials"
        return Fact(name=name, tone="bad", word="missing", found=found)
    if serving.idle_since_ms is not None:
        return Fact(name=name, tone="wait", word="expected", found="one is to take the account in a moment")
    return Fact(name=name, tone="good", word="at rest", found="nothing is to be sent now")


ROUTES: tuple[Route, ...] = (
    open_to_all("GET", "/healthz", alive),
    open_to_all("GET", "/metrics", metrics),
    page("/health", Action.health, show),
)

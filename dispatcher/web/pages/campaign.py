"""A campaign's own page: how it stands, live; and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from aiohttp import web

from dispatcher.campaign.next_steps import rows_of_all_files
from dispatcher.campaign.outlook import outlook
from dispatcher.campaign.retry_choices import facets
from dispatcher.campaign.setup import published_revision
from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError
from dispatcher.model import PausedBy, RowState
from dispatcher.web.access import Action
from dispatcher.web.drafts import draft_of
from dispatcher.web.headers import add_headers
from dispatcher.web.history import history_lines
from dispatcher.web.live import BREATH_S, look, told
from dispatcher.web.outcomes import outcome_facts
from dispatcher.web.pages.check import left_out
from dispatcher.web.refused import Refused, refused_of
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, page, signed_in
from dispatcher.web.running import Button, Shown, State
from dispatcher.web.site import SITE, Site
from dispatcher.web.standing import TONES, state_meaning
from dispatcher.web.store import AuditLine, Draft, Stage
from dispatcher.web.visitor import Visitor

#: In this order; nothing that is being sent is told apart from what waits.
_TILES = (RowState.created, RowState.rejected, RowState.busy, RowState.unknown, RowState.planned)
#: States in which numbers move.
_LIVE = frozenset({State.sending, State.settling, State.recalling, State.queued, State.scheduled, State.waiting})
#: Of the history so many lines are shown.
_LINES = 20
#: A browser that was cut off comes back so soon, ms.
_RETRY_MS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAnew:
    """What has to be confirmed once more before it goes on."""

    most: int
    revision: int | None
    #: Why it is asked; empty: there are more contacts than were confirmed.
    why: str = ""


async def show(request: web.Request, visitor: Visitor) -> web.Response:
    """`GET /c/{draft_id}`: the step that it is at, or how it is being sent."""
    draft = await draft_of(request)
    if draft.stage is Stage.checking:
        return _wait(request, draft)
    if draft.stage is Stage.failed:
        return await _failed(request, draft)
    if draft.stage is Stage.columns:
        raise web.HTTPSeeOther(f"/c/{draft.draft_id}/columns")
    if draft.stage is Stage.checked:
        raise web.HTTPSeeOther(f"/c/{draft.draft_id}/check")
    return await show_campaign(request, visitor, draft, {})


async def show_campaign(
    request: web.Request, visitor: Visitor, draft: Draft, problems: dict[str, str], *, status: int = 200
) -> web.Response:
    """The page of a campaign that was launched."""
    site = request.app[SITE]
    shown, counts = await look(site, draft)
    now = told(site, draft, shown, counts)
    refused: list[Refused] = []
    seen_version, asks_anew, reasons = 0, None, []
    outcomes: list[tuple[str, str]] = []
    if counts is not None:
        view = await site.supervisor.view_of(draft)
        wish = await view.wish()
        seen_version = wish.version
        reasons = left_out(await site.reasons.of(draft, view, counts))
        every = rows_of_all_files(counts)
        if every[RowState.rejected] or every[RowState.busy]:
            refused = refused_of(await facets(view))
        outcomes = outcome_facts(await view.executions())
        if shown.pause is not None and shown.pause.by is PausedBy.held:
            asks_anew = await _asked_anew(site, draft, outlook(counts, view.settings, whole_campaign=True).most)
    lines = await _history(site, draft)
    files = [upload for one in draft.uploads if (upload := await site.store.uploads.get(one)) is not None]
    response = render(
        request,
        "campaign.html",
        status=status,
        draft=draft,
        problems=problems,
        said=site.errands.said(draft.draft_id),
        page=now.page,
        done=now.done,
        total=now.total,
        texts=_Texts(now.texts),
        tone=TONES.get(shown.state, "quiet"),
        buttons=set(_buttons(shown)),
        tiles=[*((state.value, _tile(state)) for state in _TILES), ("left-out", "Left out")],
        left_out=reasons,
        problems_found=refused,
        outcomes=outcomes,
        seen_version=seen_version,
        asks_anew=asks_anew,
        is_live=shown.state in _LIVE,
        files=[upload.name for upload in files if upload.deleted_at_ms is None],
        may_delete_files=draft.planned == len(draft.uploads) and shown.state not in _LIVE,
        auto=request.query.get("auto") == "10",
        lines=history_lines(lines, site.zone, now_ms()),
    )
    if request.query.get("auto") == "10" and shown.state in _LIVE:
        # Asked for by a person without JavaScript: a page that reloads unasked takes what is read away.
        response.headers["Refresh"] = "10"
    return response


async def _asked_anew(site: Site, draft: Draft, most: int) -> AskedAnew | None:
    """What is different from what was confirmed: more contacts, or another revision of the flow."""
    account = site.accounts.of(draft)
    revision = None
    flow = account.settings.campaign.flow
    if draft.revision is not None and account.credentials is not None and flow is not None:
        try:
            revision = await published_revision(account.settings, account.credentials, flow)
        except DispatcherError:
            revision = None  # Studio does not answer: whoever goes on finds out then
    if revision is not None and revision != draft.revision:
        why = (
            f"The flow was published anew since: revision {revision} instead of {draft.revision}. Look at it in Studio."
        )
        return AskedAnew(most=most, revision=revision, why=why)
    if draft.confirmed is not None and most > draft.confirmed:
        return AskedAnew(most=most, revision=None)
    return None


async def _history(site: Site, draft: Draft) -> list[AuditLine]:
    """What was done with it; nothing of another account's campaign of that name."""
    lines = await site.store.audit.page(campaign=draft.name, limit=_LINES)
    others = {one.draft_id for one in await site.store.drafts.named(draft.name) if one.profile != draft.profile}
    return [line for line in lines if line.draft_id not in others]


class _Texts(dict[str, str]):
    """What a page has no text for stands empty."""

    def __missing__(self, _: str) -> str:
        return ""


def _buttons(shown: Shown) -> list[str]:
    buttons: list[str] = [button.value for button in shown.buttons]
    if Button.recall in shown.buttons:
        buttons.append("track")
    return buttons


def _tile(state: RowState) -> str:
    meaning = state_meaning(state)
    return f"{meaning[:1].upper()}{meaning[1:]}"


def _wait(request: web.Request, draft: Draft) -> web.Response:
    site = request.app[SITE]
    now = told(site, draft, Shown(state=State.checking), None)
    heading = "Looking at your file" if draft.look is None else "Checking every row"
    return render(
        request,
        "wait.html",
        draft=draft,
        step=1 if draft.look is None else 2,
        heading=heading,
        page=now.page,
        done=now.done,
        total=now.total,
        progress=now.texts["progress"],
    )


async def _failed(request: web.Request, draft: Draft) -> web.Response:
    upload = await request.app[SITE].store.uploads.get(draft.uploads[-1])
    return render(
        request,
        "failed.html",
        draft=draft,
        step=1 if draft.look is None else 2,
        file_name=upload.name if upload else draft.name,
        error=draft.error or {"message": "The file could not be read.", "found": "", "fix": ""},
        problems={},
    )


async def state(request: web.Request, _: Visitor) -> web.Response:
    """`GET /c/{draft_id}/state.json`: the same as the stream, asked for; 503 of a server that ends."""
    site = request.app[SITE]
    if site.live.is_over:
        # Whoever loads the page anew now would be left with the browser's own error page.
        raise web.HTTPServiceUnavailable
    draft = await draft_of(request)
    shown, counts = await look(site, draft)
    now = told(site, draft, shown, counts)
    return web.Response(body=orjson.dumps(now.as_json()), content_type="application/json")


async def events(request: web.Request, _: Visitor) -> web.StreamResponse:
    """`GET /c/{draft_id}/events`: how it stands, whenever that has changed, until the browser leaves."""
    site, draft = request.app[SITE], await draft_of(request)
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    )
    add_headers(response)
    await response.prepare(request)
    await response.write(f"retry: {_RETRY_MS}\n\n".encode())
    try:
        async with site.live.watch(site, draft.draft_id) as states:
            heard_ms = now_ms()
            async for new in states:
                if new is not None:
                    version, now = new
                    data = orjson.dumps(now.as_json()).decode()
                    await response.write(f"event: state\nid: {version}\ndata: {data}\n\n".encode())
                if new is None or now_ms() - heard_ms > BREATH_S * 1000:
                    heard_ms = now_ms()
                    # Whoever was signed out meanwhile sees nothing more.
                    if await signed_in(request, used=False) is None:
                        await response.write(b"event: gone\ndata: {}\n\n")
                        break
                    await response.write(b": there\n\n")
        if site.live.is_over:
            await response.write(b"event: bye\ndata: {}\n\n")
    except ConnectionResetError:
        pass  # the browser has left
    return response


ROUTES: tuple[Route, ...] = (
    page("/c/{draft_id}", Action.look, show),
    page("/c/{draft_id}/state.json", Action.look, state),
    page("/c/{draft_id}/events", Action.look, events),
)

"""A new campaign: the file is uploaded, and looked at by a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from dispatcher.campaign.naming import stem_name
from dispatcher.clock import now_ms
from dispatcher.web.access import Action
from dispatcher.web.corrections import begin_correction
from dispatcher.web.drafts import change, draft_of, line
from dispatcher.web.forms import TOKEN, Form, is_token
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, page, upload
from dispatcher.web.site import SITE
from dispatcher.web.store import Stage
from dispatcher.web.uploads import FILE_FIELD, Limits, UploadRefused, receive
from dispatcher.web.visitor import Visitor

if TYPE_CHECKING:
    from dispatcher.web.site import Site

_MB = 1_000_000
_NAME_MAX = 60


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /new`."""
    return _show(request, {})


async def send(request: web.Request, visitor: Visitor) -> web.Response:
    """`POST /uploads`: a campaign of its own."""
    site = request.app[SITE]
    try:
        received, form = await receive(
            request,
            site.store.uploads,
            site.received,
            visitor.name,
            limits_of(site),
            check=lambda form: _check(form, visitor),
            audit=line(visitor, "uploaded"),
        )
    except UploadRefused as refused:
        return _show(request, {FILE_FIELD: str(refused)}, status=refused.status)
    profile = form.text("profile") or None
    if profile not in site.accounts.profiles:
        profile = site.accounts.profiles[0]
    draft = await site.store.drafts.create(
        await _free_name(site, received.name, profile),
        created_by=visitor.name,
        now_ms=now_ms(),
        profile=profile,
        uploads=(received.upload_id,),
        stage=Stage.checking,
        audit=line(visitor, "draft_made"),
    )
    await site.checker.look(draft)
    raise web.HTTPSeeOther(f"/c/{draft.draft_id}")


async def correct(request: web.Request, visitor: Visitor) -> web.Response:
    """`POST /c/{draft_id}/corrected`: corrected rows, added to a campaign that is there."""
    site, draft = request.app[SITE], await draft_of(request)
    try:
        received, _ = await receive(
            request,
            site.store.uploads,
            site.received,
            visitor.name,
            limits_of(site),
            check=lambda form: _check(form, visitor),
            audit=line(visitor, "uploaded", draft),
        )
    except UploadRefused as refused:
        return render(
            request,
            "corrected.html",
            status=refused.status,
            draft=draft,
            problems={FILE_FIELD: str(refused)},
            upload_max_mb=int(site.settings.upload_max_mb),
        )
    if draft.stage is Stage.launched:
        # What is being sent goes on as it was confirmed: these rows are checked beside it, and confirmed by themselves.
        changed = await begin_correction(
            site.store, draft, received.upload_id, who=visitor.name, audit=line(visitor, "rows_corrected", draft)
        )
    else:
        uploads = (*draft.uploads, received.upload_id)
        changed = await change(
            request, visitor, draft, "rows_corrected", uploads=uploads, stage=Stage.checking, error=None
        )
    await site.checker.check(changed)
    raise web.HTTPSeeOther(f"/c/{changed.draft_id}")


def limits_of(site: Site) -> Limits:
    """How much may be uploaded."""
    settings = site.settings
    return Limits(file_bytes=int(settings.upload_max_mb * _MB), all_bytes=int(settings.uploads_max_mb * _MB))


def _check(form: Form, visitor: Visitor) -> None:
    """Raises: HTTPForbidden: the form is not this session's."""
    if not is_token(visitor.session.csrf_secret, form.text(TOKEN)):
        raise web.HTTPForbidden


async def _free_name(site: Site, file_name: str, profile: str | None) -> str:
    """The file's name without its suffix; with a number behind it where there is a campaign of that name."""
    stem = "".join(letter for letter in stem_name(file_name) if letter.isprintable()).lstrip("-").strip()[:_NAME_MAX]
    taken = await site.taken_names(profile)
    stem = stem or "campaign"
    names = [stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _show(request: web.Request, problems: dict[str, str], *, status: int = 200) -> web.Response:
    site = request.app[SITE]
    most_mb = int(site.settings.upload_max_mb)
    return render(
        request,
        "new.html",
        status=status,
        problems=problems,
        accounts=[(account.profile or "", account.label) for account in site.accounts.all()],
        profile="",
        upload_max_mb=most_mb,
        upload_max_bytes=most_mb * _MB,
        keep_days=int(site.settings.keep_uploads_days),
    )


async def show_correct(request: web.Request, _: Visitor) -> web.Response:
    """`GET /c/{draft_id}/corrected`."""
    site, draft = request.app[SITE], await draft_of(request)
    return render(
        request,
        "corrected.html",
        draft=draft,
        problems={},
        upload_max_mb=int(site.settings.upload_max_mb),
    )


ROUTES: tuple[Route, ...] = (
    page("/new", Action.prepare, show),
    upload("/uploads", Action.prepare, send),
    page("/c/{draft_id}/corrected", Action.prepare, show_correct),
    upload("/c/{draft_id}/corrected", Action.prepare, correct),
)

"""A draft for a page: found by its address, and changed by whoever has seen it as it is."""

from __future__ import annotations

from typing import Unpack

from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.web.forms import Form
from dispatcher.web.site import SITE
from dispatcher.web.store import AuditLine, Draft, DraftChanges, Stage
from dispatcher.web.visitor import Visitor


async def draft_of(request: web.Request) -> Draft:
    """The draft that the address names. Raises: HTTPNotFound."""
    draft = await request.app[SITE].store.drafts.get(request.match_info["draft_id"])
    if draft is None:
        raise web.HTTPNotFound
    return draft


async def unsent_draft(request: web.Request) -> Draft:
    """One that nothing was sent of yet, for the steps before. Raises: HTTPNotFound; HTTPSeeOther: it was launched."""
    draft = await draft_of(request)
    if draft.stage is Stage.launched:
        raise web.HTTPSeeOther(f"/c/{draft.draft_id}")
    return draft


def check_version(draft: Draft, sent: Form) -> None:
    """Raises: HTTPConflict: the form is of an older state than the draft has."""
    if sent.whole("version") != draft.version:
        raise web.HTTPConflict


async def change(
    request: web.Request, visitor: Visitor, draft: Draft, what: str, **changes: Unpack[DraftChanges]
) -> Draft:
    """Change the draft that was seen, with a line in the history. Raises: HTTPConflict: somebody else was first."""
    changed = await request.app[SITE].store.drafts.change(
        draft.draft_id, draft.version, audit=line(visitor, what, draft), **changes
    )
    if changed is None:
        raise web.HTTPConflict
    return changed


def line(visitor: Visitor, what: str, draft: Draft | None = None, **detail: object) -> AuditLine:
    """A line of the history."""
    return AuditLine(
        at_ms=now_ms(),
        who=visitor.name,
        source=visitor.source,
        what=what,
        draft_id=draft.draft_id if draft else None,
        campaign=draft.name if draft else "",
        detail=dict(detail),
    )

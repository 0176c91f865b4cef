"""Corrected rows for a campaign that was launched: a draft of their own, checked and confirmed, then added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.clock import now_ms
from dispatcher.web.running import SomebodyWasFirst
from dispatcher.web.store import Draft, Stage

if TYPE_CHECKING:
    from dispatcher.web.site import Site
    from dispatcher.web.store import AuditLine, Store

#: In the draft's `look`: which campaign its rows are added to.
_INTO = "into"


async def begin_correction(store: Store, into: Draft, upload_id: str, *, who: str, audit: AuditLine | None) -> Draft:
    """Begin a draft of the rows of that upload, for that campaign, to be checked."""
    return await store.drafts.create(
        into.name,
        created_by=who,
        now_ms=now_ms(),
        profile=into.profile,
        uploads=(*into.uploads, upload_id),
        # The files before are in the ledger: what is checked is the last one, as a part.
        planned=len(into.uploads),
        settings=into.settings,
        stage=Stage.checking,
        # In one step: without it, the draft is a campaign of its own, of all those files.
        look={**(into.look or {}), _INTO: into.draft_id},
        audit=audit,
    )


def corrected_draft(draft: Draft) -> str | None:
    """The campaign that a draft's rows are added to; None: it is a campaign of its own."""
    into = (draft.look or {}).get(_INTO)
    return into if isinstance(into, str) else None


def is_correction(draft: Draft) -> bool:
    """Whether its rows are added to another campaign."""
    return corrected_draft(draft) is not None


async def add_correction(site: Site, draft: Draft, *, confirmed: int, who: str, source: str) -> Draft:
    """Add the checked rows to their campaign, which is sent on; returns it. Raises: SomebodyWasFirst."""
    into = await site.store.drafts.get(corrected_draft(draft) or "")
    if into is None or into.stage is not Stage.launched or len(into.uploads) != draft.planned:
        # It was deleted, or somebody has added other rows meanwhile: these were checked against what is no more.
        raise SomebodyWasFirst
    # All that was checked: what was corrected may have been corrected again.
    parts = draft.uploads[draft.planned :]
    corrected = await site.supervisor.correct(into, parts, confirmed=confirmed, who=who, source=source)
    await site.store.drafts.delete(draft.draft_id, draft.version)
    return corrected

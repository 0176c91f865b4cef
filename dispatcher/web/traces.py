"""What of contacts lies in the page's own files: uploads, checks, kept reports, sample cells; and how it goes.

All of it but the samples is a copy of the uploaded file, and goes with it. What was sent stands in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import Any

from dispatcher.web.store import AuditLine, Draft, DraftChanges, Stage, Store

#: An upload that no draft has by then is nobody's.
DRAFT_MADE_MS = 60_000
#: What a draft says whose file is gone before anything of it was sent.
_GONE = {
    "code": "upload_gone",
    "message": "The file is not kept any more.",
    "found": "",
    "fix": "Upload it again.",
    "field": "",
}


def reports_of(store: Store, draft_id: str) -> list[Path]:
    """The reports that are kept of a campaign: of its file and of its corrections. Blocking."""
    return sorted((store.folder / "reports").glob(f"{draft_id}*.csv"))


async def remove_draft(store: Store, draft: Draft, *, now_ms: int, audit: AuditLine | None = None) -> bool:
    """Delete a draft with all that is kept of its contacts; False: somebody else has changed it, all is there."""
    if not await store.drafts.delete(draft.draft_id, draft.version, audit=audit):
        return False
    for upload_id in await _own_uploads(store, draft):
        await store.uploads.delete_file(upload_id, now_ms)
    await _remove_copies(store, draft.draft_id)
    return True


async def remove_files(store: Store, draft: Draft, *, now_ms: int, audit: AuditLine | None = None) -> None:
    """Remove a campaign's uploads and what was made of them; the campaign itself stays."""
    for upload_id in draft.uploads:
        await store.uploads.delete_file(upload_id, now_ms, audit=audit)
    await clear(store, draft)


async def sweep(store: Store, *, now_ms: int) -> None:
    """Remove uploads that no draft has, and what was made of those that are gone, whoever has deleted them."""
    # Its draft is made a moment after an upload has come: where that could not be, nobody ever finds it again.
    there = await store.uploads.there(before_ms=now_ms - DRAFT_MADE_MS)
    drafts = await store.drafts.list()
    for upload_id in there - {one for draft in drafts for one in draft.uploads}:
        await store.uploads.delete_file(upload_id, now_ms)
    for draft in drafts:
        if await _is_gone(store, draft):
            await clear(store, draft)


async def clear(store: Store, draft: Draft) -> None:
    """Of a draft whose uploads are gone: its check, its kept reports, and the cells that it shows as samples."""
    await _remove_copies(store, draft.draft_id)
    now: Draft | None = draft
    while now is not None and (changes := _without_cells(now)):
        if await store.drafts.change(now.draft_id, now.version, **changes) is not None:
            return
        now = await store.drafts.get(now.draft_id)


def _without_cells(draft: Draft) -> DraftChanges:
    """What is to be changed of a draft so that nothing in it is of a contact; empty: nothing is."""
    changes: DraftChanges = {}
    if draft.look is not None and (look := _without_samples(draft.look)) != draft.look:
        changes["look"] = look
    if draft.stage is not Stage.launched and draft.error != _GONE:
        changes |= {"stage": Stage.failed, "error": _GONE, "check": None}
    return changes


def _without_samples(look: dict[str, Any]) -> dict[str, Any]:
    columns = [{**column, "samples": []} for column in look.get("columns", ())]
    # A line of the file in each encoding, and a note that shows one.
    return {**look, "columns": columns, "encodings": [], "notes": []}


async def _own_uploads(store: Store, draft: Draft) -> list[str]:
    """Those that no other draft has: corrected rows begin with the files that they correct."""
    others = {upload_id for one in await store.drafts.list() for upload_id in one.uploads}
    return [upload_id for upload_id in draft.uploads if upload_id not in others]


async def _is_gone(store: Store, draft: Draft) -> bool:
    for upload_id in draft.uploads:
        if await store.uploads.path(upload_id) is not None:
            return False
    return True


async def _remove_copies(store: Store, draft_id: str) -> None:
    def remove() -> None:
        shutil.rmtree(store.uploads.check_folder(draft_id), ignore_errors=True)
        for path in reports_of(store, draft_id):
            with contextlib.suppress(OSError):
                path.unlink()

    await asyncio.to_thread(remove)

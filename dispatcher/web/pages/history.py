"""History: who did what, the newest first; of one campaign, or of all; and all of it as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import orjson
from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.web.access import Action
from dispatcher.web.drafts import line
from dispatcher.web.forms import whole
from dispatcher.web.headers import add_headers
from dispatcher.web.history import history_lines
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, page
from dispatcher.web.site import SITE
from dispatcher.web.store import AuditLine
from dispatcher.web.times import machine_moment
from dispatcher.web.visitor import Visitor

Written: TypeAlias = Callable[[AsyncIterator[AuditLine]], AsyncIterator[bytes]]

LINES = 50
_COLUMNS = ("line", "at", "who", "from", "what", "campaign", "draft", "detail")
#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: So much is collected before it is sent.
_CHUNK_BYTES = 64 * 1024


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /history?campaign=<draft_id>&before=<line_id>`. A name of a campaign stands in no address."""
    site = request.app[SITE]
    drafts = await site.store.drafts.list()
    # The latest draft of a name stands for it.
    known = {draft.name: draft.draft_id for draft in reversed(drafts)}
    chosen = next((draft for draft in drafts if draft.draft_id == request.query.get("campaign")), None)
    lines = await site.store.audit.page(
        before=whole(request.query.get("before", "")), limit=LINES + 1, campaign=chosen.name if chosen else None
    )
    return render(
        request,
        "history.html",
        lines=history_lines(lines[:LINES], site.zone, now_ms()),
        next_before=lines[LINES - 1].line_id if len(lines) > LINES else None,
        is_later="before" in request.query,
        campaigns=[("", "All campaigns"), *((draft_id, name) for name, draft_id in sorted(known.items()))],
        chosen=known[chosen.name] if chosen else "",
        zone=site.zone,
    )


async def download_csv(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """`GET /history.csv`: a table, for spreadsheets."""
    return await _download(request, visitor, "history.csv", "text/csv", _as_csv)


async def download_jsonl(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """`GET /history.jsonl`: an object a line, for programs."""
    return await _download(request, visitor, "history.jsonl", "application/x-ndjson", _as_json)


async def _download(
    request: web.Request, visitor: Visitor, name: str, kind: str, written: Written
) -> web.StreamResponse:
    site = request.app[SITE]
    # Not sent where it cannot be written who had it.
    await site.store.audit.write(line(visitor, "history_downloaded", file=name))
    response = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{name}"'})
    response.content_type, response.charset = kind, "utf-8"
    add_headers(response)
    await response.prepare(request)
    chunk = bytearray()
    async for piece in written(site.store.audit.export()):
        chunk += piece
        if len(chunk) >= _CHUNK_BYTES:
            await response.write(bytes(chunk))
            chunk.clear()
    await response.write(bytes(chunk))
    await response.write_eof()
    return response


async def _as_csv(lines: AsyncIterator[AuditLine]) -> AsyncIterator[bytes]:
    yield _csv_line(_COLUMNS)
    async for one in lines:
        yield _csv_line(
            (
                str(one.line_id),
                machine_moment(one.at_ms),
                one.who,
                one.source,
                one.what,
                one.campaign,
                one.draft_id or "",
                orjson.dumps(one.detail).decode() if one.detail else "",
            )
        )


def _csv_line(cells: tuple[str, ...]) -> bytes:
    text = io.StringIO()
    # A name that somebody has chosen must not be a formula on somebody else's machine.
    csv.writer(text).writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return text.getvalue().encode()


async def _as_json(lines: AsyncIterator[AuditLine]) -> AsyncIterator[bytes]:
    async for one in lines:
        yield orjson.dumps(
            {
                "line": one.line_id,
                "at": machine_moment(one.at_ms),
                "who": one.who,
                "from": one.source,
                "what": one.what,
                "campaign": one.campaign or None,
                "draft": one.draft_id,
                "detail": one.detail,
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )


ROUTES: tuple[Route, ...] = (
    page("/history", Action.history, show),
    page("/history.csv", Action.history, download_csv),
    page("/history.jsonl", Action.history, download_jsonl),
)

"""What can be downloaded: the rows that are left out, the report, the report in pictures."""

from __future__ import annotations

from aiohttp import web

from dispatcher.campaign.naming import file_name
from dispatcher.campaign.problems import write_left_out
from dispatcher.ledger.records import ReportRow
from dispatcher.model import Reason
from dispatcher.web.access import Action
from dispatcher.web.checks import opened_check
from dispatcher.web.drafts import draft_of, line, unsent_draft
from dispatcher.web.routes import Route, page
from dispatcher.web.site import SITE
from dispatcher.web.store import Stage
from dispatcher.web.visitor import Visitor
from dispatcher.web.words import reason_words

_KINDS = frozenset({".csv", ".xlsx"})
_DOCUMENT = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


async def left_out(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """`GET /c/{draft_id}/left-out.{kind}`: every bad row, as it was, with what is wrong with it."""
    site, draft, suffix = request.app[SITE], await unsent_draft(request), _suffix(request)
    async with opened_check(site, draft) as rehearsal:
        await site.store.audit.write(line(visitor, "downloaded", draft, file=f"left-out{suffix}"))
        return await site.downloads.send(
            request,
            f"{file_name(draft.name)}-left-out{suffix}",
            lambda path: write_left_out(rehearsal, path, advice=_advice),
        )


async def report(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """`GET /c/{draft_id}/report.{kind}`: what became of each row of the file."""
    site, draft, suffix = request.app[SITE], await draft_of(request), _suffix(request)
    if draft.stage is not Stage.launched:
        raise web.HTTPNotFound
    view = await site.supervisor.view_of(draft)
    await site.store.audit.write(line(visitor, "downloaded", draft, file=f"report{suffix}"))
    return await site.downloads.send(
        request,
        f"{file_name(draft.name)}-report{suffix}",
        lambda path: view.report(path, remember=False, overwrite=True, whole_campaign=True),
    )


async def pictures(request: web.Request, visitor: Visitor) -> web.Response:
    """`GET /c/{draft_id}/report.html`: the campaign in numbers, a document of its own without a contact in it."""
    site, draft = request.app[SITE], await draft_of(request)
    if draft.stage is not Stage.launched:
        raise web.HTTPNotFound
    view = await site.supervisor.view_of(draft)
    text = await site.downloads.text("report.html", lambda path: view.page(path, overwrite=True))
    # Its style stands in it: it is made to be kept as one file. It has no script, and asks nobody for anything.
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": _DOCUMENT})


def _suffix(request: web.Request) -> str:
    """Raises: HTTPNotFound."""
    suffix = f".{request.match_info['kind']}"
    if suffix not in _KINDS:
        raise web.HTTPNotFound
    return suffix


def _advice(row: ReportRow) -> str:
    """In the page's words: whoever corrects the file has no terminal."""
    code = row.reason_code or ""
    return reason_words(Reason(code)).what_to_do if code in Reason.__members__ else ""


ROUTES: tuple[Route, ...] = (
    page("/c/{draft_id}/left-out.{kind}", Action.prepare, left_out),
    page("/c/{draft_id}/report.html", Action.look, pictures),
    page("/c/{draft_id}/report.{kind}", Action.download, report),
)

"""Signing in and out: by a link that works once, or with a name and a password."""

from __future__ import annotations

from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.web.access import Action
from dispatcher.web.forms import Form, read_form
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, form, open_to_all, signed_in, source_of
from dispatcher.web.site import SITE
from dispatcher.web.store import AuditLine
from dispatcher.web.visitor import Visitor

#: A page of ours, and nothing of another host's.
_PAGES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/.")


async def ask(request: web.Request) -> web.Response:
    """`GET /sign-in`. A link is not spent by looking: mail programs and browsers look at addresses ahead of people."""
    to = _page(request.query.get("to", "/"))
    if await signed_in(request) is not None:
        raise web.HTTPSeeOther(to)
    return _show(request, {}, to=to, link=request.query.get("link", ""))


async def answer(request: web.Request) -> web.Response:
    """`POST /sign-in`."""
    sent, site = await read_form(request), request.app[SITE]
    to = _page(sent.text("to"))
    if not site.is_local:
        raise web.HTTPForbidden
    if not await site.store.links.spend(sent.text("link"), now_ms=now_ms()):
        problems = {"": "This link has been used, or is older than ten minutes. Open a new one."}
        return _show(request, problems, to=to, link="", status=403)
    token = await site.store.sessions.begin(None, now_ms=now_ms())
    await site.store.audit.write(
        AuditLine(at_ms=now_ms(), who=site.local_name, source=source_of(request), what="signed_in")
    )
    response = web.HTTPSeeOther(to)
    _set_cookie(request, response, token)
    raise response


async def leave(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST /sign-out`."""
    site = request.app[SITE]
    await site.store.sessions.end(request.cookies.get(site.address.cookie, ""))
    await site.store.audit.write(AuditLine(at_ms=now_ms(), who=visitor.name, source=visitor.source, what="signed_out"))
    response = web.HTTPSeeOther("/sign-in")
    _set_cookie(request, response, "")
    raise response


def _show(request: web.Request, problems: dict[str, str], *, to: str, link: str, status: int = 200) -> web.Response:
    by_link = request.app[SITE].is_local
    return render(request, "sign_in.html", status=status, problems=problems, by_link=by_link, link=link, to=to, name="")


def _page(to: str) -> str:
    """Where to go afterwards: a page of ours, whatever was asked for."""
    return to if to.startswith("/") and not to.startswith("//") and set(to) <= _PAGES else "/"


def _set_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    address = request.app[SITE].address
    if not token:
        response.del_cookie(address.cookie, path="/", secure=address.is_encrypted, httponly=True, samesite="Lax")
        return
    # Lax: a link in a mail leads to the page and not to the sign-in; changes are guarded by more than this.
    response.set_cookie(address.cookie, token, path="/", secure=address.is_encrypted, httponly=True, samesite="Lax")


ROUTES: tuple[Route, ...] = (
    open_to_all("GET", "/sign-in", ask),
    open_to_all("POST", "/sign-in", answer),
    form("/sign-out", Action.look, leave),
)

"""Signing in and out: by a link that works once, or with a name and a password."""

from __future__ import annotations

from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.web.access import Action
from dispatcher.web.cookie import cookie_of, set_cookie
from dispatcher.web.forms import Form, read_form
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, form, open_to_all, signed_in, source_of
from dispatcher.web.site import SITE
from dispatcher.web.store import AuditLine
from dispatcher.web.tries import Refused
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
    if site.is_local:
        return await _by_link(request, sent)
    return await _by_password(request, sent)


async def _by_link(request: web.Request, sent: Form) -> web.Response:
    site, to = request.app[SITE], _page(sent.text("to"))
    if not await site.store.links.spend(sent.text("link"), now_ms=now_ms()):
        problems = {"": "This link has been used, or is older than ten minutes. Open a new one."}
        return _show(request, problems, to=to, link="", status=403)
    raise await _let_in(request, None, site.local_name, to)


async def _by_password(request: web.Request, sent: Form) -> web.Response:
    site, to, name = request.app[SITE], _page(sent.text("to")), sent.text("name")
    problems = {}
    if not name:
        problems["name"] = "Type your name."
    # As it was typed: a form's other texts have no blanks around them, a password may.
    if not (password := sent.typed("password")):
        problems["password"] = "Type your password."
    if problems:
        return _show(request, problems, to=to, name=name, status=400)
    tried = await site.tries.password(name, password, source_of(request))
    if isinstance(tried, Refused):
        status = 429 if tried.wait_s else 403
        response = _show(request, {"password": tried.sentence}, to=to, name=name, status=status)
        if tried.wait_s:
            response.headers["Retry-After"] = str(tried.wait_s)
        return response
    raise await _let_in(request, tried.user_id, tried.name, to)


async def _let_in(request: web.Request, user_id: int | None, name: str, to: str) -> web.HTTPSeeOther:
    """Always a new session: a cookie that was planted before is nobody's."""
    site = request.app[SITE]
    await site.store.sessions.end(cookie_of(request))
    token = await site.store.sessions.begin(user_id, now_ms=now_ms())
    await site.store.audit.write(AuditLine(at_ms=now_ms(), who=name, source=source_of(request), what="signed_in"))
    response = web.HTTPSeeOther(to)
    set_cookie(request, response, token)
    return response


async def leave(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST /sign-out`."""
    site = request.app[SITE]
    await site.store.sessions.end(cookie_of(request))
    await site.store.audit.write(AuditLine(at_ms=now_ms(), who=visitor.name, source=visitor.source, what="signed_out"))
    response = web.HTTPSeeOther("/sign-in")
    set_cookie(request, response, "")
    raise response


async def stay(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /stay`: to have asked is enough; a script is told how long it is until the end now."""
    if request.headers.get("Accept") == "application/json":
        return web.json_response({"ends_in_s": visitor.ends_in_s})
    raise web.HTTPSeeOther(_page(sent.text("to")))


def _show(
    request: web.Request, problems: dict[str, str], *, to: str, link: str = "", name: str = "", status: int = 200
) -> web.Response:
    by_link = request.app[SITE].is_local
    return render(
        request, "sign_in.html", status=status, problems=problems, by_link=by_link, link=link, to=to, name=name
    )


def _page(to: str) -> str:
    """Where to go afterwards: a page of ours, whatever was asked for."""
    return to if to.startswith("/") and "//" not in to and set(to) <= _PAGES else "/"


ROUTES: tuple[Route, ...] = (
    open_to_all("GET", "/sign-in", ask),
    open_to_all("POST", "/sign-in", answer),
    form("/sign-out", Action.look, leave),
    form("/stay", Action.look, stay),
)

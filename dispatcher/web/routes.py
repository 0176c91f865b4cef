"""A page's address, who may open it, and the function that answers: what `app` puts together of all pages."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.web.access import Action
from dispatcher.web.forms import TOKEN, Form, is_token, read_form
from dispatcher.web.middleware import Handler
from dispatcher.web.site import SITE
from dispatcher.web.visitor import Visitor

#: A page that somebody looks at, and a form that somebody has sent.
Page: TypeAlias = Callable[[web.Request, Visitor], Awaitable[web.StreamResponse]]
Sent: TypeAlias = Callable[[web.Request, Visitor, Form], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the page."""

    method: str
    path: str
    handler: Handler
    #: What somebody must be allowed to do for it; None: anybody gets an answer, who may be nobody.
    action: Action | None


def open_to_all(method: str, path: str, handler: Handler) -> Route:
    """Without signing in: the sign-in itself, its style, the health."""
    return Route(method, path, handler, None)


def page(path: str, action: Action, handler: Page) -> Route:
    """A page for those who may do that."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request, await _visitor(request, action))

    return Route("GET", path, answer, action)


def form(path: str, action: Action, handler: Sent) -> Route:
    """A form that changes something, for those who may: it must be one that this session was given."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        visitor = await _visitor(request, action)
        sent = await read_form(request)
        if not is_token(visitor.session.csrf_secret, sent.text(TOKEN)):
            raise web.HTTPForbidden
        return await handler(request, visitor, sent)

    return Route("POST", path, answer, action)


def upload(path: str, action: Action, handler: Page) -> Route:
    """As `form`, for a body that the handler reads itself, with the token in it."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request, await _visitor(request, action))

    return Route("POST", path, answer, action)


async def signed_in(request: web.Request, *, used: bool = True) -> Visitor | None:
    """Who has sent a request; None: nobody who is signed in. `used` off: what a page asks by itself keeps nobody in."""
    site = request.app[SITE]
    cookie = request.cookies.get(site.address.cookie, "")
    session = await site.store.sessions.of(cookie, now_ms=now_ms(), used=used) if cookie else None
    if session is None or (session.user is None) != site.is_local:
        return None
    name = session.user.name if session.user is not None else site.local_name
    visitor = Visitor(session=session, user=session.user, name=name, source=source_of(request))
    request["visitor"] = visitor
    return visitor


def source_of(request: web.Request) -> str:
    """The address a request came from: with a proxy before us, what the proxy says, the last hop alone."""
    # A proxy may add a line of its own behind the one that the client has made up.
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", ())).rpartition(",")[2].strip()
    own = request.remote or ""
    return forwarded[:64] if forwarded and request.app[SITE].settings.public_url else own


async def _visitor(request: web.Request, action: Action) -> Visitor:
    """Raises: HTTPSeeOther: nobody is signed in; HTTPForbidden: not for this person."""
    visitor = await signed_in(request)
    if visitor is None:
        # What was typed is not kept here: the browser has it, one step back.
        back = request.path if request.method == "GET" else ""
        raise web.HTTPSeeOther(f"/sign-in?to={back}" if back not in ("", "/") else "/sign-in")
    if not visitor.may(action):
        raise web.HTTPForbidden
    return visitor

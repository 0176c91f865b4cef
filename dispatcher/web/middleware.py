"""What holds for every request: whose host it names, which headers its answer has, and what an error looks like."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web

from dispatcher.errors import DispatcherError
from dispatcher.web.headers import add_headers
from dispatcher.web.rendering import render
from dispatcher.web.site import SITE
from dispatcher.web.words import words_of

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: A balancer asks by the machine's address; it learns that the server is alive, and nothing else.
_ANY_HOST = frozenset({"/healthz"})
_READS = frozenset({"GET", "HEAD"})


@web.middleware
async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer has them, also that of an error; what concerns people is kept by no cache."""
    try:
        response = await handler(request)
    except web.HTTPException as leaving:
        # A redirection: it may bring a session's cookie.
        add_headers(leaving)
        raise
    if not response.prepared:
        add_headers(response)
    return response


@web.middleware
async def known_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A name that is led to this machine by somebody else's server (DNS rebinding) gets nothing."""
    host = request.headers.get("Host", "").lower()
    if request.path not in _ANY_HOST and host not in request.app[SITE].address.hosts:
        raise web.HTTPMisdirectedRequest
    return await handler(request)


@web.middleware
async def same_site(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Changes come from our own pages: what browsers say of where a request comes from is believed. The token is more.

    Sec-Fetch-Site is sent by every browser since 2023, and Origin with each POST; what sends neither is no browser
    that a person was led astray in.
    """
    if request.method not in _READS:
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        if site not in (None, "same-origin", "none"):
            raise web.HTTPForbidden
        if origin is not None and origin.lower() not in request.app[SITE].address.origins():
            raise web.HTTPForbidden
    return await handler(request)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong ends in a page with a way on; a bug in a page with a number that stands in the log, too."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except web.HTTPException as error:
        return _page(request, error)
    except ConnectionResetError:
        # The browser has left in the middle of an answer: no fault, and this reaches nobody.
        return web.Response(status=HTTPStatus.BAD_REQUEST)
    except TimeoutError:
        return _page(request, web.HTTPServiceUnavailable())
    except DispatcherError as error:
        logger.warning("%s %s: %s", request.method, _route(request), error.code)
        status = HTTPStatus.BAD_REQUEST if error.exit_code == 2 else HTTPStatus.INTERNAL_SERVER_ERROR
        return render(
            request, "error.html", status=status, title="That did not work", words=words_of(error), number=None
        )
    except Exception:
        number = secrets.token_hex(4)
        logger.exception("%s %s failed, number %s", request.method, _route(request), number)
        return render(request, "error.html", status=500, title="Something went wrong", words=None, number=number)


def _route(request: web.Request) -> str:
    """What was asked for without what it was asked of: a path with its ids left out."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(no page)"


#: Status → the title of its page, and what to do.
_SENTENCES = {
    400: ("The form could not be read", "Go back and try again."),
    403: (
        "That is not allowed",
        "Either this may only be done by somebody else, or the form was too old. Open the page anew and try again.",
    ),
    404: ("There is no such page", "It may have been deleted, or the address was not copied whole."),
    405: ("That cannot be done here", "Open the page anew and try again."),
    409: ("Somebody else was first", "Open the page anew to see how it stands now."),
    413: ("That is too large", "Nothing was kept of it."),
    415: ("The form could not be read", "Go back and try again."),
    421: ("This is not the address of this page", "Open it by the address that whoever runs it has given you."),
    503: (
        "The record of what was sent cannot be read just now",
        "Another program keeps it busy, a backup perhaps. Try again in a moment.",
    ),
    429: ("Too many tries", "Wait a moment and try again."),
}


def _page(request: web.Request, error: web.HTTPException) -> web.Response:
    title, advice = _SENTENCES.get(error.status, (error.reason, "Open the page anew and try again."))
    if error.status == HTTPStatus.MISDIRECTED_REQUEST:
        # Nothing that a stranger's page could read out: no name, no menu.
        request.pop("visitor", None)
    response = render(request, "status.html", status=error.status, title=title, advice=advice)
    for name in ("Allow", "Retry-After"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response

"""All pages put together: what a request passes through, and which function answers it."""

from __future__ import annotations

from aiohttp import web

from dispatcher.web import middleware
from dispatcher.web.forms import FORM_MAX_BYTES
from dispatcher.web.pages import (
    actions,
    campaign,
    campaigns,
    check,
    columns,
    files,
    health,
    history,
    new,
    people,
    preview,
    send,
    sign_in,
    terminal,
)
from dispatcher.web.rendering import STATIC
from dispatcher.web.routes import Route, open_to_all
from dispatcher.web.site import SITE, Site

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: Its address changes with what is in it.
_KEPT = "public, max-age=31536000, immutable"


def build_app(site: Site) -> web.Application:
    """The application of one server."""
    app = web.Application(
        middlewares=[middleware.headers, middleware.errors, middleware.known_host, middleware.same_site],
        client_max_size=FORM_MAX_BYTES,
    )
    app[SITE] = site
    for route in ROUTES:
        # GET alone: a HEAD of a page that is made anew each time costs as much, and tells nothing.
        app.router.add_route(route.method, route.path, route.handler)
    return app


async def _static(request: web.Request) -> web.StreamResponse:
    """A file that belongs to the page: one of a known few, never a path."""
    name = request.match_info["name"]
    kind = next((kind for suffix, kind in _KINDS.items() if name.endswith(suffix)), None)
    if kind is None or "/" in name or not (STATIC / name).is_file():
        raise web.HTTPNotFound
    return web.FileResponse(STATIC / name, headers={"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": _KEPT})


#: Every address of the page.
ROUTES: tuple[Route, ...] = (
    open_to_all("GET", "/static/{name}", _static),
    *sign_in.ROUTES,
    *campaigns.ROUTES,
    *new.ROUTES,
    *columns.ROUTES,
    *check.ROUTES,
    *preview.ROUTES,
    *send.ROUTES,
    *campaign.ROUTES,
    *actions.ROUTES,
    *files.ROUTES,
    *people.ROUTES,
    *history.ROUTES,
    *terminal.ROUTES,
    *health.ROUTES,
)

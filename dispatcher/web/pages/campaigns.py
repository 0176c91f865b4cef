"""The first page: every campaign, how it stands, and where a new one begins."""

from __future__ import annotations

from aiohttp import web

from dispatcher.web.access import Action
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, page
from dispatcher.web.site import SITE
from dispatcher.web.visitor import Visitor


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /`."""
    site = request.app[SITE]
    return render(request, "campaigns.html", accounts=site.accounts.all(), campaigns=[])


ROUTES: tuple[Route, ...] = (page("/", Action.look, show),)

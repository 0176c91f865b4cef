"""Whether the server is well: for whoever runs it, and, in a word, for the machine that looks after it."""

from __future__ import annotations

from aiohttp import web

from dispatcher.web.routes import Route, open_to_all


async def alive(_: web.Request) -> web.Response:
    """`GET /healthz`: for a balancer or a monitor; says nothing of anybody."""
    return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})


ROUTES: tuple[Route, ...] = (open_to_all("GET", "/healthz", alive),)

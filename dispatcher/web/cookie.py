"""The cookie that a browser keeps of its session."""

from __future__ import annotations

from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.web.site import SITE


def cookie_of(request: web.Request) -> str:
    """What the browser has sent; empty: nothing."""
    return request.cookies.get(request.app[SITE].address.cookie, "")


def set_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Have the browser keep a session's token, or with an empty one forget it."""
    address = request.app[SITE].address
    if not token:
        response.del_cookie(address.cookie, path="/", secure=address.is_encrypted, httponly=True, samesite="Lax")
        return
    # Lax: a link in a mail leads to the page and not to the sign-in; changes are guarded by more than this.
    response.set_cookie(address.cookie, token, path="/", secure=address.is_encrypted, httponly=True, samesite="Lax")


async def renew_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """The password was typed once more: it counts as fresh, and the cookie that was is worth nothing any more."""
    token = await request.app[SITE].store.sessions.renew(cookie_of(request), now_ms=now_ms())
    if token is not None:
        set_cookie(request, response, token)

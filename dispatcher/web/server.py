"""The server as a whole: begun in order, told where it is, ended in order."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from urllib.parse import quote

from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.errors import UsageError
from dispatcher.remedies import AnyOf, Option
from dispatcher.settings import WebSettings
from dispatcher.web.accounts import Accounts
from dispatcher.web.address import Address, address, check_exposure
from dispatcher.web.app import build_app
from dispatcher.web.flows import Flows
from dispatcher.web.local_name import local_name
from dispatcher.web.server_lock import server_lock
from dispatcher.web.site import Site
from dispatcher.web.store import open_store
from dispatcher.web.tries import Tries

logger = logging.getLogger(__name__)

#: How long requests that are being answered have at the end; streams are told before.
GOODBYE_S = 5.0
_WAITING_MAX = 128
_HOUR_MS = 3_600_000


class Server:
    """A server that runs."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def address(self) -> Address:
        """Where it is."""
        return self.site.address

    async def link(self) -> str:
        """A link that lets one person in, once. For a page of this machine's alone."""
        return sign_in_link(self.address.url, await self.site.store.links.make(now_ms=now_ms()))


def sign_in_link(url: str, token: str) -> str:
    """Where a link's token is given back."""
    return f"{url}/sign-in?link={quote(token)}"


@contextlib.asynccontextmanager
async def serving(settings: WebSettings, accounts: Accounts) -> AsyncIterator[Server]:
    """Serve the page inside this block.

    Raises: SettingsError: the page would be open to others; ServerRunning; UsageError: the port is taken; LedgerError.
    """
    check_exposure(settings)
    async with contextlib.AsyncExitStack() as stack:
        lock = stack.enter_context(server_lock(accounts.folder))
        listener = stack.enter_context(_listener(settings.host, settings.port))
        store = await open_store(
            accounts.folder,
            session_idle_ms=settings.session_idle_h * _HOUR_MS,
            session_age_ms=settings.session_max_days * 24 * _HOUR_MS,
        )
        stack.push_async_callback(store.close)
        site = Site(
            settings=settings,
            accounts=accounts,
            store=store,
            flows=Flows(accounts),
            tries=Tries(store.users),
            address=address(settings.host, listener.getsockname()[1], settings.public_url),
            local_name=local_name(),
        )
        # No access log: it would have addresses of people and of pages.
        runner = web.AppRunner(build_app(site), access_log=None, handle_signals=False, shutdown_timeout=GOODBYE_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener, backlog=_WAITING_MAX).start()
        lock.tell(site.address.url)
        yield Server(site)


def _listener(host: str, port: int) -> socket.socket:
    """The socket, before anything else is begun: its port is part of the page's addresses. Raises: UsageError."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
    except OSError as error:
        raise UsageError(
            f"the page cannot be served at {host}, port {port}",
            found=error.strerror,
            fix=AnyOf(Option("port", 0), Option("host", "127.0.0.1")),
        ) from None
    return listener

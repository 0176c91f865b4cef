"""The server as a whole: begun in order, told where it is, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from urllib.parse import quote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from dispatcher.campaign.schedule import machine_zone
from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError, UsageError
from dispatcher.remedies import AnyOf, Option
from dispatcher.rules.clocks import zone_name
from dispatcher.settings import WebSettings
from dispatcher.web import traces
from dispatcher.web.accounts import Accounts
from dispatcher.web.address import Address, address, check_exposure
from dispatcher.web.app import build_app
from dispatcher.web.checking import Checker
from dispatcher.web.downloads import Downloads
from dispatcher.web.errands import Errands
from dispatcher.web.flow_checks import FlowChecks
from dispatcher.web.flows import Flows
from dispatcher.web.health import LoopLag
from dispatcher.web.live import Live
from dispatcher.web.local_name import local_name
from dispatcher.web.reasons import Reasons
from dispatcher.web.running import Hint, Supervisor
from dispatcher.web.server_lock import server_lock
from dispatcher.web.site import Site
from dispatcher.web.store import Stage, Store, open_store
from dispatcher.web.times import UTC_NAME, zones
from dispatcher.web.tries import Tries
from dispatcher.web.uploads import Received
from dispatcher.web.words import words_of

logger = logging.getLogger(__name__)

#: How long requests that are being answered have at the end; streams are told before.
GOODBYE_S = 5.0
_WAITING_MAX = 128
#: How often files whose time is over are removed.
SWEEP_EVERY_S = 3600.0
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

    async def until(self, stop: asyncio.Event) -> None:
        """Serve until that is set. Raises: LedgerError: nothing can be done with the ledger any more."""
        gone, told = asyncio.ensure_future(self.site.supervisor.gone()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([gone, told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            gone.cancel()
        if gone.done() and not gone.cancelled():
            raise gone.result()


def sign_in_link(url: str, token: str) -> str:
    """Where a link's token is given back."""
    return f"{url}/sign-in?link={quote(token)}"


@contextlib.asynccontextmanager
async def serving(settings: WebSettings, accounts: Accounts, *, hint: Hint | None = None) -> AsyncIterator[Server]:
    """Serve the page inside this block. `hint`: tells workers of a cluster of an order.

    Raises: SettingsError: the page would be open to others; ServerRunning; UsageError: the port is taken; LedgerError.
    """
    check_exposure(settings)
    async with contextlib.AsyncExitStack() as stack:
        lock = stack.enter_context(server_lock(accounts.folder))
        listener = stack.enter_context(_listener(settings.host, settings.port))
        store = await open_store(
            accounts.folder,
            session_idle_ms=int(settings.session_idle_h * _HOUR_MS),
            session_age_ms=int(settings.session_max_days * 24 * _HOUR_MS),
        )
        stack.push_async_callback(store.close)
        site = _site(settings, accounts, store, listener.getsockname()[1], hint)
        stack.callback(site.received.close)
        await asyncio.to_thread(site.downloads.sweep)
        await _sweep(site, at_start=True)
        # What was wanted goes on before anybody can look: the first page tells how it stands.
        await site.supervisor.start()
        # In this order at the end: what the supervisor stops comes to its end by itself.
        stack.push_async_callback(site.errands.close)
        stack.push_async_callback(site.supervisor.stop)
        await site.checker.resume(await store.drafts.list())
        stack.push_async_callback(site.checker.close)
        # No access log: it would have addresses of people and of pages.
        runner = web.AppRunner(
            build_app(site), access_log=None, logger=_http_logger(), handle_signals=False, shutdown_timeout=GOODBYE_S
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener, backlog=_WAITING_MAX).start()
        stack.callback(site.live.end)
        stack.enter_context(_looped(site.lag.run(), _swept(site)))
        lock.tell(site.address.url)
        yield Server(site)


def _site(settings: WebSettings, accounts: Accounts, store: Store, port: int, hint: Hint | None) -> Site:
    return Site(
        settings=settings,
        accounts=accounts,
        store=store,
        flows=Flows(accounts),
        reasons=Reasons(),
        flow_checks=FlowChecks(),
        tries=Tries(store.users),
        supervisor=Supervisor(store, accounts, words=_sentence, hint=hint),
        checker=Checker(store, accounts),
        received=Received(),
        downloads=Downloads(store.folder / "downloads"),
        live=Live(),
        errands=Errands(),
        lag=LoopLag(),
        address=address(settings.host, port, settings.public_url),
        local_name=local_name(),
        zone=_zone(),
    )


class _OwnFaults(logging.Filter):
    """Leaves out requests that are none: whoever sends them would fill the log, with what they have made up."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


def _http_logger() -> logging.Logger:
    found = logging.getLogger("dispatcher.web.http")
    if not found.filters:
        found.addFilter(_OwnFaults())
    return found


def _sentence(error: DispatcherError) -> str:
    """What a hold says: people without a terminal read it."""
    return words_of(error).in_one


def _zone() -> str:
    """In which times are told: this machine's, where it has one that is known."""
    found = zone_name(machine_zone() or "")
    return found if found in zones() else UTC_NAME


@contextlib.contextmanager
def _looped(*works: Coroutine[None, None, None]) -> Iterator[None]:
    """What goes on beside everything else."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def _swept(site: Site) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        try:
            await _sweep(site)
        except DispatcherError as error:
            logger.warning("old files could not be removed: %s", error.code)


async def _sweep(site: Site, *, at_start: bool = False) -> None:
    """Remove uploads whose time is over, but for those of which something may still be sent."""
    in_use: set[str] = set()
    for draft in await site.store.drafts.list():
        if draft.stage is Stage.launched and draft.planned < len(draft.uploads):
            in_use.update(draft.uploads)
    keep_ms = int(site.settings.keep_uploads_days * 24 * _HOUR_MS)
    unfinished = {"unfinished_ms": 0} if at_start else {}
    gone = await site.store.uploads.sweep(now_ms(), keep_ms, in_use=in_use, **unfinished)
    if gone:
        logger.info("%s old uploads were removed", gone)
    # What was made of them, also where a crash came between.
    await traces.sweep(site.store, now_ms=now_ms())


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

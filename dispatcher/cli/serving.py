"""A server that a terminal looks after: it says where it is, and stops when it is told to."""

from __future__ import annotations

from dispatcher.cli.entrusting import entrusting_of
from dispatcher.cli.interrupts import noted
from dispatcher.cli.render.terminal import print_line, say
from dispatcher.web.accounts import Accounts
from dispatcher.web.server import Server, serving


async def serve_until_told(accounts: Accounts) -> None:
    """Serve the page until Ctrl-C or SIGTERM. Its address, or its link, is a line on stdout.

    Raises: SettingsError: the page would be open to others; ServerRunning; UsageError: the port is taken; LedgerError.
    """
    entrusting = entrusting_of(accounts.settings, until_done=False)
    hint = entrusting.hint if entrusting is not None else None
    async with serving(accounts.settings.web, accounts, hint=hint) as server:
        print_line(await _address(server))
        say("Ctrl-C stops it: what is in flight is finished first.", "bright_black")
        with noted() as stop:
            await server.until(stop)
        say("stopping", "yellow")


async def _address(server: Server) -> str:
    return await server.link() if server.site.is_local else server.address.url

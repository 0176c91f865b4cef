"""`serve`: the page, for people who have the spreadsheet and no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli import options
from dispatcher.cli.commands import _serve_users
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dispatcher.settings import LoadedSettings
    from dispatcher.web.accounts import Accounts

EPILOG = options.examples(
    ("dispatcher serve", "opens the page on this machine, prints a link"),
    ("dispatcher serve --link", "another link, to a server that runs"),
    ("dispatcher serve users add anna", "for a team: see docs/page.md"),
)


app = typer.Typer(invoke_without_command=True, epilog=EPILOG)


@app.callback()
@options.reads_settings("web.host", "web.port", "web.public_url", "account.base_url", "state.dir")
def serve(
    asked: options.Asked,
    context: typer.Context,
    link: Annotated[bool, typer.Option("--link", help="Print a new link to the server that runs, and end.")] = False,
) -> int:
    """Serve the page: upload, check, preview, test, send, watch, in a browser.

    Its address is the first and only line on stdout; for one person at this machine it is a link that works once.
    """
    import asyncio

    if context.invoked_subcommand is not None:
        return ExitCode.OK
    from dispatcher.cli.serving import serve_until_told
    from dispatcher.web.accounts import Accounts

    def load(profile: str | None, over: Mapping[str, Any]) -> LoadedSettings:
        # What this command line says stands below what a campaign says: it is the server's.
        flags = {**asked.flags, **over}
        return options.Asked(asked.config, flags, profile or asked.profile, asked.no_file).load()

    accounts = Accounts(load)
    if link:
        return asyncio.run(_print_link(accounts))
    asyncio.run(serve_until_told(accounts))
    return ExitCode.OK


app.add_typer(_serve_users.app, name="users")


async def _print_link(accounts: Accounts) -> int:
    from dispatcher.cli.render.terminal import print_line
    from dispatcher.clock import now_ms
    from dispatcher.errors import UsageError
    from dispatcher.remedies import Command
    from dispatcher.web.server import sign_in_link
    from dispatcher.web.server_lock import running_address
    from dispatcher.web.store import open_store

    url = running_address(accounts.folder)
    if url is None:
        raise UsageError("no server runs with this ledger", fix=Command("serve"))
    store = await open_store(accounts.folder)
    try:
        print_line(sign_in_link(url, await store.links.make(now_ms=now_ms())))
    finally:
        await store.close()
    return ExitCode.OK

"""`flows`: what the account has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.studio.resources import Flow

EPILOG = options.examples("dispatcher flows", ("dispatcher flows --json", "for scripts"))


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=EPILOG, rich_help_panel=options.SET_UP)(flows)


def flows(
    json: options.Json = False,
    config: options.Config = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    debug: options.Debug = False,
) -> int:
    """List the account's flows.

    SID, name, status, revision and the date of the last change.
    """
    flags = {"account.api_version": api_version, "account.base_url": base_url}
    from dispatcher.campaign import studio_client
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.terminal import print_json
    from dispatcher.settings import load_credentials

    settings = options.load_settings(config, flags).settings
    credentials = load_credentials()

    async def main(_: Interrupts) -> list[Flow]:
        async with studio_client(settings, credentials) as studio:
            return [flow async for flow in studio.flows()]

    found = run_async(main)
    if json:
        print_json([_object(flow) for flow in found])
    else:
        _print(found)
    return ExitCode.OK


def _object(flow: Flow) -> dict[str, object]:
    return {
        "sid": flow.sid,
        "friendly_name": flow.friendly_name,
        "status": flow.status,
        "revision": flow.revision if flow.revision is not None else flow.version,
        "date_created": flow.date_created.isoformat() if flow.date_created else None,
        "date_updated": flow.date_updated.isoformat() if flow.date_updated else None,
    }


def _print(found: list[Flow]) -> None:
    from rich.table import Table
    from rich.text import Text

    from dispatcher.cli.terminal import TABLE_BOX, out, say, visible

    if not found:
        say("the account has no flows", "yellow")
        return
    table = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    table.add_column("SID", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("status")
    table.add_column("revision", justify="right")
    table.add_column("updated", no_wrap=True)
    for flow in found:
        values = _object(flow)
        status = Text(flow.status or "", style="green" if flow.status == "published" else "yellow")
        updated = flow.date_updated.strftime("%Y-%m-%d") if flow.date_updated else ""
        table.add_row(flow.sid, Text(visible(flow.friendly_name or "")), status, str(values["revision"] or ""), updated)
    out().print(table)

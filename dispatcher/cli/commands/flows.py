"""`flows`: what the account has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.cli import options
from dispatcher.cli.render.terminal import out, print_json, say, table, visible
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.cli.session import Session
    from dispatcher.studio.resources import Flow

PANEL = options.SET_UP
EPILOG = options.examples("dispatcher flows", ("dispatcher flows --json", "for scripts"))


@options.reads_settings("account.api_version", "account.base_url")
async def flows(session: Session, json: options.Json = False) -> int:
    """List the account's flows.

    SID, name, status, revision and the date of the last change.
    """
    async with session.studio() as studio:
        found = [flow async for flow in studio.flows()]
    if json:
        print_json([_object(flow) for flow in found])
    elif found:
        _print(found)
    else:
        say("the account has no flows", "yellow")
    return ExitCode.OK


def _revision(flow: Flow) -> int | None:
    return flow.revision if flow.revision is not None else flow.version


def _object(flow: Flow) -> dict[str, object]:
    return {
        "sid": flow.sid,
        "friendly_name": flow.friendly_name,
        "status": flow.status,
        "revision": _revision(flow),
        "date_created": flow.date_created.isoformat() if flow.date_created else None,
        "date_updated": flow.date_updated.isoformat() if flow.date_updated else None,
    }


def _print(found: list[Flow]) -> None:
    shown = table("SID", "name", "status", "revision", "updated", right=("revision",), whole=("SID", "updated"))
    for flow in found:
        status = Text(flow.status or "", style="green" if flow.status == "published" else "yellow")
        updated = flow.date_updated.strftime("%Y-%m-%d") if flow.date_updated else ""
        revision = _revision(flow)
        name = Text(visible(flow.friendly_name or ""))
        shown.add_row(flow.sid, name, status, "" if revision is None else str(revision), updated)
    out().print(shown)

"""`flows`: what the account has."""

from __future__ import annotations

from rich.text import Text

from dispatcher.campaign import studio_client
from dispatcher.cli.options import Asked
from dispatcher.cli.render.terminal import out, print_json, say, table, visible
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode
from dispatcher.studio.resources import Flow


def flows(asked: Asked, *, as_json: bool) -> ExitCode:
    """Raises: AuthenticationError, StudioError."""
    session = Session(asked, "required")

    async def main() -> ExitCode:
        async with studio_client(session.settings, session.require_credentials()) as studio:
            found = [flow async for flow in studio.flows()]
        if as_json:
            print_json([_object(flow) for flow in found])
        else:
            _print(found)
        return ExitCode.OK

    return session.run(main)


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
    if not found:
        say("the account has no flows", "yellow")
        return
    shown = table("SID", "name", "status", "revision", "updated", right=("revision",), whole=("SID", "updated"))
    for flow in found:
        status = Text(flow.status or "", style="green" if flow.status == "published" else "yellow")
        updated = flow.date_updated.strftime("%Y-%m-%d") if flow.date_updated else ""
        revision = _revision(flow)
        name = Text(visible(flow.friendly_name or ""))
        shown.add_row(flow.sid, name, status, "" if revision is None else str(revision), updated)
    out().print(shown)

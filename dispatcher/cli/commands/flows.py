"""`flows`: what the account has."""

from __future__ import annotations

from rich.text import Text

from dispatcher.cli import options
from dispatcher.cli.render.terminal import print_json, print_rows, say, visible
from dispatcher.errors import ExitCode

EPILOG = options.examples("dispatcher flows", ("dispatcher flows --json", "for scripts"))


@options.reads_settings("account.api_version", "account.base_url")
async def flows(session: options.Session, json: options.Json = False) -> int:
    """List the account's flows.

    SID, name, status, revision and the date of the last change.
    """
    from dispatcher.campaign.objects import flow_object

    async with session.studio() as studio:
        found = [flow_object(flow) async for flow in studio.flows()]
    if json:
        print_json(found)
        return ExitCode.OK
    if not found:
        say("the account has no flows", "yellow")
        return ExitCode.OK
    rows: list[list[Text | str]] = []
    for flow in found:
        status = Text(flow["status"] or "", style="green" if flow["status"] == "published" else "yellow")
        revision = "" if flow["revision"] is None else str(flow["revision"])
        updated = (flow["date_updated"] or "").partition("T")[0]
        rows.append([flow["sid"], visible(flow["friendly_name"] or ""), status, revision, updated])
    print_rows(("SID", "name", "status", "revision", "updated"), rows, right=("revision",))
    return ExitCode.OK

"""`check`: what is wrong with which row, before anything is sent."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.campaign import hours_lines, planned, prospect_lines
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import err, pairs, print_json, print_pairs, say
from dispatcher.errors import AuthenticationError, ExitCode
from dispatcher.model import RowState
from dispatcher.plurals import counted

EPILOG = options.examples(
    ("dispatcher check contacts.csv", "what is wrong, kind by kind"),
    ("dispatcher check contacts.csv --all", "row by row"),
    ("dispatcher check contacts.csv --json | jq .problems", "for scripts"),
    more="[bold]Exit codes[/bold]  0 every row can be sent · 3 some rows are invalid, the others can be sent"
    " · 2 the file, a setting or the flow is wrong",
)
SHOWN_FIRST = 20


@options.reads_settings(
    *options.OF_A_FILE,
    "account.base_url",
    "hours.mode",
    "suppress.accept_unreadable",
    "state.dir",
)
async def check(
    session: options.Session,
    file: options.File,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", help="Check as the next file of this campaign.", show_default="the file's name"),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Show each row that has a problem.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask Studio whether the flow fits.")] = False,
    json: options.Json = False,
) -> int:
    """Read and check a file as `run` does, and send nothing.

    Shows each row that would not be sent: its number, column, value, the reason and what to do. With credentials,
    Studio is asked, too, whether the flow is published and uses nothing that the rows do not bring.
    """
    from dispatcher.campaign import destination, flow_check, naming, problems
    from dispatcher.campaign.prospect import prospect_object
    from dispatcher.campaign.result import unexpected_rows
    from dispatcher.campaign.timing import waiting_objects
    from dispatcher.cli.asking import ask_encoding
    from dispatcher.cli.render.findings import print_bad_rows, say_flow_check
    from dispatcher.cli.render.preview import preview_lines
    from dispatcher.cli.render.progress import reading
    from dispatcher.settings.required import required_settings

    required_settings(lambda: session.settings, flow=False)
    ask_encoding(session, file)
    with contextlib.suppress(AuthenticationError):
        session.require_credentials()
    no_flow = await session.look_for_flow(offline=offline)
    chosen = campaign or ("check" if file == naming.STANDARD_INPUT else None)
    into = await destination.look(file, chosen, session.settings)
    async with session.rehearsing(into.name) as opened:
        await destination.refuse_other_folder(opened, into)
        async with reading(session.bus, file):
            counts = await opened.plan(file, into.plan_options())
        waiting, prospect = await opened.ahead()
        left_out = problems.left_out(counts)
        most = None if all_ else SHOWN_FIRST if json else problems.LOOKED_AT
        rows = await problems.bad_rows(opened, limit=most) if left_out else []
        has_credentials = session.credentials is not None
        flow = await flow_check.check_flow(opened, has_credentials=has_credentials, offline=offline, no_flow=no_flow)
    invalid = counts.rows[RowState.invalid]
    if json:
        found = problems.check_object(file, into.name, counts, rows)
        found |= {"waiting": waiting_objects(waiting), "prospect": prospect_object(prospect)}
        print_json({**found, "flow": flow.as_json(remedy_text), "preview": flow_check.preview_object(flow)})
    else:
        err().print(planned(file, counts))
        if hours := [*hours_lines(session.settings, waiting), *prospect_lines(prospect)]:
            err().print(pairs(hours))
        told = print_bad_rows(rows, each=all_)
        if left_out > told:
            say(f"{left_out - told:,} more: --all shows each row", "bright_black")
        if invalid:
            are = counted(invalid, "row is", "rows are")
            say(f"{are} wrong and would not be sent; the others can be", "yellow")
        say_flow_check(flow)
        if flow.preview is not None:
            print_pairs(preview_lines(flow.preview))
    unexpected = unexpected_rows(counts.reasons, session.settings)
    return flow.exit_code or (ExitCode.SOME_REFUSED if invalid or unexpected else ExitCode.OK)

"""`preview`: the texts that contacts get, before anything is sent."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode, PermissionRefused
from dispatcher.remedies import Advice, Option

EPILOG = options.examples(
    ("dispatcher preview contacts.csv", "the first row's texts, the file's segments"),
    ("dispatcher preview contacts.csv --row 17", "those of row 17"),
    ("dispatcher preview contacts.csv --json | jq .texts", "for scripts"),
)


@options.reads_settings(
    *options.OF_A_FILE,
    "account.api_version",
    "account.base_url",
    "suppress.accept_unreadable",
    "state.dir",
)
async def preview(
    session: options.Session,
    file: options.File,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", help="Preview as the next file of this campaign.", show_default="the file's name"),
    ] = None,
    row: options.Row = None,
    json: options.Json = False,
) -> int:
    """Show the texts that a contact gets, and how long they are in all rows; send nothing.

    They are rendered from the flow's published definition with the row's values, as far as the flow goes on without the
    contact; what may follow is shown apart. Needs credentials that may read the flow.
    """
    from dispatcher.campaign import destination, naming
    from dispatcher.cli.asking import ask_encoding
    from dispatcher.cli.render.preview import preview_lines
    from dispatcher.cli.render.progress import reading
    from dispatcher.cli.render.remedies import remedy_text
    from dispatcher.cli.render.terminal import print_json, print_pairs, say
    from dispatcher.settings.required import required_settings

    required_settings(lambda: session.settings, flow=True)
    ask_encoding(session, file)
    session.require_credentials()
    await session.find_flow()
    chosen = campaign or ("preview" if file == naming.STANDARD_INPUT else None)
    into = await destination.look(file, chosen, session.settings)
    async with session.rehearsing(into.name) as opened:
        await destination.refuse_other_folder(opened, into)
        async with reading(session.bus, file):
            # Whoever was reached a short time ago is in the file all the same.
            await opened.plan(file, into.plan_options(again=True))
        try:
            found = await opened.preview(row_number=row, rows_max=None, budget_s=None)
        except PermissionRefused as error:
            error.fix = Advice("use a key that may read Studio flows")
            raise
    if json:
        print_json({"file": file, "campaign": into.name, **found.as_json()})
        return ExitCode.OK
    print_pairs(preview_lines(found, whole=True))
    if not found.not_shown and found.row is None:
        shows = remedy_text(Option("row", "N"))
        say(f"no row of the file waits to be sent ({shows} shows what one gets all the same)", "yellow")
    return ExitCode.OK

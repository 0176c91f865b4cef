"""`suppress`: whom no campaign of the account may reach."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli import options
from dispatcher.cli.render.numbers import time_text
from dispatcher.cli.render.terminal import print_json, print_line, print_rows, say, visible
from dispatcher.errors import ExitCode, UsageError
from dispatcher.plurals import counted
from dispatcher.remedies import Option

if TYPE_CHECKING:
    from dispatcher.campaign.suppressions import Checked
    from dispatcher.ledger.suppressed import SuppressionChange, SuppressionList

ADD_EPILOG = options.examples(
    ('dispatcher suppress add +12025550123 --reason "asked by mail"', "also while a campaign runs"),
    ("dispatcher suppress add --file opted-out.csv", "all that a file names, once"),
)
REMOVE_EPILOG = options.examples('dispatcher suppress remove +12025550123 --reason "asked to be back"')
LIST_EPILOG = options.examples("dispatcher suppress list", ("dispatcher suppress list --json", "for scripts"))
CHECK_EPILOG = options.examples("dispatcher suppress check +12025550123")
EXPORT_EPILOG = options.examples(
    ("dispatcher suppress export suppressed.csv", "everybody, with the list"),
    ("dispatcher suppress export changes.csv --log", "who was put there, when, by whom"),
)

app = typer.Typer(no_args_is_help=True, help="Say whom no campaign of the account may reach, and see who that is.")

Numbers = Annotated[list[str] | None, typer.Argument(metavar="NUMBER…", help="Numbers or addresses.")]
_SETTINGS = ("columns.region", "account.base_url", "state.dir")


@app.command(epilog=ADD_EPILOG)
@options.reads_settings("columns.to", *_SETTINGS)
async def add(
    session: options.Session,
    numbers: Numbers = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="FILE", help="All that a file names, in any format; - is standard input."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the log.")] = "",
    json: options.Json = False,
) -> int:
    """Suppress contacts: nothing is sent to them any more, by no campaign of this account.

    Rows that wait are left out, also in a run that is under way: what is on the wire or about to leave (a quarter of a
    second's rows) may still reach them.
    """
    from dispatcher.campaign.suppressions import contacts_of, open_suppressions

    credentials = session.require_credentials()
    if bool(numbers) is (file is not None):
        raise UsageError("suppress add needs numbers, or a file of them", fix=Option("file", "FILE"))
    contacts = contacts_of(numbers or (), session.settings)
    async with open_suppressions(session.settings, credentials) as opened:
        if file is not None:
            named, new = await opened.add_file(file, reason=reason.strip())
        else:
            named, new = len(contacts), await opened.add(contacts, reason=reason.strip())
    if json:
        print_json({"contacts": named, "added": new})
    else:
        known = f", {named - new:,} of them before" if new < named else ""
        print_line(f"{counted(named, 'contact')} suppressed{known}")
    return ExitCode.OK


@app.command(epilog=REMOVE_EPILOG)
@options.reads_settings(*_SETTINGS)
async def remove(
    session: options.Session,
    numbers: Annotated[list[str], typer.Argument(metavar="NUMBER…", help="Numbers or addresses.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the log.")],
    json: options.Json = False,
) -> int:
    """Let contacts be reached again who have opted out or were suppressed by hand.

    Rows that were left out for it stay so until their file is run again, or `dispatcher retry --skipped suppressed`.
    """
    from dispatcher.campaign.suppressions import contacts_of, open_suppressions

    credentials = session.require_credentials()
    if not reason.strip():
        raise UsageError("suppress remove needs a reason: it stands in the log", fix=Option("reason", "…"))
    contacts = contacts_of(numbers, session.settings)
    async with open_suppressions(session.settings, credentials) as opened:
        removed = await opened.remove(contacts, reason=reason.strip())
        left = [one for one in await opened.check(contacts) if one.lists]
    if json:
        print_json({"contacts": len(contacts), "removed": len(removed), "still_listed": len(left)})
        return ExitCode.OK
    print_line(
        f"{counted(len(removed), 'contact')} may be reached again" if removed else "nobody of them was suppressed"
    )
    for one in left:
        names = ", ".join(of.name for of in one.lists)
        say(f"{one.contact} is still on {names}: that file has to be changed", "yellow", whole=True)
    return ExitCode.OK


@app.command("list", epilog=LIST_EPILOG)
@options.reads_settings("account.base_url", "state.dir")
async def list_(session: options.Session, json: options.Json = False) -> int:
    """Show the lists: how many contacts each has, and when it was read.

    Those of files are the ones that campaigns have used, each as it was when it was read last.
    """
    from dispatcher.campaign.suppressions import open_suppressions

    async with open_suppressions(session.settings, session.require_credentials()) as opened:
        lists = await opened.lists()
    if json:
        print_json([_list_object(one) for one in lists])
    elif not lists:
        say("nobody is suppressed: dispatcher suppress add NUMBER", "bright_black")
    else:
        rows = [
            (visible(one.name), f"{one.entries:,}", f"{one.unreadable:,}", time_text(one.read_at_ms)) for one in lists
        ]
        print_rows(("list", "contacts", "not understood", "read"), rows, right=("contacts", "not understood"))
    return ExitCode.OK


@app.command(epilog=CHECK_EPILOG)
@options.reads_settings(*_SETTINGS)
async def check(
    session: options.Session,
    numbers: Annotated[list[str], typer.Argument(metavar="NUMBER…", help="Numbers or addresses.")],
    json: options.Json = False,
) -> int:
    """Show whether contacts are suppressed, by which list, and what the log says of them.

    Lists of files count as they were when a campaign has read them last.
    """
    from dispatcher.campaign.suppressions import contacts_of, open_suppressions

    credentials = session.require_credentials()
    contacts = contacts_of(numbers, session.settings)
    async with open_suppressions(session.settings, credentials) as opened:
        found = await opened.check(contacts)
    if json:
        print_json([_checked_object(one) for one in found])
        return ExitCode.OK
    for one in found:
        names = ", ".join(visible(of.name) for of in one.lists)
        print_line(f"{one.contact}: suppressed ({names})" if one.lists else f"{one.contact}: may be reached")
        for change in one.history:
            print_line(f"  {time_text(change.at_ms)}  {_change_text(change)}")
    return ExitCode.OK


@app.command(epilog=EXPORT_EPILOG)
@options.reads_settings("account.base_url", "state.dir")
async def export(
    session: options.Session,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The CSV file to write; - is standard output.")],
    log: Annotated[bool, typer.Option("--log", help="Every change instead: when, who, by whom and why.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> int:
    """Write everybody who is suppressed to a CSV file, which only its owner may read.

    It can be another account's list: [suppress] files with column = "contact". Files of digests stay what they are.
    """
    from dispatcher.campaign.exports import private_file
    from dispatcher.campaign.suppressions import open_suppressions

    async with open_suppressions(session.settings, session.require_credentials()) as opened:
        write = opened.export_log if log else opened.export
        if str(path) == "-":
            await write(sys.stdout)
            return ExitCode.OK
        with private_file(path, overwrite=overwrite) as file:
            count = await write(file)
    say(counted(count, "line"), "bright_black")
    print_line(str(path))
    return ExitCode.OK


def _change_text(change: SuppressionChange) -> str:
    by = f" by {visible(change.actor)}" if change.actor else ""
    return f"{change.action}{by}" + (f": {visible(change.reason)}" if change.reason else "")


def _list_object(one: SuppressionList) -> dict[str, Any]:
    return {
        "list": one.name,
        "kind": one.kind.value,
        "file": one.source or None,
        "contacts": one.entries,
        "unreadable": one.unreadable,
        "read_at_ms": one.read_at_ms,
    }


def _checked_object(one: Checked) -> dict[str, Any]:
    changes = [
        {
            "at_ms": change.at_ms,
            "action": change.action,
            "kind": change.kind.value,
            "by": change.actor,
            "reason": change.reason,
        }
        for change in one.history
    ]
    return {
        "contact": one.contact,
        "suppressed": bool(one.lists),
        "lists": [{"list": of.name, "kind": of.kind.value} for of in one.lists],
        "log": changes,
    }

"""`ledger backup` and `ledger move`: the ledger as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.terminal import print_line, say
from dispatcher.errors import ExitCode

BACKUP_EPILOG = options.examples(
    ("dispatcher ledger backup /backup/ledger.sqlite3", "also while a campaign runs"),
    ('dispatcher ledger backup "/backup/$(date +%F).sqlite3"', "for cron"),
)
MOVE_EPILOG = options.examples(("dispatcher ledger move .dispatcher", "what an earlier version made in this folder"))

app = typer.Typer(no_args_is_help=True, help="Back the ledger up, and move it to where all folders share it.")


@app.command(epilog=BACKUP_EPILOG)
@options.reads_settings("account.base_url", "state.dir")
async def backup(
    session: options.Session,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> int:
    """Copy the ledger to a file, as it is at one moment.

    The copy is a whole ledger, checked; only its owner may read it. A plain `cp` of a ledger in use may miss its last
    minutes. To go on with a copy, put it where the ledger was: whoever was contacted since then is looked up at Studio.
    """
    from dispatcher.ledger import back_up_ledger

    settings = session.settings
    copied = await back_up_ledger(settings.state, path, overwrite=overwrite, loopback=settings.is_loopback)
    say(f"a copy of {copied}", "bright_black")
    print_line(str(path))
    return ExitCode.OK


@app.command(epilog=MOVE_EPILOG)
@options.reads_settings("state.dir")
async def move(
    session: options.Session,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the ledger that moves.")],
) -> int:
    """Make a folder's ledger the one for all folders.

    Earlier versions made one in each working folder. It must not be in use, and there must be none yet where it goes;
    what stays behind is kept under another name.
    """
    from dispatcher.ledger import move_ledger

    print_line(str(await move_ledger(folder, session.settings.state)))
    return ExitCode.OK

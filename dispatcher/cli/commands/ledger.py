"""`ledger`: backed up, moved, copied to a server, made there, checked; and the rate that an account has in it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.numbers import time_text
from dispatcher.cli.render.terminal import print_json, print_line, say
from dispatcher.clock import now_ms
from dispatcher.errors import ExitCode, UsageError
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, InTurn, Option

if TYPE_CHECKING:
    from dispatcher.ledger import LedgerHealth

BACKUP_EPILOG = options.examples(
    ("dispatcher ledger backup /backup/ledger.sqlite3", "also while a campaign runs"),
    ('dispatcher ledger backup "/backup/$(date +%F).sqlite3"', "for cron"),
)
MOVE_EPILOG = options.examples(("dispatcher ledger move .dispatcher", "what an earlier version made in this folder"))
COPY_EPILOG = options.examples(
    ("dispatcher ledger migrate", "first: makes the tables on the server that \\[state] url names"),
    ("dispatcher ledger copy", "then: your ledger, to there"),
)
MIGRATE_EPILOG = options.examples(
    ("dispatcher ledger migrate", "as the database's owner"),
    ("dispatcher ledger migrate --accept-history", "after a restore, or once a standby was promoted"),
)
CHECK_EPILOG = options.examples("dispatcher ledger check", ("dispatcher ledger check --json", "for scripts"))
RATE_EPILOG = options.examples(
    ("dispatcher ledger rate", "what the account may, and what it does"),
    ("dispatcher ledger rate 20", "for every machine, from now on"),
)

#: What pg_dump is to write.
_ALL_BUT_KEY = "--schema=dispatcher --schema=procrastinate --exclude-table-data=dispatcher.forgotten_key"
_KEY = "--data-only --table=dispatcher.forgotten_key"

app = typer.Typer(no_args_is_help=True, help="Back the ledger up, check it, and take it to a server or another folder.")


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
    A ledger on PostgreSQL is backed up by that: the command is told.
    """
    from dispatcher.ledger import back_up_ledger

    settings = session.settings
    if settings.is_cluster:
        raise _backed_up_there(settings.state.url, path)
    copied = await back_up_ledger(settings.state, path, overwrite=overwrite, loopback=settings.is_loopback)
    say(f"a copy of {copied}", "bright_black")
    print_line(str(path))
    return ExitCode.OK


def _backed_up_there(url: str, path: Path) -> UsageError:
    return UsageError(
        "a server's ledger is backed up by PostgreSQL, and the key that tells forgotten people by itself",
        fix=InTurn(
            Advice(f"pg_dump --format=custom {_ALL_BUT_KEY} --file={quote(str(path))} {quote(url)}"),
            Advice(f"to another place: pg_dump {_KEY} --file=forgotten_key.sql {quote(url)}"),
        ),
    )


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


@app.command(epilog=COPY_EPILOG)
@options.reads_settings("account.base_url")
async def copy(
    session: options.Session,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FOLDER", help="The folder of the ledger that is copied.", show_default="your ledger's"
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Put U+FFFD for what a server cannot store in a text by which nothing is told."),
    ] = False,
    json: options.Json = False,
) -> int:
    """Copy your ledger to the server that the settings name, whole and checked; from then on only that is used.

    Nothing may be in flight, and the server must have no campaigns yet. Interrupted, the next call goes on. What stays
    behind is kept under another name, and a note there keeps anybody from starting with an empty ledger.
    """
    import asyncio

    from dispatcher.campaign.forgetting import Progress
    from dispatcher.cli.render.progress import working
    from dispatcher.ledger import copy_ledger, ledger_folder
    from dispatcher.web.server_lock import server_lock

    settings, progress = session.settings, Progress()
    progress.begin("looking")

    def tell(what: str, done: int, total: int) -> None:
        progress.begin(what)
        progress.tell(done, total)

    folder = from_ or ledger_folder(settings.state, loopback=settings.is_loopback)
    with contextlib.ExitStack() as stack:
        if folder.is_dir():
            # The page's server would go on with the file that is set aside.
            stack.enter_context(server_lock(folder))
        try:
            async with working(lambda: (progress.what, progress.done, progress.total)):
                copied = await copy_ledger(settings.state, tell, folder=folder, replace=replace)
        except asyncio.CancelledError:
            say("the ledger is where it was; the next call goes on with what is copied", "yellow")
            raise
    if json:
        print_json(
            {
                "ledger": settings.state.shown_url,
                "rows": copied.rows,
                "rows_before": copied.rows_before,
                "duration_s": round(copied.duration_s, 3),
                "replaced": copied.replaced,
                "aside": str(copied.aside),
            }
        )
        return ExitCode.OK
    speed = (copied.rows - copied.rows_before) / max(copied.duration_s, 0.001)
    before = f", {copied.rows_before:,} of them by an earlier call" if copied.rows_before else ""
    say(f"{counted(copied.rows, 'row')} of its tables{before}; {speed:,.0f} a second, checked", "bright_black")
    if copied.replaced:
        say(f"{counted(copied.replaced, 'text')} had what cannot be stored there, and has � for it now", "yellow")
    say(f"the old ledger is {copied.aside} now, and nothing is sent by it any more", whole=True)
    say("it holds everybody's numbers: remove it once you trust the new one", "yellow")
    print_line(settings.state.shown_url)
    return ExitCode.OK


@app.command(epilog=MIGRATE_EPILOG)
@options.reads_settings()
async def migrate(
    session: options.Session,
    accept_history: Annotated[
        bool,
        typer.Option("--accept-history", help="Go on with a database that was restored, or is a promoted standby."),
    ] = False,
) -> int:
    """Make the ledger's tables on the server that the settings name, or bring them up to date.

    Also those of the job queue, and the roles dispatcher_owner, dispatcher_worker and dispatcher_reader. Where you may
    not make roles, the SQL that somebody else is to run is printed, for `psql`.
    """
    from dispatcher.ledger import give_ledger_rights, migrate_ledger

    state = session.settings.state
    if accept_history:
        say(
            "what was written after the copy was made, or had not reached the standby, is not in this database: whoever"
            " was contacted then is not known, and may be contacted again. Before you go on with campaigns that were"
            " being sent, reconcile them: Studio's list tells whom it has.",
            "yellow",
        )
    done = await migrate_ledger(state, accept_history=accept_history)
    # The library is there: the ledger has said so by now.
    from dispatcher.cluster.app import migrate_engine

    changes = await migrate_engine(state.url)
    made = "made" if done.before == 0 else "up to date" if done.before == done.after else f"were {done.before}"
    say(f"{state.shown_url}: tables of version {done.after} ({made})", whole=True)
    say(f"job queue: {counted(len(changes), 'change') if changes else 'up to date'}")
    if done.accepted:
        say("this server is the ledger's from now on")
    if script := await give_ledger_rights(state):
        say("you may not make roles here: have this run by somebody who may, or do without them", "yellow")
        print_line(script.rstrip())
    else:
        say("roles: dispatcher_owner, dispatcher_worker, dispatcher_reader")
    return ExitCode.OK


@app.command(epilog=CHECK_EPILOG)
@options.reads_settings("account.base_url", "state.dir")
async def check(session: options.Session, json: options.Json = False) -> int:
    """Look through the whole ledger: whether it is sound, row by row, and whether what is written to it will last.

    Nothing is changed. It may take a minute for millions of rows, also while a campaign runs.
    """
    from dispatcher.campaign.forgetting import Progress
    from dispatcher.cli.render.progress import working
    from dispatcher.ledger import check_ledger

    settings, progress = session.settings, Progress()
    progress.begin("checking the ledger")
    async with working(lambda: (progress.what, progress.done, progress.total)):
        health = await check_ledger(settings.state, progress.tell, loopback=settings.is_loopback)
    if health is None:
        return _none(json=json)
    problems = [*health.problems, *([str(health.key_lost)] if health.key_lost else [])]
    if json:
        print_json({"ok": not problems, **_object(health), "problems": problems})
    else:
        say(f"{health.location}, version {health.version}, {health.size_bytes / (1 << 20):,.1f} MiB", whole=True)
        say(health.kept_by)
        if health.version != health.version_known:
            say(f"this program knows version {health.version_known}, and has not looked at what the rows say", "yellow")
        for problem in problems:
            say(problem, "bold red")
        print_line("not sound" if problems else f"sound: {counted(health.campaigns, 'campaign')}")
    return ExitCode.USAGE if problems else ExitCode.OK


def _none(*, json: bool) -> int:
    if json:
        print_json({"ok": True, "ledger": None, "problems": []})
    else:
        print_line("no ledger yet: it knows nobody")
    return ExitCode.OK


def _object(health: LedgerHealth) -> dict[str, object]:
    return {
        "ledger": health.location,
        "version": health.version,
        "size_bytes": health.size_bytes,
        "campaigns": health.campaigns,
        "kept_by": health.kept_by,
    }


@app.command(epilog=RATE_EPILOG)
@options.reads_settings("account.base_url", "state.dir")
async def rate(
    session: options.Session,
    per_second: Annotated[
        float | None, typer.Argument(metavar="[N]", help="Create requests a second; without, it is shown.")
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="The settings' rate holds again.")] = False,
    json: options.Json = False,
) -> int:
    """Show or set the account's own rate, which holds for every machine that sends with this ledger.

    Whoever begins to send takes it: a run that is under way goes on as it began.
    """
    from dispatcher.campaign.account_rate import account_limits, set_account_rate

    settings, credentials = session.settings, session.require_sender()
    if unset and per_second is not None:
        raise UsageError("--unset takes the account's own rate away, and N sets one", fix=Option("unset"))
    if unset or per_second is not None:
        limits = await set_account_rate(settings, credentials, per_second)
    else:
        limits = await account_limits(settings, credentials)
    own, of_settings = limits.per_second, settings.rate.per_second
    if json:
        print_json(
            {
                "per_second": of_settings if own is None else own,
                "is_own": own is not None,
                "hold_until_ms": limits.hold_until_ms,
                "ceiling_per_s": limits.ceiling_per_s,
            }
        )
        return ExitCode.OK
    if own is None:
        print_line(f"{of_settings:g} a second, as the settings say: the account has none of its own")
    else:
        print_line(f"{own:g} a second, the account's own")
        if own != of_settings:
            say(f"[rate] per_second = {of_settings:g} of the settings does not count", "yellow")
    if limits.hold_until_ms is not None and limits.hold_until_ms > now_ms():
        say(f"a pause after 429s holds until {time_text(limits.hold_until_ms)}", "yellow")
    if limits.ceiling_per_s is not None:
        say(f"429s have left {limits.ceiling_per_s:g} a second of it, and it rises again", "yellow")
    return ExitCode.OK

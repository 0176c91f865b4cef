"""The program: its commands, and what becomes of whatever they raise."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from dispatcher.cli import logs, options
from dispatcher.cli.render import answers
from dispatcher.cli.render.failures import print_bug, print_end, print_usage
from dispatcher.cli.render.terminal import escape_what_cannot_be_shown, leave_stdout, say_labelled
from dispatcher.errors import DispatcherError, ExitCode, Interrupted, UsageError
from dispatcher.remedies import Advice, AnyOf, Command, Option, Remedy

#: The commands by their heading in the help, in its order; each is a file of `commands/`.
PANELS = {
    "Send": ("run", "resume", "pause", "check", "preview"),
    "Afterwards": (
        "status",
        "report",
        "retry",
        "reconcile",
        "cancel",
        "track",
        "summary",
        "recall",
        "executions",
        "campaigns",
    ),
    "In a browser": ("serve",),
    "On many machines": ("worker",),
    "Set up": ("init", "hours", "suppress", "notify", "schedule", "flows", "login", "doctor", "config", "ledger"),
    "Rehearse": ("sandbox", "demo"),
}
#: What other programs call what ours do.
_MEANT: dict[str, Remedy] = {
    **dict.fromkeys(("configure", "setup", "new", "wizard", "quickstart"), Command("init", ("FILE",))),
    "settings": AnyOf(
        Command("config show", does="what holds, and who says so"), Command("config init", does="writes a config.toml")
    ),
    **dict.fromkeys(("auth", "signin", "credentials"), Command("login")),
    **dict.fromkeys(("logout", "signout"), Command("login", (), (Option("remove"),))),
    **dict.fromkeys(("send", "start", "upload", "import", "launch"), Command("run", ("FILE",))),
    **dict.fromkeys(("continue", "restart", "unpause"), Command("resume", ("CAMPAIGN",))),
    **dict.fromkeys(("validate", "verify", "test", "dry-run", "lint"), Command("check", ("FILE",))),
    **dict.fromkeys(("render", "texts", "segments", "cost", "estimate"), Command("preview", ("FILE",))),
    **dict.fromkeys(("list", "ls", "show", "info", "ps", "progress"), Command("status")),
    **dict.fromkeys(("results", "export", "download"), Command("report", ("CAMPAIGN",))),
    **dict.fromkeys(("stats", "statistics"), Command("summary", ("CAMPAIGN",))),
    **dict.fromkeys(
        ("stop", "hold", "suspend", "abort", "kill"),
        AnyOf(
            Advice("Ctrl-C stops a run, and it can be resumed"),
            Command("pause", ("CAMPAIGN",), does="holds it, whoever sends it"),
            Command("cancel", ("CAMPAIGN",), does="takes out what is not sent yet"),
            Command("recall", ("CAMPAIGN",), does="ends what was started"),
        ),
    ),
    **dict.fromkeys(
        ("delete", "remove", "rm"), Command("cancel", ("CAMPAIGN",), does="takes out what is not sent yet")
    ),
    **dict.fromkeys(("undo", "unsend"), Command("recall", ("CAMPAIGN",), does="ends what was started")),
    **dict.fromkeys(("outcomes", "follow", "watch", "delivery"), Command("track", ("CAMPAIGN",))),
    **dict.fromkeys(("web", "page", "ui", "gui", "server", "browser", "dashboard"), Command("serve")),
    **dict.fromkeys(("workers", "daemon", "cluster", "agent"), Command("worker")),
    **dict.fromkeys(("flow", "workflows"), Command("flows")),
    **dict.fromkeys(
        ("blocklist", "optout", "unsubscribe", "block", "blacklist", "dnc"), Command("suppress add", ("NUMBER",))
    ),
    **dict.fromkeys(("quiet", "quiet-hours", "presets", "zones", "when"), Command("hours")),
    **dict.fromkeys(("cron", "systemd", "timer", "crontab"), Command("schedule systemd", ("CAMPAIGN",))),
    **dict.fromkeys(("webhook", "alert", "notices"), Command("notify test")),
    **dict.fromkeys(("forget", "erase", "gdpr", "anonymise", "anonymize"), Command("campaigns forget", ("NUMBER",))),
    **dict.fromkeys(
        ("prune", "purge", "clean", "cleanup", "vacuum"),
        Command("campaigns prune", (), (Option("older-than", "90d"), Option("dry-run"))),
    ),
    "backup": Command("ledger backup", ("PATH",)),
    "rehearse": Command("sandbox"),
}
COMMANDS = {name: panel for panel, names in PANELS.items() for name in names}


def program(command: str | None = None) -> typer.Typer:
    """The program; for one of its commands only that part: to load the others takes a tenth of the time to a first row.

    Any other `command` is typer's to explain.
    """
    app = typer.Typer(
        name="dispatcher",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=options.examples(
            ("dispatcher demo", "see it work, nothing is sent"),
            ("dispatcher init contacts.xlsx", "looks at it, asks, writes config.toml"),
            ("dispatcher check contacts.csv", "what is wrong with which row"),
            ("dispatcher run contacts.csv", "counts, a question, then it sends"),
            ("dispatcher status", "how all campaigns stand"),
            more="[bold]Exit codes[/bold]  0 all created · 1 a bug · 2 usage, settings or input"
            " · 3 some rows refused or invalid · 4 credentials · 5 stopped early, resumable"
            " · 6 rows left unknown · 7 rows wait for their hours · 130 interrupted, resumable",
        ),
    )
    app.callback()(options.logged(dispatcher))
    for name in [command] if command in COMMANDS else COMMANDS:
        module = import_module(f"dispatcher.cli.commands.{name}")
        if isinstance(module.__dict__.get("app"), typer.Typer):
            app.add_typer(module.app, name=name, rich_help_panel=COMMANDS[name])
        else:
            app.command(epilog=module.EPILOG, rich_help_panel=COMMANDS[name])(getattr(module, name))
    return app


def dispatcher(
    version: Annotated[
        bool, typer.Option("--version", callback=options.show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Start one Twilio Studio Flow Execution per row of a contacts file.

    Never above the account's rate, never twice for a row, and with an answer for every row.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; returns the exit code and never raises."""
    # pydantic would look for plugins in every installed distribution: a tenth of the start's time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    arguments = sys.argv[1:] if arguments is None else arguments
    answers.begin(arguments)
    code = _print_answer(_main(arguments))
    logs.note_end(code)
    return code


def _print_answer(code: int) -> int:
    """The exit code, by which whoever does not read the answer any more, or has no room for it, is told all the same.

    Where it is all that a command gives, a command without it has not succeeded.
    """
    try:
        answers.finish(code)
    except BrokenPipeError:
        leave_stdout()
    except KeyboardInterrupt:
        # Whoever should read it does not, and somebody does not wait for that.
        os._exit(ExitCode.INTERRUPTED)
    except (OSError, ValueError) as error:
        say_labelled("error", "bold red", f"the JSON cannot be written: {getattr(error, 'strerror', None) or error}")
        leave_stdout()
        if answers.is_all():
            return code or int(ExitCode.USAGE)
    return code


def _check_names(arguments: list[str]) -> None:
    """Raises: UsageError: a name that could not be kept or shown later, when something has been sent."""
    try:
        folder = str(Path.cwd())
    except OSError:
        raise UsageError("the working folder is gone", fix=Advice("change to another one")) from None
    for argument in (*arguments, folder):
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(
                "a name has bytes that are no text", found=argument, fix=Advice("rename it and run again")
            ) from None


def _check_command(name: str, known: Collection[str]) -> None:
    """Raises: UsageError: there is none of that name; with the one that is meant, as far as that can be told."""
    if name in known or name.startswith("-"):
        return
    if name == "help":
        raise UsageError("there is no command 'help'", fix="dispatcher --help")
    fix: Remedy | str = _MEANT.get(name.lower()) or "dispatcher --help"
    near = [found for names in (COMMANDS, _MEANT) for found in difflib.get_close_matches(name.lower(), names, n=1)]
    if name.lower() not in _MEANT and near:
        fix = _MEANT.get(near[0]) or Command(near[0])
    elif "." in name and Path(name).exists():
        fix = Command("run", (name,))
    raise UsageError(f"there is no command {name!r}", fix=fix)


def _main(arguments: list[str]) -> int:
    escape_what_cannot_be_shown()
    try:
        _check_names(arguments)
        # Not `app()`: it would replace sys.excepthook and print errors its own way.
        root = typer.main.get_command(program(arguments[0] if arguments else None))
        if arguments:
            _check_command(arguments[0], getattr(root, "commands", ()))
        code = root.main(args=arguments, prog_name="dispatcher", standalone_mode=False)
        return int(code or 0)
    except DispatcherError as error:
        print_end(error)
        return int(error.exit_code)
    except TyperException as error:
        print_usage(error)
        return int(ExitCode.USAGE)
    except (Abort, KeyboardInterrupt):
        print_end(Interrupted("interrupted"))
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough of it.
        leave_stdout()
        return int(ExitCode.OK)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Exception as error:
        print_bug(error)
        return int(ExitCode.BUG)

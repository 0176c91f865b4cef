"""The program: its commands, and what becomes of whatever they raise."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from dispatcher.cli import (
    amend,
    check,
    config,
    demo,
    doctor,
    executions,
    flows,
    numbers,
    options,
    reading,
    recall,
    run,
    sandbox,
    track,
)
from dispatcher.cli.terminal import leave_stdout, print_bug, print_error, print_usage
from dispatcher.errors import DispatcherError, ExitCode, Interrupted

app = typer.Typer(
    name="dispatcher",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=options.examples(
        ("dispatcher demo", "see it work, nothing is sent"),
        ("dispatcher config init", "then set flow, from and to"),
        ("dispatcher check contacts.csv", "what is wrong with which row"),
        ("dispatcher run contacts.csv", "counts, a question, then it sends"),
        ("dispatcher status", "how all campaigns stand"),
        more="[bold]Exit codes[/bold]  0 all created · 1 a bug · 2 usage, settings or input"
        " · 3 some rows refused or invalid · 4 credentials · 5 stopped early, resumable"
        " · 6 rows left unknown · 130 interrupted, resumable",
    ),
)

# One line for each group of commands, in the order of the help.
run.register(app)
check.register(app)
reading.register(app)
amend.register(app)
track.register(app)
numbers.register(app)
recall.register(app)
executions.register(app)
flows.register(app)
doctor.register(app)
config.register(app)
sandbox.register(app)
demo.register(app)


@app.callback()
def dispatcher(
    version: Annotated[
        bool, typer.Option("--version", callback=options.show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Start one Twilio Studio Flow Execution per row of a contacts file.

    Never above the account's rate, never twice for a row, and with an answer for every row.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; returns the exit code and never raises."""
    # pydantic would look for plugins in every installed distribution: a tenth of the start's time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        # Not `app()`: it would replace sys.excepthook and print errors its own way.
        code = typer.main.get_command(app).main(args=arguments, prog_name="dispatcher", standalone_mode=False)
        return int(code or 0)
    except DispatcherError as error:
        print_error(error)
        return int(error.exit_code)
    except TyperException as error:
        print_usage(error)
        return int(ExitCode.USAGE)
    except (Abort, KeyboardInterrupt):
        print_error(Interrupted("interrupted"))
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

"""Options that several commands share, and the decorators that make a function a command."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli import logs
from dispatcher.cli.flags import FLAGS
from dispatcher.cli.flags import Asked as Asked
from dispatcher.version import __version__

if TYPE_CHECKING:
    from dispatcher.cli.session import Session as Session
else:
    Session = object  # nobody is asked for it, and its module takes time to load

#: Examples are aligned for terminals of 80 columns: a command this long leaves so much room for what it does.
COMMAND_WIDTH = 42
DOES_WIDTH = 34
#: The group of the flags that are settings, in a command's help.
SETTINGS = "Settings (above config.toml and the environment)"

#: The settings of whatever reads a file as `run` does: the campaign's, and how the file is read.
OF_A_FILE = (
    "campaign.flow",
    "campaign.from",
    "columns.to",
    "columns.region",
    "input.encoding",
    "input.delimiter",
    "input.header_row",
    "input.sheet",
)


def examples(*lines: tuple[str, str] | str, more: str = "") -> str:
    """A command's epilog: examples, each with what it does, and whatever else is worth a line."""
    shown = ["[bold]Examples[/bold]"]
    for line in lines:
        command, does = (line, "") if isinstance(line, str) else line
        command = command.replace("[", "\\[")
        if does and (len(command) > COMMAND_WIDTH or len(does) > DOES_WIDTH):
            shown.append(f"{command}\n    [dim]{does}[/dim]")
        else:
            shown.append(f"{command:{COMMAND_WIDTH}}  [dim]{does}[/dim]" if does else command)
    return "\n".join(shown) + (f"\n\n{more}" if more else "")


def show_version(value: bool) -> None:
    """`--version`."""
    if value:
        python = ".".join(map(str, sys.version_info[:3]))
        typer.echo(f"dispatcher {__version__} (Python {python})")
        raise typer.Exit


def _debug(value: bool) -> None:
    if value:
        logs.switch_debug_on()


def _log_file(context: typer.Context, value: Path | None) -> None:
    if value is not None and not context.resilient_parsing:
        logs.write_to(value)


def _campaigns(incomplete: str) -> list[str]:
    """The ledger's campaigns, for the shell's completion; whatever is wrong, no names are no harm."""
    import asyncio

    from dispatcher.campaign import campaign_statuses

    try:
        settings = Asked(None, {}).load().settings
        names = [status.campaign.name for status in asyncio.run(campaign_statuses(settings))]
        return [name for name in names if name.startswith(incomplete)]
    except Exception:
        return []


#: Where a report goes if nobody says so.
REPORT_DEFAULT = "as before, or CAMPAIGN-report.csv"
File = Annotated[
    str, typer.Argument(metavar="FILE", help="CSV, TSV, Parquet, XLSX or JSON Lines; - is standard input.")
]
CampaignName = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="The campaign's name.", autocompletion=_campaigns)
]
OptionalCampaignName = Annotated[
    str | None,
    typer.Argument(metavar="[CAMPAIGN]", help="The campaign's name; all without.", autocompletion=_campaigns),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="The report: .csv, .csv.gz, .xlsx or .parquet.", show_default=REPORT_DEFAULT),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Let the report replace a file that is no report; never a campaign's file.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")]
DoNotAsk = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Send at most so many rows.")]
Row = Annotated[
    int | None,
    typer.Option(
        "--row", min=1, metavar="N", help="The row to show, as a spreadsheet counts.", show_default="the first"
    ),
]
Again = Annotated[
    bool, typer.Option("--again", help="Send to contacts, too, who were reached a short time ago (repeat_after_h).")
]
Add = Annotated[
    bool, typer.Option("--add", help="The file is a part: rows of earlier files that it lacks stay in the campaign.")
]
Remove = Annotated[
    bool, typer.Option("--remove", help="Take out the rows that the file has no more, however many they are.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another process sends for this account.")]
WaitUntilDone = Annotated[
    bool,
    typer.Option(
        "--wait-until-done", help="Wait for rows' hours and go on, also where nobody looks; else the exit code is 7."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
JsonEvents = Annotated[
    bool,
    typer.Option("--json-events", help="Print the live state on stdout, a JSON line each; the last is that of --json."),
]

_DEBUG = typer.Option(
    "--debug", callback=_debug, is_eager=True, help="Show logs and tracebacks (no secrets, no numbers)."
)
_LOG_HELP = "Write a log there (no secrets, no numbers); at most 5 files of 5 MiB."
_LOG_FILE = typer.Option("--log-file", callback=_log_file, is_eager=True, help=_LOG_HELP)
_CONFIG = typer.Option("--config", "-c", help="The settings file.", show_default="config.toml, where there is one")
_PROFILE = typer.Option(
    "--profile",
    metavar="NAME",
    help="The account: \\[profiles.NAME].",
    show_default="DISPATCHER_PROFILE's, if it is set",
)
#: What every command takes, whatever it does.
_COMMON: dict[str, Any] = {"debug": Annotated[bool, _DEBUG], "log_file": Annotated[Path | None, _LOG_FILE]}


def logged(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """The command with `--debug` and `--log-file`, which are done with when it begins."""

    @functools.wraps(command)
    def run(**given: Any) -> int | None:
        return command(**{name: value for name, value in given.items() if name not in _COMMON})

    _take(run, command, _COMMON)
    return run


def reads_settings(
    *settings: str, sends: bool = False, config: bool = True
) -> Callable[[Callable[..., int | Coroutine[Any, Any, int]]], Callable[..., int | None]]:
    """A command that reads settings: `--config`, `--profile`, a flag for each of these, and what every command takes.

    A coroutine gets a `session` as its first argument; a function, which looks at the settings alone, what was `asked`.
    `sends`: somebody waits for the first row, so what speaks HTTP is loaded beside everything else. `config` off: no
    `--config`, and no `--profile`.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., int | None]:
        @functools.wraps(command)
        def run(**given: Any) -> int:
            if sends and not given.get("dry_run"):
                # Half of its time goes to the machine's certificates, and leaves Python free.
                threading.Thread(target=import_module, args=("dispatcher.studio.client",), name="import-ahead").start()
            flags = {setting: given.pop(FLAGS[setting].parameter) for setting in settings}
            asked = Asked(given.pop("config", None), flags, given.pop("profile", None))
            if not inspect.iscoroutinefunction(command):
                return int(command(asked, **given))
            from dispatcher.cli.session import run_command

            return run_command(asked, lambda session: command(session, **given))

        options: dict[str, Any] = (
            {"config": Annotated[Path | None, _CONFIG], "profile": Annotated[str | None, _PROFILE]} if config else {}
        )
        for flag in (FLAGS[setting] for setting in settings):
            option = typer.Option(flag.name, help=flag.text, metavar=flag.metavar, rich_help_panel=SETTINGS)
            options[flag.parameter] = Annotated[flag.kind | None, option]
        _take(run, command, options)
        return logged(run)

    return decorate


def _take(run: Callable[..., Any], command: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Give `run` the parameters of `command` and these options behind them: typer reads the signature."""
    kind = inspect.Parameter.KEYWORD_ONLY
    own = inspect.signature(command, eval_str=True)
    parameters = [item.replace(kind=kind) for name, item in own.parameters.items() if name not in ("session", "asked")]
    for name, option in options.items():
        default = False if option.__origin__ is bool else None
        parameters.append(inspect.Parameter(name, kind, annotation=option, default=default))
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {item.name: item.annotation for item in parameters}

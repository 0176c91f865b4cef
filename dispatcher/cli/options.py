"""Options that several commands share, and what they ask for."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dispatcher.cli import logs
from dispatcher.cli.flags import FLAGS, PARAMETERS
from dispatcher.version import __version__

if TYPE_CHECKING:
    from dispatcher.settings import LoadedSettings

#: Examples are aligned for terminals of 80 columns: a command this long leaves so much room for what it does.
COMMAND_WIDTH = 42
DOES_WIDTH = 34
#: The groups of commands in the help.
SEND = "Send"
AFTERWARDS = "Afterwards"
SET_UP = "Set up"
REHEARSE = "Rehearse"


def examples(*lines: tuple[str, str] | str, more: str = "") -> str:
    """A command's epilog: examples, each with what it does, and whatever else is worth a line."""
    shown = []
    for line in lines:
        command, does = (line, "") if isinstance(line, str) else line
        command = command.replace("[", "\\[")
        if does and (len(command) > COMMAND_WIDTH or len(does) > DOES_WIDTH):
            shown.append(f"{command}\n    [dim]{does}[/dim]")
        else:
            shown.append(f"{command:{COMMAND_WIDTH}}  [dim]{does}[/dim]" if does else command)
    return "[bold]Examples[/bold]\n" + "\n".join(f"{line}" for line in shown) + (f"\n\n{more}" if more else "")


SETTINGS = "Settings (above config.toml and the environment)"


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


Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")]
NoPreflight = Annotated[
    bool, typer.Option("--no-preflight", help="Do not compare the file with the flow before sending.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Send at most so many rows.", show_default=False)]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="The report: .csv, .csv.gz, .xlsx or .parquet.", show_default="CAMPAIGN-report.csv"),
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
DoNotAsk = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another process sends for this account.")]


def _campaigns(incomplete: str) -> list[str]:
    """The ledger's campaigns, for the shell's completion; whatever is wrong, no names are no harm."""
    import asyncio

    from dispatcher.campaign import campaign_statuses

    try:
        state = Asked(None, {}).load().settings.state
        names = [status.campaign.name for status in asyncio.run(campaign_statuses(state))]
        return [name for name in names if name.startswith(incomplete)]
    except Exception:
        return []


CampaignName = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="The campaign's name.", autocompletion=_campaigns)
]
OptionalCampaignName = Annotated[
    str | None,
    typer.Argument(metavar="[CAMPAIGN]", help="The campaign's name; all without.", autocompletion=_campaigns),
]


File = Annotated[
    str, typer.Argument(metavar="FILE", help="CSV, TSV, Parquet, XLSX or JSON Lines; - is standard input.")
]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line says of the settings: their file, and the flags that stand above it."""

    config: Path | None
    #: `table.name` → value; None: the flag was not given.
    flags: dict[str, Any]

    def load(self) -> LoadedSettings:
        """Settings from all sources, the flags on top. Raises: SettingsError."""
        from dispatcher import settings

        return settings.load(self.config, flags=self.flags)


#: What every command takes, whatever it does: name → option, and its default.
_COMMON: dict[str, tuple[Any, Any]] = {
    "debug": (
        Annotated[
            bool,
            typer.Option(
                "--debug", callback=_debug, is_eager=True, help="Show logs and tracebacks (no secrets, no numbers)."
            ),
        ],
        False,
    ),
    "log_file": (
        Annotated[
            Path | None,
            typer.Option(
                "--log-file",
                callback=_log_file,
                is_eager=True,
                help="Write a log there (no secrets, no numbers); at most 5 files of 5 MiB.",
                show_default=False,
            ),
        ],
        None,
    ),
}
_CONFIG = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The settings file.", show_default="config.toml, where there is one"),
]
#: Setting → what its flag takes, what it says in the help, and the word for its value where that is not plain.
_SETTINGS: dict[str, tuple[Any, str, str | None]] = {
    "account.api_version": (Literal["v1", "v2"], "Studio's API.", None),
    "account.base_url": (str, "Studio's address, or a sandbox's.", None),
    "campaign.flow": (str, "The flow, FW….", None),
    "campaign.from": (str, "The sender, +… or MG….", None),
    "campaign.on_busy": (
        Literal["skip", "wait", "end"],
        "When the contact is in another execution. [bold]end[/bold] cuts that conversation off.",
        None,
    ),
    "columns.region": (str, "Country of numbers without a country code, for example US.", "CC"),
    "columns.to": (str, "The column with the number.", "COLUMN"),
    "input.sheet": (str, "A workbook's sheet.", None),
    "rate.pace": (Literal["even", "spike"], "Evenly, or a window's worth at once.", None),
    "rate.per_second": (float, "The account's limit, requests a second.", None),
    "state.dir": (str, "The ledger's folder.", None),
}


def logged(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """The command with `--debug` and `--log-file`, which are done with when it begins."""

    @functools.wraps(command)
    def run(**given: Any) -> int | None:
        return command(**{name: value for name, value in given.items() if name not in _COMMON})

    _take(run, command, {name: (option, default) for name, (option, default) in _COMMON.items()})
    return run


def reads_settings(*settings: str) -> Callable[[Callable[..., int]], Callable[..., int | None]]:
    """A command that reads settings: `--config`, a flag for each of these, and what every command takes.

    The function gets them as its first argument, `asked`.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int | None]:
        @functools.wraps(command)
        def run(**given: Any) -> int:
            found = {setting: given.pop(PARAMETERS[setting]) for setting in settings}
            return command(Asked(given.pop("config"), found), **given)

        options: dict[str, tuple[Any, Any]] = {"config": (_CONFIG, None)}
        for setting in settings:
            kind, text, metavar = _SETTINGS[setting]
            option = typer.Option(
                FLAGS[setting], help=text, metavar=metavar, rich_help_panel=SETTINGS, show_default=False
            )
            options[PARAMETERS[setting]] = (Annotated[kind | None, option], None)
        _take(run, command, options, without="asked")
        return logged(run)

    return decorate


def _take(
    run: Callable[..., Any], command: Callable[..., Any], options: dict[str, tuple[Any, Any]], *, without: str = ""
) -> None:
    """Give `run` the parameters of `command` and these options behind them: typer reads the signature."""
    kind = inspect.Parameter.KEYWORD_ONLY
    own = inspect.signature(command, eval_str=True)
    parameters = [item.replace(kind=kind) for name, item in own.parameters.items() if name != without]
    parameters += [
        inspect.Parameter(name, kind, annotation=option, default=default) for name, (option, default) in options.items()
    ]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]

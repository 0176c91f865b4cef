"""Options that several commands share, and what they ask for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dispatcher.cli import flags, logs
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


Debug = Annotated[
    bool,
    typer.Option("--debug", callback=_debug, is_eager=True, help="Show logs and tracebacks (no secrets, no numbers)."),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        callback=_log_file,
        is_eager=True,
        help="Write a log there (no secrets, no numbers); at most 5 files of 5 MiB.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The settings file.", show_default="config.toml, where there is one"),
]
StateDir = Annotated[
    str | None, typer.Option("--state-dir", help="The ledger's folder.", rich_help_panel=SETTINGS, show_default=False)
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", help="Studio's address, or a sandbox's.", rich_help_panel=SETTINGS, show_default=False),
]
ApiVersion = Annotated[
    Literal["v1", "v2"] | None,
    typer.Option("--api-version", help="Studio's API.", rich_help_panel=SETTINGS, show_default=False),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate", help="The account's limit, requests a second.", rich_help_panel=SETTINGS, show_default=False
    ),
]
Pace = Annotated[
    Literal["even", "spike"] | None,
    typer.Option("--pace", help="Evenly, or a window's worth at once.", rich_help_panel=SETTINGS, show_default=False),
]
OnBusy = Annotated[
    Literal["skip", "wait", "end"] | None,
    typer.Option(
        "--on-busy",
        help="When the contact is in another execution. [bold]end[/bold] cuts that conversation off.",
        rich_help_panel=SETTINGS,
        show_default=False,
    ),
]
Flow = Annotated[
    str | None, typer.Option("--flow", help="The flow, FW….", rich_help_panel=SETTINGS, show_default=False)
]
From = Annotated[
    str | None,
    typer.Option("--from", help="The sender, +… or MG….", rich_help_panel=SETTINGS, show_default=False),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="COLUMN", help="The column with the number.", rich_help_panel=SETTINGS, show_default=False
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="CC",
        help="Country of numbers without a country code, for example US.",
        rich_help_panel=SETTINGS,
        show_default=False,
    ),
]
Sheet = Annotated[
    str | None, typer.Option("--sheet", help="A workbook's sheet.", rich_help_panel=SETTINGS, show_default=False)
]
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
DoNotAsk = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another process sends for this account.")]


def _campaigns(incomplete: str) -> list[str]:
    """The ledger's campaigns, for the shell's completion; whatever is wrong, no names are no harm."""
    import asyncio

    from dispatcher.campaign import campaign_statuses

    try:
        state_dir = Path(Asked(None, {}).load().settings.state.dir)
        names = [status.campaign.name for status in asyncio.run(campaign_statuses(state_dir))]
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


def asked(context: typer.Context) -> Asked:
    """What this command line says of the settings: its `--config`, and its flags by the table of `flags.py`."""
    return Asked(context.params.get("config"), flags.given(context.params))

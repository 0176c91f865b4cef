"""`config init` and `config show`: the settings, explained and traced."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from dispatcher.cli import options
from dispatcher.cli.render.terminal import out, print_json, print_line, say, table
from dispatcher.errors import ExitCode, UsageError
from dispatcher.remedies import AnyOf, Option

INIT_EPILOG = options.examples(
    ("dispatcher config init", "config.toml"),
    ("dispatcher config init --path spring.toml", "then: dispatcher run … -c spring.toml"),
)
SHOW_EPILOG = options.examples(
    "dispatcher config show",
    ("DISPATCHER_RATE_PER_SECOND=30 dispatcher config show --changed", "what is not a default, and who says so"),
)

app = typer.Typer(no_args_is_help=True, help="Write, explain and trace the settings.")


@app.command(epilog=INIT_EPILOG)
@options.logged
def init(
    path: Annotated[Path, typer.Option("--path", help="The file to write.")] = Path("config.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> int:
    """Write a commented config.toml.

    Three settings to fill in, and every other one with its default and unit.
    """
    from dispatcher.settings.example import example

    if path.is_dir():
        raise UsageError(f"{path} is a folder", fix=Option("path", str(path / "config.toml")))
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(example())
    except FileExistsError:
        raise UsageError(f"{path} exists", fix=AnyOf(Option("force"), Option("path", "PATH"))) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written", found=error.strerror, fix=Option("path", "PATH")) from None
    print_line(str(path))
    say("set flow, from and to in it, then: dispatcher check FILE", "bright_black")
    return ExitCode.OK


@app.command(epilog=SHOW_EPILOG)
@options.reads_settings()
def show(
    asked: options.Asked,
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not a default.")] = False,
    json: options.Json = False,
) -> int:
    """Show every setting and where it came from.

    Its value, its source, and what that stands above. Secrets only as set or not set.
    """
    from dispatcher.settings.example import secret_values, setting_values, toml

    loaded = asked.load()
    values = [item for item in setting_values(loaded) if item.source != "default" or not changed]
    secrets = secret_values(profile=loaded.profile)
    if json:
        traced = {
            item.name: {"value": item.value, "source": item.source, "overrides": item.overrides} for item in values
        }
        config = str(loaded.config_path) if loaded.config_path else None
        print_json({"config": config, "profile": loaded.profile, "settings": traced, "secrets": secrets})
        return ExitCode.OK
    shown = table("setting", "value", "from", "above", whole=("setting",), dim=("above",))
    for item in values:
        value = "–" if item.value is None else toml(item.value)
        shown.add_row(item.name, _shown(value, item.source != "default"), item.source, ", ".join(item.overrides))
    for name, what in secrets.items():
        shown.add_row(name, _shown(what, what != "not set"), "environment", "")
    out().print(shown)
    return ExitCode.OK


def _shown(value: str, is_set: bool) -> Text:
    return Text(value, style="bold" if is_set else "bright_black")

"""`config init` and `config show`: the settings, explained and traced."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options

PANEL = options.SET_UP
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
    from dispatcher.cli.actions.config import init as act

    return act(path, force=force)


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
    from dispatcher.cli.actions.config import show as act

    return act(asked, only_changed=changed, as_json=json)

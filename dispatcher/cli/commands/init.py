"""`init`: a config.toml for a file, by looking at it and asking what cannot be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dispatcher.cli import options
from dispatcher.cli.flags import Asked

EPILOG = options.examples(
    ("dispatcher init contacts.xlsx", "looks, asks, writes config.toml"),
    ("dispatcher init new.xlsx --path spring.toml", "then: dispatcher run … -c spring.toml"),
    ("dispatcher init c.csv --to Phone --flow Sale --from +15550001111", "no question: for scripts"),
    more="[bold]Exit codes[/bold]  0 written · 2 the file cannot be used, or nobody can be asked for what is missing",
)
_PARAM = "A Parameter and the column that it comes from; again for more."
_CONSTANT = "A Parameter that is the same text for every row; again for more."


@options.reads_settings(*options.OF_A_FILE, "account.api_version", "account.base_url", config=False)
def init(
    asked: options.Asked,
    file: options.File,
    path: Annotated[Path, typer.Option("--path", help="The file to write.")] = Path("config.toml"),
    purpose: Annotated[
        Literal["marketing", "transactional"] | None,
        typer.Option("--purpose", help="What the flow is for: whether contacts' hours hold."),
    ] = None,
    param: Annotated[list[str] | None, typer.Option("--param", metavar="NAME=COLUMN", help=_PARAM)] = None,
    constant: Annotated[list[str] | None, typer.Option("--constant", metavar="NAME=TEXT", help=_CONSTANT)] = None,
) -> int:
    """Look at a file, ask what cannot be seen, and write a config.toml for it.

    Which row has the names, which column the numbers and of which country they are, which flow and which column each
    of its variables is: each question has its guess, which Enter takes. The file that is written has a few commented
    lines; nothing is ever replaced, and nothing is sent. Without a terminal, flags answer.
    """
    from dispatcher.cli.interview import Given, interview
    from dispatcher.cli.session import run_command

    given = Given(file=file, path=path, purpose=purpose, param=tuple(param or ()), constant=tuple(constant or ()))
    # No other config.toml has a say in this one.
    alone = Asked(None, asked.flags, no_file=True)
    return run_command(alone, lambda session: interview(session, given))

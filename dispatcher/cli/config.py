"""`config init` and `config show`: the settings, explained and traced."""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

INIT_EPILOG = options.examples(
    ("dispatcher config init", "config.toml"),
    ("dispatcher config init --path spring.toml", "then: dispatcher run … -c spring.toml"),
)
SHOW_EPILOG = options.examples(
    "dispatcher config show",
    ("DISPATCHER_RATE_PER_SECOND=30 dispatcher config show --changed", "what is not a default, and who says so"),
)

#: The lines of the example that are not comments: what every campaign must set. Obviously not anyone's.
REQUIRED = {
    "campaign.flow": "FW0123456789abcdef0123456789abcdef",
    "campaign.from": "+15550001111",
    "columns.to": "phone",
}
#: Shown beside settings without a default.
EXAMPLES: dict[str, Any] = {
    "account.region": "ie1",
    "account.edge": "dublin",
    "campaign.from_column": "sender",
    "columns.region": "US",
    "columns.parameters": ["first_name", "appointment"],
    "columns.constants": {"sender_name": "Owl Dental"},
    "columns.key": ["customer_id"],
    "tracking.variables": ["widgets.ask_yes_no.inbound.Body"],
    "input.sheet": "Contacts",
    "input.delimiter": ";",
    "input.encoding": "cp1252",
}
_UNITS = {"_s": "seconds", "_bytes": "bytes", "_ms": "milliseconds"}
COMMENT_WIDTH = 100

app = typer.Typer(no_args_is_help=True, help="Write, explain and trace the settings.")


def register(parent: typer.Typer) -> None:
    """Add this file's commands."""
    parent.add_typer(app, name="config", rich_help_panel=options.SET_UP)


def example() -> str:
    """The text of config.example.toml: every setting with its default and unit, from the settings' own code."""
    from dispatcher.settings import setting_names, tables

    lines = [
        "# Settings of dispatcher. `dispatcher config init` writes this file as config.toml.",
        "#",
        "# The lines that are not comments are what you must set. Each comment that looks like a setting is one,",
        "# with its default: take the # away to change it. This file stands below the environment",
        "# (DISPATCHER_<TABLE>_<NAME>, for example DISPATCHER_RATE_PER_SECOND), and that below flags;",
        "# `dispatcher config show` tells where each value came from.",
        "#",
        "# Secrets never stand here. They come from the environment: TWILIO_ACCOUNT_SID with TWILIO_API_KEY",
        "# and TWILIO_API_SECRET (or TWILIO_AUTH_TOKEN); each may be a file (TWILIO_API_SECRET_FILE=…).",
    ]
    found = list(tables())
    # What must be set stands first.
    found.sort(key=lambda item: not any(name.startswith(f"{item[0]}.") for name in REQUIRED))
    for table, model in found:
        lines += ["", f"[{table}]  # {(model.__doc__ or '').strip()}"]
        names = setting_names(model)
        for name in sorted(names, key=lambda name: f"{table}.{name}" not in REQUIRED):
            lines += ["", *_setting(f"{table}.{name}", name, model.model_fields[names[name]])]
    return "\n".join(lines) + "\n"


def _setting(dotted: str, name: str, info: FieldInfo) -> Iterator[str]:
    import textwrap

    default = info.get_default(call_default_factory=True)
    notes = [info.description or ""]
    choices = _choices(info.annotation)
    if choices:
        notes.append(f"One of {', '.join(choices)}.")
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), None)
    if unit and unit.rstrip("s") not in notes[0].lower():
        notes.append(f"In {unit}.")
    for line in textwrap.wrap(" ".join(notes), COMMENT_WIDTH):
        yield f"# {line}"
    if dotted in REQUIRED:
        yield f"{name} = {toml(REQUIRED[dotted])}"
    elif default is None or (default in ([], {}) and dotted in EXAMPLES):
        yield f"#{name} = {toml(EXAMPLES[dotted])}  # an example; not set by default"
    else:
        yield f"#{name} = {toml(default)}"


def _choices(annotation: Any) -> tuple[str, ...]:
    from typing import Literal

    return tuple(map(str, get_args(annotation))) if get_origin(annotation) is Literal else ()


def toml(value: Any) -> str:
    """A value as TOML: what settings can be."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:_}" if value >= 10_000 else str(value)
        case float():
            return f"{int(value)}" if value.is_integer() and math.isfinite(value) else repr(value)
        case str():
            # JSON's escapes are TOML's, too; TOML wants one more character escaped.
            return json_module.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            inner = ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            raise TypeError(type(value).__name__)


@app.command(epilog=INIT_EPILOG)
def init(
    path: Annotated[Path, typer.Option("--path", help="The file to write.")] = Path("config.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    debug: options.Debug = False,
) -> int:
    """Write a commented config.toml.

    Three settings to fill in, and every other one with its default and unit.
    """
    from dispatcher.cli.terminal import out, say

    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(example())
    except FileExistsError:
        raise UsageError(f"{path} exists", fix="--force replaces it, --path writes another") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written", found=error.strerror, fix="--path another file") from None
    out().print(str(path), markup=False, soft_wrap=True)
    say("set flow, from and to in it, then: dispatcher check FILE", "bright_black")
    return ExitCode.OK


@app.command(epilog=SHOW_EPILOG)
def show(
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not a default.")] = False,
    json: options.Json = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> int:
    """Show every setting and where it came from.

    Its value, its source, and what that stands above. Secrets only as set or not set.
    """
    from dispatcher.cli.terminal import print_json

    loaded = options.load_settings(config)
    values = list(setting_values(loaded))
    secrets = secret_values()
    if changed:
        values = [item for item in values if item["source"] != "default"]
    if json:
        print_json(
            {
                "config": str(loaded.config_path) if loaded.config_path else None,
                "settings": {item.pop("name"): item for item in values},
                "secrets": secrets,
            }
        )
        return ExitCode.OK
    _print(values, secrets)
    return ExitCode.OK


def setting_values(loaded: Any) -> Iterator[dict[str, Any]]:
    """Each setting: name, value, source, overrides."""
    from dispatcher.settings import setting_names, tables

    for table, model in tables():
        values = getattr(loaded.settings, table)
        for name, field in setting_names(model).items():
            origin = loaded.provenance.get(f"{table}.{name}")
            yield {
                "name": f"{table}.{name}",
                "value": getattr(values, field),
                "source": origin.source if origin else "default",
                "overrides": list(origin.overrides) if origin else [],
            }


def secret_values() -> dict[str, str]:
    """Each secret's variable: set, set by a file, or not set; never its value."""
    import os

    from dispatcher.settings import SECRET_NAMES

    found = {}
    for name in SECRET_NAMES:
        if os.environ.get(f"{name}_FILE"):
            found[name] = f"set by {name}_FILE"
        else:
            found[name] = "set" if os.environ.get(name, "").strip() else "not set"
    return found


def _print(values: list[dict[str, Any]], secrets: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from dispatcher.cli.terminal import TABLE_BOX, out

    table = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    table.add_column("above", overflow="fold", style="bright_black")
    for item in values:
        value = "–" if item["value"] is None else toml(item["value"])
        changed = item["source"] != "default"
        style = "bold" if changed else "bright_black"
        table.add_row(item["name"], Text(value, style=style), item["source"], ", ".join(item["overrides"]))
    for name, what in secrets.items():
        table.add_row(name, Text(what, style="bright_black" if what == "not set" else "bold"), "environment", "")
    out().print(table)

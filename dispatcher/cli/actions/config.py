"""`config init` and `config show`."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from dispatcher.cli.options import Asked
from dispatcher.cli.render.terminal import out, print_json, say, table
from dispatcher.errors import ExitCode, UsageError
from dispatcher.remedies import AnyOf, Option
from dispatcher.settings.example import SettingValue, example, secret_values, setting_values, toml


def init(path: Path, *, force: bool) -> ExitCode:
    """Write the example. Raises: UsageError: a file is there, or none can be written."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(example())
    except FileExistsError:
        raise UsageError(f"{path} exists", fix=AnyOf(Option("force"), Option("path", "PATH"))) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written", found=error.strerror, fix=Option("path", "PATH")) from None
    out().print(str(path), markup=False, soft_wrap=True)
    say("set flow, from and to in it, then: dispatcher check FILE", "bright_black")
    return ExitCode.OK


def show(asked: Asked, *, only_changed: bool, as_json: bool) -> ExitCode:
    """Raises: SettingsError."""
    loaded = asked.load()
    values = [item for item in setting_values(loaded) if item.source != "default" or not only_changed]
    secrets = secret_values()
    if as_json:
        print_json(
            {
                "config": str(loaded.config_path) if loaded.config_path else None,
                "settings": {
                    item.name: {"value": item.value, "source": item.source, "overrides": item.overrides}
                    for item in values
                },
                "secrets": secrets,
            }
        )
    else:
        _print(values, secrets)
    return ExitCode.OK


def _print(values: list[SettingValue], secrets: dict[str, str]) -> None:
    shown = table("setting", "value", "from", "above", whole=("setting",), dim=("above",))
    for item in values:
        value = Text("–" if item.value is None else toml(item.value))
        value.stylize("bold" if item.source != "default" else "bright_black")
        shown.add_row(item.name, value, item.source, ", ".join(item.overrides))
    for name, what in secrets.items():
        shown.add_row(name, Text(what, style="bright_black" if what == "not set" else "bold"), "environment", "")
    out().print(shown)

"""Settings merged from their sources: defaults < config.toml < environment < flags, each value with where it came from.

| source      | what it may hold                                                              |
|-------------|-------------------------------------------------------------------------------|
| config.toml | every setting of the schema; never a secret                                   |
| environment | DISPATCHER_<TABLE>_<NAME> (DISPATCHER_RATE_PER_SECOND), TWILIO_REGION, _EDGE  |
| flags       | the command's own                                                             |

`load` reports every problem it finds, not only the first, each with the setting's name and where it was set.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dispatcher.errors import SettingsError
from dispatcher.remedies import Advice, Command, InTurn
from dispatcher.settings import config_file
from dispatcher.settings.schema import Settings, setting_names, tables
from dispatcher.settings.variables import misnamed, variable_names

DEFAULT_CONFIG = "config.toml"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a setting's value came from, and which sources it stands above."""

    source: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """The settings, and for each `table.name` that is not a default, where it came from."""

    settings: Settings
    provenance: Mapping[str, Provenance]
    config_path: Path | None


def load(
    config: Path | str | None = None,
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Merge the sources. `config` None: config.toml in the working folder, where there is one.

    `flags` maps `table.name` to a value; None values are passed over.

    Raises: SettingsError, naming every wrong or unknown setting.
    """
    environ = os.environ if environ is None else environ
    path = Path(config) if config is not None else Path(DEFAULT_CONFIG)
    merged: dict[str, dict[str, Any]] = {}
    history: dict[str, list[str]] = {}

    def put(dotted: str, value: Any, source: str) -> None:
        table, _, name = dotted.partition(".")
        merged.setdefault(table, {})[name] = value
        history.setdefault(dotted, []).append(source)

    problems: list[str] = []
    found_config = config is not None or path.is_file()
    if found_config:
        found_tables, unreadable = config_file.read(path)
        problems += unreadable
        for table, values in found_tables.items():
            if not isinstance(values, dict):
                problems.append(f"{table}: stands outside a [table] ({path})")
                continue
            for name, value in values.items():
                put(f"{table}.{name}", value, str(path))
    problems.extend(misnamed(environ))
    for dotted, variable in variable_names().items():
        text = environ.get(variable)
        if text:
            put(dotted, _from_text(dotted, text), variable)
    for dotted, variable in (("account.region", "TWILIO_REGION"), ("account.edge", "TWILIO_EDGE")):
        if environ.get(variable) and dotted not in history:
            put(dotted, environ[variable], variable)
    for dotted, value in (flags or {}).items():
        if value is not None:
            put(dotted, value, "flag")

    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        problems.extend(_explain(error, history))
        settings = Settings()
    if problems:
        raise SettingsError(
            "the settings cannot be used:\n  " + "\n  ".join(problems),
            fix=Advice("correct them")
            if len(problems) > 1
            else InTurn(Advice("correct the setting"), Command("config init", does="writes a commented example")),
        )
    provenance = {name: Provenance(sources[-1], tuple(sources[:-1])) for name, sources in history.items()}
    return LoadedSettings(settings=settings, provenance=provenance, config_path=path if found_config else None)


def _from_text(dotted: str, text: str) -> Any:
    """A list or table in the environment is written as TOML; everything else as plain text."""
    if text[:1] in "[{":
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    if dotted in ("columns.parameters", "columns.key", "tracking.variables"):
        return [part.strip() for part in text.split(",")]
    return text


def _explain(error: ValidationError, history: Mapping[str, list[str]]) -> Iterator[str]:
    known = {f"{table}.{name}" for table, model in tables() for name in setting_names(model)}
    known_tables = [table for table, _ in tables()]
    for item in error.errors():
        context = item.get("ctx", {})
        # What concerns several settings of a table says which of them is to be corrected.
        location = [str(part) for part in item["loc"]] + [context[key] for key in ("setting",) if key in context]
        dotted = ".".join(location[:2])
        source = history.get(dotted, ["?"])[-1]
        name = f"[{location[0]}] {location[1]}" if len(location) > 1 else f"[{location[0]}]"
        if item["type"] == "extra_forbidden":
            candidates = known if len(location) > 1 else known_tables
            near = difflib.get_close_matches(dotted, candidates, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{name}: no such setting{hint} ({source})"
        else:
            message = item["msg"].removeprefix("Value error, ")
            found = context.get("found", item["input"])
            shown = "" if "must not hold credentials" in message else f"; found {found!r}"
            yield f"{name}: {message}{shown} ({source})"

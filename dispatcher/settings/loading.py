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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dispatcher.errors import SettingsError
from dispatcher.remedies import Advice, Command, InTurn
from dispatcher.settings import config_file
from dispatcher.settings.config_file import DEFAULT_CONFIG, ConfigFile
from dispatcher.settings.credentials import variable_meant, without_secrets
from dispatcher.settings.schema import Settings, setting_names, tables, takes_list
from dispatcher.settings.variables import misnamed, variable_names

#: Kinds of pydantic's errors: what a value must be, and those where it is of another kind than a list.
_PLAIN_WORDS = {
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
}
_WRONG_TYPES = ("list_type", "dict_type", "string_type")

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class UnusableSettings(SettingsError):
    """Some settings are wrong, or cannot be read. `given`: the names, `table.name`, of all that is set."""

    def __init__(self, problems: Sequence[str], *, given: frozenset[str]) -> None:
        example = InTurn(Advice("correct the setting"), Command("config init", does="writes a commented example"))
        super().__init__(
            "the settings cannot be used:\n  " + "\n  ".join(problems),
            fix=Advice("correct them") if len(problems) > 1 else example,
        )
        self.problems, self.given = problems, given


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


#: Settings that name files. In config.toml they lie beside it, whatever folder the program works in.
_FILES = frozenset({"suppress.files", "suppress.sha256_files"})


def _beside(config: Path, names: Any) -> Any:
    """File names as the program finds them; what is none is left for the check of the settings."""
    if config.parent == Path() or not isinstance(names, list):
        return names
    return [str(config.parent / name) if isinstance(name, str) and name else name for name in names]


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
    file: ConfigFile | None = None
    if config is not None or path.is_file():
        file = config_file.read(path)
        problems += file.problems
        for table, values in file.tables.items():
            if not isinstance(values, dict):
                problems.append(_outside(table, values, file))
                continue
            for name, value in values.items():
                dotted = f"{table}.{name}"
                put(dotted, _beside(path, value) if dotted in _FILES else value, str(path))
    elif meant := config_file.misnamed(Path()):
        rename = Advice(f"mv {quote(str(meant))} {DEFAULT_CONFIG}")
        raise SettingsError(f"{meant} is not read: the file must be named {DEFAULT_CONFIG}", fix=rename)
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
        problems.extend(_explain(error, history, file))
        settings = Settings()
    if problems:
        raise UnusableSettings(problems, given=frozenset(history) | (file.names if file is not None else frozenset()))
    provenance = {name: Provenance(sources[-1], tuple(sources[:-1])) for name, sources in history.items()}
    return LoadedSettings(settings=settings, provenance=provenance, config_path=path if file is not None else None)


def _from_text(dotted: str, text: str) -> Any:
    """A list or table in the environment is written as TOML; everything else as plain text."""
    if text[:1] in "[{":
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    if dotted in ("columns.parameters", "columns.key", "tracking.variables", "notify.on"):
        return [part.strip() for part in text.split(",")]
    return text


def _outside(name: str, value: Any, file: ConfigFile) -> str:
    """A name that stands before the first table, or a table that is none."""
    if isinstance(value, list) and name in dict(tables()):
        return f"[[{name}]]: double brackets; it must read: [{name}] ({file.where(name)})"
    variable = variable_meant(name)
    if variable is not None:
        return _a_secret(name, variable, file.where(name))
    tables_of = [table for table, model in tables() if name in setting_names(model)]
    where = f"it belongs below [{tables_of[0]}]" if len(tables_of) == 1 else "it stands outside a [table]"
    return f"{name}: {where} ({file.where(name)})"


def _explain(error: ValidationError, history: Mapping[str, list[str]], file: ConfigFile | None) -> Iterator[str]:
    known = {f"{table}.{name}" for table, model in tables() for name in setting_names(model)}
    known_tables = [table for table, _ in tables()]
    told: set[str] = set()
    for item in error.errors():
        context = item.get("ctx", {})
        # What concerns several settings of a table says which of them is to be corrected.
        location = [str(part) for part in item["loc"]] + [context[key] for key in ("setting",) if key in context]
        dotted = ".".join(location[:2])
        source = history.get(dotted, ["?"])[-1]
        in_file = file is not None and source == str(file.path)
        if source == "?" and file is not None and location[0] in file.tables:
            in_file = True
        where = file.where(dotted) if file is not None and in_file else source
        name = f"[{location[0]}] {location[1]}" if len(location) > 1 else f"[{location[0]}]"
        if item["type"] == "extra_forbidden":
            variable = variable_meant(location[-1], location[0])
            if variable is not None:
                yield _a_secret(name, variable, where)
                continue
            candidates = known if len(location) > 1 else known_tables
            near = difflib.get_close_matches(dotted.lower(), candidates, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{name}: no such setting{hint} ({where})"
        elif dotted not in told:
            # A setting of several kinds is wrong in each of them.
            told.add(dotted)
            raw = file.raw(dotted) if file is not None and in_file else None
            yield f"{name}: {_words(item, location, raw)} ({where})"


def _a_secret(name: str, variable: str, where: str) -> str:
    return f"{name}: not a setting; take it out of the file and set {variable} in the environment ({where})"


def _words(item: ErrorDetails, location: Sequence[str], raw: str | None) -> str:
    """What is wrong with a value; `raw`: as it is written in the file."""
    message = item["msg"].removeprefix("Value error, ")
    if "must not hold credentials" in message:
        return message
    found = item.get("ctx", {}).get("found", item["input"])
    dotted = ".".join(location[:2])
    shown = without_secrets(repr(found))
    if takes_list(dotted) and item["type"] in _WRONG_TYPES:
        as_table = "" if dotted == "columns.key" else f', or a table {{ name = "{"column" if raw else "COLUMN"}" }}'
        return f'must be a list, ["first", "second"]{as_table}; found {shown}'
    if item["type"] == "string_type" and isinstance(found, (bool, int, float, date, time)):
        text = raw if raw is not None else str(found)
        return f'a text stands in quotation marks; it must read: {location[-1]} = "{without_secrets(text)}"'
    if item["type"] in _PLAIN_WORDS:
        return f"must be {_PLAIN_WORDS[item['type']]}; found {shown}"
    if message.startswith("Input should be"):
        message = "must be" + message.removeprefix("Input should be").partition(", unable")[0].replace(" valid ", " ")
    return f"{message}; found {shown}"

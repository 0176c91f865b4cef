"""Settings merged: defaults < config.toml < its profile < environment < flags, each value with where it came from.

| source      | what it may hold                                                              |
|-------------|-------------------------------------------------------------------------------|
| config.toml | every setting of the schema; never a secret                                   |
| a profile   | the same, in config.toml: [profiles.eu.rate], where that profile was chosen   |
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
from dispatcher.remedies import Advice, Command, InTurn, Option
from dispatcher.settings import config_file
from dispatcher.settings.config_file import DEFAULT_CONFIG, ConfigFile
from dispatcher.settings.credentials import variable_meant, without_secrets
from dispatcher.settings.profiles import TABLE as PROFILES
from dispatcher.settings.profiles import Profiles, asked_profile, read_profiles, unknown_profile, variable_of
from dispatcher.settings.repairs import UNREADABLE
from dispatcher.settings.schema import Settings, setting_names, tables, takes_list, takes_table
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
        example = InTurn(
            Advice("correct the setting"),
            Command("config init", (), (Option("path", "all-settings.toml"),), does="writes a commented example"),
        )
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
    #: The profile that was chosen; None: none was.
    profile: str | None = None
    #: All that the file has.
    profiles: tuple[str, ...] = ()

    def is_from_file(self, name: str) -> bool:
        """Whether config.toml says it, `table.name`, in whatever part."""
        origin = self.provenance.get(name)
        files = (str(self.config_path), _profile_source(self.config_path, self.profile))
        return origin is not None and self.config_path is not None and origin.source in files


def _profile_source(path: Path | None, profile: str | None) -> str:
    return f"{path} [profiles.{profile}]"


#: Settings that name files. In config.toml they lie beside it, whatever folder the program works in.
_FILES = frozenset({"suppress.files", "suppress.sha256_files"})


def _beside(config: Path, names: Any) -> Any:
    """File names as the program finds them; what is none is left for the check of the settings."""
    if config.parent == Path() or not isinstance(names, list):
        return names
    return [str(config.parent / Path(name).expanduser()) if isinstance(name, str) and name else name for name in names]


def load(
    config: Path | str | None = None,
    *,
    profile: str | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    no_file: bool = False,
) -> LoadedSettings:
    """Merge the sources. `config` None: config.toml in the working folder, where there is one.

    `no_file`: no file is read; a profile needs no table then: it says whose credentials are meant.
    `profile`: whose tables are laid over the rest of the file; None: DISPATCHER_PROFILE's, if it names one.
    `flags` maps `table.name` to a value; None values are passed over.

    Raises: SettingsError, naming every wrong or unknown setting; the profile is none.
    """
    environ = os.environ if environ is None else environ
    by_flag, profile = profile is not None, asked_profile(profile, environ)
    path = Path(config) if config is not None else Path(DEFAULT_CONFIG)
    merged: dict[str, dict[str, Any]] = {}
    history: dict[str, list[str]] = {}

    def put(dotted: str, value: Any, source: str) -> None:
        table, _, name = dotted.partition(".")
        merged.setdefault(table, {})[name] = value
        history.setdefault(dotted, []).append(source)

    problems: list[str] = []
    file: ConfigFile | None = None
    profiles = Profiles()
    # A folder in its place, as containers make of a file that they do not find, or a link to nothing: no defaults then.
    if not no_file and (config is not None or os.path.lexists(path)):
        file = config_file.read(path)
        profiles = read_profiles(file.tables)
        problems += [*file.problems, *_problems_of_profiles(profiles, file)]
        for table, values in file.tables.items():
            if table == PROFILES:
                continue
            if not isinstance(values, dict):
                problems.append(_outside(table, values, file))
                continue
            for name, value in values.items():
                dotted = f"{table}.{name}"
                put(dotted, _beside(path, value) if dotted in _FILES else value, str(path))
    elif not no_file and (meant := config_file.misnamed(Path())):
        rename = Advice(f"mv {quote(str(meant))} {DEFAULT_CONFIG}")
        raise SettingsError(f"{meant} is not read: the file must be named {DEFAULT_CONFIG}", fix=rename)
    if file is not None:
        problems += _explain_others(profiles, profile, merged, file)
    if profile is not None and profile in profiles.layers:
        for dotted, value in profiles.layers[profile].items():
            value = _beside(path, value) if dotted in _FILES else value
            put(dotted, value, _profile_source(path, profile))
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
        problems.extend(_explain(error, history, file, profile))
        settings = Settings()
    if profile is not None and profile not in profiles.layers and not no_file:
        unknown = unknown_profile(profile, profiles, path, by_flag=by_flag)
        if not problems:
            raise unknown
        problems.append(str(unknown))
    if problems:
        raise UnusableSettings(problems, given=frozenset(history) | (file.names if file is not None else frozenset()))
    provenance = {name: Provenance(sources[-1], tuple(sources[:-1])) for name, sources in history.items()}
    config_path = path if file is not None else None
    return LoadedSettings(
        settings=settings,
        provenance=provenance,
        config_path=config_path,
        profile=profile,
        profiles=tuple(profiles.layers),
    )


def _problems_of_profiles(profiles: Profiles, file: ConfigFile) -> Iterator[str]:
    for key, why in profiles.problems:
        _, profile, *rest = key.split(".") if "." in key else (key, "")
        variable = variable_meant(rest[-1]) if rest else None
        if variable is not None:
            yield _a_secret(f"[{PROFILES}.{profile}] {rest[-1]}", variable_of(variable, profile), file.where(key))
        else:
            yield f"{why} ({file.where(key)})"


def _explain_others(
    profiles: Profiles, chosen: str | None, merged: Mapping[str, Mapping[str, Any]], file: ConfigFile
) -> Iterator[str]:
    """What is wrong with the profiles that were not chosen: told now, and not on the day when one of them is needed."""
    for profile, layer in profiles.layers.items():
        if profile == chosen:
            continue
        tables_of = {table: dict(values) for table, values in merged.items()}
        for dotted, value in layer.items():
            table, _, name = dotted.partition(".")
            tables_of.setdefault(table, {})[name] = value
        try:
            Settings.model_validate(tables_of)
        except ValidationError as error:
            source = _profile_source(file.path, profile)
            yield from _explain(error, {name: [source] for name in layer}, file, profile, alone=True)


def _from_text(dotted: str, text: str) -> Any:
    """A list or table in the environment is written as TOML; everything else as plain text."""
    if text[:1] in "[{":
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except UNREADABLE:
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


def _explain(
    error: ValidationError,
    history: Mapping[str, list[str]],
    file: ConfigFile | None,
    profile: str | None = None,
    *,
    alone: bool = False,
) -> Iterator[str]:
    """Each problem with where it is. `profile`: whose settings are among them; `alone`: nothing else is told."""
    known = {f"{table}.{name}" for table, model in tables() for name in setting_names(model)}
    known_tables = [*(table for table, _ in tables()), PROFILES]
    told: set[str] = set()
    # How a setting of each source is called in the file.
    called = {} if file is None else {str(file.path): "", _profile_source(file.path, profile): f"{PROFILES}.{profile}."}
    for item in error.errors():
        context = item.get("ctx", {})
        # What concerns several settings of a table says which of them is to be corrected.
        location = [str(part) for part in item["loc"]] + [context[key] for key in ("setting",) if key in context]
        dotted = ".".join(location[:2])
        source = history.get(dotted, ["?"])[-1]
        if source == "?" and len(location) == 1:
            # A table as a whole: where anything of it is set.
            of_table = [sources[-1] for name, sources in history.items() if name.startswith(f"{location[0]}.")]
            source = next((one for one in of_table if one in called), "?")
        if source == "?" and file is not None and not alone and location[0] in file.tables:
            source = str(file.path)
        if alone and source == "?":
            continue
        behind = called.get(source)
        where = file.where(behind + dotted) if file is not None and behind is not None else source
        table = f"{behind or ''}{location[0]}"
        name = f"[{table}] {location[1]}" if len(location) > 1 else f"[{table}]"
        if item["type"] == "extra_forbidden":
            variable = variable_meant(location[-1], location[0])
            if variable is not None:
                yield _a_secret(name, variable_of(variable, profile) if behind else variable, where)
                continue
            candidates = known if len(location) > 1 else known_tables
            near = difflib.get_close_matches(dotted.lower(), candidates, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{name}: no such setting{hint} ({where})"
        elif dotted not in told:
            # A setting of several kinds is wrong in each of them.
            told.add(dotted)
            raw = file.raw(behind + dotted) if file is not None and behind is not None else None
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
    shown = without_secrets(str(found).lower() if isinstance(found, bool) else repr(found))
    if takes_list(dotted) and item["type"] in _WRONG_TYPES:
        as_table = f', or a table {{ name = "{"column" if raw else "COLUMN"}" }}' if takes_table(dotted) else ""
        return f'must be a list, ["first", "second"]{as_table}; found {shown}'
    if item["type"] == "string_type" and isinstance(found, (bool, int, float, date, time)):
        # In a table it is one of the table's names; else what may follow the setting's is the kind that was tried.
        in_table = takes_table(dotted, alone=True)
        text = str(found).lower() if isinstance(found, bool) else str(found) if raw is None or in_table else raw
        name = location[2] if in_table else location[1]
        return f'a text stands in quotation marks; it must read: {name} = "{without_secrets(text)}"'
    if item["type"] in _PLAIN_WORDS:
        return f"must be {_PLAIN_WORDS[item['type']]}; found {shown}"
    if message.startswith("Input should be"):
        message = "must be" + message.removeprefix("Input should be").partition(", unable")[0].replace(" valid ", " ")
    return f"{message}; found {shown}"

"""The settings explained: the text of config.example.toml, and each setting's value with where it came from."""

from __future__ import annotations

import json
import math
import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from dispatcher.secret_names import NOTIFY_SECRET, TWILIO_NAMES
from dispatcher.settings.profiles import variable_of
from dispatcher.settings.schema import setting_names, tables

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from dispatcher.settings.loading import LoadedSettings

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
    "columns.zone": "time_zone",
    "columns.area": "state",
    "columns.not_before": "send_from",
    "columns.not_after": "send_until",
    "campaign.purpose": "transactional",
    "hours.mode": "wait",
    "hours.open": "09:00-20:00",
    "hours.override": ["us-fl"],
    "hours.default_zone": "America/New_York",
    "schedule.start_at": "2026-12-01T09:00",
    "schedule.deadline": "2026-12-01T18:00",
    "suppress.files": ["do-not-contact.csv"],
    "suppress.column": "phone",
    "suppress.sha256_files": ["do-not-contact.sha256"],
    "notify.command": ["/usr/local/bin/tell-team", "dispatcher"],
    "cost.per_segment": 0.0083,
    "tracking.variables": ["widgets.ask_yes_no.inbound.Body"],
    "input.sheet": "Contacts",
    "input.delimiter": ";",
    "input.encoding": "cp1252",
}
_UNITS = {"_s": "seconds", "_bytes": "bytes", "_ms": "milliseconds"}
COMMENT_WIDTH = 100
_INTRODUCTION = """\
# Settings of dispatcher. `dispatcher config init` writes this file as config.toml.
#
# The lines that are not comments are what you must set. Each comment that looks like a setting is one,
# with its default: take the # away to change it. This file stands below the environment
# (DISPATCHER_<TABLE>_<NAME>, for example DISPATCHER_RATE_PER_SECOND), and that below flags;
# `dispatcher config show` tells where each value came from.
#
# Secrets never stand here. They come from the environment: TWILIO_ACCOUNT_SID with TWILIO_API_KEY
# and TWILIO_API_SECRET (or TWILIO_AUTH_TOKEN), and DISPATCHER_NOTIFY_SECRET; each may be a file
# (TWILIO_API_SECRET_FILE=…). `dispatcher login` keeps an API key for you instead."""
_PROFILES = '''\
# Profiles are for several accounts: `--profile eu`, or DISPATCHER_PROFILE=eu, lays that profile's
# tables over the ones above. Its credentials are its own: `dispatcher login --profile eu`, or
# TWILIO_EU_ACCOUNT_SID with TWILIO_EU_API_KEY and TWILIO_EU_API_SECRET.
#
#   [profiles.eu.account]
#   region = "ie1"
#   edge = "dublin"
#   [profiles.eu.campaign]
#   flow = "FW0123456789abcdef0123456789abcdee"'''


def example() -> str:
    """The text of config.example.toml: every setting with its default and unit, from the settings' own code."""
    lines = [_INTRODUCTION]
    found = list(tables())
    # What must be set stands first.
    found.sort(key=lambda item: not any(name.startswith(f"{item[0]}.") for name in REQUIRED))
    for table, model in found:
        lines += ["", f"[{table}]  # {(model.__doc__ or '').strip()}"]
        names = setting_names(model)
        for name in sorted(names, key=lambda name: f"{table}.{name}" not in REQUIRED):
            lines += ["", *_setting(f"{table}.{name}", name, model.model_fields[names[name]])]
    lines += ["", _PROFILES]
    return "\n".join(lines) + "\n"


def _setting(dotted: str, name: str, info: FieldInfo) -> Iterator[str]:
    default = info.get_default(call_default_factory=True)
    notes = [info.description or ""]
    if get_origin(info.annotation) is Literal:
        notes.append(f"One of {', '.join(map(str, get_args(info.annotation)))}.")
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
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            inner = ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            raise TypeError(type(value).__name__)


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A setting as it is used, where it came from, and which sources that stands above."""

    #: `table.name`, as in config.toml.
    name: str
    value: Any
    source: str
    overrides: tuple[str, ...]


def setting_values(loaded: LoadedSettings) -> Iterator[SettingValue]:
    """Every setting, in the order of config.example.toml."""
    for table, model in tables():
        values = getattr(loaded.settings, table)
        for name, field in setting_names(model).items():
            value = getattr(values, field)
            if (table, name) == ("state", "url"):
                value = loaded.settings.state.shown_url
            origin = loaded.provenance.get(f"{table}.{name}")
            source, overrides = (origin.source, origin.overrides) if origin else ("default", ())
            yield SettingValue(f"{table}.{name}", value, source, overrides)


def secret_values(environ: Mapping[str, str] | None = None, profile: str | None = None) -> dict[str, str]:
    """Each secret's variable: set, set by a file, or not set; never its value."""
    environ = os.environ if environ is None else environ
    found = {}
    for name in (*(variable_of(name, profile) for name in TWILIO_NAMES), NOTIFY_SECRET):
        if environ.get(f"{name}_FILE"):
            found[name] = f"set by {name}_FILE"
        else:
            found[name] = "set" if environ.get(name, "").strip() else "not set"
    return found

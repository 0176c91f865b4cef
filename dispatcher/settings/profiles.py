"""Profiles: tables of config.toml that are laid over the rest, for another account, say: `[profiles.eu.rate]`.

A profile has credentials of its own, under names of their own: what is chosen wrongly must not reach another account's
people. So nothing falls back: not an unknown name to no profile, nor a profile's credentials to the usual ones.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.errors import SettingsError
from dispatcher.remedies import Advice, Option, Remedy

#: The table of config.toml, and the variable that chooses one.
TABLE = "profiles"
VARIABLE = "DISPATCHER_PROFILE"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Profiles:
    """What a file says of them: name → `table.name` → value, and what is wrong with it, as (key in the file, why)."""

    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: tuple[tuple[str, str], ...] = ()


def asked_profile(profile: str | None, environ: Mapping[str, str]) -> str | None:
    """The profile's name, as it was given or else as the environment says; None: none.

    Raises: SettingsError: it can be none's.
    """
    name = profile if profile is not None else environ.get(VARIABLE, "").strip() or None
    if name is not None and not _NAME.fullmatch(name):
        raise SettingsError(
            "this cannot be a profile's name: letters, digits, - and _",
            found=repr(name[:60]),
            fix=Advice(
                "leave the profile out, or name one that config.toml has"
                if profile is not None
                else f"unset {VARIABLE}, or export the name of a profile that config.toml has"
            ),
        )
    return name


def variable_of(name: str, profile: str | None) -> str:
    """A secret's variable: TWILIO_API_KEY, and TWILIO_EU_API_KEY for the profile eu."""
    return name if profile is None else f"TWILIO_{_part(profile)}_{name.removeprefix('TWILIO_')}"


def read_profiles(tables: Mapping[str, Any]) -> Profiles:
    """The profiles of a file's tables."""
    found = tables.get(TABLE, {})
    if not isinstance(found, dict):
        return Profiles(problems=((TABLE, f"[{TABLE}]: it must hold a table for each profile, like [{TABLE}.eu]"),))
    layers: dict[str, dict[str, Any]] = {}
    problems = list(_misnamed(found))
    for profile, content in found.items():
        if not isinstance(content, dict):
            problems.append((f"{TABLE}.{profile}", f"[{TABLE}] {profile}: it must be a table, [{TABLE}.{profile}]"))
            continue
        layers[profile] = {}
        for table, values in content.items():
            if isinstance(values, dict):
                layers[profile].update({f"{table}.{name}": value for name, value in values.items()})
            else:
                why = f"[{TABLE}.{profile}] {table}: it belongs into a table, like [{TABLE}.{profile}.rate]"
                problems.append((f"{TABLE}.{profile}.{table}", why))
    return Profiles(layers, tuple(problems))


def unknown_profile(name: str, profiles: Profiles, file: Path, *, by_flag: bool) -> SettingsError:
    """The error for a name that no profile of the file has, with the nearest that one has."""
    lowered = {known.lower(): known for known in profiles.layers}
    near = [known for known in lowered if known.startswith(name.lower())]
    near += difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    meant = lowered[near[0]] if near else None
    fix: Remedy = _choose(meant, by_flag=by_flag) if meant else Advice(f"write [{TABLE}.{name}] into {file}")
    said = "" if by_flag else f", which {VARIABLE} names"
    known = ", ".join(profiles.layers) or "none"
    return SettingsError(f"there is no profile {name!r}{said}", found=f"profiles of the settings: {known}", fix=fix)


def _choose(name: str, *, by_flag: bool) -> Remedy:
    return Option("profile", name) if by_flag else Advice(f"export {VARIABLE}={name}")


def _misnamed(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for profile in found:
        key = f"{TABLE}.{profile}"
        if not _NAME.fullmatch(profile):
            yield key, f"[{key}]: this cannot be a profile's name: letters, digits, - and _"
        elif (other := seen.setdefault(_part(profile), profile)) != profile:
            # Whose key would TWILIO_EU_API_KEY be?
            why = f"its variables would be those of [{TABLE}.{other}], {variable_of('TWILIO_API_KEY', profile)}"
            yield key, f"[{key}]: {why}; call one of them otherwise"


def _part(profile: str) -> str:
    return profile.upper().replace("-", "_")

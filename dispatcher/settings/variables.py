"""The environment variables that are settings, and those that only look like one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from dispatcher.secret_names import NOTIFY_SECRET
from dispatcher.settings.profiles import VARIABLE as PROFILE_VARIABLE
from dispatcher.settings.schema import setting_names, tables

PREFIX = "DISPATCHER_"
#: What may be meant for this program, if it is hardly different from a name of ours: DISPATCHR_RATE_PER_SECOND.
_ALIKE = "DISPATCH"
#: How alike two names must be for one to be a slip of the other; and where only the first letters say it is ours.
_NEAR, _VERY_NEAR = 0.85, 0.93


def variable_names() -> dict[str, str]:
    """`table.name` → its variable."""
    return {
        f"{table}.{name}": f"{PREFIX}{table}_{name}".upper()
        for table, model in tables()
        for name in setting_names(model)
    }


def misnamed(environ: Mapping[str, str]) -> Iterator[str]:
    """Variables that are meant as settings and are none, each with the nearest one.

    A limit that is misspelled is no limit. Those of a known table, and those that are nearly a setting's name.
    """
    known = [*variable_names().values(), NOTIFY_SECRET, PROFILE_VARIABLE]
    known_tables = tuple(f"{PREFIX}{table}_".upper() for table, _ in tables())
    for name in _unknown(environ):
        is_ours = name.upper().startswith(known_tables)
        cutoff = 0.5 if is_ours else _NEAR if name.upper().startswith(PREFIX) else _VERY_NEAR
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=cutoff)
        if is_ours or near:
            yield f"{name}: no such setting{f'; did you mean {near[0]}?' if near else ''} (environment)"


def unused(environ: Mapping[str, str]) -> list[str]:
    """Variables that begin as ours do and set nothing; those of `misnamed` are not among them."""
    wrong = {text.partition(":")[0] for text in misnamed(environ)}
    return [name for name in _unknown(environ) if name.startswith(PREFIX) and name not in wrong]


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {*variable_names().values(), NOTIFY_SECRET, f"{NOTIFY_SECRET}_FILE", PROFILE_VARIABLE}
    for name, value in sorted(environ.items()):
        if value and name.upper().startswith(_ALIKE) and name not in known:
            yield name

"""The settings that go with an order: JSON in the ledger, for whichever machine sends the campaign.

Nothing secret is in them, and nothing that is a machine's own: where its ledger is, its page, its workers, and whom it
tells (a program that `[notify]` names would run on another machine than its author's).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from dispatcher.errors import SettingsError
from dispatcher.remedies import Advice
from dispatcher.settings.schema import Settings

#: The tables that each machine has for itself.
OWN_TABLES = ("state", "cluster", "web", "notify")


def settings_to_send(settings: Settings) -> str:
    """A campaign's settings as JSON, every one of them: what is a default here may be none in another version.

    Lists of `[suppress]` are named by their absolute paths, as the ledger names what was read of them.
    """
    tables = settings.model_dump(mode="json", by_alias=True, exclude=set(OWN_TABLES))
    suppress = tables["suppress"]
    for name in ("files", "sha256_files"):
        suppress[name] = [os.path.abspath(Path(path).expanduser()) for path in suppress[name]]  # noqa: PTH100 - no disk
    return orjson.dumps(tables).decode()


def settings_from(text: str, own: Settings) -> Settings:
    """The settings of an order, with this machine's own tables.

    Raises: SettingsError: another version has written what this one does not know, or it is none of the program's.
    """
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise SettingsError(
            "the settings that the ledger keeps with the campaign cannot be read", fix=Advice("order it again")
        )
    try:
        return Settings.model_validate({**found, **{name: getattr(own, name) for name in OWN_TABLES}})
    except ValidationError as error:
        wrong = error.errors()
        # Names alone: a value may be a contact's.
        unknown = [_dotted(item["loc"]) for item in wrong if item["type"] == "extra_forbidden"]
        if unknown:
            raise SettingsError(
                "the campaign was ordered by another version of this program",
                found=f"this one does not know {', '.join(unknown)}",
                fix=Advice("let all machines have the same version"),
            ) from None
        raise SettingsError(
            "the settings that the ledger keeps with the campaign cannot be used",
            found=", ".join(_dotted(item["loc"]) for item in wrong),
            fix=Advice("order it again"),
        ) from None


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[:2])

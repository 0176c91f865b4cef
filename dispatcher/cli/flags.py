"""The settings that have a flag of their own. One table: for reading a command line, and for wording a remedy."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatcher.settings import LoadedSettings

#: `table.name`, as in config.toml → the flag.
FLAGS = {
    "account.api_version": "--api-version",
    "account.base_url": "--base-url",
    "campaign.flow": "--flow",
    "campaign.from": "--from",
    "campaign.on_busy": "--on-busy",
    "columns.region": "--region",
    "columns.to": "--to",
    "input.sheet": "--sheet",
    "rate.pace": "--pace",
    "rate.per_second": "--rate",
    "state.dir": "--state-dir",
}


def _parameter(flag: str) -> str:
    name = flag.removeprefix("--").replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


#: `table.name` → the name of the Python parameter by which commands declare its flag.
PARAMETERS = {setting: _parameter(flag) for setting, flag in FLAGS.items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line says of the settings: their file, and the flags that stand above it."""

    config: Path | None
    #: `table.name` → value; None: the flag was not given.
    flags: dict[str, Any]

    def load(self) -> LoadedSettings:
        """Settings from all sources, the flags on top. Raises: SettingsError."""
        from dispatcher import settings

        return settings.load(self.config, flags=self.flags)

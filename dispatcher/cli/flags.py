"""The settings that have a flag of their own. One table: for reading a command line, and for wording a remedy."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dispatcher.errors import SettingsError
    from dispatcher.settings import LoadedSettings


@dataclass(frozen=True, slots=True)
class Flag:
    """A setting's flag."""

    name: str
    #: What it takes.
    kind: Any
    #: What it says in the help.
    text: str
    #: The word for its value, where the kind's is not plain.
    metavar: str | None = None

    @property
    def parameter(self) -> str:
        """The name of the Python parameter that stands for it."""
        name = self.name.removeprefix("--").replace("-", "_")
        return f"{name}_" if keyword.iskeyword(name) else name


_ON_BUSY = "When the contact is in another execution. [bold]end[/bold] cuts that conversation off."
#: `table.name`, as in config.toml → its flag.
FLAGS = {
    "account.api_version": Flag("--api-version", Literal["v1", "v2"], "Studio's API."),
    "account.base_url": Flag("--base-url", str, "Studio's address, or a sandbox's."),
    "campaign.flow": Flag("--flow", str, "The flow: FW…, or its name."),
    "campaign.from": Flag("--from", str, "The sender, +… or MG…."),
    "campaign.on_busy": Flag("--on-busy", Literal["skip", "wait", "end"], _ON_BUSY),
    "canary.rows": Flag("--canary", int, "So many rows first; the others once they went well.", "N"),
    "columns.region": Flag("--region", str, "Country of numbers without a country code, for example US.", "CC"),
    "columns.to": Flag("--to", str, "The column with the number.", "COLUMN"),
    "guard.max_rows": Flag("--max-rows", int, "More rows than this are refused, not sent.", "N"),
    "hours.mode": Flag("--hours", Literal["wait", "warn", "off"], "Rows wait for their contacts' hours, or not."),
    "schedule.start_at": Flag("--start-at", str, "Nothing before, on each contact's clock.", "TIME"),
    "schedule.deadline": Flag("--deadline", str, "Nothing after, on each contact's clock.", "TIME"),
    "input.delimiter": Flag("--delimiter", str, "A text file's delimiter: one character, or tab."),
    "input.encoding": Flag("--encoding", str, "A text file's encoding, for example cp1252."),
    "input.header_row": Flag("--header-row", int, "The row with the columns' names.", "N"),
    "input.sheet": Flag("--sheet", str, "A workbook's sheet."),
    "rate.pace": Flag("--pace", Literal["even", "spike"], "Evenly, or a window's worth at once."),
    "rate.per_second": Flag("--rate", float, "The account's limit, requests a second."),
    "suppress.accept_unreadable": Flag("--accept-unreadable", bool, "Use suppression lists that have bad lines, too."),
    "state.dir": Flag("--state-dir", str, "The ledger's folder."),
    "web.host": Flag("--host", str, "The address to listen on."),
    "web.port": Flag("--port", int, "The port; 0 lets the system choose."),
    "web.public_url": Flag("--public-url", str, "How browsers reach it, behind a proxy with TLS: https://….", "URL"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line says of the settings: their file, the profile, and the flags that stand above both."""

    config: Path | None
    #: `table.name` → value; None: the flag was not given.
    flags: dict[str, Any]
    #: Whose tables are laid over the file's; None: as the environment says.
    profile: str | None = None
    #: No file is read, not even the folder's config.toml.
    no_file: bool = False

    def load(self) -> LoadedSettings:
        """Settings from all sources, the flags on top. Raises: SettingsError."""
        from dispatcher import settings

        loaded = settings.load(self.config, profile=self.profile, flags=self.flags, no_file=self.no_file)
        if (folder := self.flags.get("state.dir")) and loaded.settings.is_cluster:
            raise _two_ledgers(folder, loaded)
        return loaded


def _two_ledgers(folder: str, loaded: LoadedSettings) -> SettingsError:
    """Neither silently: whoever is known by the one would be a stranger to the other."""
    from dispatcher.errors import SettingsError
    from dispatcher.remedies import Advice, AnyOf

    return SettingsError(
        "a folder is given for the ledger, and the settings name a server for it",
        found=f"{folder} beside {loaded.settings.state.shown_url}",
        fix=AnyOf(
            Advice("leave the folder out, for the server's ledger"),
            Advice("take [state] url out of the settings, for the folder's"),
        ),
    )

"""What to do about an error, as values: each front end words them (a command line as flags, a page as links).

Setting("campaign.flow", "FW…")            change a setting
Option("wait")                             do the same again with this choice
Command("resume", ("spring",))             run another command of the program
Advice("free some disk space")             anything else, as a plain sentence without flags or commands
AnyOf(a, b), InTurn(a, b)                  one of them; one after the other
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence for people: no flags, no commands; it begins with a small letter and ends without a full stop."""

    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """Change a setting. `value`: what to, or an example of what to (pairs: a table); None: whatever is right."""

    #: `table.name`, as in config.toml.
    name: str
    value: str | int | float | bool | tuple[str, ...] | tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """Do the same again with this choice, by the name of its flag without dashes. `value`: None where it takes none."""

    name: str
    value: str | int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """Run another command of the program. Arguments in capitals (FILE, CAMPAIGN) stand for what the user puts there."""

    name: str
    arguments: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    #: What that does, in a few words; empty where the name says it.
    does: str = ""


@dataclass(frozen=True, slots=True, init=False)
class AnyOf:
    """One of them helps."""

    remedies: tuple[Remedy, ...]

    def __init__(self, *remedies: Remedy) -> None:
        object.__setattr__(self, "remedies", remedies)


@dataclass(frozen=True, slots=True, init=False)
class InTurn:
    """All of them, one after the other."""

    remedies: tuple[Remedy, ...]

    def __init__(self, *remedies: Remedy) -> None:
        object.__setattr__(self, "remedies", remedies)


Remedy: TypeAlias = Advice | Setting | Option | Command | AnyOf | InTurn

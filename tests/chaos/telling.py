"""How the programs of this folder tell what came of a run: lines, counts, a table in Markdown."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping


def counted(what: Counter[str]) -> str:
    """Counts, the largest first."""
    return ", ".join(f"{n:,} {name}" for name, n in what.most_common()) or "none"


def markdown(rows: Mapping[str, str]) -> str:
    """Name and value of each, as a table in Markdown."""
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def say(text: str) -> None:
    """One of the lines that these programs are for."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()

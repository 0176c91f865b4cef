"""Writes the table of presets in docs/rules.md from presets.toml: `python -m docs.presets`. A test holds both equal."""

from __future__ import annotations

import re
from pathlib import Path

from dispatcher.rules.presets import Preset, presets
from dispatcher.rules.week import write_week

PATH = Path(__file__).with_name("rules.md")
_HEAD = "| preset | hours, contact's clock | where | source | checked |\n|---|---|---|---|---|\n"
_TABLE = re.compile(re.escape(_HEAD) + r"(?:\|.*\n)*")


def text() -> str:
    """docs/rules.md with the table as the presets are."""
    return _TABLE.sub(lambda _: table(), PATH.read_text(encoding="utf-8"))


def table() -> str:
    """The table: a line for each preset, in the file's order."""
    return _HEAD + "".join(_line(one) for one in presets().values())


def _line(one: Preset) -> str:
    week = write_week(one.week)
    days = {"": week} if isinstance(week, str) else week
    hours = [f"{day} {text or 'closed'}".strip() for day, text in days.items()]
    hours += ["public holidays closed"] * one.holidays_closed
    where = "everywhere" if one.applies_to is None else ", ".join(sorted(one.applies_to))
    return f"| `{one.name}` | {'; '.join(hours)} | {where} | {one.source} | {one.checked_on} |\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")

"""The figures as a page: a table per section, and one drawing of measured against goal."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
WIDTH, ROW_HEIGHT, LABEL_WIDTH = 860, 26, 430
TITLES = {
    "send": "Sending, the limiter out of the way",
    "memory": "Memory",
    "latency": "Sending against 50 ms of latency",
    "rate": "Keeping the rate",
    "intake": "Intake",
    "rules": "The rules of a campaign",
    "web": "The page",
    "growth": "Growth",
    "start": "Start",
    "cluster": "Many machines, one ledger on PostgreSQL",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One goal and what was measured. `share`: measured ÷ goal, above 1 is better than the goal; None: no goal."""

    what: str
    goal: str
    measured: str
    share: float | None = None

    @property
    def verdict(self) -> str:
        """met, missed, or nothing where there is no goal."""
        return "" if self.share is None else ("met" if self.share >= 1 else "missed")

    def as_json(self) -> dict[str, Any]:
        """For results.json."""
        return asdict(self)

    @staticmethod
    def of(item: Mapping[str, Any]) -> Line:
        """Back from results.json."""
        return Line(item["what"], item["goal"], item["measured"], item["share"])


def at_least(what: str, value: float, goal: float, unit: str = "", digits: int = 2) -> Line:
    """A figure that should be at least the goal."""
    return Line(what, f"≥ {goal:,g}{unit}", f"{value:,.{digits}f}{unit}", value / goal)


def at_most(what: str, value: float, goal: float, unit: str = "", digits: int = 2) -> Line:
    """A figure that should be at most the goal."""
    share = 1.0 if value <= goal else goal / value
    return Line(
        what,
        f"≤ {goal:,g}{unit}",
        f"{value:,.{digits}f}{unit}",
        share if value > goal else max(1.0, goal / value if value else 9),
    )


def read_page() -> dict[str, list[Line]]:
    """The sections of docs/performance.md as it is: of a clone, where nothing else is left of them."""
    names = {title: name for name, title in TITLES.items()}
    found: dict[str, list[Line]] = {}
    name: str | None = None
    for line in (DOCS / "performance.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = names.get(line.removeprefix("## "))
        elif name is not None and line.startswith("| ") and not line.startswith("| what |"):
            what, goal, measured, _ = (cell.strip() for cell in line.strip("|").split("|"))
            found.setdefault(name, []).append(Line(what, goal, measured, _share(goal, measured)))
    return found


def _share(goal: str, measured: str) -> float | None:
    """Measured ÷ goal, as `at_least` and `at_most` have it."""
    if not goal:
        return None
    wanted, value = (float(re.findall(r"[\d,.]*\d", text)[0].replace(",", "")) for text in (goal, measured))
    if goal.startswith("≥"):
        return value / wanted
    return max(1.0, wanted / value if value else 9) if value <= wanted else wanted / value


def write_page(sections: Mapping[str, Sequence[Line]], *, command: str) -> None:
    """docs/performance.md and docs/performance.svg."""
    lines = [
        "# Performance",
        "",
        "What `dispatcher` costs with its promises on, against what a user would write or pick instead. Ratios of one",
        "run on one machine: absolute figures are that machine's. Every figure is a process of its own; rivals",
        "run in turn, and medians count.",
        "",
        f"- Made by `{command}` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}; a section that was run again alone"
        ' (`make bench ARGS="--only growth"`) has its later figures.',
        f"- {platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()};"
        " the target server shares the machine.",
        "",
        "![Measured against the goals](performance.svg)",
        "",
    ]
    for name, section in sections.items():
        lines += [f"## {TITLES.get(name, name)}", "", "| what | goal | measured | |", "|---|---|---|---|"]
        lines += [f"| {line.what} | {line.goal} | {line.measured} | {_mark(line)} |" for line in section]
        lines.append("")
    notes = DOCS / "performance-notes.md"
    if notes.exists():
        lines.append(notes.read_text(encoding="utf-8").rstrip())
    (DOCS / "performance.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    (DOCS / "performance.svg").write_text(
        _drawing([line for section in sections.values() for line in section]), encoding="utf-8"
    )


def _mark(line: Line) -> str:
    return f"**{line.verdict}**" if line.verdict == "missed" else line.verdict


def _drawing(lines: Sequence[Line]) -> str:
    """Bars of measured ÷ goal, the goal as a line at 1; text beside each, so that no colour is needed to read it."""
    shown = [line for line in lines if line.share is not None]
    height = ROW_HEIGHT * len(shown) + 60
    room = WIDTH - LABEL_WIDTH - 130
    unit = room / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Measured against each goal">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LABEL_WIDTH + unit:.0f}" y="18" text-anchor="middle" fill="#444">goal</text>',
    ]
    for number, line in enumerate(shown):
        y = 30 + number * ROW_HEIGHT
        assert line.share is not None
        width = min(line.share, 2.0) * unit
        colour = "#2f7d4f" if line.share >= 1 else "#b3541e"
        parts += [
            f'<text x="{LABEL_WIDTH - 8}" y="{y + 14}" text-anchor="end" fill="#222">{escape(line.what)}</text>',
            f'<rect x="{LABEL_WIDTH}" y="{y + 3}" width="{width:.1f}" height="{ROW_HEIGHT - 9}" fill="{colour}"/>',
            f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{y + 14}" fill="#222">{escape(line.measured)}'
            f"{'' if line.share >= 1 else ' (missed)'}</text>",
        ]
    parts += [
        f'<line x1="{LABEL_WIDTH + unit:.1f}" x2="{LABEL_WIDTH + unit:.1f}" y1="24" y2="{height - 24}" stroke="#222"'
        ' stroke-dasharray="4 3"/>',
        f'<text x="{LABEL_WIDTH}" y="{height - 8}" fill="#444">bars: measured as a share of the goal, more is better'
        " (cut off at twice)</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"

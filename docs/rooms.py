"""Draws docs/architecture.svg, the picture of the rooms, from the imports and docstrings of the code: `make rooms`.

Rows are the layers of the import contract in pyproject.toml; an arrow is an import that no other arrow implies (where
campaign imports sending and sending imports ledger, none goes from campaign to ledger). A test holds the picture equal
to what this draws.
"""

from __future__ import annotations

import ast
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path

from tests.structure import PACKAGE, ROOT, graph

PATH = Path(__file__).with_name("architecture.svg")
WIDTH, MARGIN, GAP, ROW_GAP = 880, 16, 20, 46
LINE_HEIGHT, PADDING = 16, 12
BOX_WIDTH_MAX = 280
#: What every room imports: drawn below all, without arrows.
EVERYWHERE = ("errors", "model", "remedies", "version", "clock")
STYLE = """
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px }
text { fill: #57606a; text-anchor: middle }
.name { font-size: 14px; font-weight: 600; fill: #1f2328 }
.walk { fill: #0550ae }
rect { fill: #f6f8fa; stroke: #8c959f }
.all { stroke-dasharray: 4 3 }
path { fill: none; stroke: #8c959f; stroke-width: 1.4; marker-end: url(#tip) }
#tip path { fill: #8c959f; stroke: none; marker-end: none }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 } .name { fill: #f0f6fc } .walk { fill: #79c0ff }
  rect { fill: #151b23; stroke: #656c76 } path { stroke: #656c76 } #tip path { fill: #656c76 }
}
""".strip()


def room_of(module: str) -> str:
    """`dispatcher.sending.limiter` is in `sending`."""
    return module.split(".")[1] if "." in module else module


def layers(root: Path = ROOT) -> list[list[str]]:
    """The rooms that exist, by the layers of the import contract, top first."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    (contract,) = [one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    there = {room_of(module) for module in graph(root)}
    found = [[name.strip(" ()") for name in layer.split("|")] for layer in contract["layers"]]
    kept = [[name for name in names if name in there and name not in EVERYWHERE] for names in found]
    return [names for names in kept if names and names != ["__main__"]]


def arrows(rooms: Iterable[str], root: Path = ROOT) -> list[tuple[str, str]]:
    """Which room imports which, without those that follow from others."""
    below: dict[str, set[str]] = {room: set() for room in rooms}
    for module, imported in graph(root).items():
        source = room_of(module)
        if source in below:
            below[source] |= {room_of(other) for other in imported} & set(below) - {source}

    def reached(room: str) -> set[str]:
        return below[room].union(*(reached(other) for other in below[room]))

    return [
        (room, other)
        for room in below
        for other in sorted(below[room])
        if not any(other in reached(between) for between in below[room] - {other})
    ]


def caption(room: str, root: Path = ROOT) -> tuple[str, str]:
    """The number on a row's way, if the room has one, and what it is: the beginning of its docstring."""
    folder = root / PACKAGE / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split("\n")[0]
    number, _, rest = text.removeprefix("Room ").partition(": ") if text.startswith("Room ") else ("", "", text)
    for end in (". ", ": ", "; "):
        rest = rest.partition(end)[0]
    return number, rest.rstrip(".:").replace("->", "→")


def draw(root: Path = ROOT) -> str:
    """The picture, as SVG."""
    rows = layers(root)
    boxes: dict[str, tuple[float, float, float, float]] = {}
    parts: list[str] = []
    top = float(MARGIN)
    for names in rows:
        width = min(BOX_WIDTH_MAX, (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names))
        texts = {name: textwrap.wrap(caption(name, root)[1], int(width / 7.2)) for name in names}
        height = PADDING * 2 + LINE_HEIGHT * (1 + max(map(len, texts.values())))
        left = (WIDTH - width * len(names) - GAP * (len(names) - 1)) / 2
        for name in names:
            boxes[name] = (left, top, width, height)
            number = caption(name, root)[0]
            title = f'<tspan class="walk">{number}</tspan> {name}/' if number else f"{name}/"
            parts += box(boxes[name], title, texts[name])
            left += width + GAP
        top += height + ROW_GAP
    base = (MARGIN, top - ROW_GAP + GAP, WIDTH - 2 * MARGIN, PADDING * 2 + LINE_HEIGHT * 2)
    parts += box(base, " · ".join(f"{name}.py" for name in EVERYWHERE), ["every room may import these"], "all")
    height = round(base[1] + base[3] + MARGIN)
    names = [name for row in rows for name in row]
    lines = list(curves(boxes, arrows(names, root)))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img" aria-label="The rooms of {PACKAGE}: {escape(", ".join([*names, *EVERYWHERE]))}">',
            f"<style>\n{STYLE}\n</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
            *lines,
            *parts,
            "</svg>\n",
        ]
    )


def box(at: tuple[float, float, float, float], title: str, lines: list[str], kind: str = "room") -> Iterator[str]:
    """A rectangle with a name and what it is."""
    left, top, width, height = at
    middle = left + width / 2
    yield f'<rect class="{kind}" rx="6" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
    yield f'<text class="name" x="{middle:.1f}" y="{top + PADDING + 11:.1f}">{title}</text>'
    for n, line in enumerate(lines, 1):
        yield f'<text x="{middle:.1f}" y="{top + PADDING + 11 + n * LINE_HEIGHT:.1f}">{escape(line)}</text>'


def curves(boxes: Mapping[str, tuple[float, float, float, float]], found: list[tuple[str, str]]) -> Iterator[str]:
    """The arrows, from the lower edge of a box to the upper edge of another, spread along both edges."""

    def x_of(room: str) -> float:
        return boxes[room][0] + boxes[room][2] / 2

    def port(room: str, others: list[str], other: str) -> float:
        ordered = sorted(others, key=x_of)
        return boxes[room][0] + boxes[room][2] * (ordered.index(other) + 1) / (len(ordered) + 1)

    for source, target in found:
        x1 = port(source, [b for a, b in found if a == source], target)
        x2 = port(target, [a for a, b in found if b == target], source)
        y1, y2 = boxes[source][1] + boxes[source][3], boxes[target][1]
        # Beside the boxes of the rows between: through the gap that is nearest to a straight line.
        points = [(x1, y1), *_detours(boxes, (x1, y1), (x2, y2)), (x2, y2)]
        text = f"M{x1:.1f},{y1:.1f}"
        for (xa, ya), (xb, yb) in pairwise(points):
            bend = (yb - ya) / 2
            text += f" C{xa:.1f},{ya + bend:.1f} {xb:.1f},{yb - bend:.1f} {xb:.1f},{yb:.1f}"
        yield f'<path d="{text}"/>'


def _detours(
    boxes: Mapping[str, tuple[float, float, float, float]], start: tuple[float, float], end: tuple[float, float]
) -> Iterator[tuple[float, float]]:
    rows: dict[float, list[tuple[float, float, float, float]]] = {}
    for at in boxes.values():
        if start[1] < at[1] and at[1] + at[3] < end[1]:
            rows.setdefault(at[1], []).append(at)
    for top, row in sorted(rows.items()):
        height = row[0][3]
        share = (top + height / 2 - start[1]) / (end[1] - start[1])
        wanted = start[0] + (end[0] - start[0]) * share
        edges = sorted((left, left + width) for left, _, width, _ in row)
        gaps = [edges[0][0] - GAP / 2, *((a[1] + b[0]) / 2 for a, b in pairwise(edges)), edges[-1][1] + GAP / 2]
        x = min(gaps, key=lambda gap: abs(gap - wanted))
        yield x, top - 4
        yield x, top + height + 4


def main() -> None:
    """Write it."""
    PATH.write_text(draw(), encoding="utf-8")
    sys.stdout.write(f"{PATH.name}\n")


if __name__ == "__main__":
    main()

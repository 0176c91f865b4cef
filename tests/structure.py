"""What `make lint` holds beside the import contracts: no circle between files, and no file that grows without end.

python -m tests.structure

Every import counts, inside functions and under TYPE_CHECKING too: a circle that only types close is read in circles
all the same, and an import that hides in a function hides a circle.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "dispatcher"
LINES_MAX = 450


def modules(root: Path, package: str = PACKAGE) -> dict[str, Path]:
    """Each module's name and file."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, source: str, *, is_package: bool, known: Mapping[str, object]) -> set[str]:
    """Which of the known modules a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            for alias in node.names:
                # A module of the package, or a name that the package itself has.
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in known else base)
    return (found & set(known)) - {name}


def graph(root: Path, package: str = PACKAGE) -> dict[str, set[str]]:
    """Each module, and the modules of the package that it imports."""
    files = modules(root, package)
    return {
        name: imports(name, path.read_text("utf-8"), is_package=path.name == "__init__.py", known=files)
        for name, path in files.items()
    }


def circles(arrows: Mapping[str, set[str]]) -> list[set[str]]:
    """The groups of modules that import each other, directly or by way of others (Tarjan's algorithm, by recursion)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        index[name] = lowest[name] = len(index)
        stack.append(name)
        for other in sorted(arrows[name]):
            if other not in index:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], index[other])
        if lowest[name] == index[name]:
            group = set()
            while name not in group:
                group.add(stack.pop())
            if len(group) > 1:
                found.append(group)

    for name in sorted(arrows):
        if name not in index:
            visit(name)
    return found


def problems(root: Path = ROOT, package: str = PACKAGE) -> Iterator[str]:
    """What is wrong, one line each."""
    for group in circles(graph(root, package)):
        yield f"files that import each other: {', '.join(sorted(group))}"
    for name, path in modules(root, package).items():
        lines = len(path.read_text("utf-8").splitlines())
        if lines > LINES_MAX:
            yield f"{name} has {lines} lines, at most {LINES_MAX}: split it by noun"


def main() -> int:
    """Say what is wrong; 1 if anything is."""
    wrong = list(problems())
    for line in wrong:
        sys.stdout.write(f"structure: {line}\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

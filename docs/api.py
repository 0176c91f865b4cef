"""Writes the lower part of docs/python.md from the docstrings of the public names: `python -m docs.api`.

What stands above the mark is written by hand. A test holds both equal, and another runs the example.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dispatcher
from dispatcher.errors import DispatcherError

PATH = Path(__file__).with_name("python.md")
MARK = "<!-- From here on: python -m docs.api -->\n"
ROOT = Path(__file__).resolve().parents[1]
#: The rooms that public names come from, and what their part is called; in this order.
PARTS = {
    "Campaigns": ("campaign",),
    "Contacts": ("intake",),
    "Settings and credentials": ("settings",),
    "What is told": ("model", "ledger", "reporting", "tracking", "sending"),
    "Events": ("events",),
    "Studio": ("studio",),
    "The sandbox": ("sandbox",),
    "Errors": ("errors",),
    "Version": ("version",),
}
#: Said before a part's names.
LEADS = {
    "What is told": "Times are milliseconds since 1970 where a name ends in `_ms`; others are aware datetimes, UTC.",
    "Events": "The kinds of events are classes in `dispatcher.events`.",
    "Errors": "Each with its code, cause and fix: [errors.md](errors.md).",
}
#: Their fields are tables of settings: config.example.toml has them.
_NO_FIELDS = {"Settings": "Fields: the tables of [config.example.toml](../config.example.toml)."}
_WIDTH = 110


def text() -> str:
    """docs/python.md with the lower part as the docstrings are."""
    return PATH.read_text(encoding="utf-8").partition(MARK)[0] + MARK + "\n" + reference()


def reference() -> str:
    """Every public name, by parts."""
    by_part: dict[str, list[str]] = {part: [] for part in PARTS}
    for name in dispatcher.__all__:
        by_part[_part(name)].append(name)
    lines: list[str] = []
    for part, names in by_part.items():
        lines += [f"## {part}", ""]
        lines += [LEADS[part], ""] if part in LEADS else []
        if part == "Errors":
            names = [name for name in names if not _is_error(name)]
        # What is called first: functions, then classes, then what they hold.
        for name in sorted(names, key=lambda name: (not inspect.isroutine(getattr(dispatcher, name)), name)):
            lines += [*_entry(name), ""]
    return "\n".join(lines)


def _is_error(name: str) -> bool:
    value = getattr(dispatcher, name)
    return isinstance(value, type) and issubclass(value, DispatcherError)


def _module(name: str) -> str:
    """The module in which a public name is defined."""
    value = getattr(dispatcher, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        return str(inspect.unwrap(value).__module__)
    stub = (ROOT / "dispatcher" / "__init__.pyi").read_text(encoding="utf-8")
    (module,) = re.findall(rf"^from (\S+) import {name} as {name}$", stub, re.MULTILINE)
    while len(source := _imported_from(str(module), name)) == 1:
        module = source[0]
    return str(module)


def _imported_from(module: str, name: str) -> list[str]:
    return [
        str(node.module)
        for node in _source(module)[0].body
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names)
    ]


def _part(name: str) -> str:
    room = _module(name).split(".")[1]
    return next(part for part, rooms in PARTS.items() if room in rooms)


@cache
def _source(module: str) -> tuple[ast.Module, list[str]]:
    source = inspect.getsource(importlib.import_module(module))
    return ast.parse(source), source.splitlines()


def _definition(module: str, name: str) -> ast.stmt:
    for node in _source(module)[0].body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node
    raise LookupError(f"{module} does not define {name}")


def _entry(name: str) -> Iterator[str]:
    yield from [f"### {name}", ""]
    value, module = getattr(dispatcher, name), _module(name)
    if name == "__version__":
        yield "This release's, `MAJOR.MINOR.PATCH`."
        return
    node = _definition(module, getattr(value, "__name__", name) if callable(value) else name)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from ["```text", *_signature(node, name), "```", "", *_doc(node)]
    elif isinstance(node, ast.ClassDef):
        yield from _class(value, node)
    else:
        lines = _source(module)[1]
        words = _comment(lines, node)
        meant = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        yield f"`{ast.unparse(meant) if meant else name}`"
        yield from ["", words] if words else []


def _class(kind: type, node: ast.ClassDef) -> Iterator[str]:
    above = [base.__name__ for base in kind.__bases__ if base.__name__ in dispatcher.__all__]
    if above:
        yield from [f"All that `{above[0]}` has, and more.", ""]
    yield from _doc(node)
    if node.name in _NO_FIELDS:
        yield from ["", _NO_FIELDS[node.name]]
    fields = [] if node.name in _NO_FIELDS else [*_fields(kind)]
    if fields:
        yield from ["", *fields]
    for method in _methods(kind):
        yield from ["", "```text", *_signature(method), "```", "", *_doc(method)]


def _nodes(kind: type) -> Iterator[tuple[ast.ClassDef, list[str]]]:
    """The class, behind those above it that are ours and have no entry of their own."""
    for one in reversed(kind.__mro__):
        if one is kind or (one.__module__.startswith("dispatcher.") and one.__name__ not in dispatcher.__all__):
            node = _definition(one.__module__, one.__name__)
            assert isinstance(node, ast.ClassDef)
            yield node, _source(one.__module__)[1]


def _fields(kind: type) -> Iterator[str]:
    for node, lines in _nodes(kind):
        for at, member in enumerate(node.body):
            if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                name, shown = member.target.id, ast.unparse(member.annotation)
            elif isinstance(member, ast.Assign) and isinstance(member.targets[0], ast.Name):
                name, shown = member.targets[0].id, ""
                if isinstance(member.value, ast.Constant) and member.value.value != name:
                    name = f"{name} = {member.value.value!r}"
            elif isinstance(member, ast.FunctionDef) and _is_property(member):
                name, shown = member.name, ast.unparse(member.returns) if member.returns else ""
            else:
                continue
            if name.startswith("_") or shown.startswith("ClassVar"):
                continue
            below = node.body[at + 1] if at + 1 < len(node.body) else None
            words = (
                ast.get_docstring(member) if isinstance(member, ast.FunctionDef) else _comment(lines, member, below)
            ) or ""
            told = " ".join(words.split())
            yield f"- `{f'{name}: {shown}' if shown else name}`{f': {told}' if told else ''}"


def _comment(lines: list[str], node: ast.stmt, below: ast.stmt | None = None) -> str | None:
    """What is said of a field: in `#:` above it or behind it, or in a text below it."""
    behind = lines[(node.end_lineno or node.lineno) - 1].partition("#:")[2].strip()
    above: list[str] = []
    at = node.lineno - 2
    while lines[at].strip().startswith("#:"):
        above.insert(0, lines[at].strip().removeprefix("#:").strip())
        at -= 1
    text_below = ""
    if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
        text_below = below.value.value
    return behind or " ".join(above) or text_below or None


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list)


def _methods(kind: type) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node, _ in _nodes(kind):
        for member in node.body:
            if not isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) or member.name.startswith("_"):
                continue
            named = {one.id for one in member.decorator_list if isinstance(one, ast.Name)}
            is_setter = any(isinstance(one, ast.Attribute) and one.attr == "setter" for one in member.decorator_list)
            # Of several signatures the last says what is done.
            if not is_setter and not {"property", "overload"} & named:
                yield member


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str | None = None) -> list[str]:
    name = name or node.name
    decorators = " ".join(map(ast.unparse, node.decorator_list))
    gives = ast.unparse(node.returns) if node.returns else "None"
    words = ""
    if "asynccontextmanager" in decorators:
        words, gives = "async with ", gives.partition("[")[2].removesuffix("]")
    elif isinstance(node, ast.AsyncFunctionDef):
        is_generator = any(isinstance(one, ast.Yield) for one in ast.walk(node))
        words = "async for … in " if is_generator else "await "
        if is_generator:
            gives = gives.partition("[")[2].removesuffix("]").removesuffix(", None")
    given = ast.unparse(node.args)
    for own in ("self", "cls"):
        given = given.removeprefix(own).removeprefix(", ") if re.match(rf"{own}\b", given) else given
    parts = [re.sub(r"^(\w+: [^=]+)=", r"\1 = ", part) for part in _split(given)]
    line = f"{words}{name}({', '.join(parts)}) -> {gives}"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{words}{name}(", *[f"    {part}," for part in parts], f") -> {gives}"]


def _split(given: str) -> list[str]:
    """Parameters, at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for letter in given:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _doc(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return (ast.get_docstring(node) or "").splitlines()


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")

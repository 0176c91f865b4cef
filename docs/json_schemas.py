"""Writes docs/schemas from `dispatcher/answers.py`: `python -m docs.json_schemas`. A test holds both equal.

JSON Schema, draft 2020-12. More keys may come within one `schema` number, so none is forbidden.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from dispatcher import answers

FOLDER = Path(__file__).with_name("schemas")
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file's name and what is in it."""
    yield "run.json", _document(answers.RunAnswer, "run --json, resume --json, retry --json")
    status = _merged(answers.Answer, answers.StatusAnswer)
    yield "status.json", {**_head("status CAMPAIGN --json; pause, cancel and reconcile, too"), **status}
    yield "answer.json", _document(answers.Answer, "What every object of --json has, whatever the command and its end")
    lines = [_schema(kind) for kind in (answers.BeginLine, answers.StateLine, answers.EndLine)]
    yield "events.json", {**_head("One line of --json-events"), "oneOf": lines}


def text(document: dict[str, Any]) -> str:
    """A file's text."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _head(title: str) -> dict[str, Any]:
    return {"$schema": DRAFT, "title": title}


def _document(kind: type, title: str) -> dict[str, Any]:
    return {**_head(title), **_schema(kind)}


def _merged(*kinds: type) -> dict[str, Any]:
    parts = [_schema(kind) for kind in kinds]
    found = dict(parts[-1])
    found["properties"] = {name: one for part in parts for name, one in part["properties"].items()}
    found["required"] = [name for part in parts for name in part["required"]]
    return found


def _schema(kind: Any) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        return _object(kind)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1])
    if origin is Literal:
        return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
    if origin in (Union, UnionType):
        schemas = [_schema(one) for one in arguments]
        if all(set(one) == {"type"} for one in schemas):
            return {"type": [one["type"] for one in schemas]}
        return {"anyOf": schemas}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    return {"type": _PLAIN[kind]}


def _annotated(kind: Any, note: Any) -> dict[str, Any]:
    if not isinstance(note, answers.Words):
        return {**_schema(kind), "format": note}
    module, name = note.enumeration.split(":")
    words = [word.value for word in getattr(import_module(module), name)]
    if get_origin(kind) is not dict:
        return {"enum": words}
    inner = _schema(get_args(kind)[1])
    found = {"type": "object", "properties": dict.fromkeys(words, inner), "additionalProperties": inner}
    return {**found, "required": words} if note.every else found


def _object(kind: type) -> dict[str, Any]:
    hints, told = get_type_hints(kind, include_extras=True), _told(kind)
    properties, required = {}, []
    for name, hint in hints.items():
        if get_origin(hint) is NotRequired:
            (hint,) = get_args(hint)
        else:
            required.append(name)
        properties[name] = {**_schema(hint), **({"description": told[name]} if name in told else {})}
    description = " ".join((kind.__doc__ or "").split())
    return {"description": description, "type": "object", "properties": properties, "required": required}


def _told(kind: type) -> dict[str, str]:
    """What stands below a key, in this class or one that it is made from."""
    classes = {node.name: node for node in ast.parse(inspect.getsource(answers)).body if isinstance(node, ast.ClassDef)}
    found: dict[str, str] = {}
    names = [kind.__name__]
    while names:
        node = classes.get(names.pop())
        if node is None:
            continue
        names += [base.id for base in node.bases if isinstance(base, ast.Name)]
        for before, after in zip(node.body, node.body[1:], strict=False):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if is_text and isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
                found.setdefault(before.target.id, " ".join(str(after.value.value).split()))  # type: ignore[attr-defined]
    return found


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, document in documents():
        (FOLDER / name).write_text(text(document), encoding="utf-8")


if __name__ == "__main__":
    main()

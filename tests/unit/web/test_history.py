"""The history in words: every word that anybody writes has some, and a line tells its numbers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.web.history import _WORDS, history_lines, what_text
from dispatcher.web.store import AuditLine

#: Function → where in its arguments the word stands.
_WRITERS = {"_line": 0, "line": 1, "_note": 0, "_audit": 0, "change": 3}
NOW = 1_795_788_180_000  # 14:03 UTC on 27 November 2026


def constants(node: ast.expr) -> Iterator[str]:
    """What an argument may be: a word, or one of two."""
    if isinstance(node, ast.IfExp):
        yield from (*constants(node.body), *constants(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def words_in(path: Path) -> set[str]:
    """The words of all history lines that a module writes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = [word.value for word in node.keywords if word.arg == "what"]
        if name in _WRITERS and len(node.args) > _WRITERS[name]:
            given.append(node.args[_WRITERS[name]])
        for one in given:
            found |= set(constants(one))
    return found


def test_every_word_that_is_written_has_words(root: Path) -> None:
    """In the page's sources and in `serve users`; and none has words that nobody writes any more."""
    written: set[str] = set()
    for path in (*(root / "dispatcher/web").rglob("*.py"), root / "dispatcher/cli/commands/_serve_users.py"):
        written |= words_in(path)
    assert written == set(_WORDS)


def line(what: str = "launched", **detail: Any) -> AuditLine:
    return AuditLine(at_ms=NOW, who="Anna", source="10.0.0.7", what=what, campaign="spring", detail=detail, line_id=7)


@pytest.mark.parametrize(
    ("what", "detail", "text"),
    [
        ("launched", {}, "launched it"),
        ("launched", {"confirmed": 1234}, "launched it: 1,234 contacts"),
        ("launched", {"confirmed": 1, "revision": 7}, "launched it: 1 contact, revision 7 of the flow"),
        ("launched", {"confirmed": 2, "again": True}, "launched it: 2 contacts, those reached lately, too"),
        ("launched", {"confirmed": 0, "again": False, "revision": None}, "launched it: 0 contacts"),
        ("scheduled", {"due_ms": NOW + 86_400_000}, "scheduled it: for tomorrow 14:03"),
        ("scheduled", {"due_ms": None}, "scheduled it"),
        ("paused", {"reason": ""}, "paused it"),
        ("paused", {"reason": "Ask <b>Bob</b>"}, "paused it: Ask <b>Bob</b>"),
        ("tested", {"row_number": 17}, "sent a test: row 17"),
        ("retried", {"codes": [21211, "30003"]}, "had refused contacts sent to again: error 21211, 30003"),
        ("retried", {"codes": []}, "had refused contacts sent to again"),
        ("user_added", {"name": "Bob", "role": "viewer"}, "added a person: Bob, viewer"),
        ("of_tomorrow", {"confirmed": "many", "else": 1}, "of tomorrow"),
    ],
)  # fmt: skip
def test_a_line_in_words(what: str, detail: dict[str, Any], text: str) -> None:
    """Its numbers as people read them; what is empty, of another kind or of a later version is not told."""
    assert what_text(line(what, **detail), "UTC", NOW) == text


def test_lines_as_a_page_lists_them() -> None:
    """In their order, with who at the front and the zone's clock."""
    first, second = history_lines([line(), line("held", reason="Full")], "Europe/Berlin", NOW)
    assert (first.text, first.at, first.machine) == ("Anna launched it", "today 15:03", "2026-11-27T14:03:00Z")
    assert (second.text, second.campaign, second.source, second.line_id) == (
        "Anna held it: Full",
        "spring",
        "10.0.0.7",
        7,
    )

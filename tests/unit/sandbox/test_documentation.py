"""docs/sandbox.md says what the code does: every fault, every setting with its default, every count."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dispatcher.sandbox import FAULTS, ContactScript, Sandbox, SandboxSettings
from dispatcher.sandbox.faults import Target


@pytest.fixture(scope="module")
def document(root: Path) -> str:
    return (root / "docs" / "sandbox.md").read_text()


def defaults(kind: Any) -> dict[str, str]:
    special = {"contacts": "ContactScript()", "flows": "(default_flow(),)"}
    given = kind()
    return {
        field.name: special.get(field.name, repr(getattr(given, field.name)).replace("'", '"'))
        for field in dataclasses.fields(kind)
    }


@pytest.mark.parametrize("kind", [SandboxSettings, ContactScript])
def test_every_setting_is_documented_with_its_default(kind: Any, document: str) -> None:
    missing = {
        name: default for name, default in defaults(kind).items() if f"\n| `{name}` | `{default}` |" not in document
    }
    assert missing == {}


def test_every_fault_is_documented(document: str) -> None:
    """Every fault is documented, and those of creates with their effect."""
    for name, fault in FAULTS.items():
        assert f"`{name}`" in document
        if fault.target is Target.CREATE:
            assert f"\n| `{name}` | {fault.text} |" in document


def test_every_count_is_documented(document: str) -> None:
    assert [name for name in Sandbox().stats() if f"`{name}`" not in document] == []

"""What preflight has found, shown by `check` and `run`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from dispatcher.cli.terminal import say

if TYPE_CHECKING:
    from dispatcher.studio.preflight import Finding

_STYLES = {"error": "bold red", "warning": "yellow", "note": "bright_black"}


def show(found: Sequence[Finding]) -> None:
    """A line for each finding, and one for its fix."""
    for one in found:
        say(Text.assemble((f"flow {one.severity.value}", _STYLES[one.severity.value]), ": ", one.message))
        if one.fix:
            say(Text.assemble(("fix", "bold green"), ": ", one.fix))


def objects(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """The findings as JSON."""
    return [{"severity": one.severity.value, "code": one.code, "message": one.message, "fix": one.fix} for one in found]

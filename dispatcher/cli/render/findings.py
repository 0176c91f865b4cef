"""What the check of the flow has found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.campaign.flow_check import FlowCheck, NotChecked
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import say

if TYPE_CHECKING:
    from dispatcher.studio.preflight import Finding

_STYLES = {"error": "bold red", "warning": "yellow", "note": "bright_black"}
_NOT_CHECKED = {
    NotChecked.offline: "--offline",
    NotChecked.no_credentials: "there are no credentials (TWILIO_ACCOUNT_SID, TWILIO_API_KEY, TWILIO_API_SECRET)",
    NotChecked.no_flow: "no flow is set",
}


def say_flow_check(check: FlowCheck) -> None:
    """For people, on stderr."""
    if check.skipped is not None:
        say(f"the flow was not checked: {_NOT_CHECKED[check.skipped]}", "bright_black")
    elif check.error is not None:
        print_error(check.error)
    elif not check.findings:
        say("the flow fits: it is published and uses nothing that the rows do not bring", "green")
    say_findings(check.findings)


def say_warnings(found: Sequence[Finding]) -> None:
    """Those that do not stop a run, before it begins."""
    say()
    say_findings(found)


def say_findings(found: Sequence[Finding]) -> None:
    """A line for each finding, and one for its fix."""
    for one in found:
        say(Text.assemble((f"flow {one.severity.value}", _STYLES[one.severity.value]), ": ", one.message))
        if one.fix:
            say(Text.assemble(("fix", "bold green"), ": ", remedy_text(one.fix)))

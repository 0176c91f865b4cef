"""What preflight has found, shown by `check` and `run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.terminal import print_error, say
from dispatcher.errors import DispatcherError, ExitCode, StudioError
from dispatcher.remedies import Advice, AnyOf, Option

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign
    from dispatcher.settings import Credentials
    from dispatcher.studio.preflight import Finding

_STYLES = {"error": "bold red", "warning": "yellow", "note": "bright_black"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of asking. `skipped`: why nobody was asked; `error`: why there was no answer."""

    findings: Sequence[Finding] = ()
    skipped: str | None = None
    error: DispatcherError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 where the flow fits, or nobody was asked."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.USAGE if any(one.severity == "error" for one in self.findings) else ExitCode.OK

    def as_json(self) -> dict[str, Any]:
        """`docs/preflight.md` describes it."""
        return {
            "checked": self.skipped is None and self.error is None,
            "findings": [
                {"severity": one.severity.value, "code": one.code, "message": one.message, "fix": _fix(one)}
                for one in self.findings
            ],
            "error": None if self.error is None else {"code": self.error.code, "message": self.error.message},
        }

    def show(self) -> None:
        """For people, on stderr."""
        if self.skipped is not None:
            say(f"the flow was not checked: {self.skipped}", "bright_black")
        elif self.error is not None:
            print_error(self.error)
        elif not self.findings:
            say("the flow fits: it is published and uses nothing that the rows do not bring", "green")
        show(self.findings)


async def ask(campaign: Campaign, credentials: Credentials | None, *, offline: bool) -> Asked:
    """Compare the planned file with the flow, where that can be done. Never raises for what Studio answers."""
    if offline:
        return Asked(skipped="--offline")
    if credentials is None:
        return Asked(skipped="there are no credentials (TWILIO_ACCOUNT_SID, TWILIO_API_KEY, TWILIO_API_SECRET)")
    if campaign.settings.campaign.flow is None:
        return Asked(skipped="no flow is set")
    try:
        return Asked(findings=await campaign.preflight())
    except DispatcherError as error:
        return Asked(error=error)


async def stop_unless_flow_fits(campaign: Campaign) -> None:
    """Show warnings, and raise for what is wrong.

    Raises: PreflightFailed, AuthenticationError, FlowNotFound, StudioError.
    """
    from dispatcher.studio.preflight import Severity, refuse

    try:
        found = await campaign.preflight()
    except StudioError as error:
        error.fix = AnyOf(error.fix or Advice("try again later"), Option("no-preflight"))
        raise
    warnings = [one for one in found if one.severity is Severity.warning]
    if warnings:
        say()
        show(warnings)
    refuse(found)


def show(found: Sequence[Finding]) -> None:
    """A line for each finding, and one for its fix."""
    for one in found:
        say(Text.assemble((f"flow {one.severity.value}", _STYLES[one.severity.value]), ": ", one.message))
        if one.fix:
            say(Text.assemble(("fix", "bold green"), ": ", remedy_text(one.fix)))


def _fix(one: Finding) -> str | None:
    return remedy_text(one.fix) if one.fix else None

"""Whether the flow fits the planned file, asked before anything is sent: by a check, and before a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dispatcher.errors import DispatcherError, ExitCode, StudioError
from dispatcher.remedies import Advice, AnyOf, Option, Remedy

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.campaign.preview import FlowPreview
    from dispatcher.campaign.rehearsal import Rehearsal
    from dispatcher.studio.preflight import Finding


class NotChecked(StrEnum):
    """Why Studio was not asked about the flow."""

    #: The user wants nothing asked.
    offline = "offline"
    no_credentials = "no_credentials"
    no_flow = "no_flow"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCheck:
    """What came of asking. `skipped`: why nobody was asked; `error`: why there was no answer."""

    findings: Sequence[Finding] = ()
    skipped: NotChecked | None = None
    error: DispatcherError | None = None
    #: What contacts get; None: nobody was asked, or there was no answer.
    preview: FlowPreview | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 where the flow fits, or nobody was asked."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.USAGE if any(one.severity == "error" for one in self.findings) else ExitCode.OK

    def as_json(self, words: Callable[[Remedy | str], str]) -> dict[str, Any]:
        """For `json`; `docs/preflight.md` describes it. `words`: how the front end says a remedy."""
        return {
            "checked": self.skipped is None and self.error is None,
            "findings": [
                {
                    "severity": one.severity.value,
                    "code": one.code,
                    "message": one.message,
                    "fix": words(one.fix) if one.fix else None,
                }
                for one in self.findings
            ],
            "error": None if self.error is None else {"code": self.error.code, "message": self.error.message},
        }


async def check_flow(
    campaign: Campaign | Rehearsal,
    *,
    has_credentials: bool,
    offline: bool = False,
    limit: int | None = None,
    no_flow: DispatcherError | None = None,
) -> FlowCheck:
    """Compare the planned file with the flow, where that can be done. Never raises for what Studio answers.

    `limit`: so many rows are to be sent at the most. `no_flow`: why the flow that is set by its name was not found.
    """
    if offline:
        return FlowCheck(skipped=NotChecked.offline)
    if no_flow is not None:
        return FlowCheck(error=no_flow)
    if not has_credentials:
        return FlowCheck(skipped=NotChecked.no_credentials)
    if campaign.settings.campaign.flow is None:
        return FlowCheck(skipped=NotChecked.no_flow)
    try:
        found = await campaign.preflight()
        return FlowCheck(findings=found, preview=await campaign.preview(limit=limit))
    except DispatcherError as error:
        return FlowCheck(error=error)


def preview_object(check: FlowCheck) -> dict[str, Any] | None:
    """What contacts get, for `json`; None: it is not known."""
    return None if check.preview is None else check.preview.as_json()


async def stop_unless_flow_fits(campaign: Campaign, warn: Callable[[Sequence[Finding]], None]) -> None:
    """Raise for what is wrong, after `warn` has been given the warnings, if there are any.

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
        warn(warnings)
    refuse(found)

"""The flows of the account: what a flow is here, the default one, and definitions from files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import orjson

from dispatcher.errors import SettingsError

DEFAULT_FLOW_SID = "FW0123456789abcdef0123456789abcdef"
_FLOW_SID = re.compile(r"FW[0-9a-f]{32}")

FlowStatus = Literal["draft", "published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRevision:
    """One saved state of a flow; revisions are numbered from 1 and never change."""

    revision: int
    status: FlowStatus
    definition: Mapping[str, Any]
    commit_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFlow:
    """A flow with its revisions, oldest first, and how its executions behave.

    `walks`: executions walk the definition over time and end where it ends. Otherwise they take one step and end after
    the sandbox's `ends_after_s`.
    """

    sid: str
    friendly_name: str
    revisions: tuple[FlowRevision, ...]
    test_users: tuple[str, ...] = ()
    walks: bool = True

    def __post_init__(self) -> None:
        if not _FLOW_SID.fullmatch(self.sid):
            raise SettingsError("Not a flow SID", found=self.sid, fix="FW and 32 lower-case hex digits")
        if not self.revisions or [one.revision for one in self.revisions] != list(range(1, len(self.revisions) + 1)):
            raise SettingsError("A flow's revisions are numbered 1, 2, 3, …", found=self.sid)
        for one in self.revisions:
            check_definition(one.definition, self.sid)

    @property
    def latest(self) -> FlowRevision:
        return self.revisions[-1]

    @property
    def published(self) -> FlowRevision | None:
        """The revision that executions run, or None while the flow is only a draft."""
        return next((one for one in reversed(self.revisions) if one.status == "published"), None)

    def revision_for(self, to: str) -> FlowRevision | None:
        """Test users get the latest draft, others what is published (twilio.com/docs/studio/user-guide/studio-faq)."""
        return self.latest if to in self.test_users else self.published


def check_definition(definition: Mapping[str, Any], where: str) -> None:
    """That a definition has the shape that Studio's own have. Raises SettingsError that says what is wrong where."""

    def wrong(what: str) -> SettingsError:
        return SettingsError(
            f"Not a Studio flow definition: {what}",
            found=where,
            fix="export the flow in Studio: Flow settings, Flow definition, Show JSON",
        )

    states = definition.get("states")
    if not isinstance(states, list) or not all(isinstance(state, dict) for state in states):
        raise wrong("`states` is not a list of objects")
    names: set[str] = set()
    for state in states:
        name = state.get("name")
        if not isinstance(name, str) or not isinstance(state.get("type"), str):
            raise wrong("a state without a name or a type")
        if name in names:
            raise wrong(f"two states are named {name}")
        names.add(name)
        if not isinstance(state.get("transitions", []), list) or not isinstance(state.get("properties", {}), dict):
            raise wrong(f"the state {name} has transitions that are not a list, or properties that are not an object")
    if definition.get("initial_state") not in names:
        raise wrong("`initial_state` names no state")
    for state in states:
        for transition in state.get("transitions", []):
            if not isinstance(transition, dict) or not isinstance(transition.get("event"), str):
                raise wrong(f"the state {state['name']} has a transition without an event")
            if transition.get("next") is not None and transition["next"] not in names:
                raise wrong(f"the state {state['name']} leads to {transition['next']}, which does not exist")


def load_flow(
    path: Path | str,
    *,
    sid: str = DEFAULT_FLOW_SID,
    friendly_name: str | None = None,
    status: FlowStatus = "published",
    test_users: tuple[str, ...] = (),
) -> SandboxFlow:
    """A flow whose executions walk the Studio definition in a JSON file. Raises SettingsError."""
    try:
        definition = orjson.loads(Path(path).read_bytes())
    except OSError as error:
        raise SettingsError("The flow definition cannot be read", found=f"{path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise SettingsError("The flow definition is not JSON", found=f"{path}: {error}") from error
    if not isinstance(definition, dict):
        raise SettingsError("The flow definition is not a JSON object", found=str(path))
    check_definition(definition, str(path))
    return SandboxFlow(
        sid=sid,
        friendly_name=friendly_name or str(definition.get("description") or Path(path).stem),
        revisions=(FlowRevision(revision=1, status=status, definition=definition),),
        test_users=test_users,
    )


@cache
def default_definition() -> Mapping[str, Any]:
    """A reminder with a question, a split on the answer, and what follows; the same as the project's sample flow."""
    definition: dict[str, Any] = orjson.loads(resources.files("dispatcher.sandbox").joinpath("flow.json").read_bytes())
    return definition


def default_flow(*, sid: str = DEFAULT_FLOW_SID, status: FlowStatus = "published", walks: bool = False) -> SandboxFlow:
    """The sandbox's own flow. Unless it walks, its executions end after `ends_after_s`: what load tests want."""
    return SandboxFlow(
        sid=sid,
        friendly_name="Appointment reminder",
        revisions=(FlowRevision(revision=1, status=status, definition=default_definition()),),
        walks=walks,
    )

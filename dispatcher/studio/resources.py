"""Studio's resources as values. Fields that the documents call nullable are optional; unknown ones are kept in `extra`.

Source: the OpenAPI descriptions twilio_studio_v1 and twilio_studio_v2. v1 lacks some fields; they are None there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Self

from dispatcher.studio.outcomes import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What all have in common."""

    account_sid: str | None = None
    url: str | None = None
    links: Mapping[str, str] | None = None
    #: Fields that this version of the program does not know.
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Self:
        """Build from an API object; times become aware datetimes."""
        known = {item.name: str(item.type) for item in fields(cls) if item.name != "extra"}
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in payload.items():
            if name not in known:
                extra[name] = value
            elif known[name].startswith("datetime"):
                values[name] = parse_time(value)
            elif isinstance(value, str) if known[name].startswith("str") else value is not None:
                values[name] = value  # a text that is none is as good as not told
        return cls(**values, extra=extra)

    def to_json(self) -> dict[str, Any]:
        """As Studio names it, unknown fields included; times in ISO 8601, UTC; what it did not send is left out."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "extra"}
        shown = {name: _json_value(value) for name, value in values.items() if value is not None}
        return {**shown, **self.extra}


def _json_value(value: Any) -> Any:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow(Resource):
    """A Studio Flow, `FW…`. `revision` is called `version` on v1; in lists `definition` and `valid` are None."""

    sid: str = ""
    friendly_name: str | None = None
    status: str | None = None
    revision: int | None = None
    version: int | None = None
    definition: Mapping[str, Any] | None = None
    commit_message: str | None = None
    valid: bool | None = None
    errors: list[Any] | None = None
    warnings: list[Any] | None = None
    author_sid: str | None = None
    webhook_url: str | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution(Resource):
    """One contact's walk through a flow, `FN…`. `status` is active or ended."""

    sid: str = ""
    flow_sid: str | None = None
    contact_channel_address: str | None = None
    contact_sid: str | None = None
    flow_version: int | None = None
    initiated_by: str | None = None
    status: str | None = None
    context: Mapping[str, Any] | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext(Resource):
    """What an execution knows: trigger, contact, flow.data (our Parameters), widgets."""

    flow_sid: str | None = None
    execution_sid: str | None = None
    context: Mapping[str, Any] | None = None

    def parameter(self, name: str) -> str | None:
        """A Parameter as it was sent, from `flow.data` or `trigger.request.parameters`; None where neither has it."""
        for path in (("flow", "data"), ("trigger", "request", "parameters")):
            value = self._at(*path, name)
            if isinstance(value, str):
                return value
        return None

    def texts(self) -> set[str]:
        """All texts among its Parameters, whatever their names."""
        found: set[str] = set()
        for path in (("flow", "data"), ("trigger", "request", "parameters")):
            place = self._at(*path)
            if isinstance(place, Mapping):
                found.update(value for value in place.values() if isinstance(value, str))
        return found

    @property
    def is_there(self) -> bool:
        """Whether it says how the execution began. Where it does not (yet), it proves nothing."""
        return any(isinstance(self._at(*path), Mapping) for path in (("flow", "data"), ("trigger",)))

    @property
    def address(self) -> str | None:
        """The contact's address; None where it is not told."""
        for path in (("contact", "channel", "address"), ("trigger", "request", "to")):
            value = self._at(*path)
            if isinstance(value, str) and value:
                return value
        return None

    @property
    def began_by_api(self) -> bool:
        """Whether a create request began it, and no incoming message or call; also where neither is told."""
        if self._at("flow", "data") or self._at("trigger", "request"):
            return True
        return not (self._at("trigger", "message") or self._at("trigger", "call"))

    def _at(self, *path: str) -> Any:
        place: Any = self.context
        for part in path:
            place = place.get(part) if isinstance(place, Mapping) else None
        return place


#: Of what began an execution (`initiated_by`): a message, a media message, a call.
_BY_CONTACT = ("SM", "MM", "CA")


def began_by_contact(execution: Execution) -> bool:
    """Whether an incoming message or call began it, for all that the list says."""
    return execution.initiated_by is not None and execution.initiated_by.startswith(_BY_CONTACT)


def began_by_request(execution: Execution) -> bool:
    """Whether a create request began it, for all that the list says."""
    return execution.initiated_by is not None and execution.initiated_by.startswith("RQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Resource):
    """One transition of an execution, `FT…`."""

    sid: str = ""
    flow_sid: str | None = None
    execution_sid: str | None = None
    parent_step_sid: str | None = None
    name: str | None = None
    type: str | None = None
    context: Mapping[str, Any] | None = None
    transitioned_from: str | None = None
    transitioned_to: str | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext(Resource):
    """What an execution knew at a step."""

    flow_sid: str | None = None
    execution_sid: str | None = None
    step_sid: str | None = None
    context: Mapping[str, Any] | None = None

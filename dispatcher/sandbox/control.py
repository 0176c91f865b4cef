"""What tests and demos ask the sandbox itself, under `/_sandbox/`: counts, faults, other programs' executions.

No credentials, and therefore only for this machine.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from dispatcher.errors import SettingsError
from dispatcher.remedies import Advice
from dispatcher.sandbox.dates import NEVER_US, SECOND_US, to_us
from dispatcher.sandbox.faults import FaultPlan, parse_phases
from dispatcher.sandbox.flows import DEFAULT_FLOW_SID
from dispatcher.sandbox.runner import parameters_of
from dispatcher.sandbox.settings import CHANGEABLE, SandboxSettings
from dispatcher.sandbox.sids import derived_sid
from dispatcher.sandbox.studio import Studio

_CREATES_PAGE_MAX = 10_000
#: What may begin an execution other than a request, and the prefix of its SID.
_BEGAN_BY = {"message": "SM", "call": "CA"}


class Controlled(Protocol):
    """What of a sandbox is looked at and changed here."""

    settings: SandboxSettings
    studio: Studio
    fault_plan: FaultPlan

    def now_us(self) -> int:
        """Its time."""

    def stats(self, *, brief: bool = False) -> dict[str, Any]:
        """What it has counted."""

    def reset(self) -> None:
        """Forget everything."""

    def change(self, **changes: object) -> None:
        """Go on with other settings."""


def handle(sandbox: Controlled, request: web.BaseRequest, path: str, query_text: str, body: bytes) -> web.Response:
    """The answer to a control request: JSON; `{"error", "found", "fix"}` with 400, 403, 404 or 405 when it is wrong."""
    if not _is_local(request.remote):
        return _json({"error": "Only this machine may control the sandbox"}, 403)
    query = dict(parse_qsl(query_text))
    try:
        match request.method, path.removeprefix("/_sandbox/"):
            case "GET", "stats":
                return _json(sandbox.stats(brief=query.get("brief") == "1"))
            case "GET", "creates":
                after, size = _number(query, "after", -1), _number(query, "page_size", 1000)
                return _json(creates(sandbox, after=after, size=size, planted=query.get("planted") == "1"))
            case "POST", "reset":
                sandbox.reset()
                return _json({})
            case "POST", "faults":
                sandbox.fault_plan.replace(parse_phases(_object(body)), sandbox.now_us())
                return _json({})
            case "GET", "settings":
                return _json({name: getattr(sandbox.settings, name) for name in sorted(CHANGEABLE)})
            case "POST", "settings":
                sandbox.change(**_object(body))
                return _json({})
            case "POST", "executions":
                return _plant(sandbox, _object(body))
            case _, "stats" | "creates" | "reset" | "faults" | "settings" | "executions":
                return _json({"error": f"{request.method} is not for {path}"}, 405)
            case _:
                found = "GET stats, creates, settings; POST reset, faults, settings, executions"
                return _json({"error": "No such thing", "found": path, "fix": found}, 404)
    except SettingsError as error:
        fix = error.fix.text if isinstance(error.fix, Advice) else None
        return _json({"error": error.message, "found": error.found, "fix": fix}, 400)


def creates(sandbox: Controlled, *, after: int = -1, size: int = 1000, planted: bool = False) -> dict[str, Any]:
    """Executions created over the API in order, also the deleted; `next` is the `after` of the next page, or None.

    `planted`: those that other programs began, too.
    """
    sandbox.studio.creator.apply_due(sandbox.now_us())
    log, sids = sandbox.studio.executions.log, sandbox.studio.executions.sids
    size = max(1, min(size, _CREATES_PAGE_MAX))
    stop = min(max(after, -1) + 1 + size, len(log))
    page: list[dict[str, Any]] = []
    for execution in log[max(after, -1) + 1 : stop]:
        if execution.planted and not planted:
            continue
        parameters = parameters_of(execution)
        page.append(
            {
                "n": execution.n,
                "sid": sids.at(execution.n),
                "to": execution.to,
                "from": execution.sender,
                "flow_sid": execution.flow.sid,
                "parameters": parameters,
                "dispatch_id": parameters.get(sandbox.settings.dispatch_id_parameter)
                if isinstance(parameters, dict)
                else None,
                "deleted": execution.deleted,
                "planted": execution.planted,
                # The true time, to be compared with the client's own; and what its date_created says.
                "at": execution.created_us / SECOND_US,
                "dated": execution.dated_us / SECOND_US,
            }
        )
    return {"creates": page, "next": stop - 1 if stop < len(log) else None}


def _plant(sandbox: Controlled, order: dict[str, Any]) -> web.Response:
    known = {"to", "from", "flow_sid", "parameters", "age_s", "ends_after_s", "began_by"}
    if unknown := set(order) - known:
        raise SettingsError(
            "Unknown field", found=", ".join(sorted(unknown)), fix=f"the fields are {', '.join(sorted(known))}"
        )
    to, sender, flow_sid = order.get("to"), order.get("from"), order.get("flow_sid", DEFAULT_FLOW_SID)
    if not isinstance(to, str) or not isinstance(sender, str) or not to or not sender:
        raise SettingsError("`to` and `from` are needed, as text")
    if not isinstance(flow_sid, str) or not sandbox.studio.has_flow(flow_sid):
        raise SettingsError("No such flow", found=str(flow_sid))
    times_s = {name: order.get(name) for name in ("age_s", "ends_after_s")}
    for name, value in times_s.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
            raise SettingsError(f"{name} is a number of seconds, not below 0", found=repr(value))
    parameters, began_by = order.get("parameters"), order.get("began_by")
    if began_by is not None and began_by not in _BEGAN_BY:
        raise SettingsError("began_by is not known", found=str(began_by)[:40], fix=f"one of {', '.join(_BEGAN_BY)}")
    if began_by is not None and parameters is not None:
        raise SettingsError("What a message or a call began has no parameters")
    ends_after_s = times_s["ends_after_s"]
    sid = sandbox.studio.creator.plant(
        flow_sid,
        to,
        sender,
        None if parameters is None else orjson.dumps(parameters).decode(),
        now_us=sandbox.now_us(),
        age_us=to_us(times_s["age_s"] or 0.0),
        ends_after_us=NEVER_US if ends_after_s is None else to_us(ends_after_s),
        began_by=None if began_by is None else derived_sid(_BEGAN_BY[began_by], to, sandbox.now_us()),
    )
    if sid is None:
        return _json({"error": "The contact already has an active execution"}, 409)
    return _json({"sid": sid}, 201)


def _is_local(remote: str | None) -> bool:
    try:
        return remote is not None and ipaddress.ip_address(remote.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SettingsError("The body is not JSON", found=str(error)) from error
    if not isinstance(value, dict):
        raise SettingsError("The body is not a JSON object", found=type(value).__name__)
    return value


def _number(query: dict[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise SettingsError(f"{name} is a whole number", found=query[name]) from None


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")

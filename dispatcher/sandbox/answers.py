"""What an operation answers with, before it becomes bytes on a socket, and Twilio's shape of an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, JSON body (empty for 204), headers beyond the ones that every answer carries."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    content_type: str = "application/json; charset=utf-8"


def ok(resource: object, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(resource))


def problem(
    status: int,
    code: int | None,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> Answer:
    """An error in Twilio's legacy shape, which Studio's documented samples have (not RFC 9457)."""
    body: dict[str, Any] = {"message": message, "status": status}
    if code is not None:
        body |= {"code": code, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
    if details is not None:
        body["details"] = details
    return Answer(status, orjson.dumps(body), headers)


def not_found(path: str) -> Answer:
    """404/20404. The real text names the path without its version: `/Flows/FW…`."""
    return problem(404, 20404, f"The requested resource {path[3:]} was not found")


def method_not_allowed(allowed: str) -> Answer:
    return problem(405, 20004, "Method not allowed", headers={"Allow": allowed})


def invalid(message: str) -> Answer:
    return problem(400, 20001, message)


def not_a_form() -> Answer:
    return invalid("The post body is not a valid form")


def missing_parameter(name: str) -> Answer:
    return invalid(f"Missing required parameter {name} in the post body")


def unauthenticated() -> Answer:
    return problem(401, 20003, "Authenticate", headers={"WWW-Authenticate": 'Basic realm="Twilio API"'})


def throttled(retry_after_s: float | None, message: str = "Too Many Requests") -> Answer:
    headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
    return problem(429, 20429, message, headers=headers)


def conflict(sid: str) -> Answer:
    """409/20409 for a create: the documented text and the SID of the execution in the way."""
    return problem(
        409,
        20409,
        f"Execution {sid} is already active for this contact. End the active Execution before creating a new one",
        details={"conflicting_execution_sid": sid},
    )


def bare_conflict() -> Answer:
    """409/20409 that does not say which execution is in the way."""
    return problem(
        409,
        20409,
        "An Execution is already active for this contact. End the active Execution before creating a new one",
    )

"""Answers that are not what they should be: another in the place of the true one, or it with one thing wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from dispatcher.sandbox import answers
from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.faults import Effect, Fault
from dispatcher.sandbox.routes import Operation, Request, Route
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.sids import SidSpace, derived_sid

_HTML_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
#: What parsers of dates raise different things at, or nothing.
BAD_DATES = (
    "Thu, 26 Nov 2026 01:48:28 +99999999999999999999",
    "Thu, 26 Nov 99999999999 01:48:28 GMT",
    "Thu, 32 Nov 2026 25:61:61 GMT",
    "yesterday",
    "",
)
BAD_RETRY_AFTERS = (
    "+99999999999999999999",
    "1e400",
    "nan",
    "-1",
    "soon",
    "Thu, 26 Nov 2026 01:48:28 +99999999999999999999",
)
_LISTS = frozenset({Operation.LIST, Operation.STEPS, Operation.FLOWS, Operation.REVISIONS})
#: The effects that strike only some of their target's requests.
_ONLY: Mapping[Effect, frozenset[Operation]] = {
    Effect.NO_META: _LISTS,
    Effect.EMPTY_LIST: _LISTS,
    Effect.OTHER_CONTEXT: frozenset({Operation.CONTEXT}),
    Effect.BAD_SID: frozenset({Operation.CREATE, Operation.LIST, Operation.FETCH}),
}


def strikes(fault: Fault, route: Route, query: str) -> bool:
    """Whether this fault can strike that request at all."""
    if fault.effect is Effect.BAD_PAGE_TOKEN:
        return "PageToken=" in query
    only = _ONLY.get(fault.effect)
    return only is None or route.operation in only


def redirected(fault: Fault | None, route: Route, sids: SidSpace, count: int) -> Route:
    """The request as it is carried out: under an `other_context` fault it is about the execution next to it."""
    if fault is None or fault.effect is not Effect.OTHER_CONTEXT:
        return route
    other = _neighbour(route.sids[1], sids, count)
    return route if other is None else replace(route, sids=(route.sids[0], other))


def distorted(
    fault: Fault, answer: Answer | None, path: str, asked: Request, settings: SandboxSettings, sids: SidSpace
) -> Answer | None:
    """The answer that a fault makes of the true one (None: nothing was carried out, so there is none).

    None if the fault is not an answer but something done to the connection.
    """
    match fault.effect:
        case Effect.THROTTLED:
            return answers.throttled(settings.retry_after_s)
        case Effect.BAD_RETRY_AFTER:
            wrong = BAD_RETRY_AFTERS[asked.n % len(BAD_RETRY_AFTERS)]
            return replace(answers.throttled(None), headers={"Retry-After": wrong})
        case Effect.REJECTED:
            return answers.problem(400, 21211, "The 'To' number is not a valid phone number")
        case Effect.UNAUTHENTICATED:
            return answers.unauthenticated()
        case Effect.FORBIDDEN:
            return answers.problem(403, 20403, "The credentials do not have the permission for this resource")
        case Effect.NOT_FOUND:
            return answers.not_found(path)
        case Effect.SERVER_ERROR:
            return answers.problem(500, 20500, "An internal server error has occurred")
        case Effect.UNAVAILABLE:
            return answers.problem(503, 20503, "Service unavailable")
        case Effect.HTML_502:
            return Answer(502, _HTML_502, content_type="text/html")
        case Effect.REDIRECT_307:
            return Answer(307, headers={"Location": path + (f"?{asked.query}" if asked.query else "")})
        case Effect.BAD_PAGE_TOKEN:
            return answers.problem(400, 21481, "Invalid PageToken")
    return None if answer is None else _spoiled(fault.effect, answer, asked, settings, sids)


def _spoiled(
    effect: Effect, answer: Answer, asked: Request, settings: SandboxSettings, sids: SidSpace
) -> Answer | None:
    match effect:
        case Effect.UNPARSABLE:
            return replace(answer, body=b'{"sid": "FN')
        case Effect.NO_SID:
            return replace(answer, body=b'{"status": "active"}')
        case Effect.BAD_DATE:
            return replace(answer, headers={**answer.headers, "Date": BAD_DATES[asked.n % len(BAD_DATES)]})
        case Effect.HUGE if answer.body:
            return replace(answer, body=answer.body.ljust(settings.huge_bytes))
        case Effect.BAD_SID | Effect.OTHER_SID | Effect.NO_META | Effect.EMPTY_LIST:
            return _rewritten(effect, answer, sids)
        case Effect.OTHER_TO | Effect.OTHER_FLOW | Effect.OTHER_ACCOUNT:
            return _rewritten(effect, answer, sids)
    return None


def _rewritten(effect: Effect, answer: Answer, sids: SidSpace) -> Answer:
    body: dict[str, Any] = orjson.loads(answer.body)
    key = body.get("meta", {}).get("key")
    match effect:
        case Effect.NO_META:
            body.pop("meta", None)
        case Effect.EMPTY_LIST if key is not None:
            body = {key: []}
        case Effect.OTHER_TO if body.get("contact_channel_address"):
            body["contact_channel_address"] = _other_address(body["contact_channel_address"])
        case Effect.OTHER_FLOW if "flow_sid" in body:
            body["flow_sid"] = derived_sid("FW", body["flow_sid"])
        case Effect.OTHER_ACCOUNT if "account_sid" in body:
            body["account_sid"] = derived_sid("AC", body["account_sid"])
        case Effect.BAD_SID | Effect.OTHER_SID:
            changed = _bad_sid if effect is Effect.BAD_SID else lambda sid: _neighbour(sid, sids) or sid
            for one in [body, *body.get("executions", []), body.get("details") or {}]:
                for name in {"sid", "conflicting_execution_sid"} & one.keys():
                    one[name] = changed(one[name])
    return replace(answer, body=orjson.dumps(body))


def _bad_sid(sid: str) -> str:
    """No SID, and a path that leads elsewhere where it is put into one; every third has only a digit too few."""
    return sid[:-1] if int(sid[-1], 16) % 3 == 0 else f"{sid[:2]}/../{sid[2:]}?x="


def _neighbour(sid: str, sids: SidSpace, count: int | None = None) -> str | None:
    """The SID of the execution before this one, or after it; with `count`: of one that there is, or None."""
    n = sids.index(sid)
    if n is None:
        return None
    other = n - 1 if n else 1
    return None if count is not None and not (n < count and other < count) else sids.at(other)


def _other_address(address: str) -> str:
    return address[:-1] + ("1" if address.endswith("0") else "0")

"""Studio itself: what each operation does and answers. No sockets and no clock: every call is told the time."""

from __future__ import annotations

import binascii
import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from dispatcher.sandbox import answers, runner
from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.dates import NEVER_US, parse_filter, to_us
from dispatcher.sandbox.executions import Execution, Executions, ExecutionStatus
from dispatcher.sandbox.flows import FlowRevision, SandboxFlow
from dispatcher.sandbox.paging import envelope, parse_page_query, slice_page
from dispatcher.sandbox.resources import Resources
from dispatcher.sandbox.routes import Operation, Route
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.tally import Tally

CONTACT_BYTES_MAX = 300  #: To and From together, else 81023 (Twilio's error dictionary)
_FIELDS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """An API request without its transport. `base` is scheme and host as the client wrote them, `n` counts requests."""

    base: str
    query: str = ""
    body: bytes = b""
    n: int = 0


@dataclass(frozen=True, slots=True)
class _Create:
    """A create request that is in order; whether the contact is free is asked when it is carried out."""

    flow: SandboxFlow
    revision: FlowRevision
    to: str
    sender: str
    parameters: str | None
    dispatch_id: str | None
    request_n: int


class Studio:
    """One account's Studio."""

    def __init__(self, settings: SandboxSettings, started_us: int) -> None:
        self._settings = settings
        self._flows = {flow.sid: flow for flow in settings.flows}
        self._late: list[tuple[int, int, _Create]] = []
        self.executions = Executions(settings)
        self.resources = Resources(settings.account_sid, settings.seed, self.executions.sids, started_us)
        self.tally = Tally()
        self._operations: Mapping[Operation, Callable[[Route, Request, int], Answer]] = {
            Operation.CREATE: self.create,
            Operation.LIST: self._list,
            Operation.FETCH: self._fetch,
            Operation.UPDATE: self._update,
            Operation.DELETE: self._delete,
            Operation.CONTEXT: self._context,
            Operation.STEPS: self._steps,
            Operation.STEP: self._step,
            Operation.STEP_CONTEXT: self._step_context,
            Operation.FLOWS: self._list_flows,
            Operation.FLOW: self._fetch_flow,
            Operation.REVISIONS: self._list_revisions,
            Operation.REVISION: self._fetch_revision,
            Operation.TEST_USERS: self._test_users,
        }

    def carry_out(self, route: Route, request: Request, now_us: int) -> Answer:
        return self._operations[route.operation](route, request, now_us)

    # -- creating ------------------------------------------------------------------------------------------------------

    def create(self, route: Route, request: Request, now_us: int) -> Answer:
        """v2: 201, or 409 for a busy contact. v1: 200, for a busy contact with the *old* execution and no sign."""
        order = self._read_create(route, request)
        if isinstance(order, Answer):
            return order
        busy = self.executions.conflict(order.flow.sid, order.to, order.sender, now_us)
        if busy is not None and route.version == "v2":
            return answers.conflict(self.executions.sids.at(busy.n))
        execution = busy or self._start(order, now_us)
        resource = self.resources.execution(execution, route.version, request.base, now_us)
        return answers.ok(resource, 201 if route.version == "v2" else 200)

    def create_late(self, route: Route, request: Request, due_us: int) -> None:
        """Carry the create out at a later time, if it is in order then."""
        order = self._read_create(route, request)
        if not isinstance(order, Answer):
            heapq.heappush(self._late, (due_us, request.n, order))

    def settle(self, now_us: int) -> None:
        """Carry out the late creates that are due. To be called before anything looks at the executions."""
        while self._late and self._late[0][0] <= now_us:
            due_us, _, order = heapq.heappop(self._late)
            if self.executions.conflict(order.flow.sid, order.to, order.sender, due_us) is None:
                self._start(order, due_us)

    def plant(
        self,
        flow_sid: str,
        to: str,
        sender: str,
        parameters: str | None,
        *,
        now_us: int,
        age_us: int,
        ends_after_us: int,
    ) -> str | None:
        """An execution as another program would have started it `age_us` ago. Its SID; None if the contact is busy."""
        flow = self._flows[flow_sid]
        if self.executions.conflict(flow_sid, to, sender, now_us) is not None:
            return None
        execution = self.executions.add(
            flow,
            flow.published or flow.latest,
            to,
            sender,
            parameters,
            created_us=now_us - age_us,
            request_n=0,
            planted=True,
        )
        self.executions.set_end(execution, execution.created_us + ends_after_us)
        self.tally.planted += 1
        return self.executions.sids.at(execution.n)

    def has_flow(self, flow_sid: str) -> bool:
        return flow_sid in self._flows

    def _read_create(self, route: Route, request: Request) -> _Create | Answer:
        settings = self._settings
        flow = self._flows.get(route.sids[0])
        if flow is None:
            return answers.not_found(f"/{route.version}/Flows/{route.sids[0]}")
        form = _form(request.body)
        if isinstance(form, Answer):
            return form
        to, sender = form.get("To", ""), form.get("From", "")
        if not to.strip():
            return answers.missing_parameter("To")
        if not sender.strip():
            return answers.missing_parameter("From")
        if len(to.encode()) + len(sender.encode()) > CONTACT_BYTES_MAX:
            return answers.problem(
                400, 81023, f"Malformed contact parameters: To and From together exceed {CONTACT_BYTES_MAX} bytes"
            )
        if "ExternalId" in form and settings.external_id == "reject":
            return answers.invalid("Unknown parameter ExternalId")
        parameters = form.get("Parameters") or None
        dispatch_id = None
        if parameters is not None:
            if settings.parameters_max_bytes and len(parameters.encode()) > settings.parameters_max_bytes:
                return answers.invalid(f"Parameters exceed {settings.parameters_max_bytes} bytes")
            try:
                value = orjson.loads(parameters)
            except orjson.JSONDecodeError:
                if settings.parameters_check != "none":
                    return answers.invalid("Parameters is not valid JSON")
            else:
                if isinstance(value, dict):
                    found = value.get(settings.dispatch_id_parameter)
                    dispatch_id = None if found is None else str(found)
                elif settings.parameters_check == "object":
                    return answers.invalid("Parameters is not a JSON object")
        revision = flow.revision_for(to)
        if revision is None:
            if settings.unpublished_flow == "reject":
                return answers.invalid(f"Flow {flow.sid} has no published revision")
            if settings.unpublished_flow == "not_found":
                return answers.not_found(f"/{route.version}/Flows/{flow.sid}")
            revision = flow.latest
        return _Create(flow, revision, to, sender, parameters, dispatch_id, request.n)

    def _start(self, order: _Create, now_us: int) -> Execution:
        execution = self.executions.add(
            order.flow,
            order.revision,
            order.to,
            order.sender,
            order.parameters,
            created_us=now_us,
            request_n=order.request_n,
        )
        self.executions.set_end(execution, self._end_us(order, execution))
        self.executions.sweep(now_us)
        self.tally.created(order.to, order.dispatch_id)
        return execution

    def _end_us(self, order: _Create, execution: Execution) -> int:
        if order.revision.status == "draft" and order.to not in order.flow.test_users:
            return execution.created_us
        after_s = self._settings.ends_after_s
        return NEVER_US if after_s is None else execution.created_us + to_us(after_s)

    # -- executions ----------------------------------------------------------------------------------------------------

    def _list(self, route: Route, request: Request, now_us: int) -> Answer:
        if not self.has_flow(route.sids[0]):
            return answers.not_found(route.path)
        query = _query(request.query)
        page_query = parse_page_query(query)
        if isinstance(page_query, Answer):
            return page_query
        filters: dict[str, str] = {}
        bounds: dict[str, int | None] = {"DateCreatedFrom": None, "DateCreatedTo": None}
        for name in bounds:
            if text := query.get(name):
                bounds[name] = parse_filter(text)
                if bounds[name] is None:
                    return answers.invalid(f"Invalid value for {name}: {text[:40]}")
                filters[name] = text
        status: ExecutionStatus | None = None
        if route.version == "v2" and (text := query.get("status")):
            if text != "active" and text != "ended":
                return answers.invalid(f"Invalid value for status: {text[:40]}")
            status = "active" if text == "active" else "ended"
            filters["status"] = text
        page = self.executions.page(
            route.sids[0],
            now_us,
            size=page_query.size,
            cursor=page_query.cursor,
            created_from_us=bounds["DateCreatedFrom"],
            created_to_us=bounds["DateCreatedTo"],
            status=status,
        )
        records = [self.resources.execution(one, route.version, request.base, now_us) for one in page.items]
        return answers.ok(
            envelope(
                request.base + route.path,
                "executions",
                records,
                page_query,
                following=page.next,
                previous=page.previous,
                filters=filters,
            )
        )

    def _find(self, route: Route, now_us: int) -> Execution | Answer:
        execution = self.executions.get(route.sids[0], route.sids[1], now_us)
        if execution is None:
            return answers.not_found(f"/{route.version}/Flows/{route.sids[0]}/Executions/{route.sids[1]}")
        return execution

    def _fetch(self, route: Route, request: Request, now_us: int) -> Answer:
        execution = self._find(route, now_us)
        if isinstance(execution, Answer):
            return execution
        return answers.ok(self.resources.execution(execution, route.version, request.base, now_us))

    def _update(self, route: Route, request: Request, now_us: int) -> Answer:
        execution = self._find(route, now_us)
        if isinstance(execution, Answer):
            return execution
        form = _form(request.body)
        if isinstance(form, Answer):
            return form
        status = form.get("Status", "")
        if not status:
            return answers.missing_parameter("Status")
        if status not in ("active", "ended") or (
            status == "active" and self._settings.status_active_update == "reject"
        ):
            return answers.invalid(f"Invalid value for Status: {status[:40]}")
        if status == "ended":
            if execution.status(now_us) == "ended":
                return answers.problem(409, 20409, f"Execution {route.sids[1]} has already ended")
            self.executions.end(execution, now_us)
        return answers.ok(self.resources.execution(execution, route.version, request.base, now_us))

    def _delete(self, route: Route, request: Request, now_us: int) -> Answer:
        execution = self._find(route, now_us)
        if isinstance(execution, Answer):
            return execution
        if self._settings.delete_active == "reject" and execution.status(now_us) == "active":
            return answers.problem(409, 20409, f"Execution {route.sids[1]} is active. End it before deleting it")
        self.executions.delete(execution, now_us)
        return Answer(204)

    def _walked(self, execution: Execution, now_us: int) -> list[runner.Step]:
        return runner.steps(execution, self.executions.sids.at(execution.n), now_us)

    def _context(self, route: Route, request: Request, now_us: int) -> Answer:
        execution = self._find(route, now_us)
        if isinstance(execution, Answer):
            return execution
        context = self._walked(execution, now_us)[-1].context
        return answers.ok(self.resources.execution_context(execution, context, route.version, request.base))

    def _steps(self, route: Route, request: Request, now_us: int) -> Answer:
        execution = self._find(route, now_us)
        if isinstance(execution, Answer):
            return execution
        newest_first = self._walked(execution, now_us)[::-1]
        records = [self.resources.step(execution, one, route.version, request.base) for one in newest_first]
        return self._short_list(route, request, "steps", records)

    def _step(self, route: Route, request: Request, now_us: int) -> Answer:
        found = self._find_step(route, now_us)
        if isinstance(found, Answer):
            return found
        execution, step = found
        return answers.ok(self.resources.step(execution, step, route.version, request.base))

    def _step_context(self, route: Route, request: Request, now_us: int) -> Answer:
        found = self._find_step(route, now_us)
        if isinstance(found, Answer):
            return found
        execution, step = found
        return answers.ok(self.resources.step_context(execution, step, route.version, request.base))

    def _find_step(self, route: Route, now_us: int) -> tuple[Execution, runner.Step] | Answer:
        execution = self._find(route, now_us)
        if isinstance(execution, Answer):
            return execution
        index = self.resources.step_index(execution, route.sids[2])
        taken = self._walked(execution, now_us)
        if index is None or index >= len(taken):
            return answers.not_found(route.path.removesuffix("/Context"))
        return execution, taken[index]

    # -- flows ---------------------------------------------------------------------------------------------------------

    def _list_flows(self, route: Route, request: Request, now_us: int) -> Answer:
        records = [self.resources.flow(flow, route.version, request.base, listed=True) for flow in self._flows.values()]
        return self._short_list(route, request, "flows", records)

    def _fetch_flow(self, route: Route, request: Request, now_us: int) -> Answer:
        flow = self._flows.get(route.sids[0])
        if flow is None:
            return answers.not_found(route.path)
        return answers.ok(self.resources.flow(flow, route.version, request.base, listed=False))

    def _list_revisions(self, route: Route, request: Request, now_us: int) -> Answer:
        flow = self._flows.get(route.sids[0])
        if flow is None:
            return answers.not_found(route.path)
        records = [self.resources.revision(flow, one, request.base, listed=True) for one in reversed(flow.revisions)]
        return self._short_list(route, request, "revisions", records)

    def _fetch_revision(self, route: Route, request: Request, now_us: int) -> Answer:
        flow = self._flows.get(route.sids[0])
        if flow is None:
            return answers.not_found(route.path)
        wanted = route.sids[1]
        if wanted == "LatestRevision":
            revision: FlowRevision | None = flow.latest
        elif wanted == "LatestPublished":
            revision = flow.published
        elif wanted.isascii() and wanted.isdigit():
            number = int(wanted[:9])
            revision = flow.revisions[number - 1] if 1 <= number <= len(flow.revisions) else None
        else:
            return answers.problem(
                400, 81021, f"Invalid revision {wanted[:40]}: a number, LatestPublished or LatestRevision"
            )
        if revision is None:
            return answers.not_found(route.path)
        return answers.ok(self.resources.revision(flow, revision, request.base, listed=False))

    def _test_users(self, route: Route, request: Request, now_us: int) -> Answer:
        flow = self._flows.get(route.sids[0])
        if flow is None:
            return answers.not_found(route.path)
        return answers.ok(self.resources.test_users(flow, request.base))

    def _short_list(self, route: Route, request: Request, key: str, records: list[dict[str, Any]]) -> Answer:
        page_query = parse_page_query(_query(request.query))
        if isinstance(page_query, Answer):
            return page_query
        indices, following, previous = slice_page(len(records), page_query)
        return answers.ok(
            envelope(
                request.base + route.path,
                key,
                [records[index] for index in indices],
                page_query,
                following=following,
                previous=previous,
                filters={},
            )
        )


def authorized(authorization: str | None, credentials: Mapping[str, str] | None) -> bool:
    """Whether a Basic Authorization header is accepted: one of the credentials, or without any, a well-formed pair."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        username, colon, password = binascii.a2b_base64(encoded.strip(), strict_mode=True).decode().partition(":")
    except ValueError:  # not ASCII, not base64, or not UTF-8 inside
        return False
    if not colon or not password:
        return False
    if credentials is not None:
        return credentials.get(username) == password
    return (
        len(username) == 34
        and username[:2] in ("AC", "SK")
        and all(character in "0123456789abcdefABCDEF" for character in username[2:])
    )


def _form(body: bytes) -> dict[str, str] | Answer:
    """The fields of a form body; the first of a name counts."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:
        return answers.invalid("The post body is not a valid form")
    form: dict[str, str] = {}
    for name, value in pairs:
        form.setdefault(name, value)
    return form


def _query(text: str) -> dict[str, str]:
    return dict(reversed(parse_qsl(text, keep_blank_values=True))) if text else {}

"""Creating executions: what is refused, what is in the way, and what comes late or from somebody else."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

import orjson

from dispatcher.sandbox import answers
from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.dates import to_us
from dispatcher.sandbox.executions import Execution, Executions
from dispatcher.sandbox.flows import FlowRevision, SandboxFlow
from dispatcher.sandbox.forms import parse_form
from dispatcher.sandbox.resources import Resources
from dispatcher.sandbox.routes import Request, Route
from dispatcher.sandbox.runner import FlowRunner
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.tally import Tally

CONTACT_BYTES_MAX = 300  #: To and From together, else 81023 (Twilio's error dictionary)


@dataclass(frozen=True, slots=True)
class _Order:
    """A create request that is in order; whether the contact is free is asked when it is carried out."""

    flow: SandboxFlow
    revision: FlowRevision
    to: str
    sender: str
    parameters: str | None
    dispatch_id: str | None
    request_n: int


class Creator:
    """Carries creates out, and counts them."""

    def __init__(
        self,
        settings: SandboxSettings,
        executions: Executions,
        runner: FlowRunner,
        resources: Resources,
        tally: Tally,
    ) -> None:
        self.settings = settings
        self._odds = random.Random(f"{settings.seed}/worlds")
        self._flows = {flow.sid: flow for flow in settings.flows}
        self._executions = executions
        self._runner = runner
        self._resources = resources
        self._tally = tally
        self._late: list[tuple[int, int, _Order]] = []

    def create(self, route: Route, request: Request, now_us: int) -> Answer:
        """v2: 201, or 409 for a busy contact. v1: 200, for a busy contact with the *old* execution and no sign."""
        order = self._read_create(route, request)
        if isinstance(order, Answer):
            return order
        busy = self._executions.conflict(order.flow.sid, order.to, order.sender, now_us)
        if busy is not None and route.version == "v2":
            if self._drawn(self.settings.bare_conflict_share):
                return answers.bare_conflict()
            return answers.conflict(self._executions.sids.at(busy.n))
        execution = busy or self._start(order, now_us)
        resource = self._resources.execution(execution, route.version, request.base, now_us)
        return answers.ok(resource, 201 if route.version == "v2" else 200)

    def create_late(self, route: Route, request: Request, due_us: int) -> None:
        """Carry the create out at a later time, if it is in order then."""
        order = self._read_create(route, request)
        if not isinstance(order, Answer):
            heapq.heappush(self._late, (due_us, request.n, order))

    def apply_due(self, now_us: int) -> None:
        """Carry out the late creates that are due. To be called before anything looks at the executions."""
        while self._late and self._late[0][0] <= now_us:
            due_us, _, order = heapq.heappop(self._late)
            if self._executions.conflict(order.flow.sid, order.to, order.sender, due_us) is None:
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
        began_by: str | None = None,
    ) -> str | None:
        """An execution as another program would have started it `age_us` ago, or a message or call (`began_by`).

        Its SID; None if the contact is busy.
        """
        flow = self._flows[flow_sid]
        if self._executions.conflict(flow_sid, to, sender, now_us) is not None:
            return None
        execution = self._executions.add(
            flow,
            flow.published or flow.latest,
            to,
            sender,
            parameters,
            created_us=now_us - age_us,
            request_n=0,
            planted=True,
            skew_us=self._skew_us,
            began_by=began_by,
            hides_address=self._drawn(self.settings.null_address_share),
        )
        self._executions.set_end(execution, execution.created_us + ends_after_us)
        self._tally.planted += 1
        return self._executions.sids.at(execution.n)

    def _read_create(self, route: Route, request: Request) -> _Order | Answer:
        settings = self.settings
        flow = self._flows.get(route.sids[0])
        if flow is None:
            return answers.not_found(f"/{route.version}/Flows/{route.sids[0]}")
        form = parse_form(request.body)
        if form is None:
            return answers.not_a_form()
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
        dispatch_id = None if parameters is None else self._read_parameters(parameters)
        if isinstance(dispatch_id, Answer):
            return dispatch_id
        revision = flow.revision_for(to)
        if revision is None:
            if settings.unpublished_flow == "reject":
                return answers.invalid(f"Flow {flow.sid} has no published revision")
            if settings.unpublished_flow == "not_found":
                return answers.not_found(f"/{route.version}/Flows/{flow.sid}")
            revision = flow.latest
        return _Order(flow, revision, to, sender, parameters, dispatch_id, request.n)

    def _read_parameters(self, parameters: str) -> str | Answer | None:
        """The dispatch id inside, if there is one, or what Parameters like these are answered with."""
        settings = self.settings
        if settings.parameters_max_bytes and len(parameters.encode()) > settings.parameters_max_bytes:
            return answers.invalid(f"Parameters exceed {settings.parameters_max_bytes} bytes")
        try:
            value = orjson.loads(parameters)
        except orjson.JSONDecodeError:
            return None if settings.parameters_check == "none" else answers.invalid("Parameters is not valid JSON")
        if not isinstance(value, dict):
            refused = settings.parameters_check == "object"
            return answers.invalid("Parameters is not a JSON object") if refused else None
        found = value.get(settings.dispatch_id_parameter)
        return None if found is None else str(found)

    @property
    def _skew_us(self) -> int:
        return to_us(self.settings.clock_skew_s + self.settings.date_created_skew_s)

    def _drawn(self, share: float) -> bool:
        return share > 0 and self._odds.random() < share

    def _start(self, order: _Order, now_us: int) -> Execution:
        execution = self._executions.add(
            order.flow,
            order.revision,
            order.to,
            order.sender,
            order.parameters,
            created_us=now_us,
            request_n=order.request_n,
            skew_us=self._skew_us,
            hides_address=self._drawn(self.settings.null_address_share),
        )
        self._executions.set_end(execution, self._runner.end_us(execution, self._executions.sids.at(execution.n)))
        self._executions.sweep(now_us)
        self._tally.created(order.to, order.dispatch_id)
        return execution

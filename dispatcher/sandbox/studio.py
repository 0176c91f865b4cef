"""Studio itself: what each operation does and answers. No sockets and no clock: every call is told the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from dispatcher.sandbox import answers
from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.creating import Creator
from dispatcher.sandbox.dates import parse_filter, to_us
from dispatcher.sandbox.executions import Execution, Executions, ExecutionStatus
from dispatcher.sandbox.flows import FlowRevision
from dispatcher.sandbox.forms import parse_form
from dispatcher.sandbox.paging import envelope, parse_page_query, slice_page
from dispatcher.sandbox.resources import Resources
from dispatcher.sandbox.routes import Operation, Request, Route
from dispatcher.sandbox.runner import FlowRunner, Step
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.tally import Tally


class Studio:
    """One account's Studio."""

    def __init__(self, settings: SandboxSettings, started_us: int) -> None:
        self._flows = {flow.sid: flow for flow in settings.flows}
        self._runner = FlowRunner(settings)
        self.executions = Executions(settings)
        skew_us = to_us(settings.clock_skew_s)
        self.resources = Resources(settings.account_sid, settings.seed, self.executions.sids, started_us + skew_us)
        self.tally = Tally()
        self.creator = Creator(settings, self.executions, self._runner, self.resources, self.tally)
        self._operations: Mapping[Operation, Callable[[Route, Request, int], Answer]] = {
            Operation.CREATE: self.creator.create,
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

        self.change(settings)

    def change(self, settings: SandboxSettings) -> None:
        """From now on these settings; what was created stays as it was."""
        self._settings = self._runner.settings = self.creator.settings = settings
        self.executions.list_lag_us = to_us(settings.list_lag_s)
        self.resources.initiated_by = settings.initiated_by
        self._context_lag_us = to_us(settings.context_lag_s)

    def carry_out(self, route: Route, request: Request, now_us: int) -> Answer:
        return self._operations[route.operation](route, request, now_us)

    def has_flow(self, flow_sid: str) -> bool:
        return flow_sid in self._flows

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
        form = parse_form(request.body)
        if form is None:
            return answers.not_a_form()
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

    def _walked(self, execution: Execution, now_us: int) -> list[Step]:
        return self._runner.steps(execution, self.executions.sids.at(execution.n), now_us)

    def _context(self, route: Route, request: Request, now_us: int) -> Answer:
        execution = self._find(route, now_us)
        if isinstance(execution, Answer):
            return execution
        if now_us - execution.created_us < self._context_lag_us:
            return answers.not_found(route.path)
        context = self._walked(execution, now_us)[-1].entered
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

    def _find_step(self, route: Route, now_us: int) -> tuple[Execution, Step] | Answer:
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


def _query(text: str) -> dict[str, str]:
    return dict(reversed(parse_qsl(text, keep_blank_values=True))) if text else {}

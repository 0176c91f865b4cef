"""The JSON of every resource, v1 and v2, as the published OpenAPI files describe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.sandbox.dates import iso
from dispatcher.sandbox.executions import Execution
from dispatcher.sandbox.flows import FlowRevision, SandboxFlow
from dispatcher.sandbox.routes import Version
from dispatcher.sandbox.runner import STEPS_MAX, Step
from dispatcher.sandbox.sids import SidSpace, derived_sid


class Resources:
    """Writes one account's resources. `base`: scheme and host as the client wrote them, so URLs stay on the sandbox.

    `initiated_by`: whether v2 says what began an execution (`given`), says null, or has no such field (`missing`).
    """

    def __init__(self, account_sid: str, seed: int, executions: SidSpace, started_us: int) -> None:
        self._account_sid = account_sid
        self._author_sid = derived_sid("US", account_sid)
        self._executions = executions
        self._steps = SidSpace("FT", seed)
        self._requests = SidSpace("RQ", seed)
        self._started_us = started_us
        self.initiated_by = "given"

    def request_sid(self, request_n: int) -> str:
        return self._requests.at(request_n)

    def execution(self, execution: Execution, version: Version, base: str, now_us: int) -> dict[str, Any]:
        sid = self._executions.at(execution.n)
        url = f"{base}/{version}/Flows/{execution.flow.sid}/Executions/{sid}"
        ended = now_us >= execution.ends_us
        resource: dict[str, Any] = {
            "sid": sid,
            "account_sid": self._account_sid,
            "flow_sid": execution.flow.sid,
            "contact_channel_address": None if execution.hides_address else execution.to,
            "contact_sid": derived_sid("FC", self._account_sid, execution.to),
            "context": {},
            "status": "ended" if ended else "active",
            "date_created": iso(execution.dated_us),
            "date_updated": iso(execution.ends_us + execution.skew_us) if ended else None,
            "url": url,
            "links": {"steps": f"{url}/Steps", "execution_context": f"{url}/Context"},
        }
        if version == "v2":
            resource["flow_version"] = execution.revision.revision
            if self.initiated_by != "missing":
                began_by = execution.began_by or self._requests.at(execution.request_n)
                resource["initiated_by"] = began_by if self.initiated_by == "given" else None
        return resource

    def execution_context(
        self, execution: Execution, context: Mapping[str, Any], version: Version, base: str
    ) -> dict[str, Any]:
        sid = self._executions.at(execution.n)
        return {
            "account_sid": self._account_sid,
            "context": context,
            "flow_sid": execution.flow.sid,
            "execution_sid": sid,
            "url": f"{base}/{version}/Flows/{execution.flow.sid}/Executions/{sid}/Context",
        }

    def step_index(self, execution: Execution, step_sid: str) -> int | None:
        """Which step of this execution has that SID, or None."""
        n = self._steps.index(step_sid)
        if n is None or n // STEPS_MAX != execution.n:
            return None
        return n % STEPS_MAX

    def step(self, execution: Execution, step: Step, version: Version, base: str) -> dict[str, Any]:
        execution_sid = self._executions.at(execution.n)
        sid = self._steps.at(execution.n * STEPS_MAX + step.index)
        url = f"{base}/{version}/Flows/{execution.flow.sid}/Executions/{execution_sid}/Steps/{sid}"
        return {
            "sid": sid,
            "account_sid": self._account_sid,
            "flow_sid": execution.flow.sid,
            "execution_sid": execution_sid,
            "parent_step_sid": None,
            "name": step.name,
            "context": {},
            "transitioned_from": step.transitioned_from,
            "transitioned_to": step.transitioned_to,
            "type": step.type,
            "date_created": iso(step.at_us + execution.skew_us),
            "date_updated": None,
            "url": url,
            "links": {"step_context": f"{url}/Context"},
        }

    def step_context(self, execution: Execution, step: Step, version: Version, base: str) -> dict[str, Any]:
        execution_sid = self._executions.at(execution.n)
        sid = self._steps.at(execution.n * STEPS_MAX + step.index)
        return {
            "account_sid": self._account_sid,
            "context": step.context,
            "execution_sid": execution_sid,
            "flow_sid": execution.flow.sid,
            "step_sid": sid,
            "url": f"{base}/{version}/Flows/{execution.flow.sid}/Executions/{execution_sid}/Steps/{sid}/Context",
        }

    def flow(self, flow: SandboxFlow, version: Version, base: str, *, listed: bool) -> dict[str, Any]:
        """A flow as its latest revision shows it; in a list of v2 the bulky fields are null."""
        url = f"{base}/{version}/Flows/{flow.sid}"
        common = {
            "sid": flow.sid,
            "account_sid": self._account_sid,
            "friendly_name": flow.friendly_name,
            "status": flow.latest.status,
            "date_created": iso(self._started_us),
            "date_updated": iso(self._started_us),
            "url": url,
        }
        if version == "v1":
            return common | {
                "version": flow.latest.revision,
                # The published description still has the link to Engagements in v1.
                "links": {"engagements": f"{url}/Engagements", "executions": f"{url}/Executions"},
            }
        return (
            common
            | self._saved(flow.latest, listed=listed)
            | {
                "warnings": None if listed else [],
                "webhook_url": f"http://webhooks.twilio.com/v1/Accounts/{self._account_sid}/Flows/{flow.sid}",
                "links": {
                    "test_users": f"{url}/TestUsers",
                    "revisions": f"{url}/Revisions",
                    "executions": f"{url}/Executions",
                },
            }
        )

    def revision(self, flow: SandboxFlow, revision: FlowRevision, base: str, *, listed: bool) -> dict[str, Any]:
        return self._saved(revision, listed=listed) | {
            "sid": flow.sid,
            "account_sid": self._account_sid,
            "friendly_name": flow.friendly_name,
            "status": revision.status,
            "date_created": iso(self._started_us),
            "date_updated": iso(self._started_us),
            "url": f"{base}/v2/Flows/{flow.sid}/Revisions/{revision.revision}",
        }

    def _saved(self, revision: FlowRevision, *, listed: bool) -> dict[str, Any]:
        return {
            "author_sid": self._author_sid,
            "definition": None if listed else revision.definition,
            "revision": revision.revision,
            "commit_message": revision.commit_message,
            "valid": None if listed else True,
            "errors": None if listed else [],
        }

    def test_users(self, flow: SandboxFlow, base: str) -> dict[str, Any]:
        return {"sid": flow.sid, "test_users": list(flow.test_users), "url": f"{base}/v2/Flows/{flow.sid}/TestUsers"}

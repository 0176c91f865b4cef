"""Every JSON answer of a documented operation fits Twilio's published description of it, field for field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from dispatcher.sandbox import DEFAULT_FLOW_SID, ContactScript, Sandbox, SandboxSettings, default_flow
from tests.integration.sandbox.conftest import FLOW_PATH, FakeClock, Http

DESCRIPTIONS = Path(__file__).parents[4] / "shared" / "openapi"
FORM = {"To": "+15550000001", "From": "+15550001111", "Parameters": '{"first_name":"Ann"}'}


@pytest.fixture(params=["v1", "v2"])
def version(request: pytest.FixtureRequest) -> str:
    version: str = request.param
    return version


@pytest.fixture
def description(version: str) -> dict[str, Any]:
    path = DESCRIPTIONS / f"twilio_studio_{version}.json"
    if not path.exists():
        pytest.skip(f"Twilio's description of the API is not here: {path}")
    description: dict[str, Any] = orjson.loads(path.read_bytes())
    return description


def schema_of(description: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    """The schema of an answer, as JSON Schema: references resolved, `nullable` written as a type."""
    answer = description["paths"][path][method.lower()]["responses"][str(status)]
    schema: dict[str, Any] = _resolved(answer["content"]["application/json"]["schema"], description)
    return schema


def _resolved(schema: Any, description: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(one, description) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(description["components"]["schemas"][schema["$ref"].rpartition("/")[2]], description)
    resolved = {name: _resolved(value, description) for name, value in schema.items()}
    if resolved.pop("nullable", False) is True and "type" in resolved:
        resolved["type"] = [resolved["type"], "null"]
    if "properties" in resolved:
        # Stricter than the description, which requires nothing: no field more and none less.
        resolved["required"] = list(resolved["properties"])
        resolved["additionalProperties"] = False
    return resolved


OPERATIONS = [
    ("POST", "/Flows/{FlowSid}/Executions", "both"),
    ("GET", "/Flows/{FlowSid}/Executions", "both"),
    ("GET", "/Flows/{FlowSid}/Executions/{Sid}", "both"),
    ("GET", "/Flows/{FlowSid}/Executions/{ExecutionSid}/Context", "both"),
    ("GET", "/Flows/{FlowSid}/Executions/{ExecutionSid}/Steps", "both"),
    ("GET", "/Flows/{FlowSid}/Executions/{ExecutionSid}/Steps/{Sid}", "both"),
    ("GET", "/Flows/{FlowSid}/Executions/{ExecutionSid}/Steps/{StepSid}/Context", "both"),
    ("GET", "/Flows", "both"),
    ("GET", "/Flows/{Sid}", "both"),
    ("GET", "/Flows/{Sid}/Revisions", "v2"),
    ("GET", "/Flows/{Sid}/Revisions/{Revision}", "v2"),
    ("GET", "/Flows/{Sid}/TestUsers", "v2"),
    ("POST", "/Flows/{FlowSid}/Executions/{Sid}", "both"),
]
#: In the description and not served: see docs/sandbox.md.
NOT_SERVED = {
    ("post", "/v2/Flows"),
    ("post", "/v2/Flows/Validate"),
    ("post", "/v2/Flows/{Sid}"),
    ("delete", "/v2/Flows/{Sid}"),
    ("delete", "/v1/Flows/{Sid}"),
    ("post", "/v2/Flows/{Sid}/TestUsers"),
}


def test_each_documented_operation_is_covered(version: str, description: dict[str, Any]) -> None:
    """Each documented operation is checked here, or named as not served."""
    documented = {
        (method, path)
        for path, methods in description["paths"].items()
        for method in methods
        if method in ("get", "post", "delete") and "Engagements" not in path
    }
    checked = {
        (method.lower(), f"/{version}{path}") for method, path, where in OPERATIONS if where in ("both", version)
    }
    deletion = {("delete", f"/{version}/Flows/{{FlowSid}}/Executions/{{Sid}}")}
    assert documented - NOT_SERVED == checked | deletion


@pytest.mark.parametrize("walks", [False, True])
async def test_every_answer_fits_the_description(
    version: str, description: dict[str, Any], walks: bool, http: Http, clock: FakeClock
) -> None:
    """Every answer of the sandbox fits Twilio's description of it, with no field more and none less."""
    settings = SandboxSettings(
        flows=(default_flow(walks=walks), default_flow(sid="FW" + "1" * 32, status="draft")),
        ends_after_s=None,
        contacts=ContactScript(replies={}),
    )
    async with Sandbox(settings, clock=clock) as sandbox:
        await http.call("POST", f"{sandbox.base_url}{FLOW_PATH}/Executions", form=FORM | {"To": "+15550000002"})
        sids = {"FlowSid": DEFAULT_FLOW_SID, "Revision": "LatestPublished"}
        for method, path, where in OPERATIONS:
            if where not in ("both", version):
                continue
            names = dict(sids)
            if path.startswith("/Flows/{Sid}"):
                names["Sid"] = DEFAULT_FLOW_SID
            elif "/Steps/{Sid}" in path:
                names["Sid"] = sids["StepSid"]
            elif "{Sid}" in path:
                names["Sid"] = sids["ExecutionSid"]
            creates, updates = path.endswith("Executions") and method == "POST", method == "POST" and "{Sid}" in path
            form = FORM if creates else {"Status": "ended"} if updates else None
            url = f"{sandbox.base_url}/{version}{path.format(**names)}"
            reply = await http.call(method, url, form=form)
            status = 201 if creates and version == "v2" else 200
            assert reply.status == status, (method, path, reply.body)
            schema = schema_of(description, method, f"/{version}{path}", status)
            assert "date-time" in FormatChecker.checkers
            Draft202012Validator(schema, format_checker=FormatChecker()).validate(reply.json)
            if creates:
                sids["ExecutionSid"] = reply.json["sid"]
            elif path.endswith("/Steps"):
                sids["StepSid"] = reply.json["steps"][0]["sid"]
            if "links" in reply.json:
                await follow(http, reply.json)
        url = f"{sandbox.base_url}/{version}/Flows/{DEFAULT_FLOW_SID}/Executions/{sids['ExecutionSid']}"
        gone = await http.call("DELETE", url)
        assert (gone.status, gone.body) == (204, b"")


async def follow(http: Http, resource: dict[str, Any]) -> None:
    """A resource's own URL and its links lead to answers, on the sandbox itself."""
    for name, url in {"url": resource["url"], **resource["links"]}.items():
        expected = 404 if name == "engagements" else 200
        assert (await http.call("GET", url)).status == expected, url

"""Every JSON answer of a documented operation fits Twilio's published description of it, field for field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from dispatcher.sandbox import (
    DEFAULT_FLOW_SID,
    FAULTS,
    ContactScript,
    Fault,
    FaultPhase,
    Sandbox,
    SandboxSettings,
    default_flow,
)
from dispatcher.sandbox.faults import Effect
from tests.integration.sandbox.conftest import FLOW_PATH, FakeClock, Http, Reply

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


#: The answers that are meant to fall outside of the description; docs/sandbox.md names the same.
OUTSIDE = {
    "no_sid",
    "unparsable",
    "bad_sid",
    "read_bad_sid",
    "read_unparsable",
    "read_no_meta",
    "read_empty_list",
    "update_unparsable",
}
#: Settings that change answers, and whether those fit.
WORLDS: list[tuple[dict[str, Any], bool]] = [
    ({"null_address_share": 1.0}, True),
    ({"initiated_by": "null"}, True),
    ({"initiated_by": "missing"}, False),
    ({"clock_skew_s": 3600.0, "date_created_skew_s": -7200.0, "date_header_skew_s": 9.0}, True),
]
#: Done to the connection: there is no whole answer, or only a late one.
UNANSWERED = {
    Effect.RESET,
    Effect.DISCONNECT,
    Effect.HANG,
    Effect.GARBAGE,
    Effect.CUT_HEAD,
    Effect.CUT_BODY,
    Effect.DRIP,
    Effect.SLOW,
}
ANSWERED = [fault for fault in FAULTS.values() if fault.after and fault.effect not in UNANSWERED]


async def succeeded(http: Http, sandbox: Sandbox, version: str, fault: Fault | None) -> list[tuple[str, str, Reply]]:
    """Method, path in the description and answer of the operations that a campaign needs, where they succeed."""
    executions = "/Flows/{FlowSid}/Executions"
    url = f"{sandbox.base_url}/{version}{executions.format(FlowSid=DEFAULT_FLOW_SID)}"
    one = (await http.call("POST", url, form=FORM | {"To": "+15550000003"})).json
    await http.call("POST", url, form=FORM | {"To": "+15550000004"})
    if fault is not None:
        sandbox.fault_plan.replace((FaultPhase(faults={fault.name: 1.0}),), sandbox.now_us())
    asked: list[tuple[str, str, str, dict[str, str] | None]] = [
        ("POST", executions, url, FORM),
        ("GET", executions, url, None),
        ("GET", executions + "/{Sid}", one["url"], None),
        ("GET", executions + "/{ExecutionSid}/Context", one["links"]["execution_context"], None),
        ("POST", executions + "/{Sid}", one["url"], {"Status": "ended"}),
    ]
    replies = [
        (method, f"/{version}{path}", await http.call(method, to, form=form)) for method, path, to, form in asked
    ]
    return [answered for answered in replies if answered[2].status < 300]


def fits(description: dict[str, Any], method: str, path: str, reply: Reply) -> bool:
    """Whether an answer is as the description says."""
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return False
    schema = schema_of(description, method, path, reply.status)
    is_valid: bool = Draft202012Validator(schema, format_checker=FormatChecker()).is_valid(answer)
    return is_valid


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in ANSWERED])
async def test_what_is_outside_is_named(version: str, description: dict[str, Any], fault: Fault, http: Http) -> None:
    """A fault's answers that say success fit the description, or the fault is named as meant to be outside of it."""
    async with Sandbox(SandboxSettings(huge_bytes=5_000, ends_after_s=None)) as sandbox:
        seen = await succeeded(http, sandbox, version, fault)
        assert sandbox.stats()["faults"].get(fault.name), "the fault struck nothing"
    assert all(fits(description, *one) for one in seen) is (fault.name not in OUTSIDE)


@pytest.mark.parametrize(("world", "within"), WORLDS)
async def test_worlds_against_the_description(
    version: str, description: dict[str, Any], world: dict[str, Any], within: bool, http: Http
) -> None:
    """What may be null is so by the description; a field that older servers lack is missed on v2 alone."""
    async with Sandbox(SandboxSettings(**world, ends_after_s=None)) as sandbox:
        seen = await succeeded(http, sandbox, version, None)
    assert len(seen) == 5
    assert all(fits(description, *one) for one in seen) is (within or version == "v1")


def test_the_document_names_what_is_outside(root: Path) -> None:
    """docs/sandbox.md names the same faults as OUTSIDE."""
    text = (root / "docs" / "sandbox.md").read_text(encoding="utf-8")
    named = text.partition("outside of Twilio's published description:")[2].partition(";")[0]
    assert set(re.findall(r"`(\w+)`", named)) == OUTSIDE

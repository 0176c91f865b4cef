"""What contacts get, seen from outside: the command, before the question, in check, in a dry run and in a test."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.acceptance.cli.program import (
    ACCOUNT_SID,
    FLOW,
    TIMEOUT_S,
    TOKEN,
    Program,
    SandboxProcess,
    phone,
    sandbox_process,
    write_contacts,
    write_settings,
)
from tests.acceptance.cli.test_terminal import terminal

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "flow.json"
BODY = "Hi {{flow.data.first_name | default: 'you'}}, {{flow.data.city}} “now”?"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The sample flow with a text that has a gap, and one that cannot be rendered."""
    folder = tmp_path_factory.mktemp("planted")
    definition: dict[str, Any] = orjson.loads(SAMPLE.read_bytes())
    bodies = {"ask_yes_no": BODY, "say_sorry": "{{ flow.data.city | titleize }}"}
    for state in definition["states"]:
        if state["name"] in bodies:
            state["properties"]["body"] = bodies[state["name"]]
    (folder / "flow.json").write_bytes(orjson.dumps(definition))
    with sandbox_process(folder, "--limit", "500", "--flow-file", str(folder / "flow.json")) as sandbox:
        yield sandbox


@pytest.fixture
def contacts(program: Program, planted: SandboxProcess) -> Path:
    """Three rows, one without a city, and a row that is wrong; a price of a segment."""
    planted.reset()
    write_settings(program.folder, planted.base_url, cost={"per_segment": 0.5})
    path = program.folder / "c.csv"
    lines = [f"{phone(100)},Ann,Ulm", f"{phone(101)},Zoë,", f"{phone(102)},,{'x' * 80}", "12,Bo,Bonn"]
    path.write_text("phone,first_name,city\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def context_of(sandbox: SandboxProcess, execution_sid: str) -> Any:
    """An execution's context, as Studio tells it."""
    token = base64.b64encode(f"{ACCOUNT_SID}:{TOKEN}".encode()).decode()
    address = f"{sandbox.base_url}/v2/Flows/{FLOW}/Executions/{execution_sid}/Context"
    request = urllib.request.Request(address, headers={"Authorization": f"Basic {token}"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        return orjson.loads(answer.read())["context"]


def test_the_command_shows_what_contacts_get(program: Program, planted: SandboxProcess, contacts: Path) -> None:
    """The first row's texts and the file's segments, gaps, characters and cost; nothing is sent or kept."""
    result = program("preview", contacts)
    assert result.code == 0, result.err
    for part in (
        "what row 2 gets",
        "Hi Ann, Ulm “now”?",
        "UCS-2 (for “, ”), 1 segment",
        "as it stands in the flow: the filter 'titleize' is not among those that Twilio lists",
        "after ask_yes_no, one or more of these",
        "1 segment in 2 rows, 2 segments in 1 row (all rows)",
        "row 4: 95 characters, 2 segments",
        "flow.data.city in 1 row (ask_yes_no)",
        "2.00: 4 segments of 0.5 each",
    ):
        assert part in result.out
    assert planted.stats()["creates_total_requests"] == 0
    assert not list(program.folder.glob("**/*.sqlite3"))
    second = program("preview", contacts, "--row", "3", "--json").json
    assert second["texts"][0]["text"] == "Hi Zoë,  “now”?"
    assert second["texts"][0]["blanks"] == ["flow.data.city"]
    assert (second["row_number"], second["rows"], second["cost"], second["is_estimate"]) == (3, 3, 2.0, False)
    assert second["spread"]["segments"] == {"1": 2, "2": 1}


def test_rows_that_cannot_be_shown(program: Program, planted: SandboxProcess, contacts: Path) -> None:
    """A row that the file does not have, or that can never be sent, is an error with what to do."""
    none = program("preview", contacts, "--row", "9")
    assert (none.code, "the file has no row 9" in none.err) == (2, True)
    wrong = program("preview", contacts, "--row", "5")
    assert (wrong.code, "row 5 can never be sent" in wrong.err) == (2, True)
    alone = program("run", contacts, "--row", "2")
    assert (alone.code, "--row names the row of a test" in alone.err) == (2, True)


def test_check_and_a_dry_run_show_it(program: Program, planted: SandboxProcess, contacts: Path) -> None:
    """`check` and `run --dry-run` show the first row's certain texts, and name those that may follow."""
    for arguments in (("check", contacts), ("run", contacts, "--dry-run")):
        result = program(*arguments)
        assert "what row 2 gets" in result.out
        assert "Hi Ann, Ulm “now”?" in result.out
        assert "titleize" not in result.out
        assert program(*arguments, "--json").json["preview"]["texts"][0]["text"] == "Hi Ann, Ulm “now”?"
    part = program("run", contacts, "--dry-run", "--limit", "1", "--json").json["preview"]
    assert (part["segments"], part["is_estimate"]) == (1, True)
    assert program("check", contacts, "--offline", "--json").json["preview"] is None


def test_a_test_says_what_it_sends(program: Program, planted: SandboxProcess, contacts: Path) -> None:
    """`--test-to` shows the text and sends it: the first row's, or with `--row` another's."""
    sent = program("run", contacts, "--test-to", phone(199), "--row", "3")
    assert sent.code == 0, sent.err
    assert "Hi Zoë,  “now”?" in sent.err
    assert "with the values of row 3" in sent.out
    told = program("run", contacts, "--test-to", phone(198), "--json").json
    assert (told["row_number"], told["preview"]["texts"][0]["text"]) == (2, "Hi Ann, Ulm “now”?")
    again = program("run", contacts, "--test-to", phone(197), "--row", "3", "--json").json
    context = context_of(planted, again["execution_sid"])
    assert context["widgets"]["ask_yes_no"]["outbound"]["Body"] == again["preview"]["texts"][0]["text"]
    assert context["flow"]["data"]["dispatch_id"].startswith("d-")
    missing = program("run", contacts, "--test-to", phone(199), "--row", "9")
    assert (missing.code, "the file has no row 9" in missing.err) == (2, True)
    assert planted.stats()["creates"] == 3


def test_it_stands_before_the_question(program: Program, planted: SandboxProcess, contacts: Path) -> None:
    """On a terminal `run` shows the text before it asks; with --yes it does not."""
    asked = terminal(program, "run", "c.csv")
    shown = asked.read("to send: ")
    assert shown.index("Ulm “now”?") < shown.index("to send: ")
    asked.type("no\r")
    assert asked.end()[0] == 2
    sent = program("run", contacts, "--yes")
    assert sent.code == 3, sent.err
    assert "Ulm" not in sent.err + sent.out
    # What was sent can be looked at all the same.
    assert "no row of the file waits to be sent (--row N shows" in program("preview", contacts).err
    assert "Hi Ann, Ulm “now”?" in program("preview", contacts, "--row", "2").out


def test_a_flow_that_calls_says_so(program: Program) -> None:
    """A flow without texts says so, and v1, which shows no definition, that nothing can be shown."""
    definition = {
        "description": "",
        "states": [
            {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": "call"}]},
            {"name": "call", "type": "make-outgoing-call-v2", "transitions": [{"event": "answered"}], "properties": {}},
        ],
        "initial_state": "Trigger",
        "flags": {},
    }
    (program.folder / "flow.json").write_bytes(orjson.dumps(definition))
    with sandbox_process(program.folder, "--flow-file", str(program.folder / "flow.json")) as sandbox:
        write_settings(program.folder, sandbox.base_url)
        file = write_contacts(program.folder / "c.csv", 2)
        assert "the flow sends no texts: it calls" in program("preview", file).out
        v1 = program("preview", file, "--api-version", "v1")
        assert (v1.code, "v1 of the API does not show a flow's definition" in v1.out) == (0, True)


def test_of_a_large_file_a_part_is_looked_at(program: Program, planted: SandboxProcess) -> None:
    """Before a question a part of a large file is looked at, spread over all of it; `preview` looks at every row."""
    planted.reset()
    write_settings(program.folder, planted.base_url, cost={"per_segment": 1})
    file = program.folder / "large.csv"
    numbers = [f"+1{area}555{n:04d}" for area in (202, 303) for n in range(10_000)]
    rows = [f"{number},N,{'x' * 80 if n % 4 == 0 else 'Ulm'}" for n, number in enumerate(numbers)]
    file.write_text("phone,first_name,city\n" + "\n".join(rows) + "\n", encoding="utf-8")
    whole = program("preview", file, "--json").json
    assert (whole["rows"], whole["rows_looked_at"], whole["segments"]) == (20_000, 20_000, 25_000)
    part = program("check", file, "--json").json["preview"]
    assert part["rows"] == 20_000
    assert 0 < part["rows_looked_at"] <= 10_000
    assert part["is_estimate"]
    assert abs(part["segments"] - 25_000) < 500
    assert "rows, evenly over the file" in program("check", file).out

"""What comes after a run, from outside: track, summary, recall, executions."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    finish,
    phone,
    read_report,
    sandbox_process,
    until,
    write_contacts,
    write_settings,
)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Program]:
    """A campaign `spring` of 40 rows that have walked to their end, a thousand times as fast as people would."""
    folder = tmp_path_factory.mktemp("walked")
    program = Program(folder, nursery)
    with sandbox_process(folder, "--limit", "500", "--walk", "--speed", "1000") as sandbox:
        values = ["widgets.ask_yes_no.inbound.Body"]
        write_settings(folder, sandbox.base_url, tracking={"variables": values, "per_second": 1000})
        assert program("run", write_contacts(folder / "spring.csv", 40), "--yes").code == 0
        until(lambda: sandbox.stats()["active"] == 0, "the walks' end")
        yield program


def test_what_became_of_the_executions(walked: Program) -> None:
    """What became of the executions is found, shown, and in the report row by row."""
    before = walked("summary", "spring")
    assert before.code == 0
    assert "dispatcher track spring" in before.err

    result = walked("track", "spring")
    assert result.code == 0, result.err
    assert "ended 40" in result.out
    assert "note_coming" in result.out
    assert "dispatcher report spring" in result.err
    assert walked("report", "spring").code == 0
    rows = read_report(walked.folder / "spring-report.csv")
    assert {row["dispatch_outcome_status"] for row in rows} == {"ended"}
    assert all(row["dispatch_outcome_path"].startswith("ask_yes_no") for row in rows)
    assert "Yes" in {row["dispatch_outcome_widgets.ask_yes_no.inbound.Body"] for row in rows}

    anonymous: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}
    assert "note_coming" in walked("summary", "spring", env=anonymous).out
    found = walked("summary", "spring", "--json", env=anonymous).json
    assert (found["rows"]["created"], found["executions"]["ended"]) == (40, 40)
    assert found["problems"] == []


def test_track_as_json_report_and_page(walked: Program) -> None:
    """`track` tells its counts as JSON, and writes the report or the page with them."""
    found = walked("track", "spring", "--json", "--report", "after.csv").json
    assert (found["created"], found["ended"], found["active"]) == (40, 40, 0)
    assert sum(found["last_steps"].values()) == 40
    assert found["report"] == "after.csv"
    # A report of a tracked campaign is a valid input: nobody is sent to again.
    again = walked("run", "after.csv", "--campaign", "spring", "--yes", "--json").json
    assert (again["rows"]["created"], again["attempts"]) == (40, 40)
    assert walked("track", "spring", "--report", "spring.html").code == 0
    page = (walked.folder / "spring.html").read_text(encoding="utf-8")
    assert "note_coming" in page
    assert "<script" not in page


def test_following_ends_when_none_is_active(program: Program, sandbox: SandboxProcess) -> None:
    """`track --follow` ends when no execution is active any more."""
    write_settings(program.folder, sandbox.base_url, tracking={"every_s": 0.3})
    assert program("run", write_contacts(program.folder / "spring.csv", 5), "--yes").code == 0
    followed = program("track", "spring", "--follow", "--json")
    assert (followed.code, followed.json["active"], followed.json["ended"]) == (0, 0, 5)


def test_recall_counts_asks_and_ends_them(program: Program) -> None:
    """`recall` counts the active executions, asks, and ends them."""
    with sandbox_process(program.folder, "--limit", "500", "--ends-after=-1") as sandbox:
        write_settings(program.folder, sandbox.base_url, tracking={"every_s": 0.2})
        write_contacts(program.folder / "spring.csv", 30)
        assert program("run", "spring.csv", "--yes", "--limit", "20").code == 0
        assert sandbox.stats()["active"] == 20
        # Followed, they would never end: Ctrl-C does.
        process = program.start("track", "spring", "--follow")
        until(lambda: sandbox.stats()["requests"].get("list", 0) >= 2, "the second look", process)
        process.send_signal(signal.SIGINT)
        stopped = finish(process)
        assert (stopped.code, "fix: dispatcher track spring" in stopped.err) == (130, True)
        assert "active 20" in stopped.out
        # Without a terminal nobody can be asked: nothing happens.
        refused = program("recall", "spring")
        assert (refused.code, sandbox.stats()["active"]) == (2, 20)
        assert "--yes" in refused.err
        result = program("recall", "spring", "--yes")
        assert result.code == 0, result.err
        assert "20 of 20 executions are active" in result.err
        assert "20 executions" in result.out
        assert "dispatcher cancel spring" in result.err
        assert sandbox.stats()["active"] == 0
        again = program("recall", "spring", "--yes", "--json")
        assert (again.code, again.json["active"], again.json["ended"]) == (0, 0, 0)
        program("report", "spring")
        states = [row["dispatch_outcome_status"] for row in read_report(program.folder / "spring-report.csv")]
        assert states == ["recalled"] * 20 + [""] * 10


def test_a_campaign_that_is_not_there_is_named(ready: Program) -> None:
    """For a campaign that is not there, `track`, `summary` and `recall` name the nearest one."""
    write_contacts(ready.folder / "spring.csv", 1)
    assert ready("run", "spring.csv", "--yes").code == 0
    for command in (["track"], ["summary"], ["recall", "--yes"]):
        result = ready(*command, "sprang")
        assert result.code == 2
        assert "did you mean 'spring'?" in result.err


def test_track_without_credentials_says_so(ready: Program) -> None:
    write_contacts(ready.folder / "spring.csv", 1)
    ready("run", "spring.csv", "--yes")
    result = ready("track", "spring", env={"TWILIO_AUTH_TOKEN": None})
    assert (result.code, "error[authentication]" in result.err) == (4, True)


# --- executions ---


def test_executions_are_listed_shown_and_walked(walked: Program) -> None:
    listed = walked("executions", "list", "--json", "--all").json
    assert len(listed) == 40
    assert {one["status"] for one in listed} == {"ended"}
    first_page = walked("executions", "list", "--limit", "3")
    assert first_page.out.count("FN") == 3
    assert "--all" in first_page.err
    sid = listed[-1]["sid"]
    assert phone(100) in walked("executions", "show", sid).out
    assert walked("executions", "show", sid, "--json").found == listed[-1]
    steps = walked("executions", "steps", sid, "--json").json
    assert (steps[0]["transitioned_from"], steps[-1]["transitioned_to"]) == ("Trigger", "Ended")
    assert "ask_yes_no" in walked("executions", "steps", sid).out
    name = walked("executions", "context", sid, "--path", "flow.data.first_name")
    assert name.json == "Name 0"
    everything = walked("executions", "context", sid).json
    assert set(everything) == {"trigger", "contact", "flow", "widgets"}
    at_first = walked("executions", "context", sid, "--step", steps[0]["sid"]).json
    assert at_first["widgets"] == {}


def test_executions_can_be_narrowed_by_status_and_time(walked: Program) -> None:
    assert walked("executions", "list", "--status", "active", "--json").json == []
    assert "no executions" in walked("executions", "list", "--until", "2020-01-01").err
    assert len(walked("executions", "list", "--since", "2020-01-01", "--json", "--api-version", "v1").json) == 40
    assert walked("executions", "list", "--status", "active", "--json", "--api-version", "v1").json == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "FN123"], 2, "not the SID of an execution"),
        (["show", "FN" + "0" * 32], 2, "404"),
        (["context", "FN" + "0" * 32, "--step", "../x"], 2, "not the SID of a step"),
        (["context", "FN" + "0" * 32, "--path", "a b.c"], 2, "--path"),
        (["list", "--flow", "FW" + "0" * 32], 2, "404"),
    ],
)
def test_what_cannot_be_shown_is_said(ready: Program, arguments: list[str], code: int, said: str) -> None:
    """An execution, a step, a path or a flow that cannot be shown is said, with a fix."""
    result = ready("executions", *arguments)
    assert result.code == code
    assert said in result.err
    assert "fix:" in result.err


def test_engagements_are_refused(program: Program) -> None:
    """Engagements are refused with the name that they have now: Executions."""
    result = program("flows", "--base-url", "https://studio.twilio.com/v1/Flows/FW0/Engagements")
    assert result.code == 2
    assert "/Executions" in result.err

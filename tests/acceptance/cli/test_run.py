"""`run`: what is sent, what is not, and that the sandbox's own counts agree."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.acceptance.cli.program import (
    FLOW,
    Program,
    SandboxProcess,
    phone,
    read_report,
    sandbox_process,
    write_contacts,
    write_settings,
)

KEYS = {
    "campaign",
    "state",
    "ledger",
    "rows",
    "skipped",
    "worst_window",
    "window_limit",
    "attempts",
    "throttled",
    "duration_s",
    "rate_per_s",
    "report",
    "waiting",
    "next_at",
    "hours",
    "schema",
    "exit_code",
    "error",
}
STATES = {"planned", "sending", "created", "rejected", "busy", "unknown", "invalid", "skipped"}


def test_the_sample_within_the_limit(program: Program, root: Path) -> None:
    """Every valid row of the sample is created once, within the limit, and reported in order."""
    sample = root / "samples" / "contacts.csv"
    with sandbox_process(program.folder, "--limit", "20") as sandbox:
        write_settings(program.folder, sandbox.base_url, rate={"per_second": 20})
        result = program("run", sample, "--yes", "--json")
        stats, creates = sandbox.stats(), sandbox.creates()
    assert result.code == 3, result.err  # some rows are wrong on purpose
    assert result.json["rows"]["created"] == stats["creates"] == len(creates) > 100
    assert set(stats["created_by_to"].values()) == {1}
    assert stats["throttled"] == 0
    assert stats["worst_window"] <= 200
    report = read_report(program.folder / "contacts-report.csv")
    with sample.open(encoding="utf-8-sig", newline="") as file:
        given = list(csv.DictReader(file))
    assert [{name: row[name] for name in given[0]} for row in report] == given
    created = {
        row["dispatch_to"]: row["dispatch_execution_sid"] for row in report if row["dispatch_status"] == "created"
    }
    assert created == {create["to"]: create["sid"] for create in creates}
    assert all(row["dispatch_advice"] for row in report if row["dispatch_status"] != "created")


def test_three_of_ten_creates_answered_429(ready: Program, sandbox: SandboxProcess) -> None:
    """When three of ten creates are answered 429, no row is rejected and none is sent twice."""
    sandbox.faults(_429=0.3)
    result = ready("run", write_contacts(ready.folder / "contacts.csv", 60), "--yes", "--json")
    assert result.code == 0, result.err
    assert result.json["rows"]["created"] == sandbox.stats()["creates"] == 60
    assert sandbox.stats()["throttled"] == result.json["throttled"] > 0
    assert sandbox.stats()["duplicates"] == {}


def test_a_spike_within_the_limit(program: Program) -> None:
    """A spike of 190 rows at 20 a second is sent in under 3 seconds, within the limit."""
    with sandbox_process(program.folder, "--limit", "20") as sandbox:
        write_settings(program.folder, sandbox.base_url, rate={"per_second": 20, "pace": "spike"})
        result = program("run", write_contacts(program.folder / "contacts.csv", 190), "--yes", "--json")
        stats = sandbox.stats()
    assert result.code == 0, result.err
    assert stats["creates"] == 190
    assert stats["throttled"] == 0
    assert stats["worst_window"] <= 200
    assert result.json["duration_s"] < 3


def test_a_second_run_and_a_corrected_row(ready: Program, sandbox: SandboxProcess) -> None:
    """The second run creates nothing, and a corrected row alone is sent."""
    good = [f"{phone(n)},Name" for n in range(100, 110)]
    contacts = write_contacts(ready.folder / "contacts.csv", [*good, "123,Wrong"])
    assert ready("run", contacts, "--yes").code == 3
    again = ready("run", contacts, "--yes", "--json")
    assert again.code == 3
    assert sandbox.stats()["creates"] == again.json["rows"]["created"] == 10
    write_contacts(contacts, [*good, f"{phone(777)},Corrected"])
    corrected = ready("run", contacts, "--yes", "--json")
    assert corrected.code == 0, corrected.err
    assert sandbox.stats()["creates"] == corrected.json["rows"]["created"] == 11
    assert sandbox.creates()[-1]["to"] == phone(777)


def test_values_that_changed_after_they_were_sent(ready: Program, sandbox: SandboxProcess) -> None:
    """Told before the question and in the object, not sent again; the report shows what was sent."""
    contacts = write_contacts(ready.folder / "contacts.csv", [f"{phone(n)},Ann" for n in range(100, 103)])
    assert ready("run", contacts, "--yes").code == 0
    write_contacts(contacts, [f"{phone(102)},Ann", f"{phone(101)},Bob", f"{phone(100)},Ann", f"{phone(103)},New"])
    checked = ready("check", contacts)
    result = ready("run", contacts, "--yes", "--json")
    assert (result.code, result.json["changed"], sandbox.stats()["creates"]) == (0, 1, 4), result.err
    told = "1 row was sent with other values than the file has"
    assert (told in checked.err, told in result.err, told in ready("status", "contacts").out) == (True, True, True)
    advice = [row["dispatch_advice"] for row in read_report(ready.folder / "contacts-report.csv")]
    assert advice == ["", 'The request had other values than the file has now: first_name was "Ann".', "", ""]
    assert "changed" not in ready("run", write_contacts(ready.folder / "other.csv", 1), "--yes", "--json").json


def test_more_rows_than_one_run_may_send(ready: Program, sandbox: SandboxProcess) -> None:
    """Are refused before the first, in a rehearsal, too, and by whatever command; fewer of them are not."""
    contacts = write_contacts(ready.folder / "contacts.csv", 5)
    for command in (["run", contacts, "--dry-run"], ["run", contacts, "--yes"], ["resume", "contacts", "--yes"]):
        refused = ready(*command, "--max-rows", "4")
        assert refused.code == 2, refused.err
        assert "5 rows would be sent, and one run may send 4" in refused.err
        assert "--max-rows 5" in refused.err
        assert "--limit 4" in refused.err
    assert sandbox.stats()["creates_total_requests"] == 0
    assert ready("resume", "contacts", "--yes", "--limit", "4", env={"DISPATCHER_GUARD_MAX_ROWS": "4"}).code == 0
    assert ready("resume", "contacts", "--yes", "--max-rows", "4").code == 0
    assert sandbox.stats()["creates"] == 5


def test_the_report_fed_back(ready: Program, sandbox: SandboxProcess) -> None:
    """The report, fed back, goes on with its campaign, and nobody is sent to twice."""
    contacts = write_contacts(ready.folder / "spring.csv", [f"{phone(100)},A", "123,Wrong"])
    assert ready("run", contacts, "--yes").code == 3
    report = ready.folder / "spring-report.csv"
    text = report.read_text(encoding="utf-8")
    report.write_text(text.replace("123,Wrong", f"{phone(101)},Wrong"), encoding="utf-8")
    result = ready("run", report, "--yes", "--json")
    assert result.code == 0, result.err
    assert result.json["campaign"] == "spring"
    assert sandbox.stats()["created_by_to"] == {phone(100): 1, phone(101): 1}
    # The file that was read is not written over.
    assert Path(result.json["report"]).name == "spring-report-2.csv"


def test_the_json_of_a_run_and_of_its_status(ready: Program, sandbox: SandboxProcess) -> None:
    """The JSON of a run and of its status is the contract's object."""
    result = ready("run", write_contacts(ready.folder / "spring.csv", 5), "--yes", "--json")
    status = ready("status", "spring", "--json", env={"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None})
    for found in (result, status):
        assert found.code == 0, found.err
        assert set(found.json) == KEYS | ({"run"} if found is result else set())
        assert set(found.json["rows"]) == STATES
        assert (found.json["campaign"], found.json["state"], found.json["attempts"]) == ("spring", "finished", 5)
        assert found.json["report"].endswith("spring-report.csv")
        assert found.json["window_limit"] == 5000
        assert (found.json["schema"], found.json["exit_code"], found.json["error"]) == (1, 0, None)
    run = result.json["run"]
    assert (run["created"], run["rejected"], run["unknown"], run["requests"], run["throttled"]) == (5, 0, 0, 5, 0)
    assert run["started_at"] <= run["finished_at"]


def test_limit_sends_so_many_rows(ready: Program, sandbox: SandboxProcess) -> None:
    """`--limit` sends so many rows, and `resume` the rest, without the file."""
    contacts = write_contacts(ready.folder / "spring.csv", 20)
    first = ready("run", contacts, "--yes", "--json", "--limit", "7")
    assert first.code == 0, first.err
    assert (first.json["rows"]["created"], first.json["rows"]["planned"], first.json["state"]) == (7, 13, "stopped")
    contacts.unlink()
    rest = ready("resume", "spring", "--yes", "--json")
    assert rest.code == 0, rest.err
    assert rest.json["rows"]["created"] == sandbox.stats()["creates"] == 20
    assert len(read_report(ready.folder / "spring-report.csv")) == 20


def test_a_dry_run_sends_and_keeps_nothing(ready: Program, sandbox: SandboxProcess) -> None:
    """A dry run shows the first request, sends nothing, and keeps nothing."""
    write_settings(ready.folder, sandbox.base_url, campaign={"flow": None})
    contacts = write_contacts(ready.folder / "spring.csv", [f"{phone(100)},Ada", "123,Wrong"])
    bare: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}
    shown = ready("run", contacts, "--dry-run", env=bare)
    assert shown.code == 0, shown.err
    for text in (phone(100), "Ada", "+15550001111"):
        assert text in shown.out
    as_json = ready("run", contacts, "--dry-run", "--json", env=bare)
    assert as_json.json["would_send"] == 1
    assert as_json.json["first_request"]["Parameters"]["first_name"] == "Ada"
    assert sandbox.stats()["creates_total_requests"] == 0
    assert not (ready.folder / ".dispatcher").exists()
    assert not list(ready.folder.glob("*-report*"))


def test_a_test_send_changes_no_row(ready: Program, sandbox: SandboxProcess) -> None:
    """A test send goes to the given number once, with the first row's values, and changes no row."""
    contacts = write_contacts(ready.folder / "spring.csv", [f"{phone(100)},Ada", f"{phone(101)},Bob"])
    result = ready("run", contacts, "--test-to", "(202) 555-0199", "--json")
    assert result.code == 0, result.err
    assert (result.json["to"], result.json["outcome"]) == ("+12025550199", "created")
    (create,) = sandbox.creates()
    assert create["to"] == "+12025550199"
    assert create["parameters"]["first_name"] == "Ada"
    run = ready("run", contacts, "--yes", "--json")
    assert run.json["rows"]["created"] == 2
    assert sandbox.stats()["created_by_to"] == {"+12025550199": 1, phone(100): 1, phone(101): 1}


def test_rows_from_standard_input(ready: Program, sandbox: SandboxProcess) -> None:
    """Rows from standard input need a campaign's name and `--yes`."""
    text = write_contacts(ready.folder / "spring.csv", 3).read_text(encoding="utf-8")
    nameless = ready("run", "-", "--yes", stdin=text)
    assert (nameless.code, "--campaign" in nameless.err) == (2, True)
    silent = ready("run", "-", "--campaign", "spring", stdin=text)
    assert (silent.code, "--yes" in silent.err) == (2, True)
    result = ready("run", "-", "--campaign", "spring", "--yes", "--json", stdin=text)
    assert result.code == 0, result.err
    assert result.json["rows"]["created"] == sandbox.stats()["creates"] == 3


def test_without_a_yes_nothing_is_sent(ready: Program, sandbox: SandboxProcess) -> None:
    """Without a terminal and without `--yes` nothing is sent."""
    result = ready("run", write_contacts(ready.folder / "spring.csv", 3))
    assert result.code == 2
    assert "error[usage]" in result.err
    assert "--yes" in result.err
    assert sandbox.stats()["creates_total_requests"] == 0
    # Nobody waited for a large file to be read before being told.
    assert not (ready.folder / ".dispatcher").exists()


def test_flags_stand_above_settings(ready: Program, sandbox: SandboxProcess) -> None:
    write_settings(
        ready.folder,
        "http://127.0.0.1:9",
        campaign={"flow": None, "from": None},
        columns={"to": None, "region": None},
    )
    (ready.folder / "list.csv").write_text("mobile,name\n(202) 555-0100,Ada\n", encoding="utf-8")
    flags = [
        "--base-url",
        sandbox.base_url,
        "--flow",
        FLOW,
        "--from",
        "+15550001111",
        "--to",
        "mobile",
        "--region",
        "US",
    ]
    more = [
        "--rate",
        "50",
        "--api-version",
        "v1",
        "--state-dir",
        "elsewhere",
        "--on-busy",
        "skip",
        "--report",
        "out.csv",
    ]
    result = ready("run", "list.csv", "--yes", "--json", *flags, *more)
    assert result.code == 0, result.err
    assert result.json["window_limit"] == 500
    assert (ready.folder / "out.csv").exists()
    assert (ready.folder / "elsewhere" / "ledger.sqlite3").exists()
    assert sandbox.creates()[0]["to"] == "+12025550100"


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "xlsx", "parquet"])
def test_the_format_of_the_report(ready: Program, sandbox: SandboxProcess, suffix: str) -> None:
    """The report is written in the format of its name."""
    path = ready.folder / f"out.{suffix}"
    assert ready("run", write_contacts(ready.folder / "spring.csv", 2), "--yes", "--report", path).code == 0
    starts = {"csv": b"phone,first_name,dispatch_campaign", "csv.gz": b"\x1f\x8b", "xlsx": b"PK", "parquet": b"PAR1"}
    assert path.read_bytes().startswith(starts[suffix])

"""`status`, `report`, `retry`, `reconcile`, `cancel`: what comes after a run."""

from __future__ import annotations

from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    phone,
    read_report,
    write_contacts,
    write_settings,
)

NO_CREDENTIALS: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}


def test_status_without_a_ledger(program: Program) -> None:
    """`status` without a ledger says so, and makes none."""
    result = program("status", env=NO_CREDENTIALS)
    assert (result.code, result.out) == (0, "")
    assert "no campaigns yet" in result.err
    assert program("status", "--json", env=NO_CREDENTIALS).json == []
    assert list(program.folder.iterdir()) == []


def test_status_lists_every_campaign_with_its_counts(ready: Program, sandbox: SandboxProcess) -> None:
    assert ready("run", write_contacts(ready.folder / "spring.csv", 3), "--yes").code == 0
    assert ready("run", write_contacts(ready.folder / "autumn.csv", ["123,X"], first=300), "--yes").code == 3
    table = ready("status", env=NO_CREDENTIALS)
    assert table.code == 0
    assert [line.split()[0] for line in table.out.splitlines() if "finished" in line] == ["spring", "autumn"]
    found = {item["campaign"]: item["rows"] for item in ready("status", "--json").json}
    assert (found["spring"]["created"], found["autumn"]["invalid"]) == (3, 1)


def test_retry_sends_what_is_asked_for(ready: Program, sandbox: SandboxProcess) -> None:
    """`retry` sends again what is asked for, and only that."""
    sandbox.faults(reject=1, for_requests=4)
    first = ready("run", write_contacts(ready.folder / "spring.csv", 10), "--yes", "--json")
    assert (first.code, first.json["rows"]["rejected"]) == (3, 4)
    none = ready("retry", "spring", "--code", "21610", "--yes")
    assert (none.code, none.out) == (0, "")
    assert "no row matches" in none.err
    assert "4 for --code 21211" in none.err
    assert sandbox.stats()["creates_total_requests"] == 10
    done = ready("retry", "spring", "--code", "21610", "--code", "21211", "--yes", "--json")
    assert (done.code, done.json["rows"]["created"], sandbox.stats()["creates"]) == (0, 10, 10), done.err


def test_retry_asks_before_it_changes_anything(ready: Program, sandbox: SandboxProcess) -> None:
    sandbox.faults(reject=1, for_requests=2)
    ready("run", write_contacts(ready.folder / "spring.csv", 2), "--yes")
    result = ready("retry", "spring", "--all-rejected")
    assert (result.code, "--yes" in result.err) == (2, True)
    assert ready("status", "spring", "--json").json["rows"]["rejected"] == 2


def test_a_busy_contact_is_told_and_retried_as_asked(ready: Program, sandbox: SandboxProcess) -> None:
    sandbox.plant({"to": phone(100), "from": "+15550001111", "ends_after_s": None, "began_by": "message"})
    busy = ready("run", write_contacts(ready.folder / "spring.csv", 2), "--yes", "--json")
    assert (busy.code, busy.json["rows"]["busy"], busy.json["rows"]["created"]) == (3, 1, 1), busy.err
    assert "dispatcher retry spring --busy" in ready("status", "spring").err
    # Still busy; and with the other one ended, it is ours.
    again = ready("retry", "spring", "--busy", "--yes", "--json")
    assert (again.code, again.json["rows"]["busy"]) == (3, 1)
    done = ready("retry", "spring", "--busy", "--yes", "--json", "--on-busy", "end")
    assert (done.code, done.json["rows"]["created"]) == (0, 2), done.err
    assert sandbox.stats()["created_by_to"] == {phone(100): 1, phone(101): 1}


def test_unknown_rows_are_risked_by_a_person(ready: Program) -> None:
    """`retry --unknown` takes no answer that was given beforehand."""
    result = ready("retry", "spring", "--unknown", "--yes")
    assert result.code == 2
    assert "a person has to confirm" in result.err


def test_reconcile_resolves_unknown_rows(ready: Program, sandbox: SandboxProcess) -> None:
    """`reconcile` resolves `unknown` rows, and sends nothing."""
    write_settings(ready.folder, sandbox.base_url, reconcile={"at_end": False})
    sandbox.faults(_500_after=1, for_requests=2, then={"500_before": 1, "for_requests": 1})
    run = ready("run", write_contacts(ready.folder / "spring.csv", 10), "--yes", "--json")
    assert (run.code, run.json["rows"]["unknown"]) == (6, 3), run.err
    requests = sandbox.stats()["creates_total_requests"]
    result = ready("reconcile", "spring", "--json")
    assert result.code == 0, result.err
    assert (result.json["rows"]["created"], result.json["rows"]["planned"]) == (9, 1)
    assert sandbox.stats()["creates_total_requests"] == requests
    again = ready("reconcile", "spring")
    assert again.code == 0
    assert ready("resume", "spring", "--yes").code == 0
    assert sandbox.stats()["duplicates"] == {}
    assert sandbox.stats()["creates"] == 10


def test_cancel_and_retry_of_waiting_rows(ready: Program, sandbox: SandboxProcess) -> None:
    """`cancel` takes waiting rows out, with the reason in the report, and `retry` puts them back."""
    assert ready("run", write_contacts(ready.folder / "spring.csv", 5), "--yes", "--limit", "2").code == 0
    cancelled = ready("cancel", "spring", "--reason", "wrong price", "--yes", "--json", env=NO_CREDENTIALS)
    assert cancelled.code == 0, cancelled.err
    assert (cancelled.json["rows"]["skipped"], cancelled.json["rows"]["planned"]) == (3, 0)
    assert ready("resume", "spring", "--yes").code == 0
    assert sandbox.stats()["creates"] == 2
    rows = read_report(ready.folder / "spring-report.csv")
    assert [row["dispatch_error_message"] for row in rows if row["dispatch_status"] == "skipped"] == ["wrong price"] * 3
    assert ready("cancel", "spring", "--reason", "again", "--yes").code == 0
    back = ready("retry", "spring", "--cancelled", "--yes", "--json")
    assert (back.code, back.json["rows"]["created"], sandbox.stats()["creates"]) == (0, 5, 5)


def test_cancel_of_rows_of_which_nothing_is_known(ready: Program, sandbox: SandboxProcess) -> None:
    """Where no row waits, `cancel` still takes out those that are not known to have been sent: once that is proved."""
    write_settings(ready.folder, sandbox.base_url, reconcile={"at_end": False})
    sandbox.faults(_500_after=1, for_requests=2, then={"500_before": 1, "for_requests": 1})
    assert ready("run", write_contacts(ready.folder / "spring.csv", 10), "--yes").code == 6
    cancelled = ready("cancel", "spring", "--reason", "wrong price", "--yes", "--json")
    assert (cancelled.code, cancelled.json["rows"]["unknown"]) == (0, 3), cancelled.err
    assert "3 rows are unknown or on their way" in cancelled.err
    found = ready("reconcile", "spring", "--json")
    assert (found.json["rows"]["created"], found.json["rows"]["skipped"]) == (9, 1), found.err
    assert ready("resume", "spring", "--yes").code == 0
    assert sandbox.stats()["creates"] == 9


def test_a_part_of_the_report(ready: Program, sandbox: SandboxProcess) -> None:
    """A part of the report is written beside the whole, and stdout is its path."""
    assert ready("run", write_contacts(ready.folder / "spring.csv", [f"{phone(100)},A", "123,B"]), "--yes").code == 3
    part = ready("report", "spring", "--only", "failed", env=NO_CREDENTIALS)
    assert (part.code, part.out) == (0, "spring-failed-report.csv\n")
    assert [row["dispatch_row_number"] for row in read_report(ready.folder / "spring-failed-report.csv")] == ["3"]
    assert len(read_report(ready.folder / "spring-report.csv")) == 2
    workbook = ready("report", "spring", "--format", "xlsx")
    assert workbook.out == "spring-report.xlsx\n"
    # The campaign's report is the whole one.
    assert ready("status", "spring", "--json").json["report"] == str(ready.folder / "spring-report.xlsx")


def test_a_report_on_stdout(ready: Program) -> None:
    """The same bytes as in a file, in each format; the campaign's report stays where it was."""
    write_contacts(ready.folder / "spring.csv", [f"{phone(100)},A", "123,Wrong"])
    assert ready("run", "spring.csv", "--yes").code == 3
    done = ready("report", "spring", "--report", "-")
    assert done.code == 0, done.err
    assert done.out == (ready.folder / "spring-report.csv").read_text(encoding="utf-8")
    failed = ready("report", "spring", "--report", "-", "--only", "failed")
    assert (failed.code, failed.out.count("\n")) == (0, 2)
    assert ready("report", "spring", "--report", "-", "--format", "html").out.startswith("<!DOCTYPE html>")
    for where in (("--report", "-"), ()):
        unknown = ready("report", "spring", *where, "--format", "pdf")
        assert (unknown.code, unknown.out) == (2, ""), unknown.err
        assert "fix: --format csv" in unknown.err
    both = ready("report", "spring", "--report", "-", "--open")
    assert (both.code, both.out) == (2, "")
    assert ready("status", "spring", "--json").json["report"].endswith("spring-report.csv")
    assert not list(ready.folder.glob("-*"))


def test_a_report_that_cannot_be_opened_is_there(ready: Program) -> None:
    """Where there is no desktop: its path on stdout, and the error says that it is written."""
    write_contacts(ready.folder / "spring.csv", 2)
    assert ready("run", "spring.csv", "--yes").code == 0
    none: dict[str, str | None] = {"DISPLAY": None, "WAYLAND_DISPLAY": None}
    done = ready("report", "spring", "--format", "html", "--open", env=none)
    assert (done.code, done.out) == (2, "spring-report.html\n")
    assert "error[report]: the report is written, and cannot be opened" in done.err


def test_the_closing_words_say_what_can_be_undone(ready: Program) -> None:
    """After a run, and with its numbers later: what waits can be taken out, what was started ended, and tracked."""
    write_contacts(ready.folder / "spring.csv", 5)
    done = ready("run", "spring.csv", "--yes", "--limit", "2")
    for said in (done.err, ready("summary", "spring").err):
        assert "dispatcher track spring   says what became of them: created is not yet delivered" in said
        assert "dispatcher recall spring   ends what is still active of the 2 executions that were started" in said
        assert "dispatcher cancel spring --reason …   takes out the 3 rows that wait" in said
    assert "recall" not in ready("run", "spring.csv", "--yes", "--json").err

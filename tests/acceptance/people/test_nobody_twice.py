"""Nobody is reached twice by accident: whatever the file is called, wherever it lies, whatever its key."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.acceptance.cli.program import Program, Result, SandboxProcess, phone, write_contacts, write_settings

PEOPLE = 200


def write_workbook(path: Path, contacts: Path) -> Path:
    """The same rows as a sheet."""
    import xlsxwriter

    workbook = xlsxwriter.Workbook(str(path), {"strings_to_numbers": False})
    sheet = workbook.add_worksheet()
    for row, line in enumerate(contacts.read_text(encoding="utf-8").splitlines()):
        for column, cell in enumerate(line.split(",")):
            sheet.write_string(row, column, cell)
    workbook.close()
    return path


def reached(sandbox: SandboxProcess) -> tuple[int, int]:
    """Executions, and the most of one contact."""
    counts = sandbox.stats()["created_by_to"]
    return sum(counts.values()), max(counts.values(), default=0)


def left_out(result: Result, code: int, **skipped: int) -> dict[str, Any]:
    """A run that reached nobody; its object."""
    assert result.code == code, result.err
    assert result.json["skipped"] == skipped
    assert result.json["attempts"] == 0
    found: dict[str, Any] = result.json
    return found


def settings_in(program: Program, sandbox: SandboxProcess, **tables: dict[str, Any]) -> None:
    write_settings(program.folder, sandbox.base_url, state={"dir": str(program.folder / "ledger")}, **tables)


def test_the_same_people_are_reached_once(program: Program, sandbox: SandboxProcess) -> None:
    """As another file, as the first run's report, by another key, with an empty ledger: 200; with --again 200 more."""
    settings_in(program, sandbox)
    contacts = write_contacts(program.folder / "a.csv", PEOPLE)
    assert program("run", contacts, "--yes").code == 0
    assert reached(sandbox) == (PEOPLE, 1)

    workbook = write_workbook(program.folder / "b FINAL.xlsx", contacts)
    told = program("run", workbook, "--yes", "--json")
    left_out(told, 3, contacted=PEOPLE)
    assert f"{PEOPLE} rows were left out" in told.err
    assert "[campaign] repeat_after_h" in told.err
    assert "--again" in told.err

    fed_back = program("run", program.folder / "a-report.csv", "--yes", "--json")
    assert (fed_back.code, fed_back.json["campaign"]) == (0, "a")
    assert (fed_back.json["rows"]["created"], fed_back.json["attempts"]) == (PEOPLE, PEOPLE)

    settings_in(program, sandbox, columns={"key": ["first_name"]})
    refused = program("run", contacts, "--yes")
    assert (refused.code, "[columns] key = []" in refused.err) == (2, True), refused.err
    left_out(program("run", contacts, "--campaign", "by name", "--yes", "--json"), 3, contacted=PEOPLE)
    assert reached(sandbox) == (PEOPLE, 1)

    elsewhere = Program(program.folder / "elsewhere", program.nursery)
    elsewhere.folder.mkdir()
    settings_in(elsewhere, sandbox)
    copied = Path(shutil.copy(contacts, elsewhere.folder / "people.csv"))
    left_out(elsewhere("run", copied, "--yes", "--json"), 3, contacted=PEOPLE)
    assert reached(sandbox) == (PEOPLE, 1)

    again = program("run", contacts, "--campaign", "by name", "--yes", "--json", "--again")
    assert (again.code, again.json["rows"]["created"]) == (0, PEOPLE), again.err
    assert reached(sandbox) == (2 * PEOPLE, 2)


def test_the_setting_says_that_it_is_meant(program: Program, sandbox: SandboxProcess) -> None:
    """Exit 0 where the settings name the rule; and 0 hours switch it off."""
    settings_in(program, sandbox, campaign={"repeat_after_h": 16})
    contacts = write_contacts(program.folder / "a.csv", 5)
    assert program("run", contacts, "--yes").code == 0
    told = program("run", contacts, "--campaign", "b", "--yes", "--json")
    left_out(told, 0, contacted=5)
    assert "repeat_after_h" not in told.err
    settings_in(program, sandbox, campaign={"repeat_after_h": 0})
    assert program("run", contacts, "--campaign", "b", "--yes").code == 0
    assert reached(sandbox) == (10, 2)


def test_checks_tell_who_was_reached(program: Program, sandbox: SandboxProcess) -> None:
    """`check` and a dry run count them before anything is sent, and say by which campaign and when."""
    settings_in(program, sandbox)
    contacts = write_contacts(program.folder / "a.csv", 3)
    assert program("run", contacts, "--yes").code == 0
    more = write_contacts(program.folder / "b.csv", 5)
    checked = program("check", more, "--json")
    assert (checked.code, checked.json["reasons"]) == (3, {"contacted": 3}), checked.err
    assert checked.json["problems"][0]["message"].startswith('campaign "a" reached this contact on ')
    dry = program("run", more, "--dry-run", "--json")
    assert (dry.json["would_send"], dry.json["reasons"]) == (2, {"contacted": 3})
    again = program("run", more, "--dry-run", "--json", "--again")
    assert (again.json["would_send"], again.json["repeats"]) == (5, 3)


def test_keys_in_another_case_are_the_same_people(program: Program, sandbox: SandboxProcess) -> None:
    """By them all rows are new ones, and the old ones gone: but whom those reached was reached."""
    settings_in(program, sandbox, columns={"key": ["first_name"]})
    contacts = write_contacts(program.folder / "a.csv", 5)
    assert program("run", contacts, "--yes").code == 0
    contacts.write_text(contacts.read_text(encoding="utf-8").replace("Name", "NAME"), encoding="utf-8")
    left_out_rows = program("run", contacts, "--yes", "--json")
    assert (left_out_rows.code, left_out_rows.json["skipped"]) == (3, {"contacted": 5}), left_out_rows.err
    assert reached(sandbox) == (5, 1)


def test_the_flow_can_be_put_right_before(program: Program, sandbox: SandboxProcess) -> None:
    """A wrong flow that stopped the run before its first request costs no new name; after it, it is refused."""
    settings_in(program, sandbox)
    contacts = write_contacts(program.folder / "a.csv", 2)
    wrong = "FW" + "9" * 32
    assert program("run", contacts, "--yes", "--flow", wrong).code == 2
    assert program("run", contacts, "--yes").code == 0
    refused = program("run", contacts, "--yes", "--flow", wrong)
    assert (refused.code, "--campaign" in refused.err) == (2, False), refused.err
    assert reached(sandbox) == (2, 1)


def test_a_test_send_counts_for_nothing(program: Program, sandbox: SandboxProcess) -> None:
    """Neither held back, though the contact was just reached, nor a reason to hold anybody back."""
    settings_in(program, sandbox)
    contacts = write_contacts(program.folder / "a.csv", 2)
    assert program("run", contacts, "--test-to", phone(100)).code == 0
    assert program("run", contacts, "--yes").code == 0
    assert program("run", contacts, "--campaign", "b", "--test-to", phone(100)).code == 0
    assert sandbox.stats()["created_by_to"] == {phone(100): 3, phone(101): 1}


def test_another_folders_name_is_not_taken(program: Program, sandbox: SandboxProcess) -> None:
    """A default name that was fed from elsewhere is nobody's choice: exit 2 with both ways, and either works."""
    settings_in(program, sandbox)
    ours, theirs = program.folder / "ours", program.folder / "theirs"
    ours.mkdir()
    theirs.mkdir()
    assert program("run", write_contacts(ours / "contacts.csv", 3), "--yes").code == 0
    other = write_contacts(theirs / "contacts.csv", 3, first=500)
    refused = program("run", other, "--yes")
    assert refused.code == 2
    assert str(ours) in refused.err
    assert "--campaign contacts, or --campaign contacts-2" in refused.err
    assert program("check", other).code == 2
    assert program("run", other, "--yes", "--campaign", "contacts-2").code == 0
    assert reached(sandbox) == (6, 1)


def test_reports_know_where_they_come_from(program: Program, sandbox: SandboxProcess) -> None:
    """Under another name and in a ledger that knows nothing, what the file calls sent is not sent; new rows are."""
    settings_in(program, sandbox)
    assert program("run", write_contacts(program.folder / "spring.csv", 4), "--yes").code == 0
    report = program.folder / "spring-report.csv"
    renamed = shutil.copy(report, program.folder / "to do (1).csv")
    result = program("run", renamed, "--yes", "--json")
    assert (result.code, result.json["campaign"], result.json["rows"]["created"]) == (0, "spring", 4)
    shutil.rmtree(program.folder / "ledger")
    lines = report.read_text(encoding="utf-8").splitlines()
    report.write_text("\n".join([*lines, f"{phone(900)},New" + "," * 12]) + "\n", encoding="utf-8")
    found = program("run", report, "--yes", "--json")
    assert (found.code, found.json["skipped"], found.json["rows"]["created"]) == (0, {"reported": 4}, 1), found.err
    assert reached(sandbox) == (5, 1)
    several = report.read_text(encoding="utf-8").replace(f"{phone(900)},New,", f"{phone(900)},New,summer")
    report.write_text(several, encoding="utf-8")
    refused = program("run", report, "--yes")
    assert (refused.code, "the file's rows are of 2 campaigns" in refused.err) == (2, True)


def test_no_report_begins_a_campaign(program: Program, sandbox: SandboxProcess) -> None:
    """By whatever name the program gives it, also as a spreadsheet program names a copy."""
    settings_in(program, sandbox)
    contacts = write_contacts(program.folder / "spring.csv", 3)
    assert program("run", contacts, "--yes").code == 0
    assert program("report", "spring", "--only", "created").code == 0
    for name in ("spring-report.csv", "spring-report-2.csv", "spring-created-report.csv", "spring-report (1).csv"):
        path = program.folder / name
        # As older programs wrote it: without a column for the campaign.
        shutil.copy(contacts, path)
        result = program("run", path, "--yes", "--json")
        assert (result.code, result.json["campaign"]) == (0, "spring"), (name, result.err)
    assert reached(sandbox) == (3, 1)


def test_a_follow_up_reaches_whom_it_should(program: Program, sandbox: SandboxProcess) -> None:
    """A report under another name: its rows are ordinary ones. On the same flow nobody is reached again."""
    settings_in(program, sandbox)
    assert program("run", write_contacts(program.folder / "spring.csv", 3), "--yes").code == 0
    report = program.folder / "spring-report.csv"
    left_out(program("run", report, "--campaign", "follow-up", "--yes", "--json"), 3, contacted=3)
    text = report.read_text(encoding="utf-8").replace(",created,", ",unknown,", 1)
    report.write_text(text, encoding="utf-8")
    settings_in(program, sandbox, campaign={"repeat_after_h": 0})
    found = program("run", report, "--campaign", "follow-up", "--yes", "--json")
    assert (found.code, found.json["skipped"], found.json["rows"]["created"]) == (0, {"reported": 1}, 2), found.err


def test_deleted_people_are_not_reached(program: Program, sandbox: SandboxProcess) -> None:
    """Not by the run, not by `resume`; a large share with --yes is refused whole; and they can be put back."""
    settings_in(program, sandbox)
    contacts = program.folder / "spring.csv"
    assert program("run", write_contacts(contacts, 40), "--yes", "--limit", "20").code == 0
    refused = program("run", write_contacts(contacts, 30), "--yes")
    assert refused.code == 2
    assert "10 of 20 rows that wait are not in this file" in refused.err
    assert "--add, or --remove" in refused.err
    assert program("status", "spring", "--json").json["rows"]["planned"] == 20
    told = program("run", contacts, "--yes", "--remove", "--limit", "5")
    assert "10 rows that wait are not in the file any more" in told.err
    assert program("resume", "spring", "--yes").code == 0
    assert reached(sandbox) == (30, 1)
    assert program("retry", "spring", "--skipped", "removed", "--yes").code == 0
    assert reached(sandbox) == (40, 1)


def test_a_part_takes_nothing_out(program: Program, sandbox: SandboxProcess) -> None:
    """A report of some rows, standard input, and whatever is called a part."""
    settings_in(program, sandbox)
    contacts = program.folder / "spring.csv"
    assert program("run", write_contacts(contacts, 10), "--yes", "--limit", "2").code == 0
    assert program("report", "spring", "--only", "created", "--report", "part.csv").code == 0
    assert program("run", "part.csv", "--yes").code == 0
    text = write_contacts(program.folder / "one.csv", 1, first=300).read_text(encoding="utf-8")
    assert program("run", "-", "--campaign", "spring", "--yes", stdin=text).code == 0
    assert program("run", write_contacts(contacts, 1, first=301), "--yes", "--add").code == 0
    assert reached(sandbox) == (4, 1)
    assert program("resume", "spring", "--yes").code == 0
    assert reached(sandbox) == (12, 1)

"""What a terminal asks of people who would be reached again, and what is asked for by --again."""

from __future__ import annotations

import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.acceptance.cli.program import Program, SandboxProcess, write_contacts, write_settings
from tests.acceptance.cli.test_terminal import ESCAPE, terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")


@pytest.fixture
def spring(program: Program, sandbox: SandboxProcess) -> Program:
    """12 people whom the campaign `spring` has reached."""
    write_settings(program.folder, sandbox.base_url, state={"dir": str(program.folder / "ledger")})
    assert program("run", write_contacts(program.folder / "spring.csv", 12), "--yes").code == 0
    return program


def answered(program: Program, *arguments: str, answers: dict[str, str]) -> tuple[int, str]:
    """A command on a terminal: question -> what is typed."""
    shown = terminal(program, *arguments, columns=120)
    for question, answer in answers.items():
        shown.read(until=question)
        shown.type(f"{answer}\n")
    code, text = shown.end()
    return code, ESCAPE.sub("", text)


def test_again_is_typed_with_the_number(spring: Program, sandbox: SandboxProcess) -> None:
    """The count alone is not enough where people are reached a second time."""
    write_contacts(spring.folder / "final.csv", 20)
    run = ("run", "final.csv", "--again")
    code, shown = answered(spring, *run, answers={"Type again 12 to send: ": "20"})
    assert (code, "not confirmed" in shown, sandbox.stats()["creates"]) == (2, True, 12)
    assert "12 of them to contacts who were reached a short time ago" in shown
    code, shown = answered(spring, *run, answers={"Type again 12 to send: ": "again 12"})
    assert (code, sandbox.stats()["creates"]) == (0, 32), shown


def test_the_same_file_by_another_name_is_asked_about(spring: Program, sandbox: SandboxProcess) -> None:
    """Go on, reach all of them again, or stop."""
    shutil.copy(spring.folder / "spring.csv", spring.folder / "final.csv")
    question = "anything else stops: "
    code, shown = answered(spring, "run", "final.csv", answers={question: ""})
    assert (code, "campaign 'spring' was fed exactly this file before" in shown) == (2, True)
    code, shown = answered(spring, "run", "final.csv", answers={question: "spring"})
    assert (code, sandbox.stats()["creates"]) == (0, 12), shown
    assert "nothing: every row has its answer" in shown
    code, shown = answered(
        spring, "run", "final.csv", answers={question: "again", "Type again 12 to send: ": "again 12"}
    )
    assert (code, sandbox.stats()["creates"]) == (0, 24), shown


def test_another_folders_campaign_is_asked_about(spring: Program, sandbox: SandboxProcess) -> None:
    """A name that nobody chose: go on with it, or begin another."""
    (spring.folder / "theirs").mkdir()
    other = write_contacts(spring.folder / "theirs" / "spring.csv", 3, first=700)
    question = "anything else stops: "
    assert answered(spring, "run", str(other), answers={question: "no"})[0] == 2
    code, shown = answered(spring, "run", str(other), answers={question: "spring-2", "Type 3 to send: ": "3"})
    assert (code, sandbox.stats()["creates"]) == (0, 15), shown
    assert spring("status", "spring-2", "--json").json["rows"]["created"] == 3


def test_deleted_people_are_shown_before(spring: Program, sandbox: SandboxProcess) -> None:
    """At a terminal their number is shown, whatever share they are; refused, nobody is sent to by `resume` either."""
    contacts = spring.folder / "summer.csv"
    assert spring("run", write_contacts(contacts, 10, first=300), "--yes", "--limit", "2").code == 0
    write_contacts(contacts, 4, first=300)
    code, shown = answered(spring, "run", "summer.csv", answers={"Type 2 to send: ": "no"})
    assert (code, "6 rows that wait are not in the file any more" in shown) == (2, True)
    refused = spring("resume", "summer", "--yes")
    assert (refused.code, "dispatcher run FILE --remove, or dispatcher run FILE --add" in refused.err) == (2, True)
    code, shown = answered(spring, "resume", "summer", answers={"Type 2 to send: ": "2"})
    assert (code, sandbox.stats()["creates"]) == (0, 16), shown


def test_resume_leaves_out_who_was_reached_since(spring: Program, sandbox: SandboxProcess) -> None:
    """Told with its number; with --again they are sent to, those that were left out before among them."""
    write_contacts(spring.folder / "a.csv", 6, first=500)
    assert spring("run", "a.csv", "--yes", "--limit", "2").code == 0
    write_contacts(spring.folder / "b.csv", 3, first=503)
    assert spring("run", "b.csv", "--yes").code == 0
    told = spring("resume", "a", "--yes", "--json")
    assert (told.code, told.json["skipped"]) == (3, {"contacted": 3}), told.err
    assert "3 rows are left out: reached a short time ago" in told.err
    code, shown = answered(spring, "resume", "a", "--again", answers={"Type again 3 to send: ": "again 3"})
    assert (code, sandbox.stats()["creates"]) == (0, 12 + 2 + 3 + 1 + 3), shown


def test_a_retry_holds_back_too(spring: Program, sandbox: SandboxProcess) -> None:
    """A refused row whose contact another campaign has reached since is left out, or with --again sent."""
    sandbox.faults(reject=1, for_requests=4)
    assert spring("run", write_contacts(spring.folder / "a.csv", 4, first=500), "--yes").code == 3
    assert spring("run", write_contacts(spring.folder / "b.csv", 2, first=500), "--yes").code == 0
    told = spring("retry", "a", "--all-rejected", "--yes", "--json")
    assert (told.code, told.json["skipped"], told.json["rows"]["created"]) == (3, {"contacted": 2}, 2), told.err
    again = spring("retry", "a", "--skipped", "contacted", "--yes", "--again")
    assert (again.code, sandbox.stats()["creates"]) == (0, 12 + 2 + 2 + 2), again.err


def test_appointments_of_one_person_wait(program: Program, shared: SandboxProcess, tmp_path: Path) -> None:
    """Rows of one file with keys of their own: one execution after the other, whatever on_busy is."""
    from tests.acceptance.cli.program import phone, sandbox_process

    with sandbox_process(tmp_path, "--limit", "500", "--ends-after", "0.4") as slow:
        write_settings(
            program.folder,
            slow.base_url,
            columns={"key": ["first_name"]},
            campaign={"busy_wait_s": 0.2, "on_busy": "end"},
            state={"dir": str(program.folder / "ledger")},
        )
        lines = [f"{phone(100)},Monday", f"{phone(100)},Friday", f"{phone(100)},Sunday"]
        result = program("run", write_contacts(program.folder / "a.csv", lines), "--yes", "--json")
        created = slow.creates()
    assert (result.code, result.json["rows"]["created"]) == (0, 3), result.err
    assert [create["to"] for create in created] == [phone(100)] * 3
    # None was cut short by the next one.
    at_s = [create["at"] for create in created]
    assert all(later - sooner >= 0.4 for sooner, later in pairwise(at_s)), at_s

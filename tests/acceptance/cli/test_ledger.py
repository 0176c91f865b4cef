"""The ledger from the command line: which one it is, a copy of it, and one that an earlier version has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    finish,
    read_report,
    write_contacts,
    write_settings,
)


@pytest.fixture
def usual(program: Program, sandbox: SandboxProcess) -> Program:
    """Settings that say nothing of the ledger."""
    write_settings(program.folder, sandbox.base_url, state={"dir": None})
    write_contacts(program.folder / "spring.csv", 3)
    return program


def test_another_folder_meets_the_same_ledger(usual: Program, sandbox: SandboxProcess) -> None:
    """The same campaign from another folder goes on with the same rows: nobody is sent to again."""
    first = usual("run", "spring.csv", "--yes", "--json")
    assert first.code == 0, first.err
    place = first.json["ledger"]
    assert place["path"] in first.err
    assert "it knows nobody yet" in first.err
    assert Path(place["path"]).is_absolute()
    assert Path(place["path"]).is_file()
    assert Path(place["path"]).parent.name == "rehearsals"
    other = Program(usual.folder / "other", usual.nursery)
    other.folder.mkdir()
    write_settings(other.folder, sandbox.base_url, state={"dir": None})
    again = other("run", "../spring.csv", "--yes", "--json")
    assert again.json["ledger"] == place
    assert "knows nobody" not in again.err, "it has just sent"
    assert again.json["rows"]["created"] == 3
    assert sandbox.stats()["creates"] == 3
    assert again.json["report"] == str(usual.folder / "spring-report.csv")  # where it was before
    assert place["path"] in usual("doctor").out
    assert not (usual.folder / ".dispatcher").exists()


def test_a_rehearsal_is_found_by_its_host(usual: Program, sandbox: SandboxProcess) -> None:
    """Without the host the real ledger is meant; what is told then leads to the rehearsal's."""
    write_settings(usual.folder, sandbox.base_url, state={"dir": None}, account={"base_url": None})
    result = usual("run", "spring.csv", "--yes", "--base-url", sandbox.base_url, "--limit", "1")
    assert f"dispatcher resume spring --base-url {sandbox.base_url}" in result.err
    missing = usual("status", "spring")
    assert missing.code == 2
    assert "--base-url" in missing.err
    assert usual("status", "spring", "--base-url", sandbox.base_url, "--json").json["rows"]["created"] == 1
    assert usual("status", "--json").json == []


def test_a_former_ledger_stops_everything(usual: Program, sandbox: SandboxProcess) -> None:
    """Neither used nor passed over; both ways out do what they say, and nobody is sent to again by either."""
    write_settings(usual.folder, sandbox.base_url)  # as an earlier version: .dispatcher in this folder
    assert usual("run", "spring.csv", "--yes").code == 0
    write_settings(usual.folder, sandbox.base_url, state={"dir": None})
    for command in (["run", "spring.csv", "--yes"], ["resume", "spring", "--yes"], ["check", "spring.csv"], ["status"]):
        result = usual(*command)
        assert result.code == 2
        assert "--state-dir .dispatcher" in result.err
        assert "dispatcher ledger move .dispatcher" in result.err
    assert usual("run", "spring.csv", "--yes", "--state-dir", ".dispatcher").code == 0
    moved = usual("ledger", "move", ".dispatcher")
    assert moved.code == 0, moved.err
    assert Path(moved.out.strip()).is_file()
    assert sandbox.stats()["creates"] == 3


def test_a_backup_goes_on(usual: Program, sandbox: SandboxProcess) -> None:
    """A copy is a ledger: put in a folder of its own it knows whom it has reached."""
    assert usual("run", "spring.csv", "--yes", "--limit", "2").code == 0
    (usual.folder / "copy").mkdir()
    backup = usual("ledger", "backup", "copy/ledger.sqlite3")
    assert (backup.code, backup.out.strip()) == (0, "copy/ledger.sqlite3"), backup.err
    assert usual("ledger", "backup", "copy/ledger.sqlite3").code == 2
    assert usual("ledger", "backup", "copy/ledger.sqlite3", "--overwrite").code == 0
    rest = usual("resume", "spring", "--yes", "--state-dir", "copy", "--json")
    assert rest.json["rows"]["created"] == 3
    assert sandbox.stats()["creates"] == 3


def test_warnings_stand_before_anything_is_sent(usual: Program, sandbox: SandboxProcess) -> None:
    """The host that the folder's config names, an unknown variable, a secret and a folder that anybody may read."""
    secret = usual.folder / "secret"
    secret.write_text(usual.env["TWILIO_AUTH_TOKEN"], encoding="utf-8")
    secret.chmod(0o644)
    (usual.folder / "state").mkdir(mode=0o755)
    write_settings(usual.folder, sandbox.base_url, state={"dir": "state"})
    env: dict[str, str | None] = {
        "DISPATCHER_COLOR": "blue",
        "TWILIO_AUTH_TOKEN": None,
        "TWILIO_AUTH_TOKEN_FILE": str(secret),
    }
    host = sandbox.base_url.removeprefix("http://")
    for command in (["flows"], ["doctor"], ["run", "spring.csv", "--yes"]):
        result = usual(*command, env=env)
        assert result.code == 0, result.err
        shown = result.err if command != ["doctor"] else result.out
        for text in (f"sends the credentials to {host}", "DISPATCHER_COLOR", f"may read {secret}"):
            assert shown.count(text) == 1, (command, text, shown)
    assert "may look into" in shown
    assert shown.index("sends the credentials") < shown.index("to send")


def test_a_slip_in_a_variable_is_an_error(usual: Program, sandbox: SandboxProcess) -> None:
    """A limit that is not set is no limit: nothing is sent."""
    result = usual("run", "spring.csv", "--yes", env={"DISPATCHER_RATE_PERSECOND": "1"})
    assert result.code == 2
    assert "DISPATCHER_RATE_PER_SECOND" in result.err
    assert sandbox.stats()["creates"] == 0


def test_a_proxy_that_is_none_is_an_error(usual: Program) -> None:
    """Named before the file is read; nothing of what may be a password is shown."""
    write_settings(usual.folder, "https://studio.twilio.com", state={"dir": None})
    env: dict[str, str | None] = {"HTTPS_PROXY": "socks5://ann:hunter2@proxy.example:1080"}
    for command in (["run", "spring.csv", "--yes"], ["flows"], ["doctor"]):
        result = usual(*command, env=env)
        assert result.code == 2
        assert "HTTPS_PROXY" in result.err + result.out
        assert "hunter2" not in result.err + result.out


def test_plain_http_is_an_error(usual: Program) -> None:
    """Before the credentials leave this machine unencrypted."""
    result = usual("flows", "--base-url", "http://studio.twilio.com")
    assert result.code == 2
    assert "unencrypted" in result.err
    assert "insecure_http" in result.err


def test_a_number_that_is_typed(usual: Program, sandbox: SandboxProcess) -> None:
    """`--test-to -` reads it from standard input: no list of processes shows it."""
    result = usual("run", "spring.csv", "--test-to", "-", "--json", stdin="(202) 555-0199\n")
    assert result.code == 0, result.err
    assert [create["to"] for create in sandbox.creates()] == ["+12025550199"]
    for stdin, file in (("", "spring.csv"), ("+12025550199\n", "-")):
        refused = usual("run", file, "--campaign", "x", "--test-to", "-", stdin=stdin)
        assert refused.code == 2
    assert sandbox.stats()["creates"] == 1


def test_a_report_replaces_nobody_s_file(usual: Program, sandbox: SandboxProcess) -> None:
    """Refused before anything is sent, unless it is told to; a file that campaigns were made from always."""
    notes = usual.folder / "notes.csv"
    notes.write_text("my own notes", encoding="utf-8")
    refused = usual("run", "spring.csv", "--yes", "--report", "notes.csv")
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert sandbox.stats()["creates"] == 0
    assert notes.read_text(encoding="utf-8") == "my own notes"
    assert usual("run", "spring.csv", "--yes", "--report", "notes.csv", "--overwrite").code == 0
    assert len(read_report(notes)) == 3
    for command in (["report", "spring"], ["resume", "spring", "--yes"], ["track", "spring"]):
        result = usual(*command, "--report", "spring.csv", "--overwrite")
        assert result.code == 2, command
        assert "made from" in result.err
    assert usual("report", "spring").out.strip() == str(notes)
    assert (usual.folder / "spring.csv").read_text(encoding="utf-8").startswith("phone,first_name\n")


def test_the_ledger_s_commands_from_anywhere(program: Program) -> None:
    """They need no credentials; what is not there is told."""
    program.env.clear()
    for arguments in (["ledger", "backup", "x"], ["ledger", "move", "nowhere"]):
        result = program(*arguments)
        assert result.code == 2
        assert "no ledger" in result.err
    assert finish(program.start("ledger")).code in (0, 2)

"""What cannot be carried out: the exit code, the three lines on stderr, and that nothing was sent."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.acceptance.cli.program import (
    CREDENTIALS,
    FLOW,
    Program,
    Result,
    SandboxProcess,
    finish,
    read_until,
    sandbox_process,
    until,
    write_contacts,
    write_settings,
)

OTHER_FLOW = "FW" + "f" * 32


def check_error(result: Result, exit_code: int, code: str, *texts: str) -> None:
    """`error[code]: what`, and `fix:` with something to do; nothing on stdout."""
    assert result.code == exit_code, result.err
    assert f"error[{code}]: " in result.err, result.err
    assert "\nfix: " in result.err, result.err
    assert result.out == ""
    for text in texts:
        assert text in result.err, result.err


FILES = {
    "empty.csv": (b"", "input", "empty"),
    "header.csv": (b"phone,first_name\n", "input", "no rows"),
    "column.csv": (b"phnoe,first_name\n+12025550100,A\n", "column", "phnoe"),
    "binary.csv": (bytes(range(256)) * 40, "input", ""),
    "cut.parquet": (b"PAR1" + b"\0" * 40, "input", ""),
    "cut.xlsx": (b"PK\x03\x04" + b"\0" * 40, "input", ""),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_used_is_refused_whole(ready: Program, sandbox: SandboxProcess, name: str) -> None:
    content, code, text = FILES[name]
    (ready.folder / name).write_bytes(content)
    check_error(ready("run", name, "--yes"), 2, code, text)
    assert sandbox.stats()["creates_total_requests"] == 0


def test_a_file_that_is_not_there(ready: Program) -> None:
    """A file that is not there, or is a folder, is refused."""
    check_error(ready("run", "nowhere.csv", "--yes"), 2, "input", "nowhere.csv")
    check_error(ready("check", ready.folder), 2, "input", "folder")


@pytest.mark.parametrize(
    ("table", "name", "value", "flag"),
    [("campaign", "flow", None, "--flow"), ("campaign", "from", None, "--from"), ("columns", "to", None, "to")],
)
def test_a_setting_that_is_missing_is_named(
    ready: Program, sandbox: SandboxProcess, table: str, name: str, value: None, flag: str
) -> None:
    """A setting that is missing is named with its flag."""
    write_settings(ready.folder, sandbox.base_url, **{table: {name: value}})
    result = ready("run", write_contacts(ready.folder / "c.csv", 1), "--yes")
    assert result.code == 2
    assert flag in result.err


def test_every_wrong_setting_is_told_at_once(ready: Program, sandbox: SandboxProcess) -> None:
    """Every wrong setting is told at once, and the near miss is named."""
    write_settings(ready.folder, sandbox.base_url, rate={"per_secnd": 5, "pace": "slow"})
    result = ready("run", write_contacts(ready.folder / "c.csv", 1), "--yes")
    check_error(result, 2, "settings", "per_secnd", "did you mean rate.per_second", "pace")


def test_without_credentials_nothing_is_read(ready: Program) -> None:
    """Without credentials nothing is read, and the exit code is 4."""
    bare: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}
    check_error(ready("run", "c.csv", "--yes", env=bare), 4, "authentication", "TWILIO_ACCOUNT_SID")
    check_error(ready("flows", env=bare), 4, "authentication", "TWILIO_ACCOUNT_SID")


def test_wrong_credentials_stop_the_run(program: Program) -> None:
    """Wrong credentials stop the run at once with 4, and every row still waits."""
    with sandbox_process(program.folder, "--require-env") as sandbox:
        write_settings(program.folder, sandbox.base_url)
        contacts = write_contacts(program.folder / "c.csv", 10)
        result = program("run", contacts, "--yes", "--json", env={"TWILIO_AUTH_TOKEN": "another"})
        assert result.code == 4, result.err
        assert "error[authentication]: " in result.err
        assert result.json["rows"]["planned"] == 10
        assert sandbox.stats()["creates"] == 0
        # The report is there all the same, and with the right ones the campaign goes on.
        assert (program.folder / "c-report.csv").exists()
        assert program("resume", "c", "--yes", "--json").json["rows"]["created"] == 10


def test_credentials_without_the_right(ready: Program, sandbox: SandboxProcess) -> None:
    """Credentials without the right to create executions stop the run with 4."""
    sandbox.faults(_403=1)
    result = ready("run", write_contacts(ready.folder / "c.csv", 3), "--yes", "--json")
    assert result.code == 4, result.err
    assert "error[permission]: " in result.err


def test_an_unknown_flow_stops_the_run(ready: Program, sandbox: SandboxProcess) -> None:
    """An unknown flow stops the run with 2, and the error says where flows are listed."""
    result = ready("run", write_contacts(ready.folder / "c.csv", 3), "--yes", "--flow", OTHER_FLOW, "--json")
    assert result.code == 2, result.err
    assert "error[flow_not_found]: " in result.err
    assert "dispatcher flows" in result.err
    assert sandbox.stats()["creates"] == 0


def test_a_campaign_belongs_to_one_flow(ready: Program, sandbox: SandboxProcess) -> None:
    contacts = write_contacts(ready.folder / "c.csv", 1)
    assert ready("run", contacts, "--yes").code == 0
    check_error(ready("run", contacts, "--yes", "--flow", OTHER_FLOW), 2, "campaign_mismatch", FLOW, f"--flow {FLOW}")


def test_a_server_that_only_fails(ready: Program, sandbox: SandboxProcess) -> None:
    """A server that only fails stops the run with 5, and the run can be resumed."""
    write_settings(ready.folder, sandbox.base_url, retry={"breaker_failures": 3, "backoff_base_s": 0.02})
    sandbox.faults(_503_before=1)
    contacts = write_contacts(ready.folder / "c.csv", 30)
    result = ready("run", contacts, "--yes", "--json")
    assert result.code == 5, result.err
    assert "error[breaker_open]: " in result.err
    sandbox.faults()
    rest = ready("resume", "c", "--yes", "--json")
    assert rest.code == 0, rest.err
    assert rest.json["rows"]["created"] == sandbox.stats()["creates"] == 30


def test_rows_of_which_nothing_is_proved(ready: Program, sandbox: SandboxProcess) -> None:
    """Rows of which nothing is proved end `unknown`, with 6."""
    write_settings(ready.folder, sandbox.base_url, campaign={"id_parameter": ""})
    sandbox.faults(_500_after=1, for_requests=2)
    result = ready("run", write_contacts(ready.folder / "c.csv", 5), "--yes", "--json")
    assert result.code == 6, result.err
    assert (result.json["rows"]["created"], result.json["rows"]["unknown"]) == (3, 2)
    assert ready("reconcile", "c").code == 6
    assert sandbox.stats()["duplicates"] == {}


def test_a_second_process_on_the_account(program: Program) -> None:
    """A second process on the account is refused with 5, or waits."""
    with sandbox_process(program.folder, "--latency", "0.2") as sandbox:
        write_settings(program.folder, sandbox.base_url, rate={"per_second": 20, "in_flight": 1})
        write_contacts(program.folder / "a.csv", 300)
        write_contacts(program.folder / "b.csv", 1, first=500)
        first = program.start("run", "a.csv", "--yes", "--json")
        until(lambda: sandbox.stats()["creates"], "the first create", first)
        refused = program("run", "b.csv", "--yes")
        check_error(refused, 5, "account_locked", "--wait")
        waiting = program.start("run", "b.csv", "--yes", "--json", "--wait")
        impatient = program.start("run", "b.csv", "--yes", "--json", "--wait")
        for process in (waiting, impatient):
            read_until(process, "another process is sending")
        impatient.send_signal(signal.SIGINT)
        assert finish(impatient).code == 130
        first.send_signal(signal.SIGINT)
        created = finish(first).json["rows"]["created"]
        assert finish(waiting).code == 0
        assert sandbox.stats()["creates"] == created + 1


def test_a_state_folder_that_is_not_writable(ready: Program, sandbox: SandboxProcess) -> None:
    """A state folder that cannot be written is refused, and nothing is sent."""
    (ready.folder / "file").write_text("in the way", encoding="utf-8")
    contacts = write_contacts(ready.folder / "c.csv", 1)
    result = ready("run", contacts, "--yes", "--state-dir", "file/state")
    check_error(result, 2, "state_unwritable", "[state] dir")
    assert sandbox.stats()["creates_total_requests"] == 0


@pytest.mark.parametrize("command", ["run", "check", "status", "report"])
def test_a_damaged_ledger_is_refused_and_left_as_it_is(ready: Program, sandbox: SandboxProcess, command: str) -> None:
    contacts = write_contacts(ready.folder / "c.csv", 1)
    ledger = ready.folder / ".dispatcher" / "ledger.sqlite3"
    ledger.parent.mkdir()
    rubbish = b"this is no ledger " * 500
    ledger.write_bytes(rubbish)
    with_file: dict[str, list[str | Path]] = {"run": ["run", contacts, "--yes"], "check": ["check", contacts]}
    arguments = with_file.get(command, [command, "c"])
    check_error(ready(*arguments), 2, "ledger_corrupt", "[state] dir")
    assert ledger.read_bytes() == rubbish
    assert sandbox.stats()["creates_total_requests"] == 0


def test_a_report_that_could_not_be_written(ready: Program, sandbox: SandboxProcess) -> None:
    """A report that could not be written is refused before anything is sent."""
    contacts = write_contacts(ready.folder / "c.csv", 1)
    check_error(ready("run", contacts, "--yes", "--report", "nowhere/r.csv"), 2, "report", "nowhere")
    check_error(ready("run", contacts, "--yes", "--report", "r.pdf"), 2, "report", ".pdf")
    check_error(ready("run", contacts, "--yes", "--report", contacts), 2, "report", "made from", "--report")
    assert sandbox.stats()["creates_total_requests"] == 0


def test_a_report_that_fails_after_sending(program: Program) -> None:
    """When a report fails after sending, the error says the command that writes it again."""
    folder = program.folder / "reports"
    folder.mkdir()
    with sandbox_process(program.folder, "--latency", "0.3") as sandbox:
        write_settings(program.folder, sandbox.base_url, rate={"in_flight": 1})
        contacts = write_contacts(program.folder / "c.csv", 3)
        running = program.start("run", contacts, "--yes", "--json", "--report", "reports/r.csv")
        until(lambda: sandbox.stats()["creates"], "the first create", running)
        folder.rmdir()
        result = finish(running)
    assert result.code == 2, result.err
    assert "error[report]: " in result.err
    assert "dispatcher report c --report PATH" in result.err
    assert (result.json["rows"]["created"], result.json["report"]) == (3, None)
    assert program("report", "c", "--report", "r.csv").out.strip() == "r.csv"
    assert (program.folder / "r.csv").exists()


def test_an_unknown_campaign_is_refused(ready: Program) -> None:
    """An unknown campaign is refused, and the nearest is named."""
    check_error(ready("status", "spring"), 2, "campaign_not_found")
    assert ready("run", write_contacts(ready.folder / "spring.csv", 1), "--yes").code == 0
    for command in (["status"], ["report"], ["resume", "--yes"], ["retry", "--busy", "--yes"], ["reconcile"]):
        result = ready(command[0], "sprnig", *command[1:])
        check_error(result, 2, "campaign_not_found", "'spring'")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["xyzzy"], "there is no command 'xyzzy'"),
        (["xyzzy"], "fix: dispatcher --help"),
        (["help"], "fix: dispatcher --help"),
        (["setup"], "fix: dispatcher init FILE"),
        (["send", "c.csv"], "fix: dispatcher run FILE"),
        (["sned", "c.csv"], "fix: dispatcher run FILE"),
        (["chekc", "c.csv"], "fix: dispatcher check"),
        (["ls"], "fix: dispatcher status"),
        (["stop"], "Ctrl-C stops a run"),
        (["confgi"], "fix: dispatcher config"),
        (["run"], "FILE"),
        (["run", "c.csv", "--rate", "fast"], "--rate"),
        (["run", "c.csv", "--on-busy", "call"], "--on-busy"),
        (["run", "c.csv", "--dry-run", "--test-to", "+12025550100"], "--dry-run"),
        (["cancel", "c"], "--reason"),
        (["report", "c", "--only", "faild"], "failed"),
        (["sandbox", "--fault", "428=1"], "429"),
        (["sandbox", "--set", "context_lag=1"], "context_lag_s"),
        (["sandbox", "--set", "context_lag_s"], "NAME=VALUE"),
        (["sandbox", "--set", "context_lag_s=long"], "is a number"),
    ],
)
def test_a_wrong_command_line_is_refused(program: Program, arguments: list[str], text: str) -> None:
    """A wrong command line is refused in the same lines as every other error."""
    check_error(program(*arguments), 2, "usage" if arguments[0] != "sandbox" else "settings", text)


def test_debug_shows_the_traceback(ready: Program, sandbox: SandboxProcess) -> None:
    """`--debug` shows the traceback, and keeps the secret."""
    result = ready("run", "nowhere.csv", "--yes", "--debug")
    assert result.code == 2
    assert "Traceback" in result.err
    assert CREDENTIALS["TWILIO_AUTH_TOKEN"] not in result.err


def test_what_a_run_says_of_a_bad_day(ready: Program, sandbox: SandboxProcess) -> None:
    """What a run says of a bad day holds no secret, no number and no name, even with `--debug`."""
    rows = [f"+1202555{n:04d},Canary-{n}" for n in range(100, 140)] + ["123-45-CANARY,Canary-x", ",Canary-y"]
    sandbox.faults(_429=0.1, _500_after=0.05, reset_after=0.05, reject=0.1, unparsable=0.05, cut_body=0.05)
    result = ready("run", write_contacts(ready.folder / "c.csv", rows), "--yes", "--debug")
    assert result.code in (3, 6), result.err
    said = result.err + result.out
    assert "Canary" not in said
    assert "CANARY" not in said
    assert not re.search(r"\+1202555\d", said)
    # The ledger knows numbers, and no secret; the report has both columns, and no secret.
    for path in (*(ready.folder / ".dispatcher").iterdir(), ready.folder / "c-report.csv"):
        assert CREDENTIALS["TWILIO_AUTH_TOKEN"].encode() not in path.read_bytes()


def test_a_settings_file_that_is_missing(program: Program) -> None:
    """A settings file that is named and missing is refused, and the error says how to make one."""
    result = program("run", "c.csv", "--yes", "--config", Path("other.toml"))
    check_error(result, 2, "settings", "other.toml", "fix: dispatcher config init --path other.toml")
    assert program("config", "init", "--path", "other.toml").code == 0
    result = program("run", "c.csv", "--yes", "--config", Path("no/such/other.toml"))
    check_error(result, 2, "settings", "no/such/other.toml", "fix: mkdir -p no/such")


def test_settings_are_a_file_not_a_folder(program: Program) -> None:
    """A folder is no file to write them into: the one in it is proposed, and that can be written."""
    (program.folder / "spring").mkdir()
    for command in (("config", "init"), ("init", "c.csv")):
        result = program(*command, "--path", "spring")
        check_error(result, 2, "usage", "spring is a folder", "fix: --path spring/config.toml")
    assert program("config", "init", "--path", "spring/config.toml").code == 0


def test_a_file_that_is_not_there_makes_no_campaign(ready: Program) -> None:
    """A slip of the fingers leaves nothing in the ledger."""
    refused = ready("run", "sprnig.csv", "--yes")
    assert (refused.code, "sprnig.csv does not exist" in refused.err) == (2, True)
    assert ready("campaigns", "list", "--json").json == []

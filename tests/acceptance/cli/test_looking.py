"""`check`, `flows`, `doctor`, `config`, `sandbox`: what is looked at and set up before a run."""

from __future__ import annotations

import json
import tomllib
import urllib.request
from pathlib import Path

from tests.acceptance.cli.program import (
    FLOW,
    TOKEN,
    Program,
    SandboxProcess,
    phone,
    sandbox_process,
    write_contacts,
    write_settings,
)

NO_CREDENTIALS: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}
DIRTY = [f"{phone(100)},A", "123,Short", ",Missing", "4.41E+11,Mangled", f"{phone(100)},Twice"]


def test_check_tells_each_bad_row(ready: Program, sandbox: SandboxProcess) -> None:
    """`check` tells each bad row with its number, its column, its value, and what to do."""
    contacts = write_contacts(ready.folder / "spring.csv", DIRTY)
    result = ready("check", contacts, "--json", env=NO_CREDENTIALS)
    assert result.code == 3, result.err
    assert (result.json["total"], result.json["rows"]["planned"]) == (5, 1)
    found = {problem["row_number"]: problem for problem in result.json["problems"]}
    assert {number: problem["reason"] for number, problem in found.items()} == {
        3: "to_invalid",
        4: "to_missing",
        5: "to_mangled",
        6: "duplicate",
    }
    assert (found[5]["column"], found[5]["value"]) == ("phone", "4.41E+11")
    assert all(problem["advice"] for problem in found.values())
    table = ready("check", contacts, env=NO_CREDENTIALS)
    assert table.code == 3
    for text in ("4.41E+11", "123", "row", "Format the phone column as text"):
        assert text in table.out
    # Nothing is left behind, and nothing was asked of Studio.
    assert not (ready.folder / ".dispatcher").exists()
    assert sandbox.stats()["requests"] == {}


def test_check_tells_kinds_before_single_rows(ready: Program) -> None:
    """What many rows have in common is one line with their count; the rare ones stand by themselves, as all can."""
    rows = [f"{120 + n},Short" for n in range(25)] + ["4.41E+11,Mangled"]
    contacts = write_contacts(ready.folder / "spring.csv", rows)
    first = ready("check", contacts)
    assert first.out.startswith("25 rows in \"phone\": invalid, '120' is too short")
    assert "rows 2, 3, 4, 5, 6, …" in first.out
    assert "4.41E+11" in first.out
    assert first.out.count("too short") == 1
    assert "more" not in first.err
    assert ready("check", contacts, "--all").out.count("invalid: ") == 26


def test_a_check_of_very_many_odd_rows(ready: Program) -> None:
    """Of rows that have nothing in common the first twenty are shown."""
    words = [chr(97 + n) * 3 for n in range(25)]
    contacts = write_contacts(ready.folder / "spring.csv", [f"{word} {word[0]}!,x" for word in words])
    found = ready("check", contacts, "--all")
    assert found.out.count("invalid: ") == 25


def test_check_of_a_clean_file(ready: Program) -> None:
    """`check` of a clean file ends with 0, and of standard input it works too."""
    contacts = write_contacts(ready.folder / "spring.csv", 3)
    assert ready("check", contacts).code == 0
    assert ready("check", "-", stdin=contacts.read_text(encoding="utf-8")).code == 0


def test_check_knows_what_was_sent(ready: Program, sandbox: SandboxProcess) -> None:
    """`check` knows what the campaign has sent already."""
    contacts = write_contacts(ready.folder / "spring.csv", 3)
    assert ready("run", contacts, "--yes").code == 0
    write_contacts(contacts, 5)
    found = ready("check", contacts, "--json").json
    assert (found["rows"]["created"], found["rows"]["planned"], found["new"]) == (3, 2, 2)


def test_flows_lists_them_as_a_table_and_as_json(ready: Program) -> None:
    assert FLOW in ready("flows").out
    (flow,) = ready("flows", "--json").json
    assert (flow["sid"], flow["status"], flow["revision"]) == (FLOW, "published", 1)
    assert ready("flows", "--json", "--api-version", "v1").json[0]["sid"] == FLOW


def test_doctor_is_0_when_all_is_fit(ready: Program, sandbox: SandboxProcess) -> None:
    """`doctor` ends with 0 when all is fit, and names what is not with its fix."""
    fit = ready("doctor", "--json")
    assert fit.code == 0, fit.out
    results = {check["name"]: check["result"] for check in fit.json["checks"]}
    assert {"program", "settings", "credentials", "studio", "clock", "state folder", "ledger", "rate"} <= set(results)
    assert (results["studio"], results["clock"], fit.json["ok"]) == ("ok", "ok", True)
    bare = ready("doctor", env=NO_CREDENTIALS)
    assert bare.code == 4
    assert "TWILIO_ACCOUNT_SID is not set" in bare.out
    assert not (ready.folder / ".dispatcher").exists()


def test_doctor_tells_what_is_wrong(program: Program) -> None:
    """`doctor` tells wrong credentials, a skewed clock and a damaged ledger."""
    ledger = program.folder / ".dispatcher" / "ledger.sqlite3"
    ledger.parent.mkdir(mode=0o755)
    ledger.write_bytes(b"rubbish" * 1000)
    with sandbox_process(program.folder, "--require-env", "--clock-skew", "90") as sandbox:
        write_settings(program.folder, sandbox.base_url)
        skewed = program("doctor", "--json")
        refused = program("doctor", "--json", env={"TWILIO_AUTH_TOKEN": "another"})
    assert skewed.code == 2
    results = {check["name"]: check for check in skewed.json["checks"]}
    assert {name for name, check in results.items() if check["result"] == "fail"} == {"ledger"}
    assert (results["clock"]["result"], results["privacy"]["result"]) == ("warn", "warn")
    assert "behind" in results["clock"]["found"]
    assert refused.code == 4
    assert [check for check in refused.json["checks"] if check["result"] != "ok" and not check["fix"]] == []


def test_doctor_says_when_studio_cannot_be_reached(ready: Program) -> None:
    result = ready("doctor", "--json", "--base-url", "http://127.0.0.1:9")
    assert result.code == 5
    assert {check["name"] for check in result.json["checks"] if check["result"] == "fail"} == {"studio"}


def test_config_init_writes_the_example(program: Program, root: Path) -> None:
    """`config init` writes the example, and keeps a file that is there."""
    assert program("config", "init").out == "config.toml\n"
    written = program.folder / "config.toml"
    assert written.read_bytes() == (root / "config.example.toml").read_bytes()
    written.write_text("[rate]\nper_second = 7\n", encoding="utf-8")
    again = program("config", "init")
    assert (again.code, "--force" in again.err) == (2, True)
    assert tomllib.loads(written.read_text(encoding="utf-8")) == {"rate": {"per_second": 7}}
    assert program("config", "init", "--force").code == 0
    assert written.read_bytes() == (root / "config.example.toml").read_bytes()


def test_config_show_tells_each_source(program: Program) -> None:
    """`config show` tells each value, its source, and what it stands above."""
    (program.folder / "config.toml").write_text("[rate]\nper_second = 7\n", encoding="utf-8")
    result = program("config", "show", "--json", env={"DISPATCHER_RATE_PER_SECOND": "9"})
    assert result.code == 0, result.err
    settings = result.json["settings"]
    assert settings["rate.per_second"] == {
        "value": 9.0,
        "source": "DISPATCHER_RATE_PER_SECOND",
        "overrides": ["config.toml"],
    }
    assert settings["rate.window_s"]["source"] == "default"
    assert result.json["secrets"]["TWILIO_AUTH_TOKEN"] == "set"
    assert result.json["secrets"]["TWILIO_API_KEY"] == "not set"
    table = program("config", "show", "--changed")
    assert "rate.per_second" in table.out
    assert "rate.window_s" not in table.out
    assert TOKEN not in table.out + result.out


def test_the_sandbox_names_its_faults_and_takes_them(program: Program) -> None:
    listed = program("sandbox", "--fault", "list")
    assert listed.code == 0
    assert {"429", "reset_after", "read_500"} <= {line.split()[0] for line in listed.out.splitlines()}
    with sandbox_process(program.folder, "--fault", "reject=1", "--seed", "3") as sandbox:
        write_settings(program.folder, sandbox.base_url)
        result = program("run", write_contacts(program.folder / "c.csv", 3), "--yes", "--json")
        assert (result.code, result.json["rows"]["rejected"]) == (3, 3)
        assert sandbox.stats()["faults"] == {"reject": 3}


def test_the_sandbox_names_its_settings(program: Program) -> None:
    """`--set list` shows what can be changed; what is set holds, numbers, words and none."""
    listed = program("sandbox", "--set", "list")
    assert listed.code == 0
    assert {"context_lag_s", "initiated_by", "retry_after_s"} <= {line.split()[0] for line in listed.out.splitlines()}
    options = ("--set", "list_lag_s=3", "--set", "initiated_by=missing", "--set", "ends_after_s=none")
    with sandbox_process(program.folder, *options) as sandbox:
        with urllib.request.urlopen(f"{sandbox.base_url}/_sandbox/settings") as reply:
            settings = json.load(reply)
        assert (settings["list_lag_s"], settings["initiated_by"], settings["ends_after_s"]) == (3.0, "missing", None)

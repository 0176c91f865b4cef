"""What is offered is what there is: codes, columns, settings, encodings; and a dry run says what the run would."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import tomllib
from pathlib import Path

from tests.acceptance.cli.program import (
    CREDENTIALS,
    FLOW,
    PROGRAM,
    Program,
    SandboxProcess,
    phone,
    read_report,
    write_contacts,
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_retry_takes_as_many_as_were_asked_for(ready: Program, sandbox: SandboxProcess) -> None:
    """The others stay refused, with their code and message."""
    contacts = write_contacts(ready.folder / "spring.csv", 6)
    sandbox.faults(reject=1, for_requests=5)
    assert ready("run", contacts, "--yes").code == 3
    again = ready("retry", "spring", "--all-rejected", "--limit", "3", "--yes", "--json")
    assert (again.json["rows"]["rejected"], again.json["rows"]["created"]) == (2, 4), again.err
    assert "3 rows are planned again" in again.err
    left = [row for row in read_report(ready.folder / "spring-report.csv") if row["dispatch_status"] == "rejected"]
    assert all(row["dispatch_error_code"] and row["dispatch_error_message"] for row in left)
    assert len(left) == 2


def test_retry_tells_what_there_is_to_choose(ready: Program, sandbox: SandboxProcess) -> None:
    """Its fixes can be pasted, and are of this campaign."""
    contacts = write_contacts(ready.folder / "a b.csv", 3)
    sandbox.faults(reject=1, for_requests=2)
    first = ready("run", contacts, "--yes")
    assert "--code CODE" not in first.out + first.err
    refused = ready("retry", "a b")
    assert refused.code == 2
    (fix,) = [line.removeprefix("fix: ") for line in refused.err.splitlines() if line.startswith("fix: ")]
    assert "found: 2 for --code " in refused.err
    words = shlex.split(fix.partition(", or ")[0])
    assert words[:3] == ["dispatcher", "retry", "a b"]
    assert ready(*words[1:], "--yes").code == 0
    assert "no row was refused" in ready("retry", "a b").err


def test_a_dry_run_says_what_the_run_would(ready: Program, sandbox: SandboxProcess) -> None:
    """A flow that does not fit is found by both, with the same exit code; the fix names the file's own column."""
    contacts = ready.folder / "spring.csv"
    contacts.write_text(f"phone,Name\n{phone(100)},Ann\n")
    dry, run = ready("run", contacts, "--dry-run"), ready("run", contacts, "--yes")
    assert (dry.code, run.code) == (2, 2)
    for result in (dry, run):
        (fix,) = [line for line in result.err.splitlines() if "columns] parameters = " in line][:1]
        table, _, rest = fix.removeprefix("fix: ").partition("] ")
        value = rest.partition(", or ")[0]
        assert (table, tomllib.loads(value)) == ("[columns", {"parameters": {"first_name": "Name"}})
    assert ready("run", contacts, "--dry-run", "--json").json["flow"]["findings"][0]["code"] == "missing_parameter"
    assert ready("run", contacts, "--dry-run", "--no-preflight").code == 0
    config = ready.folder / "config.toml"
    text = config.read_text().replace("[columns]\n", '[columns]\nparameters = { first_name = "Name" }\n')
    config.write_text(text)
    assert ready("run", contacts, "--dry-run").code == 0
    assert ready("run", contacts, "--yes").code == 0


def test_missing_settings_are_told_together(program: Program) -> None:
    """Not one run after the other."""
    contacts = write_contacts(program.folder / "spring.csv", 1)
    told = program("run", contacts, "--yes")
    assert told.code == 2
    assert "found: [campaign] flow, [campaign] from, [columns] to" in told.err
    assert "2 settings are missing" in program("check", contacts).err
    assert "the flow is not set" in program("run", contacts, "--from", phone(1), "--to", "phone", "--yes").err
    assert program("check", contacts, "--from", phone(1), "--to", "phone", "--flow", FLOW, "--offline").code == 0


def test_the_readmes_rehearsal_works_to_the_letter(program: Program, root: Path) -> None:
    """Its commands, in a folder with nothing but the samples; only the port is another, as it may be taken."""
    section = (root / "README.md").read_text("utf-8").partition("**2. Rehearse.**")[2].partition("\n**3.")[0]
    sandbox, rehearsal = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    shutil.copytree(root / "samples", program.folder / "samples")
    binaries = program.folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "activate").write_text(f'PATH="{binaries}:$PATH"\n')
    shim = binaries / "dispatcher"
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    shim.chmod(0o700)
    port = str(free_port())
    environment = program.environment(dict.fromkeys(CREDENTIALS))
    started = subprocess.Popen(
        ["sh", "-c", f". .venv/bin/activate; exec {sandbox.replace('8700', port)}"],
        cwd=program.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert started.stdout is not None
        line = ""
        while "127.0.0.1" not in line:
            line = started.stdout.readline()
            assert line, "the sandbox ended"
        command = rehearsal.replace("8700", port).replace("--region US", "--region US --yes")
        done = subprocess.run(
            ["sh", "-c", command], cwd=program.folder, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        started.terminate()
        started.communicate()
    assert done.returncode == 3, done.stdout + done.stderr
    assert "created" in done.stdout

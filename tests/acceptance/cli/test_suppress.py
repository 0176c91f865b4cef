"""Whom nothing may be sent to: by hand, by files, and by what tracking has seen."""

from __future__ import annotations

import csv
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from dispatcher.model import hash_of
from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import (
    PROGRAM,
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

ANN, BOB, CYD = phone(100), phone(101), phone(102)
#: More rows than a run at 30 a second has claimed and not sent.
CLAIMED_AHEAD = 60


def reached(sandbox: SandboxProcess) -> list[str]:
    return [create["to"] for create in sandbox.creates()]


def with_lists(program: Program, sandbox: SandboxProcess, **suppress: object) -> None:
    write_settings(program.folder, sandbox.base_url, suppress=suppress)


def test_by_hand(ready: Program, sandbox: SandboxProcess) -> None:
    """Added, shown, held, and let go again, each with who did it and why."""
    write_contacts(ready.folder / "spring.csv", 3)
    assert "nobody is suppressed: dispatcher suppress add NUMBER\n" in ready("suppress", "list").err
    added = ready("suppress", "add", "(202) 555-0100", f"whatsapp:{BOB}", "--reason", "asked by mail")
    assert (added.code, added.out) == (0, "2 contacts suppressed\n")
    assert ready("suppress", "add", ANN, "--json").found == {"contacts": 1, "added": 0}
    assert "2" in ready("suppress", "list").out
    checked = ready("suppress", "check", ANN, CYD)
    assert f"{ANN}: suppressed (by hand)" in checked.out
    assert "asked by mail" in checked.out
    assert f"{CYD}: may be reached" in checked.out

    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, run.json["rows"]["created"], run.json["skipped"]) == (0, 1, {"suppressed": 2})
    assert reached(sandbox) == [CYD]
    rows = read_report(ready.folder / "spring-report.csv")
    assert [row["dispatch_error_message"] for row in rows][:2] == ["the contact was suppressed by hand"] * 2

    assert ready("suppress", "remove", ANN).code == 2
    assert ready("suppress", "remove", ANN, "--reason", "asked back").out == "1 contact may be reached again\n"
    again = ready("retry", "spring", "--skipped", "suppressed", "--yes", "--json")
    assert (again.code, again.json["rows"]["created"], again.json["skipped"]) == (0, 2, {"suppressed": 1})
    assert sorted(reached(sandbox)) == [ANN, CYD]
    (one,) = ready("suppress", "check", ANN, "--json").json
    assert (one["suppressed"], [change["action"] for change in one["log"]]) == (False, ["added", "removed"])


def test_a_list_that_lies_beside_its_settings(ready: Program, sandbox: SandboxProcess) -> None:
    """Whatever folder the program is called in; and one that is empty all at once stops it."""
    folder = ready.folder / "campaigns"
    folder.mkdir()
    write_contacts(ready.folder / "spring.csv", 2)
    with_lists(ready, sandbox, files=["dnc.csv"])
    (ready.folder / "config.toml").rename(folder / "config.toml")
    listed = folder / "dnc.csv"
    listed.write_text(f"phone\n{ANN}\n", encoding="utf-8")
    flags = ("--config", "campaigns/config.toml", "--yes", "--json")
    run = ready("run", "spring.csv", *flags)
    assert (run.code, run.json["skipped"]) == (0, {"suppressed": 1}), run.err
    listed.write_text("phone\n", encoding="utf-8")
    emptied = ready("run", "spring.csv", "--campaign", "again", *flags)
    assert (emptied.code, "names nobody any more" in emptied.err) == (2, True), emptied.err
    assert reached(sandbox) == [BOB]


def test_what_is_exported(ready: Program, sandbox: SandboxProcess) -> None:
    """Everybody with the list, and every change; for its owner alone, and never over another file."""
    ready("suppress", "add", ANN, BOB, "--reason", "asked")
    ready("suppress", "remove", BOB, "--reason", "back")
    assert ready("suppress", "export", "all.csv").out == "all.csv\n"
    path = ready.folder / "all.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(csv.reader(path.read_text(encoding="utf-8").splitlines())) == [
        ["contact", "kind", "list"],
        [ANN, "user", ""],
    ]
    assert ready("suppress", "export", "all.csv").code == 2
    # Read back, also where a program has saved it in its own encoding.
    path.write_bytes(path.read_bytes() + f"{CYD},user,Zürich\n".encode("latin-1"))
    assert ready("suppress", "add", "--file", "all.csv", "--json").found == {"contacts": 2, "added": 1}
    ready("suppress", "remove", CYD, "--reason", "a trial")
    command = [*PROGRAM, "suppress", "add", "--file", "-"]
    piped = subprocess.run(
        command, cwd=ready.folder, env=ready.environment(), input=path.read_bytes(), capture_output=True, check=False
    )
    assert (piped.returncode, b"fix: dispatcher suppress add --file FILE" in piped.stderr) == (2, True), piped.stderr
    log = list(csv.DictReader(ready("suppress", "export", "-", "--log").out.splitlines()))[:3]
    assert [(row["contact"], row["action"], row["reason"]) for row in log] == [
        (ANN, "added", "asked"),
        (BOB, "added", "asked"),
        (BOB, "removed", "back"),
    ]
    # What was exported is a list for whoever else needs it.
    with_lists(ready, sandbox, files=["all.csv"], column="contact")
    assert ready("suppress", "add", "--file", "all.csv", "--json").found == {"contacts": 2, "added": 1}


def test_files_and_digests(ready: Program, sandbox: SandboxProcess) -> None:
    """A run is told by its settings whom to leave out; `check` tells how many and how old the lists are."""
    write_contacts(ready.folder / "spring.csv", 4)
    (ready.folder / "dnc.csv").write_text(f"name,phone\nx,{ANN}\n", encoding="utf-8")
    (ready.folder / "hashed.txt").write_text(hash_of(BOB).removeprefix("sha256:"), encoding="utf-8")
    old_s = time.time() - 3 * 86_400
    os.utime(ready.folder / "hashed.txt", (old_s, old_s))
    with_lists(ready, sandbox, files=["dnc.csv"], sha256_files=["hashed.txt"])
    checked = ready("check", "spring.csv", "--offline")
    assert checked.code == 0
    assert "suppressed 2" in checked.err
    assert "suppression list dnc.csv: 1 contact, changed today" in checked.err
    assert "suppression list hashed.txt: 1 contact, 3 days old" in checked.err
    assert ready("suppress", "list", "--json").json == []

    run = ready("run", "spring.csv", "--yes", "--json", "--limit", "1")
    assert (run.code, run.json["skipped"]) == (0, {"suppressed": 2})
    # The list grows while the campaign stands still.
    (ready.folder / "dnc.csv").write_text(f"name,phone\nx,{ANN}\ny,{phone(103)}\n", encoding="utf-8")
    resumed = ready("resume", "spring", "--yes")
    assert resumed.code == 0
    assert "1 row is left out: on a suppression list" in resumed.err
    assert reached(sandbox) == [CYD]
    # Digests name nobody who could be written.
    assert "sha256" not in ready("suppress", "export", "-").out


def test_without_its_list_nothing_is_sent(ready: Program, sandbox: SandboxProcess) -> None:
    """Missing, too old, not understood, gone between two runs: exit 2 with what and how to mend it, and no request."""
    write_contacts(ready.folder / "spring.csv", 3)
    dnc = ready.folder / "dnc.csv"
    with_lists(ready, sandbox, files=["dnc.csv"], max_age_days=31)
    for first in (("run", "spring.csv", "--yes"), ("check", "spring.csv"), ("run", "spring.csv", "--dry-run")):
        missing = ready(*first)
        assert missing.code == 2, first
        assert "error[suppression]" in missing.err
        assert "dnc.csv cannot be read" in missing.err
    dnc.write_text(f"phone\n{ANN}\nnobody at all\n", encoding="utf-8")
    unread = ready("run", "spring.csv", "--yes")
    assert unread.code == 2
    assert "line 3:" in unread.err
    assert "--accept-unreadable" in unread.err
    dnc.write_text(f"phone\n{ANN}\n", encoding="utf-8")
    old_s = time.time() - 40 * 86_400
    os.utime(dnc, (old_s, old_s))
    stale = ready("run", "spring.csv", "--yes")
    assert stale.code == 2
    assert "changed 40 days ago" in stale.err
    assert ready("suppress", "list", "--json").json == []
    assert sandbox.stats()["creates_total_requests"] == 0

    os.utime(dnc)
    assert ready("run", "spring.csv", "--yes", "--limit", "1").code == 0
    dnc.unlink()
    commands: list[tuple[str, ...]] = [
        ("resume", "spring", "--yes"),
        ("run", "spring.csv", "--yes"),
        ("run", "spring.csv", "--test-to", CYD),
    ]
    for command in commands:
        assert ready(*command).code == 2, command
    assert reached(sandbox) == [BOB]
    dnc.write_text(f"phone\n{ANN}\nnobody at all\n", encoding="utf-8")
    assert ready("resume", "spring", "--yes", "--accept-unreadable").code == 0
    assert reached(sandbox) == [BOB, CYD]


def test_a_test_is_refused_to_whom_is_suppressed(ready: Program, sandbox: SandboxProcess) -> None:
    """A test's number is a contact like any other."""
    write_contacts(ready.folder / "spring.csv", 1)
    ready("suppress", "add", BOB)
    refused = ready("run", "spring.csv", "--test-to", BOB)
    assert (refused.code, sandbox.stats()["creates"]) == (2, 0)
    assert "error[suppressed]" in refused.err


def test_while_a_run_sends(ready: Program, sandbox: SandboxProcess) -> None:
    """Whoever is suppressed by another process during a run is left out of it, but for what was claimed already."""
    write_settings(ready.folder, sandbox.base_url, rate={"per_second": 20})
    write_contacts(ready.folder / "spring.csv", 200)
    late = [phone(100 + n) for n in range(60, 200)]
    process = ready.start("run", "spring.csv", "--yes", "--json")
    until(lambda: sandbox.stats()["creates"] > 5, "the first rows", process)
    (ready.folder / "late.csv").write_text("phone\n" + "\n".join(late), encoding="utf-8")
    assert ready("suppress", "add", "--file", "late.csv").code == 0
    before = len(reached(sandbox))
    assert before < 40
    result = finish(process)
    assert result.code == 0
    assert not set(reached(sandbox)) & set(late)
    assert result.json["rows"] == {**result.json["rows"], "created": 60, "skipped": 140}


def test_an_opt_out_while_another_sends(tmp_path: Path, nursery: Nursery) -> None:
    """Who replied STOP to one campaign is left out of another that is being sent, as soon as `track` has learned it."""
    program = Program(tmp_path, nursery)
    with sandbox_process(tmp_path, "--limit", "500", "--walk", "--speed", "1000") as sandbox:
        variables = {"per_second": 1000, "variables": ["widgets.ask_yes_no.inbound.Body"]}
        tables: dict[str, dict[str, Any]] = {"campaign": {"repeat_after_h": 0}, "tracking": variables}
        write_settings(tmp_path, sandbox.base_url, **tables)
        contacts = write_contacts(tmp_path / "spring.csv", 600)
        assert program("run", contacts, "--yes").code == 0
        until(lambda: sandbox.stats()["active"] == 0, "the walks' end")
        first = len(reached(sandbox))
        write_settings(tmp_path, sandbox.base_url, **tables, rate={"per_second": 30})
        sending = program.start("run", contacts, "--campaign", "summer", "--yes", "--json", "--report", "summer.csv")
        until(lambda: len(reached(sandbox)) > first, "the first rows", sending)
        tracked = program("track", "spring", "--json", "--report", "spring-report.csv")
        assert tracked.json["opted_out"] > 5
        # What was claimed by then may leave; whoever comes later does not, though all were planned before.
        learned_at = len(reached(sandbox)) - first
        result = finish(sending)
        assert result.code == 0, result.err
        gone = {
            row["phone"]: number
            for number, row in enumerate(read_report(tmp_path / "spring-report.csv"))
            if row["dispatch_outcome_widgets.ask_yes_no.inbound.Body"] == "STOP"
            or row["dispatch_outcome_error_code"] == "21610"
        }
        later = {number for number, at in gone.items() if at > learned_at + CLAIMED_AHEAD}
        assert len(later) > 3, (learned_at, gone)
        assert not set(reached(sandbox)[first:]) & later
        rows = {row["phone"]: row for row in read_report(tmp_path / "summer.csv")}
        assert {(rows[one]["dispatch_status"], rows[one]["dispatch_error_code"]) for one in later} == {
            ("skipped", "suppressed")
        }
        # The others are reached, and each of them once.
        found = result.json
        assert found["rows"]["created"] == 600 - found["skipped"]["suppressed"] == len(reached(sandbox)) - first
        assert len(later) <= found["skipped"]["suppressed"] <= len(gone)


def test_an_opt_out_is_learned(tmp_path: Path, nursery: Nursery) -> None:
    """Who has replied STOP to one campaign, or was refused by Twilio as unsubscribed, is left out of the next."""
    program = Program(tmp_path, nursery)
    with sandbox_process(tmp_path, "--limit", "500", "--walk", "--speed", "1000") as sandbox:
        settings = {"per_second": 1000, "variables": ["widgets.ask_yes_no.inbound.Body"]}
        write_settings(tmp_path, sandbox.base_url, campaign={"repeat_after_h": 0}, tracking=settings)
        contacts = write_contacts(tmp_path / "spring.csv", 400)
        assert program("run", contacts, "--yes").code == 0
        until(lambda: sandbox.stats()["active"] == 0, "the walks' end")
        tracked = program("track", "spring", "--json", "--report", "spring-report.csv")
        rows = read_report(tmp_path / "spring-report.csv")
        gone = {
            row["phone"]
            for row in rows
            if row["dispatch_outcome_widgets.ask_yes_no.inbound.Body"] == "STOP"
            or row["dispatch_outcome_error_code"] == "21610"
        }
        assert len(gone) > 4
        assert tracked.json["opted_out"] == len(gone)
        assert f"{len(gone)} contacts have opted out" in tracked.err
        before = len(reached(sandbox))
        again = program("run", contacts, "--campaign", "summer", "--yes", "--json").json
        assert (again["rows"]["created"], again["skipped"]) == (400 - len(gone), {"suppressed": len(gone)})
        assert not set(reached(sandbox)[before:]) & gone
        # Read once more with other settings: nobody who was let go since then comes back.
        somebody = min(gone)
        program("suppress", "remove", somebody, "--reason", "START")
        write_settings(tmp_path, sandbox.base_url, tracking={"per_second": 1000})
        assert program("track", "spring").code == 0
        (one,) = program("suppress", "check", somebody, "--json").json
        assert not one["suppressed"]


def test_an_export_replaces_nothing_but_an_export(ready: Program) -> None:
    """Whatever is asked for: neither the ledger nor a file of contacts; an earlier export is."""
    contacts = write_contacts(ready.folder / "spring.csv", 2)
    assert ready("run", contacts, "--yes").code == 0
    ledger = next(ready.folder.rglob("ledger.sqlite3"))
    for command in (("suppress", "export"), ("suppress", "export", "--log"), ("campaigns", "export", "spring")):
        for path in (contacts, ledger):
            before = path.read_bytes()
            refused = ready(*command, path, "--overwrite")
            assert (refused.code, "is never replaced" in refused.err, path.read_bytes()) == (2, True, before)
        earlier = ready.folder / "export"
        assert ready(*command, earlier).code == 0
        assert ready(*command, earlier).code == 2
        assert ready(*command, earlier, "--overwrite").code == 0
        earlier.unlink()

"""The months after: campaigns are listed, taken along, pruned; and a person is forgotten, down to the last byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import sqlite3
import stat
import subprocess
import time
from pathlib import Path

import pytest

from dispatcher.web.store import open_store
from tests.acceptance.cli.program import (
    PROGRAM,
    Program,
    SandboxProcess,
    finish,
    phone,
    read_report,
    until,
    write_contacts,
)
from tests.support.ledgers import flaws

ANN, BOB, CYD = phone(100), phone(101), phone(102)
#: However it is written: what a search of the folder must not find.
TRACES = (ANN, ANN[1:], ANN[2:], "Name 0")


def state(program: Program) -> Path:
    return program.folder / ".dispatcher"


def ledger(program: Program) -> Path:
    return state(program) / "ledger.sqlite3"


def found(program: Program, *texts: str) -> list[tuple[str, str]]:
    """Which of these stand in which file of the state folder, as bytes: log, copies and all."""
    return [
        (file.name, text)
        for file in state(program).rglob("*")
        if file.is_file()
        for text in texts
        if text.encode() in file.read_bytes()
    ]


@pytest.fixture
def sent(ready: Program) -> Program:
    """Two campaigns that have reached three people."""
    write_contacts(ready.folder / "spring.csv", 3)
    run = ready("run", "spring.csv", "--yes", "--json")
    assert run.json["rows"]["created"] == 3
    write_contacts(ready.folder / "summer.csv", 3)
    assert ready("run", "summer.csv", "--yes", "--json").json["skipped"] == {"contacted": 3}
    assert found(ready, ANN)
    return ready


def test_the_pages_files_go_too(sent: Program) -> None:
    """What was uploaded to the page and names the person is removed, and told; another file stays."""

    async def upload() -> list[Path]:
        store = await open_store(state(sent))
        paths = []
        for name, row in (("may.csv", ANN), ("june.csv", BOB)):
            new = await store.uploads.begin(name, "Anna", 1)
            new.path.write_text(f"phone\n{row}\n")
            await store.uploads.finish(new.upload_id, 20, "ab")
            await store.drafts.create(name, created_by="Anna", now_ms=1, uploads=(new.upload_id,))
            paths.append(new.path)
        await store.close()
        return paths

    theirs, others = asyncio.run(upload())
    done = sent("campaigns", "forget", ANN, "--yes", "--json")
    assert (done.code, done.json["uploads"]) == (0, [{"campaign": "may.csv", "files": ["may.csv"]}])
    assert (theirs.exists(), others.exists()) == (False, True)
    assert found(sent, *TRACES) == []


def test_no_byte_of_a_person_is_left(sent: Program, sandbox: SandboxProcess) -> None:
    """No digits and no cell in any file; a later run, of the same file or another, still knows whom it has reached."""
    ledger_with_reader = sqlite3.connect(ledger(sent))
    with contextlib.closing(ledger_with_reader):
        # Another program that has the ledger open keeps SQLite from tidying up by itself.
        ledger_with_reader.execute("SELECT count(*) FROM rows").fetchone()
        shown = sent("campaigns", "forget", "(202) 555-0100", "--yes")
        assert (shown.code, shown.out) == (0, "forgotten: 2 rows\n"), shown.err
        assert "2 rows in spring, summer" in shown.err
        assert "spring-report.csv" in shown.err
        assert found(sent, *TRACES) == []
    assert found(sent, BOB, "Name 1")
    key = state(sent) / "forgotten.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert flaws(ledger(sent)) == []
    # Counts and SIDs stay, in the report, too.
    assert sent("report", "spring", "--report", "again.csv").code == 0
    rows = read_report(sent.folder / "again.csv")
    assert [(row["dispatch_status"], row["phone"], row["dispatch_to"]) for row in rows] == [
        ("created", "", ""),
        ("created", BOB, BOB),
        ("created", CYD, CYD),
    ]
    assert all(row["dispatch_execution_sid"].startswith("FN") for row in rows)
    # Nobody twice: neither by the campaign's own file, nor by a new one.
    assert sent("run", "spring.csv", "--yes", "--json").json["rows"]["created"] == 3
    write_contacts(sent.folder / "autumn.csv", 4)
    assert sent("run", "autumn.csv", "--yes", "--json").json["skipped"] == {"contacted": 3}
    assert [create["to"] for create in sandbox.creates()].count(ANN) == 1
    # Those files have brought them back, and they can be forgotten again: once, and once more.
    assert found(sent, ANN)
    assert sent("campaigns", "forget", ANN, "--yes", "--json").json["rows"] == 2
    assert found(sent, *TRACES) == []
    assert sent("campaigns", "forget", ANN, "--yes", "--json").json["rows"] == 0
    log = sent("campaigns", "list", "--forgotten", "--json").json
    assert [(one["action"], one["rows"]) for one in log] == [("forgotten", 2), ("forgotten", 2), ("forgotten", 0)]
    assert all(one["cleaned_at_ms"] and one["by"] for one in log)
    assert found(sent, *TRACES) == []


def test_suppressed_ones_stay_so_as_a_hash(sent: Program, sandbox: SandboxProcess) -> None:
    """An opt-out is kept without its number; `--suppress` keeps a stranger out; the export names neither."""
    assert sent("suppress", "add", ANN, "--reason", "wrote from Name 0").code == 0
    assert sent("campaigns", "forget", f"whatsapp:{ANN}", "--yes", "--json").json["suppressed"]
    stranger = sent("campaigns", "forget", phone(103), "--suppress", "--yes", "--json")
    assert (stranger.code, stranger.json["rows"], stranger.json["suppressed"]) == (0, 0, True)
    assert found(sent, *TRACES, phone(103)[2:]) == []
    assert f"{ANN}: suppressed (by hand)" in sent("suppress", "check", ANN).out
    assert sent("suppress", "export", "out.csv").code == 0
    assert (sent.folder / "out.csv").read_text() == "contact,kind,list\n"
    write_contacts(sent.folder / "autumn.csv", 4)
    run = sent("run", "autumn.csv", "--yes", "--json", "--again")
    assert run.json["skipped"] == {"suppressed": 2}
    assert sent("suppress", "remove", phone(103), "--reason", "came back").out == "1 contact may be reached again\n"


def test_it_is_asked_first(sent: Program) -> None:
    """Without a terminal nothing is done unless `--yes` says so; what is no number is refused."""
    refused = sent("campaigns", "forget", ANN)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert sent("campaigns", "forget", "Ann", "--yes").code == 2
    assert found(sent, ANN)
    assert sent("campaigns", "forget", "-", "--yes", stdin=f"{ANN}\n").code == 0
    assert found(sent, *TRACES) == []


def test_unknown_rows_are_refused(ready: Program, sandbox: SandboxProcess) -> None:
    """It says until when and by which command, and changes nothing; after that it goes."""
    write_contacts(ready.folder / "spring.csv", 1)
    assert ready("run", "spring.csv", "--yes").code == 0
    with contextlib.closing(sqlite3.connect(ledger(ready), isolation_level=None)) as db:
        db.execute("UPDATE attempts SET outcome = 'unknown', execution_sid = NULL")
        db.execute("UPDATE tallies SET state = 'unknown' WHERE state = (SELECT state FROM rows)")
        db.execute("UPDATE rows SET state = 'unknown'")
        before = db.execute("SELECT * FROM rows").fetchall(), db.execute("SELECT * FROM chunks").fetchall()
        refused = ready("campaigns", "forget", ANN, "--yes", "--suppress")
        assert refused.code == 5
        assert "error[not_forgotten]: row 2 of campaign 'spring' is unknown" in refused.err
        assert "can be told from 20" in refused.err
        assert "dispatcher reconcile spring" in refused.err
        assert before == (db.execute("SELECT * FROM rows").fetchall(), db.execute("SELECT * FROM chunks").fetchall())
    assert ready("campaigns", "list", "--forgotten", "--json").json == []


def test_it_waits_for_who_is_sending(ready: Program, sandbox: SandboxProcess) -> None:
    """Beside a run it is refused, and says why; with `--wait` it goes when that has ended."""
    write_contacts(ready.folder / "spring.csv", 60)
    run = ready.start("run", "spring.csv", "--yes", "--rate", "20")
    until(lambda: len(sandbox.creates()) > 1, "the run", run)
    refused = ready("campaigns", "forget", ANN, "--yes")
    assert (refused.code, "would write of its people again" in refused.err) == (5, True)
    waited = ready("campaigns", "forget", ANN, "--yes", "--wait")
    assert (waited.code, waited.out) == (0, "forgotten: 1 row\n"), waited.err
    assert finish(run).code == 0
    assert found(ready, ANN[2:]) == []
    assert len(sandbox.creates()) == 60


def test_a_lost_key_is_no_silence(sent: Program, sandbox: SandboxProcess) -> None:
    """Without it nothing is planned or sent, and a new one is not made: the forgotten would be strangers."""
    assert sent("campaigns", "forget", ANN, "--yes").code == 0
    key = state(sent) / "forgotten.key"
    kept = key.read_text()
    for lost in (None, "00" * 32 + "\n", "no key\n"):
        key.unlink(missing_ok=True)
        if lost is not None:
            key.write_text(lost)
        write_contacts(sent.folder / "autumn.csv", 3)
        run = sent("run", "autumn.csv", "--yes")
        assert (run.code, "error[ledger_key]" in run.err) == (2, True), run.err
        assert sent("campaigns", "forget", BOB, "--yes").code == 2
        assert sent("suppress", "check", ANN).code == 2
        assert (key.read_text() if key.exists() else None) == lost
    assert len(sandbox.creates()) == 3
    key.write_text(kept)
    assert sent("run", "autumn.csv", "--yes", "--json").json["skipped"] == {"contacted": 3}


def test_pruning_keeps_who_was_reached(sent: Program, sandbox: SandboxProcess) -> None:
    """Cells and addresses of what is over go, hashes stay; a dry run changes nothing, and the young stay whole."""
    assert sent("campaigns", "prune", "--older-than", "ninety", "--yes").code == 2
    assert sent("campaigns", "prune", "--older-than", "90d", "--yes").out.startswith("no campaign is over")
    aged(sent)
    write_contacts(sent.folder / "young.csv", 1, first=200)
    assert sent("run", "young.csv", "--yes").code == 0
    dry = sent("campaigns", "prune", "--older-than", "90d", "--dry-run", "--json")
    assert (dry.json["campaigns"], dry.json["rows"]) == (["spring", "summer"], 6)
    assert found(sent, ANN)
    pruned = sent("campaigns", "prune", "--older-than", "90d", "--yes")
    assert (pruned.code, pruned.out) == (0, "pruned: 6 rows of 2 campaigns\n"), pruned.err
    assert found(sent, *TRACES[:3], BOB[2:], "Name 2") == []
    assert found(sent, phone(200))
    assert flaws(ledger(sent)) == []
    listed = {one["campaign"]: one for one in sent("campaigns", "list", "--json").json}
    assert {name: (one["pruned"], one["rows"]) for name, one in listed.items()} == {
        "spring": (True, 3),
        "summer": (True, 3),
        "young": (False, 1),
    }
    assert sent("campaigns", "prune", "--older-than", "90d", "--yes").out.startswith("no campaign is over")
    assert sent("run", "spring.csv", "--yes", "--json").json["rows"]["created"] == 3
    assert len(sandbox.creates()) == 4


def aged(program: Program, by_ms: int = 100 * 86_400_000) -> None:
    """As if all that is in the ledger had happened so long ago."""
    with contextlib.closing(sqlite3.connect(ledger(program), isolation_level=None)) as db:
        for table, column in (
            ("campaigns", "created_at_ms"),
            ("inputs", "begun_at_ms"),
            ("inputs", "ready_at_ms"),
            ("runs", "started_at_ms"),
            ("runs", "seen_at_ms"),
            ("runs", "stopped_at_ms"),
        ):
            db.execute(f"UPDATE {table} SET {column} = {column} - {by_ms}")


def test_what_is_not_over_is_not_pruned(ready: Program) -> None:
    """Rows that wait would be sent without their cells."""
    write_contacts(ready.folder / "spring.csv", 3)
    assert ready("run", "spring.csv", "--yes", "--limit", "1").code == 0
    aged(ready)
    pruned = ready("campaigns", "prune", "--older-than", "1d", "--yes", "--json")
    assert (pruned.json["campaigns"], pruned.json["not_over"], pruned.json["rows"]) == ([], ["spring"], 0)
    assert found(ready, ANN, BOB)


def test_a_campaign_is_taken_along(sent: Program) -> None:
    """Everything of it, a line each, for its owner alone; and to another program."""
    exported = sent("campaigns", "export", "spring", "spring.jsonl")
    assert exported.out == "spring.jsonl\n", exported.err
    path = sent.folder / "spring.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [one["kind"] for one in lines] == ["campaign", "file", "run", *["row"] * 3, *["attempt"] * 3]
    rows = {one["id"]: one for one in lines if one["kind"] == "row"}
    for one in lines[-3:]:
        row = rows[one["id"]]
        assert (one["outcome"], one["execution_sid"][:2]) == ("created", "FN")
        assert row["cells"][0] == row["key"] == row["to"]
    assert lines[1]["header"] == ["phone", "first_name"]
    assert sent("campaigns", "export", "spring", "spring.jsonl").code == 2
    assert sent("campaigns", "export", "spring", "-").out.splitlines() == path.read_text().splitlines()
    assert sent("campaigns", "export", "nobody", "-").code == 2
    assert "spring" in sent("campaigns", "list").out


def test_an_empty_place(ready: Program) -> None:
    """Where there is no ledger nobody is known, and none is made."""
    assert ready("campaigns", "list").code == 0
    assert ready("campaigns", "prune", "--older-than", "1d", "--yes").code == 0
    assert ready("campaigns", "forget", ANN, "--yes").code == 2
    assert not state(ready).exists()


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.15, 0.4])
def test_killed_while_it_forgets(ready: Program, delay_s: float) -> None:
    """Whole or not at all; and the next one leaves no byte."""
    write_contacts(ready.folder / "spring.csv", 2000)
    assert ready("run", "spring.csv", "--yes", "--rate", "500", "--limit", "1").code == 0
    process = ready.start("campaigns", "forget", ANN, "--yes")
    key = state(ready) / "forgotten.key"
    until(key.exists, "the key", process)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert flaws(ledger(ready)) == []
    with contextlib.closing(sqlite3.connect(ledger(ready))) as db:
        (forgotten,) = db.execute("SELECT count(*) FROM erasures").fetchone()
        (rows,) = db.execute("SELECT count(*) FROM rows WHERE row_key = ?", (ANN,)).fetchone()
        (keys,) = db.execute("SELECT count(*) FROM row_keys WHERE row_key = ?", (ANN,)).fetchone()
        (contacts,) = db.execute("SELECT count(*) FROM contacts WHERE contact = ?", (ANN,)).fetchone()
        (cells,) = db.execute("SELECT count(*) FROM chunks WHERE instr(cells, ?)", (ANN.encode(),)).fetchone()
    assert {rows, keys, contacts, cells} == {1 - forgotten}
    assert ready("campaigns", "forget", ANN, "--yes").code == 0
    assert found(ready, *TRACES[:3]) == []


def test_pruning_goes_on_after_a_kill(sent: Program) -> None:
    """What was interrupted before the file was written anew is done by the next, though nothing is left to prune."""
    aged(sent)
    with contextlib.closing(sqlite3.connect(ledger(sent))) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rows").fetchone()
        process = sent.start("campaigns", "prune", "--older-than", "90d", "--yes")
        until(lambda: forgotten(sent) == 2, "the pruning", process)
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert flaws(ledger(sent)) == []
    assert sent("campaigns", "prune", "--older-than", "90d", "--yes").out.startswith("no campaign is over")
    assert found(sent, *TRACES) == []


def forgotten(program: Program) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{ledger(program)}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM erasures").fetchone()[0])


def test_a_reader_keeps_the_bytes(sent: Program) -> None:
    """Who reads an old state keeps it on the disk: that is said, and the next run of the command ends it."""
    with contextlib.closing(sqlite3.connect(ledger(sent))) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rows").fetchone()
        process: subprocess.Popen[str] = sent.start("campaigns", "forget", ANN, "--yes")
        result = finish(process)
        assert result.code == 5
        assert "forgotten, but not yet off the disk" in result.err
        assert "another program reads the ledger" in result.err
    assert sent("campaigns", "forget", ANN, "--yes", "--json").json["rows"] == 0
    assert found(sent, *TRACES) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", [("campaigns", "export", "spring", "-"), ("report", "spring", "--report", "-")])
@pytest.mark.parametrize("ending", [">/dev/full", ">&-"])
def test_a_stdout_that_takes_nothing_is_told(ready: Program, command: tuple[str, ...], ending: str) -> None:
    """Exit code 2 with why, and no bug."""
    contacts = write_contacts(ready.folder / "spring.csv", 2)
    assert ready("run", contacts, "--yes").code == 0
    line = shlex.join([*PROGRAM, *command]) + ending
    done = subprocess.run(
        ["sh", "-c", line], cwd=ready.folder, env=ready.environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "stdout" in done.stderr) == (2, True), done.stderr

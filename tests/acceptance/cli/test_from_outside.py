"""What comes from outside is shown as it is: names with brackets, letters that a stream does not have, odd bytes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.cli.program import PROGRAM, Program, SandboxProcess, phone

BRACKETS = "contacts [final] [red]x.csv"


def test_brackets_are_no_markup(ready: Program, sandbox: SandboxProcess) -> None:
    """In a file's name, a header, a cell, a campaign: in every command that shows them."""
    contacts = ready.folder / BRACKETS
    contacts.write_text(f"phone,first [/] last,first_name\n{phone(100)},[link=x]Ann[/link],:smile:\n123,[b],x\n")
    checked = ready("check", contacts)
    assert BRACKETS in checked.err
    dry = ready("run", contacts, "--dry-run")
    assert (dry.code, "first [/] last" in dry.out, "[link=x]Ann[/link]" in dry.out) == (0, True, True), dry.err
    assert ":smile:" in dry.out
    assert ready("run", contacts, "--campaign", "a [b] c", "--yes").code == 3
    assert "a [b] c" in ready("status").out
    assert "a [b] c" in ready("status", "a [b] c").out
    refused = ready("run", contacts, "--to", "Telefon [x]", "--yes")
    assert 'no column "Telefon [x]"' in refused.err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_any_encoding_shows_what_was_done(ready: Program, sandbox: SandboxProcess, encoding: str) -> None:
    """Rows that are sent are told, whatever letters stdout has; and JSON stays JSON."""
    contacts = ready.folder / "Ünïcode – 名.csv"
    contacts.write_text(f"phone,first_name\n{phone(100)},Zoë 🎉\n", encoding="utf-8")
    environment: dict[str, str | None] = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    sent = ready("run", contacts, "--campaign", f"名-{encoding}", "--yes", "--json", "--again", env=environment)
    assert sent.code == 0, sent.err
    assert sent.json["campaign"] == f"名-{encoding}"
    shown = ready("run", contacts, "--campaign", f"名-{encoding}", "--yes", "--again", env=environment)
    assert (shown.code, "created 1" in shown.out) == (0, True), shown.err
    assert ready("status", env=environment).code == 0


def test_names_that_are_no_text_are_refused_before(ready: Program, sandbox: SandboxProcess) -> None:
    """Nothing is sent that could not be told of afterwards."""
    name = os.fsdecode(b"caf\xe9.csv")
    contacts = ready.folder / name
    contacts.write_text(f"phone,first_name\n{phone(100)},Ann\n")
    other = ready.folder / "a.csv"
    other.write_text(f"phone,first_name\n{phone(100)},Ann\n")
    report = ready.folder / os.fsdecode(b"r\xff.csv")
    for arguments in ([str(contacts), "--yes"], [str(other), "--yes", "--report", str(report)]):
        command = [os.fsencode(word) for word in (*PROGRAM, "run", *arguments)]
        done = subprocess.run(command, cwd=ready.folder, env=ready.environment(), capture_output=True, check=False)
        assert done.returncode == 2, done.stderr
        assert b"bytes that are no text" in done.stderr
    assert sandbox.stats()["creates"] == 0


def test_what_is_to_be_pasted_can_be(ready: Program, sandbox: SandboxProcess) -> None:
    """A next command names a campaign with blanks and quotes so that a shell gives it back."""
    contacts = ready.folder / "Spring recall's $FINAL v4.csv"
    contacts.write_text("phone,first_name\n" + "".join(f"{phone(100 + n)},Ann\n" for n in range(3)))
    first = ready("run", contacts, "--yes", "--limit", "1")
    (line,) = [line for line in (first.out + first.err).splitlines() if line.startswith("dispatcher resume")]
    words = shlex.split(line.partition("   ")[0])
    assert words[:3] == ["dispatcher", "resume", "Spring recall's $FINAL v4"]
    assert "sends the 2 rows that wait" in line
    assert ready(*words[1:], "--yes").code == 0
    again = ready(*words[1:], "--yes")
    assert "this run sent  nothing" in again.out.replace("   ", "  ")


def test_one_is_not_many(ready: Program, sandbox: SandboxProcess) -> None:
    """1 row, not 1 rows, wherever a number is told."""
    contacts = ready.folder / "one.csv"
    contacts.write_text(f"phone,first_name\n{phone(100)},Ann\n12,Bob\n")
    texts = [ready("check", contacts), ready("run", contacts, "--dry-run"), ready("run", contacts, "--yes")]
    texts += [ready("status", "one"), ready("retry", "one", "--all-rejected", "--yes"), ready("report", "one")]
    for text in texts:
        assert "1 rows" not in text.out + text.err
        assert "1 requests" not in text.out + text.err
    assert "1 row is wrong" in texts[0].err


@pytest.mark.parametrize("columns", ["40", "60", "80"])
def test_a_narrow_terminal_cuts_no_state(ready: Program, sandbox: SandboxProcess, columns: str) -> None:
    """`status` takes another shape where its table does not fit."""
    contacts = ready.folder / "a campaign with a rather long name.csv"
    contacts.write_text(f"phone,first_name\n{phone(100)},Ann\n12,Bob\n")
    assert ready("run", contacts, "--yes").code == 3
    shown = ready("status", env={"COLUMNS": columns}).out
    assert "created 1 · invalid 1" in shown
    assert "…" not in shown
    assert json.loads(ready("status", "--json").out)


def test_a_full_disk_for_what_is_shown(ready: Program, sandbox: SandboxProcess) -> None:
    """Stdout that takes nothing does not undo what was sent."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    contacts = ready.folder / "full.csv"
    contacts.write_text(f"phone,first_name\n{phone(100)},Ann\n")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [*PROGRAM, "run", str(contacts), "--yes"]
        subprocess.run(
            command, cwd=ready.folder, env=ready.environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert sandbox.stats()["creates"] == 1
    assert (ready.folder / "full-report.csv").exists()

"""`serve users`: who may sign in to the page; a password is typed twice or read, and never an argument."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.cli.program import PROGRAM, TIMEOUT_S, Program, Result

PASSWORD = "correct horse battery"


@pytest.fixture
def users(program: Program) -> Program:
    """The command line with a state folder of its own, and nothing else set."""
    (program.folder / "config.toml").write_text('[state]\ndir = "state"\n', encoding="utf-8")
    return program


def add(program: Program, name: str, *options: str, password: str = PASSWORD) -> Result:
    return program("serve", "users", "add", name, *options, "--password-stdin", stdin=f"{password}\n")


def history(program: Program) -> list[tuple[str, str, str]]:
    """What was done, from where, with what."""
    with contextlib.closing(sqlite3.connect(program.folder / "state" / "web.sqlite3")) as db:
        return db.execute("SELECT what, source, detail FROM audit ORDER BY line_id").fetchall()


def typed(program: Program, *arguments: str, lines: tuple[str, ...]) -> tuple[int, str]:
    """A command at a terminal, where each of these is typed when it asks; and all that the terminal shows."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=program.folder,
        env=program.environment(),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown, waiting, end_s = "", list(lines), time.monotonic() + TIMEOUT_S
    with contextlib.suppress(OSError):
        while time.monotonic() < end_s:
            if not select.select([leader], [], [], 1)[0]:
                continue
            shown += os.read(leader, 65536).decode()
            if waiting and shown.endswith(": "):
                os.write(leader, f"{waiting.pop(0)}\n".encode())
                shown += "\n"
    os.close(leader)
    return process.wait(TIMEOUT_S), shown


def test_a_person_from_first_to_last(users: Program) -> None:
    """Added, listed, made a sender, given numbers and a password, signed out, removed; each in the history."""
    assert (
        users("serve", "users", "list").err == "nobody may sign in with a password: dispatcher serve users add NAME\n"
    )
    added = add(users, "Anna", "--number", "+1 (202) 555-0123")
    assert (added.code, added.out) == (0, "Anna may sign in, as preparer\n")
    assert "dispatcher serve users role Anna sender" in added.err
    assert users("serve", "users", "role", "anna", "sender").out == "Anna is sender now\n"
    assert add(users, "Bob", "--role", "viewer", "--json").found["role"] == "viewer"
    assert "nobody may send yet" not in add(users, "Cyd").err
    listed = users("serve", "users", "list", "--json").json
    assert [(one["name"], one["role"], one["own_numbers"]) for one in listed] == [
        ("Anna", "sender", ["+12025550123"]),
        ("Bob", "viewer", []),
        ("Cyd", "preparer", []),
    ]
    assert users("serve", "users", "numbers", "Bob", "+12025550124").out == "Bob has 1 own number now\n"
    again = users("serve", "users", "password", "Bob", "--password-stdin", stdin="another long one\n")
    assert (again.code, again.out) == (0, "Bob has a new password\n")
    assert users("serve", "users", "sign-out", "Bob").out == "Bob is signed out of 0 browsers\n"
    assert users("serve", "users", "remove", "Bob").out == "Bob may not sign in any more\n"
    assert "Bob" not in users("serve", "users", "list").out
    lines = history(users)
    assert [what for what, _, _ in lines] == [
        "user_added",
        "user_changed",
        "user_added",
        "user_added",
        "numbers_set",
        "password_set",
        "users_signed_out",
        "user_removed",
    ]
    assert {source for _, source, _ in lines} == {"terminal"}
    assert "555" not in "".join(detail for _, _, detail in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "Anna"), "there is a person of this name already"),
        (("add", "Dan"), "a password needs at least 12 characters"),
        (("add", "Dan", "--number", "0202"), "a number begins with +"),
        (("add", ""), "a person needs a name"),
        (("role", "Ana", "viewer"), "nobody of this name may sign in\nfound: Ana; there is Anna"),
        (("role", "Anna", "viewer"), "Anna is the last one who may send"),
        (("role", "Anna", "admin"), "admin"),
        (("remove", "Anna"), "Anna is the last one who may send"),
        (("password", "Anna"), "a password needs at least 12 characters"),
        (("sign-out", "Zoe"), "nobody of this name may sign in"),
    ],
)
def test_what_cannot_be_done(arguments: tuple[str, ...], said: str, users: Program) -> None:
    """Told with a way on, exit code 2, and nothing is changed."""
    add(users, "Anna", "--role", "sender")
    before = (users("serve", "users", "list", "--json").out, history(users))
    stdin = ("--password-stdin",) if arguments[0] in ("add", "password") else ()
    result = users("serve", "users", *arguments, *stdin, stdin="short\n")
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert (users("serve", "users", "list", "--json").out, history(users)) == before


def test_without_a_terminal_it_asks_nobody(users: Program) -> None:
    """A script that gives no password is told how; nothing waits."""
    result = users("serve", "users", "add", "Anna")
    assert result.code == 2
    assert "--password-stdin" in result.err


def test_a_password_is_typed_twice_unseen(users: Program) -> None:
    """At a terminal; two different ones change nothing."""
    code, shown = typed(users, "serve", "users", "add", "Anna", lines=(PASSWORD, "correct horse buttery"))
    assert code == 2, shown
    assert "the two passwords differ" in shown
    code, shown = typed(users, "serve", "users", "add", "Anna", lines=(PASSWORD, PASSWORD))
    assert code == 0, shown
    assert "Anna may sign in" in shown
    assert "horse" not in shown


def test_the_password_is_nowhere(users: Program) -> None:
    """Neither in a log, nor in the store, nor in what is printed."""
    log = users.folder / "log"
    told = users(
        "serve", "users", "add", "Anna", "--password-stdin", "--log-file", str(log), "--debug", stdin=f"{PASSWORD}\n"
    )
    assert told.code == 0
    files = [log, *(users.folder / "state").iterdir()]
    for text in (told.out, told.err, *(path.read_bytes().decode("latin-1") for path in files)):
        assert PASSWORD not in text


def test_a_page_that_runs_is_not_disturbed(users: Program) -> None:
    """People are added and changed while the page has the same file open; both see what the other has done."""
    process = users.start("serve", "--port", "0")
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        assert add(users, "Anna", "--role", "sender").code == 0
        assert users("serve", "users", "role", "Anna", "sender").code == 0
        link = users("serve", "--link")
        assert (link.code, link.out.startswith("http://127.0.0.1:")) == (0, True)
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)


def test_a_newer_store_is_refused(users: Program, tmp_path: Path) -> None:
    """An older program does not touch what a newer one has made."""
    add(users, "Anna")
    with contextlib.closing(sqlite3.connect(users.folder / "state" / "web.sqlite3")) as db:
        db.execute("PRAGMA user_version = 99")
    result = users("serve", "users", "list")
    assert result.code == 2
    assert "written by a newer version" in result.err

"""`login` and `--profile`: an API key is tried and kept, told and taken away; accounts stay apart; nothing is shown."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.program import (
    ACCOUNT_SID,
    CREDENTIALS,
    PROGRAM,
    TIMEOUT_S,
    TOKEN,
    Program,
    Result,
    SandboxProcess,
    finish,
    sandbox_process,
    until,
    write_contacts,
    write_settings,
)

KEY = "SK" + "1" * 32
#: `check_clean` looks for it in whatever is printed.
LINES = f"{ACCOUNT_SID}\n{KEY}\n{TOKEN}\n"
NONE: dict[str, str | None] = dict.fromkeys(CREDENTIALS)
OTHER = "AC" + "f" * 32


def kept() -> list[Path]:
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "dispatcher" / "credentials"
    return sorted(folder.iterdir()) if folder.exists() else []


def login(program: Program, *arguments: str, stdin: str = LINES, env: dict[str, str | None] | None = None) -> Result:
    return program("login", *arguments, stdin=stdin, env={**NONE, **(env or {})})


@contextlib.contextmanager
def strict_sandbox(program: Program, account_sid: str) -> Iterator[SandboxProcess]:
    """A sandbox that takes one key alone, ten creates a second."""
    own = {"TWILIO_ACCOUNT_SID": account_sid, "TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": TOKEN}
    process = program.start("sandbox", "--account", account_sid, "--limit", "10", "--require-env", env=dict(own))
    try:
        assert process.stdout is not None
        yield SandboxProcess(process.stdout.readline().strip(), process)
    finally:
        process.kill()
        process.communicate()


def test_a_key_is_tried_and_kept(ready: Program, sandbox: SandboxProcess) -> None:
    """From standard input; afterwards everything works without the environment, and `doctor` says with what."""
    done = login(ready)
    assert done.code == 0, done.err
    (path,) = kept()
    assert str(path) in done.out
    assert "login --remove" in done.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_contacts(ready.folder / "contacts.csv", 3)
    ran = ready("run", "contacts.csv", "--yes", "--json", env=NONE)
    assert (ran.code, ran.json["rows"]["created"]) == (0, 3), ran.err
    (check,) = [one for one in ready("doctor", "--json", env=NONE).json["checks"] if one["name"] == "credentials"]
    assert check["result"] == "ok"
    assert f"kept in {path}" in check["found"]
    (check,) = [one for one in ready("doctor", "--json").json["checks"] if one["name"] == "credentials"]
    assert "from the environment" in check["found"]
    assert str(path) in check["found"]


def test_a_refused_key_is_not_kept(ready: Program) -> None:
    """Studio says no (4), or cannot be asked (5): what was kept before stays as it was."""
    assert login(ready).code == 0
    (path,) = kept()
    before = path.read_bytes()
    with strict_sandbox(ready, ACCOUNT_SID) as strict:
        assert login(ready, "--base-url", strict.base_url).code == 0
        assert login(ready, "--remove").code == 0
        wrong = LINES.replace(KEY, "SK" + "2" * 32)
        refused = login(ready, "--base-url", strict.base_url, stdin=wrong)
        assert (refused.code, "error[authentication]" in refused.err) == (4, True)
    path.write_bytes(before)
    path.chmod(0o600)
    assert login(ready, "--base-url", "http://127.0.0.1:9").code == 5
    assert [one.read_bytes() for one in kept()] == [before]


def test_a_key_of_another_account_is_not_kept(ready: Program) -> None:
    """The SID decides limit and lock, the key whom Studio reaches: they must be one account's."""
    done = login(ready, stdin=LINES.replace(ACCOUNT_SID, OTHER))
    assert (done.code, kept()) == (4, [])
    assert "the key is another account's" in done.err


@pytest.mark.parametrize(
    ("stdin", "env", "code"),
    [
        ("", {}, 2),
        (f"{ACCOUNT_SID}\n{KEY}\n", {}, 2),
        (LINES.replace(KEY, TOKEN), {}, 4),
        ("", dict(CREDENTIALS), 2),
        ("", {"TWILIO_API_KEY": KEY}, 4),
    ],
)
def test_what_is_no_key_is_not_kept(ready: Program, stdin: str, env: dict[str, str | None], code: int) -> None:
    """Nothing, half of it, something else, the account's token: told, and nothing is asked of Studio."""
    done = login(ready, stdin=stdin, env=env)
    assert (done.code, kept()) == (code, []), done.err


@pytest.mark.parametrize("form", ["export {}", "{}"])
def test_lines_with_names_are_taken(ready: Program, form: str) -> None:
    """A file of variables, as a shell reads it; the environment's key where there is one."""
    values = {"TWILIO_API_SECRET": f'"{TOKEN}"', "TWILIO_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_API_KEY": KEY}
    text = "# of the vault\n" + "".join(form.format(f"{name}={value}\n") for name, value in values.items())
    assert login(ready, stdin=text).code == 0
    assert login(ready, "--remove").code == 0
    own = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": TOKEN}
    done = login(ready, stdin="", env=dict(own))
    assert done.code == 0
    assert "the environment has credentials, too" in done.err
    assert len(kept()) == 1


def test_taking_away(ready: Program) -> None:
    """What was kept is gone, also where the settings are broken; a second time there is nothing."""
    assert login(ready).code == 0
    (path,) = kept()
    (ready.folder / "config.toml").write_text("what is this", encoding="utf-8")
    done = login(ready, "--remove", "--json")
    assert (done.code, done.json["removed"]) == (0, [str(path)])
    assert kept() == []
    again = login(ready, "--remove")
    assert (again.code, again.out) == (0, "")
    assert "nothing is kept" in again.err


def test_a_file_that_others_can_read_stops(ready: Program) -> None:
    """Nothing is sent with it (4); `login --remove` takes it away all the same."""
    assert login(ready).code == 0
    (path,) = kept()
    path.chmod(0o644)
    done = ready("flows", env=NONE)
    assert (done.code, "others may read" in done.err, f"chmod 600 {path}" in done.err) == (4, True, True)
    assert login(ready, "--remove").code == 0


def test_what_is_kept_goes_to_no_other_host(ready: Program, tmp_path: Path) -> None:
    """Another address in the settings, whoever wrote it there, gets nothing of it."""
    assert login(ready).code == 0
    with sandbox_process(tmp_path) as other:
        done = ready("flows", "--base-url", other.base_url, env=NONE)
        assert (done.code, "no credentials are kept for" in done.err) == (4, True)
        assert other.stats().get("creates") == 0


def test_it_is_typed_unseen_at_a_terminal(ready: Program) -> None:
    """Account and key are asked for, the secret is not shown; the environment is not looked at."""
    main, child = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "login"],
        cwd=ready.folder,
        env=ready.environment(NONE),
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(child)
    seen = ""

    def until(text: str) -> None:
        nonlocal seen
        end_s = time.monotonic() + TIMEOUT_S
        while text not in seen:
            assert time.monotonic() < end_s, seen
            if select.select([main], [], [], 1)[0]:
                try:
                    seen += os.read(main, 4096).decode()
                except OSError:
                    break

    until("Account SID")
    os.write(main, f"{ACCOUNT_SID}\n".encode())
    until("API key SID")
    os.write(main, f"{KEY}\n".encode())
    until("not shown")
    time.sleep(0.2)
    os.write(main, f"{TOKEN}\n".encode())
    assert process.wait(TIMEOUT_S) == 0, seen
    until("takes it away")
    os.close(main)
    assert TOKEN not in seen
    assert len(kept()) == 1


def profiles(folder: Path, own: str, other: str) -> None:
    """Settings for one account, and a profile for another, which has a sandbox and a rate of its own."""
    write_settings(folder, own)
    with (folder / "config.toml").open("a", encoding="utf-8") as file:
        file.write(f'[profiles.eu.account]\nbase_url = "{other}"\n[profiles.eu.rate]\nper_second = 10\n')


def test_two_profiles_two_accounts(program: Program, sandbox: SandboxProcess, tmp_path: Path) -> None:
    """Each has its own key, limit, lock and campaigns; neither's secret reaches the other's host."""
    secrets = {"TWILIO_EU_ACCOUNT_SID": OTHER, "TWILIO_EU_API_KEY": KEY, "TWILIO_EU_API_SECRET": TOKEN}
    with strict_sandbox(program, OTHER) as eu:
        profiles(program.folder, sandbox.base_url, eu.base_url)
        write_contacts(tmp_path / "spring.csv", 30)
        one = program("run", "spring.csv", "--yes", "--json")
        named = ("--campaign", "autumn", "--profile", "eu", "--yes", "--json")
        two = program("run", "spring.csv", *named, env=dict(secrets))
        assert (one.code, two.code) == (0, 0), one.err + two.err
        assert (one.json["window_limit"], two.json["window_limit"]) == (5000, 100)
        assert (sandbox.stats()["creates"], eu.stats()["creates"]) == (30, 30)
        # Side by side: neither's lock is the other's.
        write_contacts(tmp_path / "more.csv", 60, first=500)
        running = program.start(
            "run", "more.csv", "--campaign", "winter", "--profile", "eu", "--yes", env=dict(secrets)
        )
        until(lambda: eu.stats()["creates"] > 30, "the first of winter", running)
        assert program("run", "more.csv", "--campaign", "summer", "--yes").code == 0
        assert running.poll() is None
        assert finish(running).code == 0
        assert eu.stats()["worst_window"] <= 100
        assert program("status", "autumn", "--profile", "eu", "--json", env=dict(secrets)).json["attempts"] == 30
        assert program("status", "spring", "--profile", "eu", env=dict(secrets)).code == 2
        # The usual account's credentials are not used for it, and its own not for the usual one.
        alone = program("run", "spring.csv", "--yes", "--profile", "eu")
        assert (alone.code, "TWILIO_EU_ACCOUNT_SID" in alone.err) == (4, True)
        without = program("flows", env={**NONE, **secrets})
        assert (without.code, "TWILIO_ACCOUNT_SID is not set" in without.err) == (4, True)
        by_variable = program("flows", env={**NONE, **secrets, "DISPATCHER_PROFILE": "eu"})
        assert by_variable.code == 0, by_variable.err


def test_a_profiles_campaign_is_not_anothers(ready: Program, sandbox: SandboxProcess) -> None:
    """`cancel --profile eu spring` does nothing to the campaign of that name of the usual account."""
    with (ready.folder / "config.toml").open("a", encoding="utf-8") as file:
        file.write("[profiles.eu]\n")
    write_contacts(ready.folder / "spring.csv", 5)
    assert ready("run", "spring.csv", "--yes", "--limit", "2").code == 0
    secrets = {"TWILIO_EU_ACCOUNT_SID": OTHER, "TWILIO_EU_AUTH_TOKEN": "x" * 32}
    done = ready("cancel", "spring", "--reason", "why", "--yes", "--profile", "eu", env=dict(secrets))
    assert (done.code, "error[campaign" in done.err) == (2, True)
    unknown = ready("cancel", "spring", "--reason", "why", "--yes", "--profile", "eu")
    assert unknown.code == 4
    assert ready("status", "spring", "--json").json["rows"]["planned"] == 3


def test_an_unknown_profile_ends_with_two(ready: Program) -> None:
    """Nothing is done for the usual account in its place; the nearest name is told."""
    with (ready.folder / "config.toml").open("a", encoding="utf-8") as file:
        file.write("[profiles.europe]\n")
    done = ready("flows", "--profile", "eurpe")
    assert (done.code, "fix: --profile europe" in done.err) == (2, True)
    done = ready("flows", env={"DISPATCHER_PROFILE": "eurpe"})
    assert (done.code, "export DISPATCHER_PROFILE=europe" in done.err) == (2, True)


def test_a_login_of_a_profile_is_its_own(ready: Program) -> None:
    """Kept under its name; the usual account has none by it, and units that are printed name the profile."""
    with (ready.folder / "config.toml").open("a", encoding="utf-8") as file:
        file.write("[profiles.eu]\n")
    done = login(ready, "--profile", "eu", "--json")
    assert (done.code, done.json["profile"]) == (0, "eu")
    assert kept()[0].name.startswith("eu@")
    assert ready("flows", env=NONE).code == 4
    assert ready("flows", "--profile", "eu", env=NONE).code == 0
    unit = ready("schedule", "systemd", "spring", env={"DISPATCHER_PROFILE": "eu"})
    assert "--profile eu" in unit.out
    told = ready("flows", "--profile", "eu", "--base-url", "http://127.0.0.1:1", env=NONE)
    assert told.code == 4
    assert login(ready, "--remove", "--profile", "eu").code == 0
    assert kept() == []


def test_a_kept_secret_is_in_no_log(ready: Program, sandbox: SandboxProcess) -> None:
    """Not with --debug, not in the log's file, not in the ledger or the report."""
    assert login(ready).code == 0
    write_contacts(ready.folder / "contacts.csv", 3)
    done = ready("run", "contacts.csv", "--yes", "--debug", "--log-file", "run.log", env=NONE)
    assert done.code == 0
    config = json.dumps(ready("config", "show", "--json", env=NONE).json)
    assert TOKEN not in config
    for path in ready.folder.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path

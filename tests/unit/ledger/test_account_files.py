"""An account's lock and departures lie in one folder of the user, which nothing moves."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path

import pytest

from dispatcher.errors import LedgerUnwritable
from dispatcher.ledger.account_files import REHEARSAL_KEPT_S, account_file, forget_rehearsals, make_folder

SID = "AC" + "ab" * 16
TWILIO = "https://studio.twilio.com"


def test_one_for_all_spellings() -> None:
    """Of one account."""
    one = account_file(SID, TWILIO, "lock")
    assert account_file(SID.upper(), "https://Studio.us1.twilio.com:443", "lock") == one
    assert account_file("AC" + "1" * 32, TWILIO, "lock") != one
    assert account_file(SID, "https://studio.ie1.twilio.com", "lock") != one


def test_nothing_moves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a variable nor the working folder: what the system says of the user counts."""
    one = account_file(SID, TWILIO, "lock")
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "STATE_DIRECTORY", "TMPDIR", "DISPATCHER_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.chdir("/")
    assert account_file(SID, TWILIO, "lock") == one
    assert one.is_relative_to(pwd.getpwuid(os.getuid()).pw_dir)


def test_its_name_tells_nothing() -> None:
    """Not whose it is; only whether it is a rehearsal's."""
    real, rehearsal = account_file(SID, TWILIO, "lock"), account_file(SID, "http://localhost:8080", "lock")
    assert real.name.startswith("account-")
    assert rehearsal.name.startswith("rehearsal-")
    assert SID[2:] not in real.name


@pytest.mark.parametrize("home", ["/nonexistent", "/usr"])
def test_a_user_without_a_home(home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service's: a folder of its own on the machine."""
    monkeypatch.setenv("TESTS_HOME", home)
    if home == "/usr":
        monkeypatch.setattr("os.getuid", lambda: 54321)
        monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd(("x", "x", uid, uid, "", home, "")))
    assert account_file(SID, TWILIO, "lock").parent == Path(f"/var/tmp/dispatcher-{os.getuid()}/accounts")


def test_another_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who was there first could take the lock away: refused."""
    path = tmp_path / "dispatcher-1" / "accounts" / "account-1.lock"
    make_folder(path)
    monkeypatch.setattr("os.getuid", lambda: 54321)
    with pytest.raises(LedgerUnwritable, match="another user's"):
        make_folder(path)


def test_old_rehearsals_are_forgotten(tmp_path: Path) -> None:
    """Each sandbox has a port of its own; what was used lately stays, and whatever is a real account's."""
    old_s = time.time() - REHEARSAL_KEPT_S - 60
    for name in ("rehearsal-1.lock", "rehearsal-1.departures", "account-1.lock"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (old_s, old_s))
    (tmp_path / "rehearsal-2.lock").touch()
    forget_rehearsals(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["account-1.lock", "rehearsal-2.lock"]
    forget_rehearsals(tmp_path / "nowhere")

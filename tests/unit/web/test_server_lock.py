"""One server for a state folder, told by its address; a killed one is in nobody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.errors import LedgerUnwritable
from dispatcher.web.server_lock import ADDRESS, ServerRunning, address_of, running_address, server_lock

URL = "http://127.0.0.1:8712"
HOLDER = """
import sys, time
from pathlib import Path
from dispatcher.web.server_lock import server_lock
with server_lock(Path(sys.argv[1])) as lock:
    lock.tell("http://127.0.0.1:1")
    print("held", flush=True)
    time.sleep(600)
"""


def test_two_at_once(tmp_path: Path) -> None:
    """The second is refused, and told where the first is; when that has ended the folder is free."""
    folder = tmp_path / "new" / "state"
    assert address_of(folder) is running_address(folder) is None
    with server_lock(folder) as lock:
        with pytest.raises(ServerRunning) as before, server_lock(folder):
            pass
        assert before.value.found is None
        lock.tell(URL)
        with pytest.raises(ServerRunning) as caught, server_lock(folder):
            pass
        assert caught.value.found == f"it is at {URL}"
        # Whoever was refused has taken nothing away.
        assert address_of(folder) == running_address(folder) == URL
    assert address_of(folder) is running_address(folder) is None
    with server_lock(folder):
        pass


def test_asking_disturbs_nobody(tmp_path: Path) -> None:
    """Who asks for the address neither holds the folder afterwards nor makes one."""
    assert running_address(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
    (tmp_path / ADDRESS).write_text('{"address": "http://127.0.0.1:1"}')
    assert running_address(tmp_path) is None
    with server_lock(tmp_path) as lock:
        lock.tell(URL)
        assert running_address(tmp_path) == URL


def test_a_killed_holder(tmp_path: Path) -> None:
    """Its lock is gone with it; the address that it left is nobody's, and no second server is told of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, os.fspath(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ServerRunning), server_lock(tmp_path):
            pass
        assert running_address(tmp_path) == "http://127.0.0.1:1"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert running_address(tmp_path) is None
    with server_lock(tmp_path):
        with pytest.raises(ServerRunning) as caught, server_lock(tmp_path):
            pass
        assert caught.value.found is None


@pytest.mark.parametrize("kept", ["", "{", "[]", "7", '{"address": 7}', "{}", "\ufeff{}", '{"address": null}'])
def test_an_address_that_cannot_be_read(tmp_path: Path, kept: str) -> None:
    """Half written, or by another program: none is told, and nothing breaks."""
    (tmp_path / ADDRESS).write_text(kept, encoding="utf-8")
    assert address_of(tmp_path) is None
    (tmp_path / ADDRESS).write_bytes(b"\xff\xfe")
    assert address_of(tmp_path) is None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said so, and not that another server runs."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnwritable), server_lock(tmp_path / "file"):
        pass
    with pytest.raises(LedgerUnwritable), server_lock(tmp_path / "file" / "below"):
        pass


def test_the_folder_is_its_owner_s(tmp_path: Path) -> None:
    """Nobody else of the machine may look into it."""
    with server_lock(tmp_path / "state"):
        assert (tmp_path / "state").stat().st_mode & 0o077 == 0

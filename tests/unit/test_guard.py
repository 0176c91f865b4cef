"""The guard that keeps every test on this machine's loopback (tests/guard): it must itself be seen to hold."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.guard import limits, loopback, signals

ELSEWHERE = "192.0.2.1"  # TEST-NET-1, RFC 5737: nobody's


@pytest.fixture
def attempts() -> list[str]:
    """What the guard remembers; forgotten before the guard's own fixture would fail this test for it."""
    return loopback.attempts


async def test_asyncio_cannot_connect_elsewhere(attempts: list[str]) -> None:
    """A connection that asyncio opens to another machine fails as unreachable, and remembered as an attempt."""
    with pytest.raises(OSError, match="unreachable"):
        await asyncio.open_connection(ELSEWHERE, 443)
    assert attempts == [f"connect to {ELSEWHERE}:443"]
    attempts.clear()


def test_no_name_is_looked_up(attempts: list[str]) -> None:
    """The look-up of a host's name fails, and remembered as an attempt."""
    with pytest.raises(socket.gaierror):
        socket.create_connection(("studio.example", 443))
    assert attempts == ["look-up of studio.example"]
    attempts.clear()


def test_a_name_that_cannot_exist_is_no_attempt(attempts: list[str]) -> None:
    """The look-up of a name that cannot exist is a fair test and not an attempt."""
    with pytest.raises(socket.gaierror):
        socket.create_connection(("studio.invalid", 443))
    assert attempts == []


def test_loopback_works(attempts: list[str]) -> None:
    """A connection on this machine's loopback works and is no attempt."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        assert client.getpeername() == server.getsockname()
    assert attempts == []


def test_a_child_process_cannot_connect_elsewhere() -> None:
    """A Python process that a test starts is kept from other machines as the test itself is."""
    attempt = f"import socket; socket.create_connection(({ELSEWHERE!r}, 443), timeout=5)"
    done = subprocess.run([sys.executable, "-c", attempt], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in done.stderr
    assert "loopback.py" in done.stderr


@given(st.ip_addresses(v=4))
def test_only_127_and_unspecified_are_local(address: object) -> None:
    """Of all IPv4 addresses only 127.x.x.x and 0.0.0.0 are taken for this machine."""
    assert loopback.is_local(str(address)) == (str(address).startswith("127.") or str(address) == "0.0.0.0")


SHOW = "import signal; print([str(signal.getsignal(getattr(signal, name))) for name in {names!r}])"
PARENT = """
import os, signal, subprocess, sys
from tests.guard import signals
signals.keep_from_children()
for name in signals.NAMES:
    os.kill(os.getpid(), getattr(signal, name))
print("still here", flush=True)
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""


def ignore_all() -> None:
    """As `nohup` and a script's `&` do, and more."""
    for name in signals.NAMES:
        signal.signal(getattr(signal, name), signal.SIG_IGN)


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is inherited there")
@pytest.mark.parametrize("worker", [False, True])
def test_children_get_default_signals(worker: bool) -> None:
    """Who ignores signals, or is a worker of one who does, goes on ignoring them; its children hear them."""
    show = SHOW.format(names=signals.NAMES)
    environment = os.environ | {"PYTEST_XDIST_WORKER": "gw0", "TESTS_IGNORE_SIGNALS": " ".join(signals.NAMES)}
    command = [sys.executable, "-c", PARENT, show]
    done = subprocess.run(
        command,
        env=environment if worker else None,
        preexec_fn=None if worker else ignore_all,
        capture_output=True,
        text=True,
        check=True,
    )
    still_here, child = done.stdout.splitlines()
    assert still_here == "still here"
    assert child == str([str(signal.default_int_handler), *[str(signal.SIG_DFL)] * 3])


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is inherited there")
def test_a_forking_process_takes_default_signals() -> None:
    """The processes that fork the program instead of starting it put the signals right themselves."""
    program = f"from tests.guard import signals; signals.use_defaults(); {SHOW.format(names=signals.NAMES)}"
    done = subprocess.run(
        [sys.executable, "-c", program], preexec_fn=ignore_all, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([str(signal.default_int_handler), *[str(signal.SIG_DFL)] * 3])


WHERE = "import os, pwd; print(pwd.getpwuid(os.getuid()).pw_dir)"


@pytest.mark.skipif(sys.platform == "win32", reason="the system is asked otherwise there")
def test_a_home_of_its_own(tmp_path: Path) -> None:
    """Each test has its own, whatever $HOME says, in this process and in its children."""
    import pwd

    own = str(tmp_path.with_name(f"{tmp_path.name}-home"))
    assert pwd.getpwuid(os.getuid()).pw_dir == own
    environment = os.environ | {"HOME": "/elsewhere"}
    done = subprocess.run([sys.executable, "-c", WHERE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == own


LEAVES = """
from tests.conftest import _same_limits

def test_it():
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (600, resource.getrlimit(resource.RLIMIT_CPU)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_a_test_that_leaves_limits_fails(tmp_path: Path) -> None:
    """It, and not the one that would die of them later."""
    (tmp_path / "test_it.py").write_text(LEAVES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "left this process with other limits: RLIMIT_CPU" in done.stdout
    assert done.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_limits_are_put_back() -> None:
    """The tests behind it run with those that they would have had."""
    import resource

    before = limits.limits()
    soft, hard = before["RLIMIT_NOFILE"]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    assert "RLIMIT_NOFILE" in limits.put_back(before)
    assert limits.limits() == before

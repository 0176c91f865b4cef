"""The tests' PostgreSQL: shared by whoever asks, gone with them, and one of a test's own that dies as told."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import Postgres, PrivateServer, connected, shared
from tests.support.postgres_programs import VARIABLE, owner_ids, programs_for
from tests.support.proxy import Proxy

#: Says where its server listens, and waits until it is killed.
_SHARED = "from tests.support.postgres import shared; print(shared().port, flush=True); input()"
_PRIVATE = """
from tests.support.postgres import PrivateServer
with PrivateServer() as server:
    server.freeze()
    print(server.port, server._folder, flush=True)
    input()
"""


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with PrivateServer() as server:
        yield server


@contextlib.contextmanager
def process(root: Path, code: str, run: str = "") -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process of its own, killed at the end; and what it says first."""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTEST_XDIST_TESTRUNUID": run},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            yield child, child.stdout.readline().split()
        finally:
            child.kill()


def soon(holds: Callable[[], bool], within_s: float = 20) -> bool:
    end_s = time.monotonic() + within_s
    while not holds() and time.monotonic() < end_s:
        time.sleep(0.02)
    return holds()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        # What stands still answers nobody once its queue is full.
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_two_processes_share_one_and_it_ends_with_them(root: Path) -> None:
    """As two workers of xdist do. Killed, they leave nothing; and the next ones get a new one."""
    run = f"test-{os.getpid()}"
    with process(root, _SHARED, run) as (_, (port,)):
        with process(root, _SHARED, run) as (_, (same,)):
            assert port == same
        time.sleep(0.3)
        assert listens(int(port))
    assert soon(lambda: not listens(int(port)))
    with process(root, _SHARED, run) as (again, (new,)):
        assert listens(int(new))
        again.send_signal(signal.SIGINT)
        again.wait(20)
        assert soon(lambda: not listens(int(new)))


def test_a_private_one_ends_with_its_process(root: Path) -> None:
    """Killed while its server stands still: neither it nor its folder is left."""
    with process(root, _PRIVATE) as (child, (port, folder)):
        assert Path(folder).exists()
        child.kill()
        child.wait(20)
        assert soon(lambda: not listens(int(port)) and not Path(folder).exists())


def test_a_database_is_its_users_own() -> None:
    """Made for a while; dropped whoever is still connected."""
    server: Postgres = shared()
    with server.database() as one, server.database() as other:
        with connected(one) as db:
            db.execute("CREATE TABLE here (n int)")
        with connected(other) as db, pytest.raises(psycopg.errors.UndefinedTable):
            db.execute("TABLE here")
        lingering = connected(one)
    with pytest.raises(psycopg.OperationalError):
        lingering.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connected(one)


def test_it_is_as_safe_as_a_ledger_asks(server: PrivateServer) -> None:
    """Whoever may take its role on this machine cannot run programs by it; and what is committed is on disk."""
    assert server.query("SHOW fsync") == server.query("SHOW full_page_writes") == [("on",)]
    assert server.query("SHOW max_connections") == [("200",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.query("COPY (SELECT 1) TO PROGRAM 'true'")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry"):
        connected(server.url().replace("postgres@", "superuser@"))


def test_a_crash_keeps_what_was_committed(server: PrivateServer) -> None:
    """And nothing else; on the same port as before."""
    with server.database() as url:
        with connected(url) as db:
            db.execute("CREATE TABLE kept (n int)")
            db.execute("INSERT INTO kept VALUES (1)")
            db.execute("BEGIN")
            db.execute("INSERT INTO kept VALUES (2)")
            server.crash()
            with pytest.raises(psycopg.OperationalError):
                db.execute("COMMIT")
        with pytest.raises(psycopg.OperationalError, match="refused"):
            connected(url)
        server.start()
        assert "not properly shut down" in server.log()
        with connected(url) as db:
            assert db.execute("TABLE kept").fetchall() == [(1,)]
        server.restart()


def test_a_server_that_stands_still(server: PrivateServer) -> None:
    """Its port takes connections, and nothing is answered until it goes on."""
    with connected(server.url()) as db:
        with server.frozen():
            assert listens(server.port)
            with pytest.raises(psycopg.errors.ConnectionTimeout):
                psycopg.connect(server.url(), connect_timeout=2)
        assert db.execute("SELECT 1").fetchall() == [(1,)]


def cut_when_lost(proxy: Proxy) -> None:
    proxy.wait_lost()
    proxy.cut()


def test_a_commit_whose_answer_is_lost(server: PrivateServer) -> None:
    """Through the wire that can be cut: it is committed, and its client cannot know."""
    with server.database() as url, Proxy(server.port) as proxy:
        with connected(url) as db:
            db.execute("CREATE TABLE kept (n int)")
        with connected(proxy.url(url)) as db:
            db.execute("BEGIN")
            db.execute("INSERT INTO kept VALUES (1)")
            proxy.lose_answers(after=b"COMMIT")
            # Whoever waits for the answer is cut off once it is lost.
            cutter = threading.Thread(target=cut_when_lost, args=(proxy,))
            cutter.start()
            with pytest.raises(psycopg.OperationalError):
                db.execute("COMMIT")
            cutter.join()
        with connected(url) as db:
            assert db.execute("TABLE kept").fetchall() == [(1,)]


@pytest.mark.skipif(owner_ids() is None, reason="whoever is not root runs the server as themselves")
def test_a_clone_that_is_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root has where nobody else may look is copied to where the server can run it."""
    package = programs_for(tmp_path).parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    for name in (package.name, f"{package.name}.libs"):
        (closed / name).symlink_to(package.with_name(name))
    monkeypatch.setenv(VARIABLE, str(closed / programs_for(tmp_path).relative_to(package.parent)))
    with PrivateServer() as copied:
        assert copied.query("SELECT 1") == [(1,)]

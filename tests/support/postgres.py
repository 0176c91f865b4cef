"""A PostgreSQL for tests, from the wheel that the development lock brings: nothing to install, nothing left behind.

`shared()` is one server for all of a session's processes, with a database for whoever asks; `PrivateServer` is a test's
own, to be stopped, crashed and frozen. Neither needs a user of the system to be made: PostgreSQL refuses to run as
root, so there it runs as `nobody`. It listens on loopback alone, and the role `postgres`, which everybody may take
there, is no superuser: it owns the databases that it makes.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from dispatcher.ledger.postgres.migrating import migrate
from tests.support.postgres_programs import as_somebody, fast_place, owner_ids, programs_for

ROOT = Path(__file__).resolve().parents[2]
_START_S = 60.0
_STOP_S = 60.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "jit": "off",
    # The ledger refuses a server without them. In memory they cost nothing.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
}
_TEMPLATE = "ledger"
#: A test says which of two that lock each other is ended.
_ROLE = """\
CREATE ROLE postgres LOGIN CREATEDB IN ROLE pg_checkpoint, pg_monitor, pg_signal_backend
GRANT SET ON PARAMETER deadlock_timeout TO postgres
"""
_HBA = "host all postgres 127.0.0.1/32 trust\n"
#: A server whose test process is gone, however it went, hears its end of the pipe close: it ends, and its folder goes.
#: A word is how it is to end while its data stays.
_GUARDIAN = """
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 &
read -r word
kill -CONT $! 2>/dev/null
kill -"${word:-QUIT}" $! 2>/dev/null
wait $!
[ -n "$word" ] || rm -rf "$folder"
"""


class Postgres:
    """A server that runs, and its databases."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._has_template = False

    def url(self, database: str = "postgres") -> str:
        """Of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def query(self, text: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement, committed; the rows of its answer, if it has any."""
        return query(self.url(database), text)

    def create(self, template: str = "template1") -> str:
        """A new database, some 20 ms. Returns its name."""
        name = f"t_{secrets.token_hex(8)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with connected(self.url()) as connection:
            connection.execute(statement)
        return name

    def drop(self, name: str) -> None:
        """A database, whoever is connected to it."""
        with connected(self.url()) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a database that is there for a while."""
        name = self.create(template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)

    @contextlib.contextmanager
    def ledger(self) -> Iterator[str]:
        """The URL of a new ledger: a copy of one that is migrated once for each server."""
        with self.database(self._migrated()) as url:
            yield url

    def _migrated(self) -> str:
        if not self._has_template:
            # One process makes it, the others wait.
            with connected(self.url()) as alone:
                alone.execute("SELECT pg_advisory_lock(1)")
                if not self.has(_TEMPLATE):
                    name = self.create()
                    migrate(self.url(name))
                    self.rename(name, _TEMPLATE)
            self._has_template = True
        return _TEMPLATE

    def rename(self, name: str, to: str) -> None:
        """A database that nobody is connected to."""
        with connected(self.url()) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to))
            )

    def has(self, name: str) -> bool:
        """Whether there is a database of that name."""
        return (name,) in self.query("SELECT datname::text FROM pg_database")


class PrivateServer(Postgres):
    """A server of a test's own, with nothing in it; half a second to make. A context manager, within which it runs.

    `settings` are PostgreSQL's, above those that all servers of the tests have; `place`: where its files lie, else in
    memory if there is room.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, *, place: Path | None = None) -> None:
        super().__init__(_free_port())
        self._settings = {**_SETTINGS, **(settings or {})}
        self._place = place
        self._folder = Path()
        self._programs = Path()
        self._guardian: subprocess.Popen[str] | None = None

    def __enter__(self) -> PrivateServer:
        self._folder = Path(tempfile.mkdtemp(prefix="dispatcher-postgres-", dir=self._place or fast_place()))
        try:
            if (owner := owner_ids()) is not None:
                os.chown(self._folder, *owner)
            self._programs = programs_for(self._folder)
            self._initialise()
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def start(self) -> None:
        """After `stop` or `crash`: on the port that it had, with recovery as needed."""
        assert self._guardian is None
        options = [text for name, value in self._settings.items() for text in ("-c", f"{name}={value}")]
        before = len(self.log())
        self._guardian = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                _GUARDIAN,
                "sh",
                str(self._folder),
                *self._command("postgres"),
                "-p",
                str(self.port),
                *options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # a Ctrl-C is not for it
            **as_somebody(),
        )
        end_s = time.monotonic() + _START_S
        while self._status() != "ready":
            said = self.log()[before:]
            if "database system is shut down" in said or time.monotonic() > end_s:
                self._end_by("QUIT")
                raise RuntimeError(f"PostgreSQL does not start:\n{said}")
            time.sleep(0.01)

    def stop(self) -> None:
        """An orderly end, sessions are cut off."""
        self._end_by("INT")

    def crash(self) -> None:
        """The end that `pg_ctl -m immediate` makes: nothing is written any more, the next start recovers."""
        self._end_by("QUIT")

    def restart(self) -> None:
        """Stop, start."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """All of its processes stand still (SIGSTOP), as on a machine that hangs: connections stay, nothing answers."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def freeze(self) -> None:
        """From now on; the postmaster first, which starts others."""
        for pid in (postmaster := self.pid, *_children(postmaster)):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Ends `freeze`."""
        for pid in (*_children(postmaster := self.pid), postmaster):
            os.kill(pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The postmaster's."""
        return int((self._data / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])

    def log(self) -> str:
        """All that it has said."""
        try:
            return (self._folder / "log").read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _status(self) -> str:
        try:
            lines = (self._data / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return ""
        return lines[7].strip() if len(lines) > 7 else ""

    def _initialise(self) -> None:
        done = subprocess.run(
            [*self._command("initdb"), "-U", "superuser", "-A", "reject", "-E", "UTF8", "--locale=C", "--no-sync"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_START_S,
            **as_somebody(),
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")
        (self._data / "pg_hba.conf").write_text(_HBA, "utf-8")
        subprocess.run(
            [*self._command("postgres", "--single"), "postgres"],
            input=_ROLE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=_START_S,
            **as_somebody(),
        )

    def _command(self, program: str, *first: str) -> list[str]:
        return [str(self._programs / program), *first, "-D", str(self._data)]

    def _end_by(self, word: str) -> None:
        guardian, self._guardian = self._guardian, None
        assert guardian is not None
        try:
            guardian.communicate(f"{word}\n" if word else "", timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            # Its group: the server's other processes have sessions of their own, and end when their postmaster is gone.
            os.killpg(guardian.pid, signal.SIGKILL)
            guardian.communicate()
            raise

    def _end(self) -> None:
        try:
            if self._guardian is not None:
                self._end_by("")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


@functools.cache
def shared() -> Postgres:
    """The session's server: begun by the first process that asks, ended once none that did is left, however it went."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}-{secrets.token_hex(4)}")
    folder = fast_place() / f"dispatcher-tests-{run}"
    with _used(folder):
        ready = folder / "ready"
        if not ready.exists():
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.support.postgres", str(folder)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            end_s = time.monotonic() + 2 * _START_S
            while not ready.exists() and keeper.poll() is None and time.monotonic() < end_s:
                time.sleep(0.01)
            # It outlives this process: nobody here waits for it.
            keeper.returncode = 0
    found = json.loads(ready.read_text("utf-8"))
    if "error" in found:
        raise RuntimeError(found["error"])
    return Postgres(found["port"])


@contextlib.contextmanager
def _used(folder: Path) -> Iterator[None]:
    """Alone on the folder within; and from now on, until this process ends, its keeper stays.

    The locks are the process', not its files': no child that it forks holds them as well.
    """
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        users = os.open(folder / "users", os.O_RDWR | os.O_CREAT, 0o600)
        with (folder / "starting").open("w") as starting:
            fcntl.lockf(starting, fcntl.LOCK_EX)
            fcntl.lockf(users, fcntl.LOCK_SH)
            # A keeper that was about to go has taken its folder along meanwhile.
            if (folder / "users").exists() and os.path.samestat(os.fstat(users), (folder / "users").stat()):
                yield
                return
        os.close(users)


def _keep(folder: Path) -> None:
    """The process that has the shared server: until nobody holds `users` any more."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    users = os.open(folder / "users", os.O_RDWR)
    try:
        with PrivateServer() as server:
            _tell(folder, {"port": server.port})
            fcntl.lockf(users, fcntl.LOCK_EX)
    except Exception as exc:
        _tell(folder, {"error": f"no PostgreSQL for the tests: {exc}"})
        fcntl.lockf(users, fcntl.LOCK_EX)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(folder: Path, what: Mapping[str, Any]) -> None:
    (folder / "telling").write_text(json.dumps(what), "utf-8")
    (folder / "telling").rename(folder / "ready")


def query(url: str, text: str) -> list[tuple[Any, ...]]:
    """Run one statement, committed; the rows of its answer, if it has any."""
    with connected(url) as connection:
        cursor = connection.execute(text.encode())
        return cursor.fetchall() if cursor.description is not None else []


def connected(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """As the ledger's own sessions: its tables are found without their schema."""
    return psycopg.connect(url, autocommit=True, connect_timeout=10, options="-c search_path=dispatcher,public")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything.
            if int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))

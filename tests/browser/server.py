"""The server as a process, in a folder of its own: what whoever installs it has, and what tests kill."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dispatcher.clock import now_ms
from dispatcher.settings import load
from dispatcher.web.accounts import folder_of
from dispatcher.web.store import Role, Store, open_store
from tests.acceptance.cli.program import PROGRAM, TIMEOUT_S, Program, check_clean

CONFIG, OUT, LOG = "config.toml", "server.out", "server.log"
PASSWORD = "correct horse battery"


@dataclass(slots=True)
class Server:
    """`dispatcher serve` with the settings of a folder. It may be killed, stopped and started again."""

    folder: Path
    options: tuple[str, ...] = ()
    env: dict[str, str | None] = field(default_factory=dict)
    #: The system chooses the first time; a server that comes back is where it was.
    port: int = 0
    #: What it printed: the link that works once, or its address alone.
    printed: str = ""
    _process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it has said where it is. Raises: AssertionError: it ended instead."""
        out = self.folder / OUT
        self._process = self._spawn(out)
        await until(lambda: out.read_bytes().endswith(b"\n") or self._has_ended(), "the server's address")
        assert not self._has_ended(), self.said()
        self.printed = out.read_text("utf-8").strip()
        self.port = urlsplit(self.printed).port or 0

    def _spawn(self, out: Path) -> subprocess.Popen[bytes]:
        with out.open("wb") as printed, (self.folder / LOG).open("ab") as log:
            return subprocess.Popen(
                [*PROGRAM, "serve", "--port", str(self.port), *self.options],
                cwd=self.folder,
                env=Program(self.folder).environment(self.env),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=log,
            )

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def state(self) -> Path:
        """The folder of the ledger, of web.sqlite3 and of the uploads."""
        settings = load(self.folder / CONFIG, flags={}, environ={}).settings
        return self.folder / folder_of(settings)

    def kill(self) -> None:
        """SIGKILL: as if the plug had been pulled."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(TIMEOUT_S)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, wait until it has, say how it ended."""
        assert self._process is not None
        self._process.send_signal(number)
        await until(self._has_ended, "the server's end")
        return self._process.returncode

    def end(self) -> None:
        """After a test, however that went: kill it, and look whether it has said what it must not."""
        if self._process is not None and not self._has_ended():
            self.kill()
        check_clean(self.said())

    def said(self) -> str:
        """All of its stderr, over all its starts."""
        log = self.folder / LOG
        return log.read_text("utf-8") if log.exists() else ""

    async def cookie(self, name: str | None = None, *, minutes_ago: int = 0) -> tuple[str, str]:
        """Name and value of a session begun past the sign-in: of the one person of a page by link, or of this one."""
        async with self._store() as store:
            user = None if name is None else await store.users.by_name(name)
            begun_ms = now_ms() - minutes_ago * 60_000
            token = await store.sessions.begin(None if user is None else user.user_id, now_ms=begun_ms)
        return f"dispatcher_{self.port}", token

    async def add(self, name: str, role: Role, *, own_numbers: tuple[str, ...] = ()) -> None:
        """A person of the page by password."""
        async with self._store() as store:
            await store.users.add(name, role, PASSWORD, own_numbers=own_numbers, now_ms=now_ms())

    async def change(self, name: str, role: Role) -> None:
        """What this person may from now on."""
        async with self._store() as store:
            user = await store.users.by_name(name)
            assert user is not None
            await store.users.change(user.user_id, role=role)

    def _store(self) -> _OpenStore:
        return _OpenStore(self.state)

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


class _OpenStore:
    """web.sqlite3, also while a server works with it: `serve users` does the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __aenter__(self) -> Store:
        self._store = await open_store(self._folder)
        return self._store

    async def __aexit__(self, *_: object) -> None:
        await self._store.close()


async def until(true: Callable[[], Any], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Wait for something that another process does, without holding the browser's loop."""
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


def numbers(text: str) -> list[int]:
    """The numbers of a text as a person reads them: '412 of 1,234' is 412 and 1234."""
    return [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]

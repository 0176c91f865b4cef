"""Where a worker of xdist dies, the failure says how: xdist itself names the test that ran, and nothing else.

By which signal or with which code it ended, how much memory it had and the machine has left, what its threads were at,
and which tests it had run before: what such a test leaves behind may kill a later one.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import tempfile
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import IO, Any

import pytest

#: So many tests of a worker are remembered.
BEFORE = 8
#: Its pipe is closed a moment before it has ended.
_END_S = 5.0
_FILE = "crash_file"


class Crashes:
    """A plugin of pytest, in the main process and in each worker."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="crashes-")
        self._before: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=BEFORE))
        self._dump: IO[str] | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """In a worker, and after pytest's own wish: what faulthandler has to say goes into a file of its own."""
        name = getattr(session.config, "workerinput", {}).get(_FILE)
        if name is not None:
            self._dump = Path(name).open("w", encoding="utf-8")  # noqa: SIM115 - open as long as the worker lives
            faulthandler.enable(self._dump)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is to start: it is told where that file is."""
        node.workerinput[_FILE] = str(self._file(node.gateway.id))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A worker has run a part of a test."""
        if report.when == "teardown" and hasattr(report, "node"):
            self._before[report.node.gateway.id].append(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: Any) -> None:
        """A worker is gone: the failure that xdist makes of it gets what is known."""
        name = report.node.gateway.id
        file = self._file(name)
        lines = [
            str(report.longrepr),
            how_it_ended(report.node.gateway._io.popen),
            f"it had run before: {', '.join(self._before[name]) or 'nothing'}",
            file.read_text(encoding="utf-8", errors="replace") if file.exists() else "",
        ]
        report.longrepr = "\n".join(lines).rstrip()

    def _file(self, worker: str) -> Path:
        return Path(self._folder.name) / worker

    def pytest_unconfigure(self) -> None:
        """The run is over."""
        self._folder.cleanup()


def how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """A sentence or two. Waits for its end, a few seconds at most."""
    end_s = time.monotonic() + _END_S
    memory = ""
    while process.returncode is None and time.monotonic() < end_s:
        try:
            found, status, usage = os.wait4(process.pid, os.WNOHANG)
        except ChildProcessError:
            return "how it ended has been asked by somebody else"
        if found:
            process.returncode = os.waitstatus_to_exitcode(status)
            memory = f"; it had {usage.ru_maxrss // 1024} MiB at its largest, {_memory_left()}"
        else:
            time.sleep(0.01)
    code = process.returncode
    if code is None:
        return "it is still running, and has closed its pipe"
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}{memory}"
    hung = " (as what hangs does: stderr has its threads, see faulthandler_timeout)" if code == 1 else ""
    return f"it ended itself, with {code}{hung}{memory}"


def _memory_left() -> str:
    """Of the machine, and how often the system has killed for lack of it."""
    found = []
    for name, wanted in (("/proc/meminfo", "MemAvailable:"), ("/sys/fs/cgroup/memory.events", "oom_kill")):
        try:
            lines = Path(name).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        found += [" ".join(line.split()) for line in lines if line.startswith(wanted)]
    return ", ".join(found) or "of the machine's memory nothing is known"

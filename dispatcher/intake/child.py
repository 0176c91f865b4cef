"""A reader in a process of its own: a file made to fill memory or time costs that process its life, and us nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

try:
    import resource
except ImportError:  # no such bounds on Windows
    resource = None  # type: ignore[assignment]

#: Address space of the child; and what of it the file may fill: some for any, and so much for each of its bytes. A
#: sheet of a million rows takes some twenty times its file, and a few hundred bytes may stand for gigabytes.
MEMORY_MAX_BYTES = 4 << 30
FILLED_MAX_BYTES = 160 << 20
FILLED_MAX_PER_BYTE = 48
#: Seconds of its processor time between two things that it has to say: a refusal comes within a minute.
SILENT_MAX_S = 45

#: Whether this process is such a child. What it is told while it reads must bound no other: that would be killed later.
_is_bound = False


class Child:
    """A module of this package, run with arguments; what it has to say comes through `out`."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        assert self._process.stdout is not None
        self.out: IO[bytes] = self._process.stdout

    @property
    def returncode(self) -> int | None:
        """What it ended with; None: it runs."""
        return self._process.poll()

    def cause_of_death(self) -> tuple[str, str]:
        """Once it has ended before it had said all: what about the file has probably killed it, and what was seen."""
        code = self._process.wait()
        if code == -getattr(signal, "SIGXCPU", 0):
            return "it takes too long to read", f"nothing was read in {SILENT_MAX_S} s"
        return "it needs too much memory, or is damaged", f"the reader ended with {code}"

    def end(self) -> None:
        """End it, if it has not."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self.out.close()


def bound(path: Path) -> None:
    """In the child, before it reads anything of that file."""
    global _is_bound
    _is_bound = True
    if resource is not None:
        filled_bytes = FILLED_MAX_BYTES + path.stat().st_size * FILLED_MAX_PER_BYTE
        _limit(resource.RLIMIT_AS, MEMORY_MAX_BYTES)
        _limit(resource.RLIMIT_DATA, min(_taken_bytes() + filled_bytes, MEMORY_MAX_BYTES))
        _limit(resource.RLIMIT_CORE, 0)
    go_on()


def go_on() -> None:
    """Whenever something was read: in the child the time begins anew. Elsewhere nothing happens."""
    if not _is_bound:
        return
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + SILENT_MAX_S)


def _taken_bytes() -> int:
    """What its libraries have taken by now, the more the more processors there are (proc(5): the sixth of statm)."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[5])
    except OSError:
        return 0  # only Linux counts towards the limit what is not in use yet
    return pages * os.sysconf("SC_PAGE_SIZE")


def _limit(kind: int, most: int) -> None:
    """As much, or as little as whoever started the program allows."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _environment() -> dict[str, str]:
    # The child imports this very package, wherever it was imported from; and it needs no secret.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWILIO_")}
    python_path = os.pathsep.join(path for path in sys.path if path)
    # Arrow's own allocator takes a gigabyte of address space before it is asked for any.
    return {**kept, "PYTHONPATH": python_path, "ARROW_DEFAULT_MEMORY_POOL": "system"}

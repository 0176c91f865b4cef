"""A reader in a process of its own: a file that is made to fill memory costs that process its life, and us nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO

#: Address space of the child.
MEMORY_MAX_BYTES = 4 << 30


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

    def wait(self) -> int:
        """Until it has ended; with what."""
        return self._process.wait()

    def end(self) -> None:
        """End it, if it has not."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self.out.close()


def bound_memory() -> None:
    """In the child, before it reads anything."""
    try:
        import resource
    except ImportError:  # no such bound on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))


def _environment() -> dict[str, str]:
    # The child imports this very package, wherever it was imported from; and it needs no secret.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWILIO_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

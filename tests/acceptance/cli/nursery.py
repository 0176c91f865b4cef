"""Runs commands in forks of one process that has imported everything: a command costs what it does, not Python's start.

What runs in a fork is the program from its arguments to its last byte, with its own environment, folder and streams.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.guard import signals

ROOT = Path(__file__).resolve().parents[3]


class Nursery:
    """The process that forks, seen from a test. `run` is one command to its end."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # No threads before the fork.
        variables = os.environ | {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.cli.nursery"],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: list[str], *, folder: Path, env: dict[str, str], stdin: str) -> tuple[int, str, str]:
        """The exit code (minus the signal that ended it), stdout and stderr."""
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            (place / "in").write_text(stdin, encoding="utf-8")
            order = {"arguments": arguments, "folder": str(folder), "env": env, "streams": name}
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order | {"timeout_s": self._timeout_s}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            out, err = ((place / what).read_text(encoding="utf-8") for what in ("out", "err"))
        assert answer, "the nursery has gone"
        return json.loads(answer), out, err

    def close(self) -> None:
        """End it."""
        # Closes its input, which ends it, and waits.
        self._process.communicate(timeout=self._timeout_s)


def _be(order: dict[str, Any]) -> None:
    os.setsid()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, name, flags in (
        (0, "in", os.O_RDONLY),
        (1, "out", os.O_WRONLY | os.O_CREAT),
        (2, "err", os.O_WRONLY | os.O_CREAT),
    ):
        file = os.open(f"{order['streams']}/{name}", flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["dispatcher", *order["arguments"]]
    from dispatcher.__main__ import main

    main()


def _run(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 70  # what no command ends with
        try:
            _be(order)
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    end_s = time.monotonic() + order["timeout_s"]
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end_s:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def main() -> None:
    """Serve orders, one after the other, until the input ends."""
    from tests.chaos.zygote import preload

    signals.use_defaults()
    preload()
    for line in sys.stdin:
        answer = _run(json.loads(line))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""The program as processes that can be killed, suspended and robbed of their disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.guard import home

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT_SID = "AC" + "0" * 32
ENVIRONMENT = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_AUTH_TOKEN": "not-a-real-token", "NO_COLOR": "1"}
#: Nothing that a test waits for takes longer, whatever else the machine does: who has waited so long waits in vain.
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Process:
    """One running program. `stdout` and `stderr` are files; stderr goes on from process to process."""

    pid: int
    stdout: Path
    stderr: Path
    ended: Future[int]

    @property
    def running(self) -> bool:
        return not self.ended.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is still there."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def allow_files_of_any_size(self) -> None:
        """Give the disk back to a process that was started with `file_size_max`."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    async def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end: its exit code, or minus the signal that ended it."""
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(asyncio.wrap_future(self.ended))

    async def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself in that time."""
        try:
            await self.wait(seconds)
        except TimeoutError:
            return False
        return True


class Zygote:
    """Forks programs. Outlives event loops: one serves many tests."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._ends: dict[int, Future[int]] = {}
        self._early: dict[int, int] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._answer()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "ended" not in answer:
                self._answers.put(answer)
                continue
            with self._lock:
                pid = answer["ended"]
                if pid in self._ends:
                    self._ends.pop(pid).set_result(answer["status"])
                else:
                    self._early[pid] = answer["status"]
        self._answers.put(None)

    def _answer(self) -> dict[str, Any]:
        answer = self._answers.get(timeout=PATIENCE_S)
        if answer is None:
            raise RuntimeError("the zygote has gone")
        return answer

    async def start(self, folder: Path, *arguments: str | Path, **order: Any) -> Process:
        """Start the program in `folder` with these arguments; `order`: see `zygote.become`."""
        stdout, stderr = folder / "stdout.txt", folder / "stderr.txt"
        # The zygote is older than the test that asks.
        own = {name: os.environ.get(name, "") for name in (home.VARIABLE, "XDG_DATA_HOME")}
        order["env"] = {**own, **order.get("env", {})}
        order |= {"arguments": [str(item) for item in arguments], "cwd": str(folder)}
        order = {"stdout": str(stdout), "stderr": str(stderr)} | order
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        pid = (await asyncio.to_thread(self._answer))["pid"]
        ended: Future[int] = Future()
        with self._lock:
            if pid in self._early:
                ended.set_result(self._early.pop(pid))
            else:
                self._ends[pid] = ended
        return Process(pid, Path(order["stdout"]), Path(order["stderr"]), ended)

    async def run(self, folder: Path, *arguments: str | Path, timeout_s: float = PATIENCE_S, **order: Any) -> int:
        """Start the program and wait for its end."""
        process = await self.start(folder, *arguments, **order)
        return await process.wait(timeout_s)

    def kill_all(self) -> None:
        """Kill what still runs, and wait until it is gone."""
        with self._lock:
            left = dict(self._ends)
        for pid, ended in left.items():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            ended.result(timeout=PATIENCE_S)


@contextlib.contextmanager
def zygote(**environment: str) -> Iterator[Zygote]:
    """A zygote. Whatever it forked is killed at the end."""
    variables = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    variables |= ENVIRONMENT | environment
    # No threads before the fork.
    variables |= {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "guard"), str(ROOT)])
    with subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.zygote"],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        result = Zygote(process)
        try:
            yield result
        finally:
            result.kill_all()
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE_S)

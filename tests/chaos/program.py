"""The program as processes that can be killed, suspended and robbed of their disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT_SID = "AC" + "0" * 32
ENVIRONMENT = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_AUTH_TOKEN": "not-a-real-token", "NO_COLOR": "1"}


@dataclass
class Process:
    """One running program. `stdout` and `stderr` are files; stderr goes on from process to process."""

    pid: int
    stdout: Path
    stderr: Path
    _ended: asyncio.Task[int]

    @property
    def running(self) -> bool:
        return not self._ended.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is still there."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for its end: its exit code, or minus the signal that ended it."""
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(self._ended)

    async def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself in that time."""
        await asyncio.wait([self._ended], timeout=seconds)
        return not self.running


class Zygote:
    """Forks programs in one folder, one after the other."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self._folder = folder
        self._process = process
        self.current: Process | None = None

    async def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the zygote has gone")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def start(self, *arguments: str | Path, **order: Any) -> Process:
        """Start the program with these arguments. The one before must have ended."""
        assert self._process.stdin is not None
        assert self.current is None or not self.current.running
        stdout, stderr = self._folder / "stdout.txt", self._folder / "stderr.txt"
        order |= {"arguments": [str(item) for item in arguments], "cwd": str(self._folder)}
        order |= {"stdout": str(stdout), "stderr": str(stderr)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        pid = (await self._answer())["pid"]

        async def ended() -> int:
            status: int = (await self._answer())["status"]
            return status

        self.current = Process(pid, stdout, stderr, asyncio.create_task(ended()))
        return self.current

    async def run(self, *arguments: str | Path, timeout_s: float = 60.0, **order: Any) -> int:
        """Start the program and wait for its end."""
        process = await self.start(*arguments, **order)
        return await process.wait(timeout_s)


@contextlib.asynccontextmanager
async def zygote(folder: Path, **environment: str) -> AsyncIterator[Zygote]:
    """A zygote for programs in this folder. Whatever it forked is killed at the end."""
    variables = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    variables |= ENVIRONMENT | environment
    # No threads before the fork.
    variables |= {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "guard"), str(ROOT)])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chaos.zygote",
        cwd=ROOT,
        env=variables,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    result = Zygote(folder, process)
    try:
        assert (await result._answer())["ready"]
        yield result
    finally:
        if result.current is not None and result.current.running:
            result.current.signal(signal.SIGKILL)
            await result.current.wait(10)
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

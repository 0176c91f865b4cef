"""Machines of the cluster: each has a worker, a clock, a home and wires of its own, and starts its worker again."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.cluster.plan import Tally
from tests.chaos.program import Process, Zygote
from tests.support.proxy import Proxy

#: What a supervisor waits before it starts a worker again: systemd's RestartSec.
RESTART_S = (0.2, 2.0)
#: Whoever is told to end has as long.
END_S = 10.0
CONFIG = """\
[account]
base_url = "{base_url}"
[state]
url = "{url}"
[cluster]
lease_s = {lease_s}
tick_s = {tick_s}
shifts = 40
credentials_dir = "{credentials}"
"""


@dataclass(eq=False)
class Machine:
    """One of them. `to_ledger`: its wire to PostgreSQL; `to_studio`: to Studio, if it has one of its own."""

    number: int
    folder: Path
    to_ledger: Proxy
    to_studio: Proxy | None = None
    studio_port: int = 0
    process: Process | None = None
    start_at_s: float = 0.0
    #: Until then something is done to it, which its supervisor and others leave alone.
    troubled_until_s: float = 0.0

    @property
    def pid(self) -> int:
        """Its worker's; 0: none runs."""
        return self.process.pid if self.process is not None and self.process.running else 0

    @property
    def is_calm(self) -> bool:
        """Whether its worker runs, and nothing is done to it."""
        return bool(self.pid) and time.monotonic() > self.troubled_until_s

    def clock(self, off_s: float) -> None:
        """From now on its wall clock is wrong by so much."""
        (self.folder / "clock").write_text(str(off_s), encoding="ascii")

    def signal(self, number: signal.Signals) -> None:
        """To its worker, if there is one."""
        if self.process is not None:
            self.process.signal(number)

    def said(self) -> str:
        """All that its workers have written on stderr."""
        file = self.folder / "stderr.txt"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def tracebacks(self) -> list[str]:
        """What each of the tracebacks that they have written ends with."""
        found, inside = [], False
        for line in self.said().splitlines():
            if line.startswith("Traceback"):
                inside = True
            elif inside and line and not line.startswith(" "):
                found.append(re.sub(r"\d+", "N", line[:160]))
                inside = False
        return found


class Programs:
    """Starts programs, one after the other: the zygote's answers are told by their order."""

    def __init__(self, program: Zygote) -> None:
        self._program = program
        self._alone = asyncio.Lock()

    async def start(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None, **order: Any) -> Process:
        """See `Zygote.start`; with a home in the folder."""
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        own = {name: str(home) for name in ("TESTS_HOME", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
        async with self._alone:
            return await self._program.start(folder, *arguments, env={**own, **(env or {})}, **order)


class Crew:
    """All machines. As a context: within, each has a worker, whatever happens to it."""

    def __init__(self, machines: Sequence[Machine], programs: Programs, tally: Tally, chance: random.Random) -> None:
        self.machines = machines
        self._programs = programs
        self._tally = tally
        self._chance = chance
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Crew:
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        for machine in self.machines:
            machine.signal(signal.SIGKILL)
            if machine.process is not None:
                await machine.process.wait()

    def with_pid(self, pid: int) -> Machine | None:
        """Whose worker that is."""
        return next((machine for machine in self.machines if pid and machine.pid == pid), None)

    async def kill(self, machine: Machine) -> bool:
        """kill -9; whether it lived until then."""
        process = machine.process
        if process is None or not process.running:
            return False
        # Before its end, which the supervisor would take for one of its own.
        machine.start_at_s = time.monotonic() + self._chance.uniform(*RESTART_S)
        machine.process = None
        process.signal(signal.SIGKILL)
        return await process.wait() == -signal.SIGKILL

    async def end(self, machine: Machine) -> None:
        """SIGTERM, and how long its end takes; its supervisor starts another."""
        begun_s, process = time.monotonic(), machine.process
        if process is None or not process.running:
            return
        machine.start_at_s = begun_s + END_S
        machine.process = None
        process.signal(signal.SIGTERM)
        if await process.ends_within(END_S):
            self._tally.handed_over_s.append(time.monotonic() - begun_s)
            if (code := await process.wait()) not in (0, 128 + signal.SIGTERM):
                self._tally.notes.append(f"worker {machine.number} ended on SIGTERM with {code}")
        else:
            self._tally.not_ended += 1
            self._tally.notes.append(f"worker {machine.number} does not end on SIGTERM: {machine.said()[-800:]}")
            process.signal(signal.SIGKILL)
            await process.wait()
        machine.start_at_s = time.monotonic() + self._chance.uniform(*RESTART_S)

    async def end_all(self) -> None:
        """All of them, for good."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        for machine in self.machines:
            await self.end(machine)

    async def _supervise(self) -> None:
        while True:
            for machine in self.machines:
                process = machine.process
                if process is not None and not process.running:
                    code = await process.wait()
                    self._tally.exits[f"code {code}"] += 1
                    machine.process = None
                    machine.start_at_s = time.monotonic() + self._chance.uniform(*RESTART_S)
                if machine.process is None and time.monotonic() >= machine.start_at_s:
                    await self._start(machine)
            await asyncio.sleep(0.05)

    async def _start(self, machine: Machine) -> None:
        clock = machine.folder / "clock"
        order: dict[str, Any] = {"clock": str(clock)} if clock.exists() else {}
        if machine.to_studio is not None:
            order["ports"] = {str(machine.studio_port): machine.to_studio.port}
        machine.process = await self._programs.start(machine.folder, "worker", "--config", "config.toml", **order)
        self._tally.started += 1

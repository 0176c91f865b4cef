"""A ledger of many machines for the command line's tests: a planner's folder, workers, and a real PostgreSQL."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.acceptance.cli.program import CREDENTIALS, PROGRAM, Program, SandboxProcess, write_settings

#: The campaign's rows, and the account's rate, where a test has no others.
ROWS = 200
PER_S = 40


@dataclass
class Cluster:
    """A planner's folder, a ledger on a server, and whatever workers are started."""

    plans: Program
    sandbox: SandboxProcess
    url: str
    workers: contextlib.ExitStack

    def settings(self, **tables: dict[str, Any]) -> None:
        """The planner's, and those of workers that begin from now on."""
        own: dict[str, dict[str, Any]] = {
            "state": {"dir": None, "url": self.url},
            "cluster": {"tick_s": 1},
            "rate": {"per_second": PER_S},
        }
        write_settings(self.plans.folder, self.sandbox.base_url, **(own | tables))

    def start_worker(self, name: str = "worker", **env: str) -> subprocess.Popen[str]:
        """As on another machine: with the account's secret, and without the planner's file."""
        folder = self.plans.folder / name
        folder.mkdir(exist_ok=True)
        text = (self.plans.folder / "config.toml").read_text("utf-8")
        (folder / "config.toml").write_text(text, "utf-8")
        return self.workers.enter_context(running(Program(folder, env={**CREDENTIALS, **env})))

    def check_nobody_twice(self, creates: int) -> None:
        stats = self.sandbox.stats()
        assert (stats["creates"], stats["duplicates"], stats["created_by_dispatch_id_duplicates"]) == (creates, {}, {})


@contextlib.contextmanager
def running(program: Program) -> Iterator[subprocess.Popen[str]]:
    """A worker for the time of the block. What it says goes to a file: nobody reads a pipe meanwhile."""
    with (program.folder / "worker.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*PROGRAM, "worker"],
            cwd=program.folder,
            env=program.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def status(cluster: Cluster, *options: str) -> dict[str, Any]:
    """As whoever looks sees it, without any credentials."""
    result = cluster.plans("status", "spring", "--json", *options, env={"TWILIO_ACCOUNT_SID": None})
    assert result.code == 0, result.err
    found: dict[str, Any] = result.json
    return found

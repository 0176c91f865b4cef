"""The program and the sandbox as subprocesses: what a person or a script sees of them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.cli.nursery import Nursery

ACCOUNT_SID = "AC" + "0" * 32
FLOW = "FW0123456789abcdef0123456789abcdef"
#: Shown nowhere, ever. Found anywhere, a test fails.
TOKEN = "canary-7f3b9c-token"
CREDENTIALS = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_AUTH_TOKEN": TOKEN}
PROGRAM = (sys.executable, "-m", "dispatcher")
#: No test waits longer for a command than this; a machine with busy cores is slow to start Python.
TIMEOUT_S = 120.0
LIMIT_PER_S = 500


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, which must be one JSON value and nothing else."""
        return json.loads(self.out)

    @property
    def found(self) -> dict[str, Any]:
        """The object on stdout without what every object has."""
        assert (self.json["schema"], self.json["exit_code"]) == (1, self.code)
        return {name: value for name, value in self.json.items() if name not in ("schema", "exit_code", "error")}


@dataclass(slots=True)
class Program:
    """The command line in a folder, with an environment of its own."""

    folder: Path
    #: Runs commands to their end; those that are only started start by themselves.
    nursery: Nursery | None = None
    env: dict[str, str] = field(default_factory=lambda: dict(CREDENTIALS))

    def __call__(self, *arguments: str | Path, stdin: str = "", env: dict[str, str | None] | None = None) -> Result:
        """Run a command to its end. What it prints holds no secret and no traceback, whatever it is."""
        assert self.nursery is not None
        words = [str(argument) for argument in arguments]
        result = Result(*self.nursery.run(words, folder=self.folder, env=self.environment(env), stdin=stdin))
        check_clean(result.out + result.err, debug="--debug" in arguments)
        return result

    def start(self, *arguments: str | Path, env: dict[str, str | None] | None = None) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self, changes: dict[str, str | None] | None = None) -> dict[str, str]:
        """This process's environment with ours; None takes a variable away."""
        merged: dict[str, str | None] = {**os.environ, **self.env, **(changes or {})}
        return {name: value for name, value in merged.items() if value is not None}


def check_clean(text: str, *, debug: bool = False) -> None:
    """Nothing secret, and no traceback unless asked for."""
    assert TOKEN not in text
    assert debug or "Traceback" not in text, text


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What a command that was started says on stderr until this is in it; `finish` says the rest."""
    assert process.stderr is not None
    said = b""
    # Not by readline: what that had read ahead, `finish` would miss.
    while text.encode() not in said:
        assert select.select([process.stderr], [], [], TIMEOUT_S)[0], f"waited in vain for {text!r}: {said.decode()}"
        piece = os.read(process.stderr.fileno(), 65536)
        assert piece, f"ended without {text!r}: {said.decode()}"
        said += piece
    return said.decode()


def finish(process: subprocess.Popen[str], timeout_s: float = TIMEOUT_S) -> Result:
    """Wait for a command that was started."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {timeout_s} s:\n{out}\n{err}") from None
    check_clean(out + err)
    return Result(process.returncode, out, err)


@dataclass(slots=True)
class SandboxProcess:
    """`dispatcher sandbox` on a port that the system chose."""

    base_url: str
    process: subprocess.Popen[str]

    def stats(self) -> dict[str, Any]:
        """What it truly did."""
        found: dict[str, Any] = self._ask("stats")
        return found

    def creates(self) -> list[dict[str, Any]]:
        """Every execution created, in order."""
        found: list[dict[str, Any]] = []
        after: int | None = -1
        while after is not None:
            page = self._ask(f"creates?after={after}")
            found += page["creates"]
            after = page["next"]
        return found

    def faults(self, **faults: Any) -> None:
        """From now on these faults; names with a digit first are given as `_429`."""
        self._ask("faults", {name.lstrip("_"): share for name, share in faults.items()})

    def settings(self, **changes: Any) -> None:
        """From now on these, of those that can be changed while it runs; `reset` keeps them."""
        self._ask("settings", changes)

    def plant(self, execution: dict[str, Any]) -> None:
        """An execution of another program's."""
        self._ask("executions", execution)

    def reset(self) -> None:
        """As if it had just been started."""
        self._ask("reset", {})

    def _ask(self, what: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.base_url}/_sandbox/{what}", data=data, timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read())


@contextlib.contextmanager
def sandbox_process(folder: Path, *options: str) -> Iterator[SandboxProcess]:
    """A sandbox with its own options, for the time of the block."""
    process = Program(folder).start("sandbox", *options)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("http://127.0.0.1:"), process.communicate(timeout=TIMEOUT_S)
        yield SandboxProcess(line, process)
    finally:
        process.kill()
        process.communicate()


def write_settings(folder: Path, base_url: str, **tables: dict[str, Any]) -> None:
    """A config.toml for the sandbox: fast, and resolving unknown rows soon."""
    merged: dict[str, dict[str, Any]] = {
        "account": {"base_url": base_url},
        "campaign": {"flow": FLOW, "from": "+15550001111"},
        "columns": {"to": "phone", "region": "US"},
        "rate": {"per_second": LIMIT_PER_S},
        "retry": {"backoff_base_s": 0.05},
        "reconcile": {"settle_s": 0.3},
        "state": {"dir": ".dispatcher"},
    }
    for table, values in tables.items():
        merged[table] = {**merged.get(table, {}), **values}
    lines = []
    for table, values in merged.items():
        lines.append(f"[{table}]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items() if value is not None]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def phone(n: int) -> str:
    """The n-th made-up number, valid as numbers go."""
    return f"+1202555{n:04d}"


def write_contacts(path: Path, rows: int | Sequence[str], first: int = 100) -> Path:
    """So many good rows, or these lines below the header."""
    lines = [f"{phone(first + n)},Name {n}" for n in range(rows)] if isinstance(rows, int) else list(rows)
    path.write_text("phone,first_name\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read_report(path: Path) -> list[dict[str, str]]:
    """A report's rows."""
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def until(
    true: Callable[[], Any], what: str, process: subprocess.Popen[str] | None = None, timeout_s: float = TIMEOUT_S
) -> None:
    """Wait for something that another process does; not longer than it lives."""
    end_s = time.monotonic() + timeout_s
    while not true():
        assert process is None or process.poll() is None, finish(process)
        assert time.monotonic() < end_s, f"waited in vain for {what}"
        time.sleep(0.02)

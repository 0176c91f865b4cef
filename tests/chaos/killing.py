"""The kill loop: the program is killed with SIGKILL at random instants, again and again, until nothing is left to do.

What is checked afterwards is the sandbox's own count of what it was asked, against the files and the ledger: each valid
row has exactly one execution, whatever was cut off.
"""

from __future__ import annotations

import asyncio
import csv
import json
import math
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from tests.chaos.program import Process, Zygote

#: Numbers in the middle of a real area code's range: well-formed, and never called by anything here.
FIRST_NUMBER = 14152000000

CONFIG = """\
[account]
base_url = "{base_url}"
[campaign]
flow = "{flow}"
from = "+15550001111"
[columns]
to = "phone"
[rate]
per_second = {per_second}
window_s = {window_s}
in_flight = {in_flight}
headroom = {headroom}
[retry]
backoff_base_s = 0.05
backoff_max_s = 0.5
breaker_failures = 1000
connect_attempts = 1000
[timeouts]
connect_s = 1.0
answer_s = {answer_s}
stop_s = 3.0
[reconcile]
settle_s = {settle_s}
[state]
dir = ".dispatcher"
"""

#: The most rows that are claimed in one go.
CLAIMED_AT_ONCE = 200

#: Shares of the creates that go wrong, before and after creating.
FAULTS = {
    "reset_after": 0.02,
    "reset_before": 0.01,
    "disconnect_after": 0.01,
    "500_after": 0.02,
    "500_before": 0.01,
    "cut_body": 0.01,
    "hang_after": 0.005,
    "hang_before": 0.005,
    "429": 0.02,
    "read_429": 0.02,
    "read_500": 0.02,
    "read_reset": 0.02,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop does."""

    kills: int
    seed: int
    rows: int = 400
    per_second: float = 120.0
    window_s: float = 2.0
    in_flight: int = 40
    #: More than usual: the sandbox counts arrivals, and a busy machine brings some late.
    headroom: float = 0.3
    settle_s: float = 0.3
    answer_s: float = 0.4
    #: The sandbox's answers come this late: so that requests are in flight when the program dies.
    latency_s: float = 0.03
    #: A process that is to be killed while sending lives at most so long from its first claim on.
    life_s: float = 1.2
    faults: dict[str, float] = field(default_factory=lambda: dict(FAULTS))
    #: No more kills after so long; what is under way is finished.
    stop_killing_after_s: float = math.inf
    #: Gives up, so that a bug that makes no progress ends.
    timeout_s: float = 600.0


@dataclass
class Tally:
    """What came of it."""

    kills: int = 0
    processes: int = 0
    campaigns: int = 0
    rows: int = 0
    #: By what the ledger said when the process was dead.
    killed_in: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    create_requests: int = 0
    creates: int = 0
    duplicates: int = 0
    lost: int = 0
    #: Rows left unknown by a crash or a fault, and how they were resolved.
    resolved: int = 0
    found: int = 0
    sent_again: int = 0
    unknown_left: int = 0
    worst_window: int = 0
    window_limit: int = 0
    seconds: float = 0.0

    def problems(self) -> list[str]:
        """What broke a promise."""
        found = []
        if self.duplicates:
            found.append(f"{self.duplicates} rows were sent twice")
        if self.lost:
            found.append(f"{self.lost} rows were lost")
        if self.worst_window > self.window_limit:
            found.append(f"{self.worst_window} requests in a window of {self.window_limit}")
        if self.unknown_left:
            found.append(f"{self.unknown_left} rows stayed unknown")
        return found


class Killing:
    """One kill loop in one folder: campaign after campaign on one ledger and one account."""

    def __init__(
        self, plan: Plan, folder: Path, sandbox: Sandbox, program: Zygote, tell: Callable[[Tally], None]
    ) -> None:
        self.tally = Tally()
        self._tell = tell
        self._plan = plan
        self._folder = folder
        self._sandbox = sandbox
        self._program = program
        self._chance = random.Random(plan.seed)
        self._expected: dict[str, list[str]] = {}
        self._started_s = 0.0

    async def run(self) -> Tally:
        """Kill until the plan's number is reached, then let the last campaign finish. Raises AssertionError."""
        started = time.monotonic()
        config = CONFIG.format(
            base_url=self._sandbox.base_url,
            flow=DEFAULT_FLOW_SID,
            **{
                name: getattr(self._plan, name)
                for name in ("per_second", "window_s", "in_flight", "headroom", "answer_s", "settle_s")
            },
        )
        (self._folder / "config.toml").write_text(config, encoding="utf-8")
        async with asyncio.timeout(self._plan.timeout_s):
            self._started_s = started
            while self._killing:
                await self._campaign(f"c{self.tally.campaigns:03}")
                self.tally.campaigns += 1
                self.tally.seconds = time.monotonic() - started
                self._tell(self.tally)
        self._count()
        self.tally.seconds = time.monotonic() - started
        return self.tally

    @property
    def _killing(self) -> bool:
        plan = self._plan
        return self.tally.kills < plan.kills and time.monotonic() - self._started_s < plan.stop_killing_after_s

    # --- one campaign ---

    async def _campaign(self, name: str) -> None:
        self._write_contacts(name)
        finished = False
        while not finished:
            finished = await self._life(name)
        await self._check_report(name)

    def _write_contacts(self, name: str) -> None:
        """Valid rows, and some that are wrong, doubled or empty: none of those is ever sent."""
        rows: list[list[str]] = []
        valid: list[str] = []
        while len(valid) < self._plan.rows:
            kind = self._chance.random()
            if kind < 0.01:
                rows.append(["not a number", "x"])
            elif kind < 0.02 and valid:
                rows.append([self._chance.choice(valid), "again"])
            else:
                valid.append(f"+{FIRST_NUMBER + self.tally.rows + len(valid) + 1}")
                rows.append([valid[-1], f"Name {len(rows)}"])
        self.tally.rows += len(valid)
        self._expected[name] = valid
        with (self._folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["phone", "first_name"], *rows])

    async def _life(self, name: str) -> bool:
        """Start the program and kill it after a while. True: it ended by itself, with everything done."""
        self.tally.processes += 1
        process = await self._program.start(self._folder, *self._arguments(name))
        if self._killing and not await self._ended_before_its_time(name, process):
            process.signal(signal.SIGKILL)
            code = await process.wait()
            if code == -signal.SIGKILL:
                self.tally.kills += 1
                self.tally.killed_in[self._phase(name, process.pid)] += 1
                return False
        code = await process.wait(120)
        return self._is_done(name, process, code)

    async def _ended_before_its_time(self, name: str, process: Process) -> bool:
        """Wait for the instant of the kill: somewhere in the start and intake, in the sending, or at the end.

        True: the process ended by itself before that.
        """
        chance = self._chance
        match chance.choice(["start", "sending", "sending", "end"]):
            case "start":
                return await process.ends_within(chance.uniform(0, 0.4))
            case "sending":
                if await self._ended_before(process, lambda: self._run_of(process.pid) is not None):
                    return True
                return await process.ends_within(chance.uniform(0, self._plan.life_s))
            case _:
                if await self._ended_before(process, lambda: self._is_at_its_end(name, process.pid)):
                    return True
                return await process.ends_within(chance.uniform(0, self._plan.settle_s * 1.5))

    async def _ended_before(self, process: Process, moment: Callable[[], bool]) -> bool:
        while not moment():
            if await process.ends_within(0.02):
                return True
        return False

    def _run_of(self, pid: int) -> tuple[Any, ...] | None:
        """The run that this process has begun; (stopped_at_ms,)."""
        runs = self._query("SELECT stopped_at_ms FROM runs WHERE pid = ? ORDER BY run_id DESC LIMIT 1", pid)
        return runs[0] if runs else None

    def _is_at_its_end(self, name: str, pid: int) -> bool:
        """Everything is sent: what is left is looking up unknown rows, and the report."""
        return self._run_of(pid) is not None and not self._states(name)["planned"]

    def _arguments(self, name: str) -> list[str]:
        common = ["--config", "config.toml"]
        drawn = self._chance.random()
        if self._has_rows(name):
            if drawn < 0.15:
                return ["resume", name, "--yes", "--report", f"{name}-report.csv", "--pace", self._pace(), *common]
            if drawn < 0.25:
                return ["reconcile", name, *common]
            if drawn < 0.3:
                return ["report", name, "--report", f"{name}-report.csv", *common]
        report = ["--report", f"{name}-report.csv", "--pace", self._pace()]
        return ["run", f"{name}.csv", "--campaign", name, "--yes", "--json", *report, *common]

    def _pace(self) -> str:
        return self._chance.choice(["even", "spike"])

    def _is_done(self, name: str, process: Process, code: int) -> bool:
        # 3: the file has rows that are invalid. 5, 6: stopped by faults, or rows left unknown: the next life goes on.
        if code not in (0, 3, 5, 6):
            raise AssertionError(f"exit code {code}, seed {self._plan.seed}:\n{process.stderr.read_text()[-3000:]}")
        states = self._states(name)
        open_rows = sum(states[state] for state in ("planned", "sending", "unknown"))
        return self._has_rows(name) and open_rows == 0 and (self._folder / f"{name}-report.csv").exists()

    # --- what the ledger says ---

    def _query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        path = self._folder / ".dispatcher" / "ledger.sqlite3"
        if not path.exists():
            return []
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []  # killed before the schema was there
            raise
        finally:
            db.close()

    def _has_rows(self, name: str) -> bool:
        return bool(self._query("SELECT input_id FROM campaigns WHERE name = ? AND input_id IS NOT NULL", name))

    def _states(self, name: str) -> Counter[str]:
        return Counter(
            dict(
                self._query(
                    "SELECT state, count(*) FROM rows JOIN inputs ON inputs.input_id = row_id >> 32"
                    " JOIN campaigns USING (campaign_id) WHERE name = ? AND ready_at_ms IS NOT NULL GROUP BY state",
                    name,
                )
            )
        )

    def _phase(self, name: str, pid: int) -> str:
        """What the process was doing when it died."""
        run = self._run_of(pid)
        if run is None:
            return "start and intake"
        if run[0] is not None:
            return "report"
        states = self._states(name)
        if states["sending"]:
            return "sending"
        return "looking up" if states["unknown"] else "between"

    # --- what must be true at the end ---

    async def _check_report(self, name: str) -> None:
        """Every input row once, in order, and every valid one created, with the sandbox's own SID."""
        with (self._folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        # A life that was killed may have left a report of an earlier moment.
        assert (
            await self._program.run(
                self._folder, "report", name, "--report", f"{name}-report.csv", "--config", "config.toml"
            )
            == 0
        )
        with (self._folder / f"{name}-report.csv").open(newline="", encoding="utf-8") as file:
            report = list(csv.DictReader(file))
        assert [row["phone"] for row in report] == [row["phone"] for row in rows]
        assert [row["first_name"] for row in report] == [row["first_name"] for row in rows]
        created = {row["phone"]: row["dispatch_execution_sid"] for row in report if row["dispatch_status"] == "created"}
        assert set(created) == set(self._expected[name])
        others = Counter(row["dispatch_status"] for row in report if row["dispatch_status"] != "created")
        assert set(others) <= {"invalid", "skipped"}, others
        assert await self._program.run(self._folder, "status", name, "--json", "--config", "config.toml") == 0
        status = json.loads((self._folder / "stdout.txt").read_text())
        assert status["rows"]["created"] == len(created)
        assert sum(status["rows"].values()) == len(rows)

    def _count(self) -> None:
        """The sandbox's books against the files and the ledger."""
        tally = self.tally
        stats = self._sandbox.stats()
        by_id: Counter[str] = Counter()
        sids: dict[str, str] = {}
        after: int | None = -1
        while after is not None:
            page = self._sandbox.creates(after=after)
            for create in page["creates"]:
                by_id[create["dispatch_id"]] += 1
                sids[create["sid"]] = create["to"]
            after = page["next"]
        reached = Counter(sids.values())
        expected = {to for valid in self._expected.values() for to in valid}
        tally.duplicates = sum(n - 1 for n in by_id.values()) + sum(n - 1 for n in reached.values() if n > 1)
        tally.lost = len(expected - set(reached))
        assert set(reached) <= expected, "somebody was reached who is in no file"
        recorded = dict(
            self._query(
                "SELECT execution_sid, coalesce(rows.to_address, row_key) FROM rows"
                " JOIN attempts ON attempt_id = last_attempt WHERE state = 'created'"
            )
        )
        assert recorded == sids, "the ledger's executions are not the sandbox's"
        tally.creates = stats["creates"]
        tally.create_requests = stats["creates_total_requests"]
        tally.faults = Counter(stats["faults"])
        tally.worst_window = stats["worst_window_requests"]
        tally.window_limit = int(self._plan.per_second * self._plan.window_s)
        explained = dict(
            self._query(
                "SELECT coalesce(found_by, outcome), count(*) FROM attempts WHERE error_message IS NOT NULL GROUP BY 1"
            )
        )
        tally.found = explained.get("reconcile", 0) + explained.get("conflict", 0)
        (tally.sent_again,) = self._query(
            "SELECT count(*) FROM attempts WHERE outcome = 'not_sent' AND error_message LIKE 'not found%'"
        )[0]
        tally.resolved = tally.found + tally.sent_again
        (tally.unknown_left,) = self._query(
            "SELECT count(*) FROM rows WHERE state IN ('unknown', 'sending', 'planned')"
        )[0]
        # Only what was in flight, or claimed for the next moment, can be unknown after a kill.
        at_once = self._plan.in_flight + 2 * CLAIMED_AT_ONCE
        assert tally.resolved <= at_once * tally.kills + sum(tally.faults.values())


async def kill_loop(
    plan: Plan, folder: Path, program: Zygote, tell: Callable[[Tally], None] = lambda tally: None
) -> Tally:
    """Run the loop in an empty folder against a sandbox; `tell` hears how far it is after each campaign."""
    settings = SandboxSettings(
        limit_per_s=plan.per_second,
        window_s=plan.window_s,
        faults=plan.faults,
        seed=plan.seed,
        latency_s=plan.latency_s,
        latency_jitter_s=plan.latency_s,
        ends_after_s=0.05,
    )
    async with Sandbox(settings) as sandbox:
        return await Killing(plan, folder, sandbox, program, tell).run()

"""A folder with a file and settings, a sandbox, and the program as a process: what the crash tests stand on."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox
from dispatcher.sandbox.faults import parse_phases
from tests.chaos.plan import CONFIG
from tests.chaos.program import PATIENCE_S, Process, Zygote
from tests.support.rehearsal import phone, write_contacts

NAME = "spring"
DEFAULTS: dict[str, Any] = {
    "per_second": 100.0,
    "window_s": 2.0,
    "in_flight": 30,
    "headroom": 0.3,
    "answer_s": 0.5,
    "settle_s": 0.4,
}


@dataclass
class Stage:
    """One campaign of `rows` valid rows, and the program that sends it."""

    folder: Path
    sandbox: Sandbox
    programs: Zygote
    rows: int = 300

    def __post_init__(self) -> None:
        write_contacts(self.source, self.rows)
        self.configure()

    def configure(self, **settings: Any) -> None:
        text = CONFIG.format(base_url=self.sandbox.base_url, flow=DEFAULT_FLOW_SID, **(DEFAULTS | settings))
        (self.folder / "config.toml").write_text(text, encoding="utf-8")

    @property
    def source(self) -> Path:
        return self.folder / f"{NAME}.csv"

    @property
    def ledger(self) -> Path:
        return self.folder / ".dispatcher" / "ledger.sqlite3"

    async def start(self, *more: str, **order: Any) -> Process:
        """`dispatcher run`."""
        arguments = ["run", self.source.name, "--campaign", NAME, "--yes", "--json", "--report", "report.csv", *more]
        return await self.programs.start(self.folder, *arguments, **order)

    async def run(self, *more: str, **order: Any) -> int:
        """`dispatcher run`, to its end."""
        process = await self.start(*more, **order)
        return await process.wait()

    async def until(self, moment: Callable[[], bool], process: Process, timeout_s: float = PATIENCE_S) -> None:
        """Wait for a moment in a process' life. Fails if it ends before."""
        async with asyncio.timeout(timeout_s):
            while not moment():
                assert process.running, f"ended too early:\n{self.stderr()}"
                await asyncio.sleep(0.01)

    async def until_created(self, count: int, process: Process) -> None:
        """Wait until the sandbox has created so many."""
        await self.until(lambda: self.sandbox.studio.tally.creates >= count, process)

    def faults(self, table: dict[str, Any]) -> None:
        self.sandbox.fault_plan.replace(parse_phases(table), self.sandbox.now_us())

    # --- what is left behind ---

    def stderr(self) -> str:
        return (self.folder / "stderr.txt").read_text(encoding="utf-8")

    def result(self) -> Any:
        """The JSON object that the last command ended with."""
        return json.loads((self.folder / "stdout.txt").read_text(encoding="utf-8"))

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=PATIENCE_S)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def left_to_send(self) -> bool:
        """Whether rows are planned, or nothing is planned yet."""
        try:
            states = self.states()
        except sqlite3.OperationalError:
            return True
        return not states or bool(states["planned"])

    def is_loading(self) -> bool:
        """Whether a file is on its way into the ledger."""
        try:
            return bool(self.query("SELECT 1 FROM inputs WHERE ready_at_ms IS NULL"))
        except sqlite3.OperationalError:
            return False

    def states(self) -> Counter[str]:
        return Counter(dict(self.query("SELECT state, count(*) FROM rows GROUP BY state")))

    def assert_sent_once(self) -> None:
        """Every row has exactly one execution, by the sandbox's count, and the report and the ledger have its SID."""
        creates: list[dict[str, Any]] = []
        after: int | None = -1
        while after is not None:
            page = self.sandbox.creates(after=after)
            creates += page["creates"]
            after = page["next"]
        expected = [phone(n) for n in range(1, self.rows + 1)]
        assert sorted(create["to"] for create in creates) == expected
        assert self.sandbox.stats()["created_by_dispatch_id_duplicates"] == {}
        sids = {create["to"]: create["sid"] for create in creates}
        with (self.folder / "report.csv").open(newline="", encoding="utf-8") as file:
            report = list(csv.DictReader(file))
        assert [(row["phone"], row["dispatch_execution_sid"]) for row in report] == [(to, sids[to]) for to in expected]
        recorded = self.query(
            "SELECT execution_sid FROM rows JOIN attempts ON attempt_id = last_attempt WHERE state = 'created'"
        )
        assert {sid for (sid,) in recorded} == set(sids.values())

    def assert_within_the_limit(self) -> None:
        stats = self.sandbox.stats()
        assert stats["worst_window_requests"] <= stats["window_limit"]

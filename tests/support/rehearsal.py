"""A campaign against a sandbox in the same process: files, settings, a run, and what both sides say of it."""

from __future__ import annotations

import csv
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.campaign import RunResult, open_campaign
from dispatcher.events import EventBus
from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox
from dispatcher.sandbox.faults import parse_phases
from dispatcher.settings import Credentials, Settings

ACCOUNT_SID = "AC" + "0" * 32
CREDENTIALS = Credentials(account_sid=ACCOUNT_SID, username=ACCOUNT_SID, password="not-a-real-token")
SENDER = "+15550001111"

#: Every wait as short as a test can have it; the rate so high that it is never what a test waits for. An answer has all
#: the time that a busy machine may take: where one is to be late, the test says so.
QUICK: dict[str, dict[str, Any]] = {
    "campaign": {"flow": DEFAULT_FLOW_SID, "from": SENDER},
    "columns": {"to": "phone"},
    "rate": {"per_second": 500, "in_flight": 50},
    "retry": {"backoff_base_s": 0.05, "backoff_max_s": 1.0, "breaker_failures": 500},
    "timeouts": {"connect_s": 10.0, "answer_s": 20.0, "stop_s": 5.0},
    "reconcile": {"settle_s": 0.4, "clock_skew_s": 5.0},
}


def phone(n: int) -> str:
    """The n-th contact's number: well-formed, below 8 million."""
    return f"+1415{2_000_000 + n}"


def write_contacts(path: Path, count: int, *, first: int = 1, columns: Sequence[str] = ("phone", "first_name")) -> Path:
    """A file of `count` valid, different contacts."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([phone(n), f"Name {n}"] for n in range(first, first + count))
    return path


@dataclass
class Rehearsal:
    """One state folder, one sandbox, one campaign."""

    folder: Path
    sandbox: Sandbox
    name: str = "spring"
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    bus: EventBus = field(default_factory=EventBus)

    def settings(self) -> Settings:
        tables = {name: dict(values) for name, values in QUICK.items()}
        for name, values in self.overrides.items():
            tables.setdefault(name, {}).update(values)
        tables.setdefault("account", {})["base_url"] = self.sandbox.base_url
        tables.setdefault("state", {})["dir"] = str(self.folder / "state")
        return Settings.model_validate(tables)

    def faults(self, table: Mapping[str, Any]) -> None:
        """Replace the sandbox's faults, as `POST /_sandbox/faults` does."""
        self.sandbox.fault_plan.replace(parse_phases(dict(table)), self.sandbox.now_us())

    def contacts(self, count: int, **more: Any) -> Path:
        return write_contacts(self.folder / f"{self.name}.csv", count, **more)

    async def run(self, source: Path | None = None, *, limit: int | None = None) -> RunResult:
        """Plan the file, if one is given, and send. Fails for rows that stay in `sending`."""
        async with open_campaign(self.name, self.settings(), CREDENTIALS, bus=self.bus) as campaign:
            if source is not None:
                await campaign.plan(source)
            result = await campaign.send(limit=limit, whole_campaign=source is None)
            await campaign.report(self.report_path)
        assert self.states()["sending"] == 0
        return result

    async def reconcile(self) -> Any:
        """`dispatcher reconcile`; returns what it found and the counts."""
        async with open_campaign(self.name, self.settings(), CREDENTIALS, bus=self.bus, create=False) as campaign:
            result = await campaign.reconcile()
            await campaign.report(self.report_path)
        return result

    def plant(self, to: str, **more: Any) -> str:
        """An execution that another program starts now. Returns its SID."""
        order: dict[str, Any] = {"age_us": 0, "ends_after_us": 3_600_000_000, "parameters": None} | more
        sid = self.sandbox.studio.creator.plant(DEFAULT_FLOW_SID, to, SENDER, now_us=self.sandbox.now_us(), **order)
        assert sid is not None
        return sid

    # --- what is on disk ---

    @property
    def report_path(self) -> Path:
        return self.folder / f"{self.name}-report.csv"

    @property
    def ledger_path(self) -> Path:
        return self.folder / "state" / "ledger.sqlite3"

    def report(self) -> list[dict[str, str]]:
        with self.report_path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the ledger past the program."""
        db = sqlite3.connect(f"file:{self.ledger_path}?mode=ro", uri=True)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def states(self) -> Counter[str]:
        return Counter(dict(self.query("SELECT state, count(*) FROM rows GROUP BY state")))

    # --- both sides ---

    def assert_books_balance(self) -> None:
        """Each row at most one execution, and the ledger's created rows are exactly the sandbox's executions."""
        creates = []
        after: int | None = -1
        while after is not None:
            page = self.sandbox.creates(after=after)
            creates += page["creates"]
            after = page["next"]
        ids = Counter(create["dispatch_id"] for create in creates)
        assert not {key: n for key, n in ids.items() if n > 1}, "sent twice"
        recorded = {
            sid
            for (sid,) in self.query(
                "SELECT execution_sid FROM rows JOIN attempts ON attempt_id = last_attempt WHERE state = 'created'"
            )
        }
        assert recorded == {create["sid"] for create in creates}
        reported = {row["dispatch_execution_sid"] for row in self.report() if row["dispatch_status"] == "created"}
        assert reported == recorded

"""The books of the kill loop: what the sandbox was asked and what the ledgers say, read past the program."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox

#: What is dated so much later than an attempt was begun is later than it on every clock that is not an hour off.
LATER_S = 15.0


def query(ledger: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask a ledger's file; nothing where it, or its schema, is not there yet."""
    if not ledger.exists():
        return []
    db = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10)
    try:
        return db.execute(sql, values).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []  # killed before the schema was there
        raise
    finally:
        db.close()


def states(ledger: Path, campaign: str) -> Counter[str]:
    """How many rows of a campaign are in which state."""
    return Counter(
        dict(
            query(
                ledger,
                "SELECT state, count(*) FROM rows JOIN inputs ON inputs.input_id = row_id >> 32"
                " JOIN campaigns USING (campaign_id) WHERE name = ? AND ready_at_ms IS NOT NULL GROUP BY state",
                campaign,
            )
        )
    )


@dataclass(frozen=True)
class Unknown:
    """A row that stays unknown: whose, and when its attempt was begun by the true time, seconds since 1970."""

    contact: str
    begun_s: float


def unknown(ledger: Path, campaign: str, clock_off_s: dict[int, float]) -> list[Unknown]:
    """The rows of a campaign that are unknown. `clock_off_s`: how wrong the clock of each process was."""
    found = query(
        ledger,
        "SELECT coalesce(rows.to_address, rows.row_key), attempts.begun_at_ms, runs.pid FROM rows"
        " JOIN attempts ON attempt_id = last_attempt JOIN runs USING (run_id)"
        " JOIN inputs AS i ON i.input_id = rows.row_id >> 32 JOIN campaigns AS c ON c.campaign_id = i.campaign_id"
        " WHERE rows.state = 'unknown' AND name = ?",
        campaign,
    )
    return [Unknown(to, begun_ms / 1000 - clock_off_s.get(pid, 0.0)) for to, begun_ms, pid in found]


def recorded(ledgers: Iterable[Path]) -> dict[str, str]:
    """SID → contact of every row that a ledger holds for created."""
    sql = (
        "SELECT execution_sid, coalesce(rows.to_address, row_key) FROM rows"
        " JOIN attempts ON attempt_id = last_attempt WHERE state = 'created'"
    )
    return {sid: to for ledger in ledgers for sid, to in query(ledger, sql)}


def left_out(ledger: Path, campaign: str) -> dict[str, str]:
    """Contact -> reason, of the rows of a campaign that were left out."""
    sql = (
        "SELECT coalesce(rows.to_address, row_key), reason_code FROM rows"
        " JOIN inputs ON inputs.input_id = row_id >> 32 JOIN campaigns USING (campaign_id)"
        " WHERE name = ? AND state = 'skipped'"
    )
    return dict(query(ledger, sql, campaign))


def attempts(ledger: Path, contact: str) -> list[tuple[Any, ...]]:
    """What a ledger says of a contact: each attempt with its times, outcome and evidence."""
    return query(
        ledger,
        "SELECT name, runs.run_id, attempt_id, begun_at_ms, sent_at_ms, ended_at_ms, outcome, http_status, error_code,"
        " error_message, execution_sid, found_by, absence, attempts.dispatch_id FROM attempts JOIN runs USING (run_id)"
        " JOIN campaigns USING (campaign_id) JOIN rows ON coalesce(identity, rows.row_id) = attempts.row_id"
        " WHERE coalesce(attempts.to_address, rows.to_address, rows.row_key) = ? ORDER BY attempt_id",
        contact,
    )


def taken_for_others(ledgers: Iterable[Path]) -> set[str]:
    """Executions that a look at the list has shown, and for which a row of their contact was left out as reached."""
    sql = (
        "SELECT execution_sid FROM foreign_executions AS f JOIN rows AS r"
        " ON f.contact = coalesce(r.to_address, r.row_key) WHERE r.state = 'skipped' AND r.reason_code = 'contacted'"
    )
    return {sid for ledger in ledgers for (sid,) in query(ledger, sql)}


@dataclass
class Log:
    """The sandbox's own log: who was started when, by us and by others."""

    #: SID → contact, of what was created over the API.
    ours: dict[str, str] = field(default_factory=dict)
    #: The same, of the flow alone.
    reached: dict[str, str] = field(default_factory=dict)
    by_dispatch_id: Counter[str] = field(default_factory=Counter)
    #: Contact → when each of our executions of the flow was created, true time.
    created_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    #: Every execution of the flow: when it was created, true time.
    every_s: list[float] = field(default_factory=list)

    @property
    def contacts_twice(self) -> dict[str, int]:
        """Contacts whom we have started more than once, and how often."""
        return {to: len(times) for to, times in self.created_s.items() if len(times) > 1}

    @property
    def rows_twice(self) -> dict[str, int]:
        """Ids that were created more than once."""
        return {one: n for one, n in self.by_dispatch_id.items() if n > 1}

    def after(self, time_s: float, until_s: float) -> list[float]:
        """When executions of the flow were created between these times: each is a witness of what came before it."""
        return [at for at in self.every_s if time_s < at <= until_s]


def log(sandbox: Sandbox) -> Log:
    """Read the sandbox's log, whole."""
    result = Log()
    after: int | None = -1
    while after is not None:
        page = sandbox.creates(after=after, planted=True)
        for create in page["creates"]:
            is_other = create["flow_sid"] != DEFAULT_FLOW_SID
            if not is_other:
                result.every_s.append(create["at"])
            if create["planted"]:
                continue
            result.ours[create["sid"]] = create["to"]
            if is_other:
                continue
            result.reached[create["sid"]] = create["to"]
            result.by_dispatch_id[create["dispatch_id"]] += 1
            result.created_s[create["to"]].append(create["at"])
        after = page["next"]
    return result

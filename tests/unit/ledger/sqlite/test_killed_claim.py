"""SIGKILL at each statement of a claim: all of it is done, or nothing, and nobody is both left out and sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.records import GrantedRows, Run
from dispatcher.ledger.sqlite import connection
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.db import SqliteDb
from dispatcher.model import Outcome
from dispatcher.rules.cooloff import CoolOff, CoolOffs
from dispatcher.rules.gate import Gate
from dispatcher.rules.places import Place, PlaceSource
from tests.support.ledgers import NONE, account, campaign, end, flaws, killed, lines, opened, planned, raw
from tests.unit.ledger.conformance.test_waiting import load, numbers

EAST = Place(("America/New_York",), "US", "US-NY", PlaceSource.area_code)
WEST = Place(("America/Los_Angeles",), "US", "US-CA", PlaceSource.area_code)
NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
#: Enough for pages to be written before the transaction ends.
KEYS = [f"+1555010{n:04}" for n in range(1, 121)]
SUPPRESSED, REACHED, COOLING = set(KEYS[::7]), set(KEYS[1::7]), set(KEYS[2::7])
GOES = [key for key in KEYS if key not in SUPPRESSED | REACHED | COOLING]
COOLOFFS = CoolOffs(CoolOff(1, 24), skips=True)


async def claim(ledger: Ledger, run: Run, now_ms: int) -> GrantedRows:
    """All that may go now, with every rule asked."""
    open_places = dict.fromkeys((await numbers(ledger)).values(), NOW_MS + 5 * HOUR_MS)
    return await ledger.begin_rows(
        run,
        len(KEYS),
        now_ms=now_ms,
        input_id=None,
        repeat_after_ms=2 * HOUR_MS,
        gate=Gate(open_places, now_ms, COOLOFFS),
    )


async def prepared(ledger: Ledger) -> Run:
    """Some have been reached on this flow, some on another some hours ago, and some are suppressed after planning."""
    first = await campaign(ledger, "first")
    other = await ledger.open_campaign("other", await account(ledger), "FW" + "1" * 32)
    for record, people, at_ms in ((other, COOLING, NOW_MS - 9 * HOUR_MS), (first, REACHED, NOW_MS - HOUR_MS)):
        await planned(ledger, record, lines(*sorted(people)))
        run = await ledger.start_run(record, window_limit=200, now_ms=at_ms)
        rows = await ledger.begin_rows(run, len(KEYS), now_ms=at_ms, input_id=None)
        await ledger.end_rows(run, [end(row, Outcome.created, at_ms=at_ms) for row in rows], now_ms=at_ms, totals=NONE)
        await ledger.stop_run(run, now_ms=at_ms, reason=None, totals=NONE)
    spring = await campaign(ledger)
    await load(ledger, spring, lines(*KEYS), [(EAST, WEST)[n % 2] for n in range(len(KEYS))])
    await ledger.lists.add(spring.account, sorted(SUPPRESSED), actor="", reason="")
    return await ledger.start_run(spring, window_limit=200, now_ms=NOW_MS)


def content(path: Path) -> tuple[Any, ...]:
    """Everything that a claim may change."""
    with raw(path) as db:
        queries = (
            "SELECT row_id, state, reason_code, last_attempt, not_before_ms FROM rows ORDER BY 1",
            "SELECT attempt_id, row_id, outcome FROM attempts ORDER BY 1",
            "SELECT contact, attempt_id FROM contacted ORDER BY 1, 2",
            "SELECT * FROM tallies WHERE n <> 0 ORDER BY 1, 2",
        )
        return tuple(db.execute(sql).fetchall() for sql in queries)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, list[Path]]:
    """The ledger's folder, and what a kill would leave of it around each statement: while the list is not empty."""
    folder, left = tmp_path / "state", list[Path]()

    def snap() -> None:
        if left:
            left.append(killed(folder / FILE_NAME, tmp_path / f"step-{len(left)}"))

    def around(name: str) -> None:
        plain = getattr(SqliteDb, name)

        def statement(self: SqliteDb, *args: Any, **values: Any) -> Any:
            snap()
            found = plain(self, *args, **values)
            snap()
            return found

        monkeypatch.setattr(SqliteDb, name, statement)

    for name in ("_execute", "insert", "update"):
        around(name)
    # Pages are written to the file's log as soon as they change, not only when the transaction ends.
    monkeypatch.setattr(connection, "CACHE_KIB", 1)
    return folder, left


async def test_a_kill_at_each_statement(watched: tuple[Path, list[Path]], tmp_path: Path) -> None:
    """Before a claim is whole nothing of it is there; the next process leaves out and sends the same, each row once."""
    folder, left = watched
    ledger = await opened(folder)
    run = await prepared(ledger)
    before = content(folder / FILE_NAME)
    left.append(killed(folder / FILE_NAME, tmp_path / "step-0"))
    granted = await claim(ledger, run, NOW_MS)
    steps = [*left, killed(folder / FILE_NAME, tmp_path / "done")]
    left.clear()
    assert sorted(row.to_address for row in granted) == GOES
    assert granted.skipped == len(KEYS) - len(GOES)
    after = content(folder / FILE_NAME)
    await ledger.close()
    assert len(steps) > 12
    for at, step in enumerate(steps):
        path = step / FILE_NAME
        assert flaws(path) == [], at
        assert content(path) == (after if step is steps[-1] else before), at
    # It is the same file until the end: a few of them tell what the next process makes of it.
    for step in (steps[0], steps[len(steps) // 2], steps[-2], steps[-1]):
        again = await opened(step)
        record = await campaign(again)
        next_run = await again.start_run(record, window_limit=200, now_ms=NOW_MS + 1)
        rows = await claim(again, next_run, NOW_MS + 1)
        await again.close()
        with raw(step / FILE_NAME) as db:
            both = db.execute(
                "SELECT count(*) FROM rows JOIN attempts ON attempts.row_id = coalesce(identity, rows.row_id)"
                " WHERE state = 'skipped'"
            ).fetchone()
            states = dict(
                db.execute(
                    "SELECT state, count(*) FROM rows JOIN inputs ON input_id = row_id >> 32"
                    " WHERE campaign_id = ? GROUP BY state",
                    (record.campaign_id,),
                ).fetchall()
            )
        assert both == (0,)
        # Whatever was claimed by the one that is gone is unknown: it may have left.
        sent = "unknown" if step is steps[-1] else "sending"
        assert states == {sent: len(GOES), "skipped": len(KEYS) - len(GOES)}
        assert sorted(row.to_address for row in rows) == ([] if step is steps[-1] else GOES)
        assert flaws(step / FILE_NAME) == []

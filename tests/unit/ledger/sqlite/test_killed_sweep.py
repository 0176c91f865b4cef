"""SIGKILL while rows are left out as expired, some thousands a transaction: the next process goes on with the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.places import ROWS_PER_SWEEP
from dispatcher.ledger.records import Run
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.db import SqliteDb
from dispatcher.rules.gate import Gate, Schedule
from dispatcher.rules.hours import Hours
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.times import Moment
from tests.support.ledgers import campaign, flaws, killed, lines, opened, raw
from tests.unit.ledger.conformance.test_waiting import load

EAST = Place(("America/New_York",), "US", "US-NY", PlaceSource.area_code)
WEST = Place(("America/Los_Angeles",), "US", "US-CA", PlaceSource.area_code)
NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
#: More than two transactions take.
KEYS = [f"+1555{n:07}" for n in range(1, 2 * ROWS_PER_SWEEP + 1_201)]
#: Of so many rows one may be sent for longer, where rows have times of their own.
STAYS = 10

Sweep = Callable[[Ledger, Run], Awaitable[int]]


async def own_times(ledger: Ledger, run: Run) -> int:
    """The rows' own times are over; there are no hours."""
    return await ledger.places.expire(run, None, NOW_MS)


async def deadline(ledger: Ledger, run: Run) -> int:
    """The campaign's deadline has passed, in each place."""
    places = await ledger.places.all()
    schedule = Schedule(Hours((), None, 0), places, deadline=Moment(NOW_MS - 1, is_instant=True))
    return await ledger.places.sweep(run, None, schedule, NOW_MS)


def content(path: Path) -> tuple[Counter[str], dict[str, int]]:
    """How many rows are in which state, for which reason; and how many are by the tallies."""
    with raw(path) as db:
        states = db.execute("SELECT state || ':' || coalesce(reason_code, ''), count(*) FROM rows GROUP BY 1")
        rows = Counter(dict(states.fetchall()))
        tallies = dict(db.execute("SELECT state, sum(n) FROM tallies GROUP BY state HAVING sum(n) <> 0").fetchall())
    return rows, tallies


@pytest.mark.parametrize(("sweep", "stays"), [(own_times, STAYS), (deadline, 0)], ids=["own times", "deadline"])
async def test_a_kill_at_each_statement(
    sweep: Sweep, stays: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whole transactions are there, rows and tallies agree; the next run leaves out the rest, and sends none of it."""
    folder, left = tmp_path / "state", list[Path]()
    is_watched = False
    plain = SqliteDb._execute

    def statement(self: SqliteDb, *args: Any, **values: Any) -> Any:
        found = plain(self, *args, **values)
        if is_watched:
            left.append(killed(folder / FILE_NAME, tmp_path / f"step-{len(left)}"))
        return found

    monkeypatch.setattr(SqliteDb, "_execute", statement)
    ledger = await opened(folder)
    spring = await campaign(ledger)
    places = [(EAST, WEST)[n % 2] for n in range(len(KEYS))]
    # Those that stay have an hour left; with the deadline that helps none of them.
    not_after = {n: NOW_MS + (HOUR_MS if n % STAYS == 0 else -1) for n in range(len(KEYS))} if stays else {}
    await load(ledger, spring, lines(*KEYS), places, not_after)
    staying = len(range(0, len(KEYS), STAYS)) if stays else 0
    run = await ledger.start_run(spring, window_limit=200, now_ms=NOW_MS)
    is_watched = True
    assert await sweep(ledger, run) == len(KEYS) - staying
    is_watched = False
    left.append(killed(folder / FILE_NAME, tmp_path / "done"))
    await ledger.close()

    seen: dict[int, Path] = {}
    for step in left:
        assert flaws(step / FILE_NAME) == []
        rows, tallies = content(step / FILE_NAME)
        expired = rows["skipped:expired"]
        assert rows == +Counter({"skipped:expired": expired, "planned:": len(KEYS) - expired})
        assert tallies == {name: n for name, n in (("skipped", expired), ("planned", len(KEYS) - expired)) if n}
        seen[expired] = step
    whole = len(KEYS) - staying
    assert seen.keys() >= {0, ROWS_PER_SWEEP, whole}
    assert all(expired % ROWS_PER_SWEEP == 0 or expired == whole for expired in seen), seen.keys()

    for expired, step in seen.items():
        again = await opened(step)
        next_run = await again.start_run(await campaign(again), window_limit=200, now_ms=NOW_MS + 1)
        assert await sweep(again, next_run) == whole - expired
        assert await sweep(again, next_run) == 0
        numbers = dict.fromkeys(await again.places.all(), NOW_MS + HOUR_MS)
        granted = await again.begin_rows(
            next_run, len(KEYS), now_ms=NOW_MS + 1, input_id=None, gate=Gate(numbers, NOW_MS + 1)
        )
        assert len(granted) == staying
        await again.close()
        rows, _ = content(step / FILE_NAME)
        assert rows == +Counter({"skipped:expired": whole, "sending:": staying})
        assert flaws(step / FILE_NAME) == []

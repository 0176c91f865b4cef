"""Power loss: whatever the disk keeps of what was not synced, no acknowledged intent is missing and the file opens."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dispatcher.ledger.records import Run
from dispatcher.ledger.sqlite import connection
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.model import Outcome, RowState
from tests.chaos import seeds
from tests.chaos.power import Connection, Disk, RecordingVFS, points
from tests.support.ledgers import NONE, campaign, end, flaws, lines, planned, raw

OUTCOMES = (Outcome.created, Outcome.rejected, Outcome.throttled, Outcome.unknown)


@dataclass
class Promised:
    """What the ledger had acknowledged when the disk had seen so many events."""

    disk: Disk
    planned: list[tuple[int, int]] = field(default_factory=list)  # (events, rows of the file)
    begun: list[tuple[int, int]] = field(default_factory=list)  # (events, attempt)
    ended: list[tuple[int, int, str]] = field(default_factory=list)  # (events, attempt, outcome)

    @property
    def moments(self) -> list[int]:
        return [at for at, _ in self.begun] + [at for at, _, _ in self.ended]


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch, *, rounds: int, synchronous: str = "EXTRA") -> Promised:
    """A campaign is planned and sent on a recording disk: intents and outcomes at the same time, as when it is real."""
    disk = Disk()
    vfs = RecordingVFS(disk)
    instead = {"PRAGMA synchronous = EXTRA": f"PRAGMA synchronous = {synchronous}"}
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", lambda path, **_: Connection(Path(path), vfs, instead))
        patched.setattr(connection, "WAL_PAGES", 50)  # the log is copied into the file often enough to be cut there too
        ledger = SqliteLedger.open(folder)
    promised = Promised(disk)
    asyncio.run(_send(ledger, promised, rounds))
    return promised


async def _send(ledger: SqliteLedger, promised: Promised, rounds: int) -> None:
    spring, rng = await campaign(ledger), random.Random(1)
    # Twice the same numbers: rows move from file to file.
    for of in (lines(*(f"k{n}" for n in range(rounds))), lines(*(f"k{n}" for n in range(rounds * 6, -1, -1)))):
        counts = await planned(ledger, spring, of)
        promised.planned.append((len(promised.disk.events), counts.total))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    await asyncio.gather(*(_worker(ledger, run, promised, rounds // 3, rng) for _ in range(3)))
    await ledger.stop_run(run, now_ms=99, reason=None, totals=NONE)
    await ledger.close()


async def _worker(ledger: SqliteLedger, run: Run, promised: Promised, rounds: int, rng: random.Random) -> None:
    for _ in range(rounds):
        rows = await ledger.begin_rows(run, rng.randint(1, 6), now_ms=5, input_id=None)
        promised.begun += [(len(promised.disk.events), row.attempt_id) for row in rows]
        ends = [end(row, rng.choice(OUTCOMES)) for row in rows]
        await ledger.end_rows(run, ends, now_ms=6, totals=NONE)
        promised.ended += [(len(promised.disk.events), item.attempt_id, item.outcome.value) for item in ends]


def broken_promises(promised: Promised, point: int, folder: Path) -> list[str]:
    """What is wrong with what a cut at this point has left in `folder`; the ledger is opened as the next run would."""
    asyncio.run(_opened(folder))
    broken = flaws(folder / FILE_NAME)
    with raw(folder / FILE_NAME) as db:
        found = dict(db.execute("SELECT attempt_id, outcome FROM attempts").fetchall())
        files = [n for (n,) in db.execute("SELECT sum(n) FROM tallies GROUP BY input_id HAVING sum(n) > 0")]
    broken += [f"intent {attempt} is gone" for at, attempt in promised.begun if at <= point and attempt not in found]
    broken += [
        f"outcome of {attempt} is gone"
        for at, attempt, outcome in promised.ended
        if at <= point and found.get(attempt) != outcome
    ]
    rows = max((n for at, n in promised.planned if at <= point), default=0)
    if rows > sum(files):
        broken.append(f"rows of {rows} are gone: {files}")
    return broken


async def _opened(folder: Path) -> None:
    """The next run goes on: what was on the wire is unknown, and nothing is begun again that may exist."""
    ledger = SqliteLedger.open(folder)
    names = [record.name for record in await ledger.campaigns()]
    if names:
        spring = await ledger.find_campaign("spring")
        await ledger.start_run(spring, window_limit=200, now_ms=100)
        assert (await ledger.status(spring)).rows[RowState.sending] == 0
    await ledger.close()


def cut(promised: Promised, folder: Path, cuts: int, seed: int) -> dict[int, list[str]]:
    """Cut the power at so many points; those after which a promise is broken."""
    rng = random.Random(seed)
    broken = {}
    for point in points(promised.disk, cuts, rng, promised.moments):
        image = folder / f"cut-{point}"
        promised.disk.image(point, image, rng)
        if wrong := broken_promises(promised, point, image):
            broken[point] = wrong
        shutil.rmtree(image)
    return broken


def test_no_cut_loses_what_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cut loses what was acknowledged."""
    promised = recorded(tmp_path / "state", monkeypatch, rounds=60)
    assert len(promised.begun) > 100
    assert cut(promised, tmp_path, cuts=120, seed=seeds.seed()) == {}


def test_without_syncing_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even FULL is not enough for a new file: the journal of its first page may come back, and roll everything back."""
    promised = recorded(tmp_path / "state", monkeypatch, rounds=60, synchronous="FULL")
    broken = cut(promised, tmp_path, cuts=60, seed=1)
    assert any("rows of" in one for wrong in broken.values() for one in wrong)


def test_without_full_syncs_intents_are_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test can fail: with SQLite's usual setting for a log, acknowledged intents are missing."""
    promised = recorded(tmp_path / "state", monkeypatch, rounds=60, synchronous="NORMAL")
    broken = cut(promised, tmp_path, cuts=60, seed=1)
    lost = [point for point, wrong in broken.items() if any("intent" in one for one in wrong)]
    assert len(lost) > 20


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(4))
def test_no_cut_anywhere_loses_what_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """No cut anywhere loses what was acknowledged."""
    promised = recorded(tmp_path / "state", monkeypatch, rounds=150)
    assert cut(promised, tmp_path, cuts=1500, seed=seed) == {}

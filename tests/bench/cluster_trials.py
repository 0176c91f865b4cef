"""Whole workers on a ledger on a server: the rate that is kept, the time that a death costs, and what idling does.

    python -m tests.bench.cluster_trials rate --per-second 1000        one account, three workers
    python -m tests.bench.cluster_trials rate --accounts 20 --per-second 20
    python -m tests.bench.cluster_trials failover --kills 6
    python -m tests.bench.cluster_trials idle --accounts 200

Workers are programs of their own, at the defaults; PostgreSQL as in cluster_speed, the target as in server.py. When
requests left, the ledger says. The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from dispatcher.campaign.opening import leased_campaign
from dispatcher.clock import now_ms
from dispatcher.cluster.app import hint_shift, migrate_engine
from dispatcher.events import EventBus
from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.ledger.records import CampaignRecord
from dispatcher.settings import Credentials, Settings
from dispatcher.settings.ordered import settings_to_send
from tests.bench.cluster_speed import cpu_of, server
from tests.support.postgres import PrivateServer

FLOW = "FW0123456789abcdef0123456789abcdef"
ROOT = Path(__file__).parents[2]
HEADROOM = 0.01
#: Nothing is waited for longer.
PATIENCE_S = 120.0
_SESSIONS = """\
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@dataclass(frozen=True)
class Stage:
    """A ledger, a target and a folder."""

    postgres: PrivateServer
    url: str
    base_url: str
    folder: Path

    def settings(self, per_second: float) -> Settings:
        """Of a campaign: the defaults, but for what must be said."""
        return Settings.model_validate(
            {
                "account": {"base_url": self.base_url},
                "campaign": {"flow": FLOW, "from": "+12025550100"},
                "columns": {"to": "phone"},
                "rate": {"per_second": per_second, "in_flight": 100, "headroom": HEADROOM},
                "state": {"url": self.url},
            }
        )

    async def order(self, rows: Sequence[int], per_second: float) -> list[CampaignRecord]:
        """A campaign of so many rows for each account, ordered at once."""
        settings, records = self.settings(per_second), []
        ledger = await asyncio.to_thread(lambda: PostgresLedger.open(self.url))
        for n, count in enumerate(rows):
            account = await ledger.account(sid(n), settings.studio_url)
            record = await ledger.open_campaign(f"bench-{n}", account, FLOW)
            file = self.folder / f"{n}.csv"
            lines = "".join(f"Ann{row},+1202{2_000_000 + 100_000 * n + row:07d}\n" for row in range(count))
            file.write_text("first_name,phone\n" + lines, encoding="utf-8")
            credentials = Credentials(account_sid=sid(n), username=sid(n), password="not-a-secret")
            async with leased_campaign(ledger, record, settings, credentials, bus=EventBus(), wait=True) as campaign:
                await campaign.plan(file)
            records.append(record)
        for record in records:
            seen = await ledger.wishes.of(record)
            assert await ledger.wishes.order(record, seen, now_ms(), settings_to_send(settings))
        for record in records:
            await hint_shift(settings, record)
        await ledger.close()
        return records

    def worker(self) -> subprocess.Popen[bytes]:
        """One that can send for all accounts of the folder."""
        own = {"DISPATCHER_STATE_URL": self.url, "HOME": str(self.folder), "DISPATCHER_ACCOUNT_BASE_URL": self.base_url}
        own["DISPATCHER_CLUSTER_CREDENTIALS_DIR"] = str(self.folder / "credentials")
        own["XDG_DATA_HOME"] = str(self.folder)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "DISPATCHER_"))}
        kept["PYTHONPATH"] = str(ROOT)
        with (self.folder / "workers.txt").open("a") as said:
            command = [sys.executable, "-m", "dispatcher", "worker"]
            return subprocess.Popen(command, cwd=self.folder, env=kept | own, stdout=said, stderr=said)


def sid(n: int) -> str:
    """The n-th account's."""
    return f"AC{n:032x}"


@contextlib.asynccontextmanager
async def staged(accounts: int, *, limit_per_s: float = 0.0) -> AsyncIterator[Stage]:
    """All but the workers."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-bench-")))
        postgres = stack.enter_context(server())
        url = stack.enter_context(postgres.ledger())
        await migrate_engine(url)
        command = [sys.executable, "-m", "tests.bench.server", "--limit-per-s", str(limit_per_s), "--accounts"]
        target = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)  # noqa: ASYNC220 - at once
        stack.callback(target.wait)
        stack.callback(target.kill)
        assert target.stdout is not None
        base_url = f"http://127.0.0.1:{int(target.stdout.readline())}"
        (folder / "credentials").mkdir(mode=0o700)
        for n in range(accounts):
            file = folder / "credentials" / f"{n}.env"
            file.touch(0o600)
            file.write_text(f"TWILIO_ACCOUNT_SID={sid(n)}\nTWILIO_AUTH_TOKEN=not-a-secret\n")
        try:
            yield Stage(postgres, url, base_url, folder)
        except BaseException:
            print((folder / "workers.txt").read_text()[-3000:], file=sys.stderr)
            raise


@contextlib.contextmanager
def working(stage: Stage, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many workers; whoever kills one puts another in its place."""
    workers = [stage.worker() for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


class Eyes:
    """Looks into the ledger's database."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, options="-c search_path=dispatcher")

    def see(self, text: str) -> list[tuple[Any, ...]]:
        """What a statement answers."""
        return self._connection.execute(text.encode()).fetchall()

    async def until(self, text: str, most_s: float = PATIENCE_S) -> None:
        """Wait until its first value is true."""
        end_s = time.monotonic() + most_s
        while not self.see(text)[0][0]:
            if time.monotonic() > end_s:
                raise TimeoutError(text)
            await asyncio.sleep(0.02)


async def rate(accounts: int, per_second: float, seconds: float, workers: int) -> dict[str, float]:
    """Each account's share of its limit, after its first second and before its last."""
    # Of several the target cannot tell whose limit it is.
    one_limit = per_second if accounts == 1 else 0.0
    async with staged(accounts, limit_per_s=one_limit) as stage:
        with working(stage, workers) as crew:
            eyes = Eyes(stage.url)
            await stage.order([int(per_second * seconds)] * accounts, per_second)
            await eyes.until("SELECT count(*) > 0 FROM attempts WHERE sent_at_ms > 0")
            at_s, before = time.perf_counter(), _all_cpu(stage, crew)
            await eyes.until("SELECT bool_and(due_ms IS NULL) FROM campaigns", seconds * 2 + PATIENCE_S)
            took_s, cpu = time.perf_counter() - at_s, _all_cpu(stage, crew)
        shares: list[float] = []
        worst = 0
        for (account_id,) in eyes.see("SELECT account_id FROM accounts"):
            times = [
                at_ms / 1000
                for (at_ms,) in eyes.see(
                    "SELECT sent_at_ms FROM attempts JOIN runs USING (run_id)"
                    f" WHERE account_id = {int(account_id)} AND sent_at_ms > 0 ORDER BY 1"
                )
            ]
            counted = [at for at in times if at >= times[0] + 1.0]
            shares.append((len(counted) - 1) / (counted[-1] - counted[0]) / per_second)
            worst = max(worst, *(_within(times, start, 10.0) for start in range(len(times))))
        (lots,) = eyes.see("SELECT count(DISTINCT (run_id, begun_at_ms)) FROM attempts")[0]
        (rows, throttled) = eyes.see("SELECT count(*), count(*) FILTER (WHERE outcome = 'throttled') FROM attempts")[0]
    return {
        "share_least": min(shares),
        "share_median": statistics.median(shares),
        "worst_window": worst,
        "throttled": throttled,
        "rows": rows,
        "rows_a_lot": rows / lots,
        "seconds": took_s,
        "workers_cores": (cpu[0] - before[0]) / took_s,
        "postgres_cores": (cpu[1] - before[1]) / took_s,
    }


def _within(times: Sequence[float], start: int, window_s: float) -> int:
    return bisect_left(times, times[start] + window_s) - start


def _all_cpu(stage: Stage, crew: Sequence[subprocess.Popen[bytes]]) -> tuple[float, float]:
    return sum(cpu_of(worker.pid) for worker in crew), cpu_of(stage.postgres.pid)


async def failover(kills: int) -> dict[str, Any]:
    """From the death of the worker that sends until the next intent is in the ledger."""
    found: list[float] = []
    async with staged(1) as stage:
        with working(stage, 3) as crew:
            eyes = Eyes(stage.url)
            await stage.order([50 * (kills * 8 + 20)], 50.0)
            for _ in range(kills):
                await eyes.until("SELECT max(begun_at_ms) > (SELECT max(started_at_ms) FROM runs) FROM attempts")
                # Somewhere within a lease, a tick and a claim.
                await asyncio.sleep(2.0 + len(found) * 0.37 % 2)
                ((pid, run_id),) = eyes.see("SELECT pid, run_id FROM runs ORDER BY run_id DESC LIMIT 1")
                place = next(place for place, worker in enumerate(crew) if worker.pid == pid)
                crew[place].send_signal(signal.SIGKILL)
                at_s = time.monotonic()
                crew[place].wait()
                crew[place] = stage.worker()
                await eyes.until(f"SELECT EXISTS (SELECT 1 FROM attempts WHERE run_id > {int(run_id)})")
                found.append(time.monotonic() - at_s)
                print(f"   failover {found[-1]:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    return {"median_s": statistics.median(found), "worst_s": max(found), "all_s": found}


async def idle(accounts: int, seconds: float) -> dict[str, float]:
    """Three workers with nothing to do, for so many accounts."""
    async with staged(accounts) as stage:
        with working(stage, 3) as crew:
            eyes = Eyes(stage.url)
            ledger = await asyncio.to_thread(lambda: PostgresLedger.open(stage.url))
            for n in range(accounts):
                await ledger.account(sid(n), stage.base_url)
            await ledger.close()
            await asyncio.sleep(10.0)
            before, at_s = _all_cpu(stage, crew), time.perf_counter()
            sessions = 0
            while time.perf_counter() - at_s < seconds:
                await asyncio.sleep(1.0)
                sessions = max(sessions, eyes.see(_SESSIONS)[0][0])
            took_s, after = time.perf_counter() - at_s, _all_cpu(stage, crew)
            assert all(worker.poll() is None for worker in crew)
            memory = max(_memory_mib(worker.pid) for worker in crew)
    return {
        "cpu_percent_a_worker": (after[0] - before[0]) / took_s / 3 * 100,
        "cpu_percent_postgres": (after[1] - before[1]) / took_s * 100,
        "connections_a_worker": sessions / 3,
        "memory_mib_a_worker": memory,
    }


def _memory_mib(pid: int) -> float:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Try what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rate", "failover", "idle"))
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--per-second", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args()
    if options.what == "rate":
        found = asyncio.run(rate(options.accounts, options.per_second, options.seconds, options.workers))
    elif options.what == "failover":
        found = asyncio.run(failover(options.kills))
    else:
        found = asyncio.run(idle(options.accounts, options.seconds))
    print(json.dumps({**found, "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()

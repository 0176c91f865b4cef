"""What stops or delays a campaign holds for every worker of a cluster, whoever takes it over, wherever it stands."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.cli.clusters import ROWS, Cluster, status
from tests.acceptance.cli.program import Program, finish, sandbox_process, until
from tests.support import postgres

#: Two ticks of a worker that would go on.
A_WHILE_S = 4
CANARY = 60
#: Writes what it is told into a file of its own.
NOTES = """
import sys, uuid
open(f"{sys.argv[1]}/{uuid.uuid4().hex}.json", "wb").write(sys.stdin.buffer.read())
"""


def test_the_guard(cluster: Cluster) -> None:
    """Its verdict ends the looking on with 5, holds for all workers, and is lifted by name alone."""
    cluster.settings(guard={"window_rows": 50})
    for name in ("one", "two"):
        cluster.start_worker(name)
    cluster.sandbox.faults(reject=1)
    result = cluster.plans("run", "spring.csv", "--yes", "--json")
    assert (result.code, result.json["error"]["code"]) == (5, "guard"), result.err
    assert "dispatcher resume spring --accept-guard" in result.err
    assert (result.json["state"], result.json["paused"]["by"]) == ("paused", "guard")
    asked = cluster.sandbox.stats()["creates_total_requests"]
    assert 50 <= asked < ROWS
    time.sleep(A_WHILE_S)
    assert cluster.sandbox.stats()["creates_total_requests"] == asked
    refused = cluster.plans("resume", "spring", "--yes", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (5, "guard")
    cluster.sandbox.faults()
    last = cluster.plans("resume", "spring", "--yes", "--accept-guard", "--json")
    assert (last.code, last.json["rows"]["created"]) == (3, ROWS - asked), last.err
    cluster.check_nobody_twice(ROWS - asked)


@pytest.fixture
def walking(program: Program, cluster: Cluster) -> Iterator[Cluster]:
    """A cluster whose contacts answer at once."""
    with sandbox_process(program.folder, "--limit", "500", "--walk", "--speed", "1000") as sandbox:
        cluster.sandbox = sandbox
        yield cluster


@pytest.mark.parametrize(("most", "code", "creates"), [(0.9, 0, ROWS), (0.001, 5, CANARY)])
def test_the_canary_of_a_worker_that_dies(walking: Cluster, most: float, code: int, creates: int) -> None:
    """kill -9 while it waits: whoever takes it over looks at what the other has sent, and goes on or does not."""
    walking.settings(
        canary={"rows": CANARY, "wait_min": 0.1, "max_failed": most, "max_opted_out": most},
        tracking={"per_second": 1000},
    )
    workers = {worker.pid: worker for worker in (walking.start_worker("one"), walking.start_worker("two"))}
    process = walking.plans.start("run", "spring.csv", "--yes", "--json")
    until(lambda: walking.sandbox.stats()["creates"] == CANARY, "the canary", process)
    time.sleep(1)
    ((holder,),) = postgres.query(walking.url, "SELECT holder FROM accounts")
    workers[int(holder.split(":")[1])].kill()
    assert walking.sandbox.stats()["creates"] == CANARY
    result = finish(process)
    assert result.code == code, result.err
    walking.check_nobody_twice(creates)
    assert (status(walking)["state"] == "finished") == (code == 0)
    if code:
        assert (result.json["error"]["code"], result.json["paused"]["by"]) == ("canary", "canary")


def test_notices_of_what_was_taken_over(cluster: Cluster, tmp_path: Path) -> None:
    """That one worker has died is told by the other, and the end once, by whoever has come to it."""
    told = tmp_path / "told"
    told.mkdir()
    notes = tmp_path / "notes.py"
    notes.write_text(NOTES, "utf-8")
    cluster.settings(notify={"command": [sys.executable, str(notes), str(told)]})
    workers = {worker.pid: worker for worker in (cluster.start_worker("one"), cluster.start_worker("two"))}
    process = cluster.plans.start("run", "spring.csv", "--yes", "--json")
    until(lambda: cluster.sandbox.stats()["creates"] >= 40, "creates", process)
    ((holder,),) = postgres.query(cluster.url, "SELECT holder FROM accounts")
    workers[int(holder.split(":")[1])].kill()
    assert finish(process).code == 0
    until(lambda: _told(told, "finished"), "the notice of the end")
    time.sleep(1)
    assert [len(_told(told, kind)) for kind in ("finished", "stopped")] == [1, 1]
    (stopped,) = _told(told, "stopped")
    assert stopped["data"]["error"]["code"] == "killed"
    cluster.check_nobody_twice(ROWS)


def _told(folder: Path, kind: str) -> list[Any]:
    notices = [json.loads(path.read_text("utf-8") or "{}") for path in folder.glob("*.json")]
    return [notice for notice in notices if notice.get("type") == kind]


def test_workers_elsewhere(cluster: Cluster) -> None:
    """A start is on the clock that its zone has, whichever planner and worker have on their walls."""
    start = (datetime.now(UTC) + timedelta(seconds=8)).replace(microsecond=0)
    there = start.astimezone(ZoneInfo("Asia/Tokyo"))
    cluster.settings(schedule={"start_at": f"{there:%Y-%m-%dT%H:%M:%S}", "zone": "Asia/Tokyo"})
    cluster.start_worker(TZ="Pacific/Kiritimati")
    order = ("run", "spring.csv", "--yes", "--wait-until-done", "--json")
    result = cluster.plans(*order, env={"TZ": "America/Los_Angeles"})
    assert (result.code, result.json["rows"]["created"]) == (0, ROWS), result.err
    begun = datetime.fromtimestamp(min(create["at"] for create in cluster.sandbox.creates()), UTC)
    assert start <= begun < start + timedelta(seconds=20)

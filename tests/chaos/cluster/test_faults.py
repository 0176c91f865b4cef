"""What the cluster's loop does to Studio, the engine and wires does what it says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import aiohttp
import pytest
from procrastinate.schema import SchemaManager

from dispatcher.sandbox import SandboxSettings
from tests.chaos.cluster.engine import spoiled
from tests.chaos.cluster.studios import Studios
from tests.chaos.cluster.trials import Engine
from tests.chaos.zygote import reroute
from tests.support.postgres import connected, query, shared

SIDS = ["AC" + "1" * 32, "AC" + "2" * 32]


async def test_a_studio_of_many_accounts_counts_each_apart() -> None:
    """Whose a request is, its credentials say; nobody else's are let in."""
    settings = [SandboxSettings(account_sid=sid, credentials={sid: "secret"}) for sid in SIDS]
    async with Studios(settings) as studios, aiohttp.ClientSession() as http:
        url = f"{studios.base_url}/v2/Flows/{settings[0].flows[0].sid}/Executions"
        for sid, password, times, status in (
            (SIDS[0], "secret", 2, 201),
            (SIDS[1], "secret", 1, 201),
            ("x", "y", 1, 401),
        ):
            for n in range(times):
                body = {"To": f"+1415200000{n}", "From": "+15550001111"}
                headers = {"Authorization": aiohttp.encode_basic_auth(sid, password)}
                async with http.post(url, data=body, headers=headers) as answer:
                    assert answer.status == status
        assert [account.stats()["creates"] for account in studios.accounts] == [2, 1]


@pytest.fixture
def engine() -> Iterator[str]:
    """A database with the engine's tables."""
    with shared().database() as url:
        with connected(url) as connection:
            connection.execute("CREATE SCHEMA procrastinate")
            connection.execute("SET search_path = procrastinate")
            connection.execute(SchemaManager.get_schema().encode())
        yield url


def _defer(url: str, task: str) -> int:
    """Hand a job out as the engine does; how many are there then."""
    with connected(url) as connection:
        connection.execute("SET search_path = procrastinate")
        job = "ROW('q', %s, 0, NULL, %s, '{}', NULL)::procrastinate_job_to_defer_v1"
        connection.execute(f"SELECT procrastinate_defer_jobs_v1(ARRAY[{job}])".encode(), (task, f"lock:{task}"))
        connection.execute("SELECT procrastinate_defer_periodic_job_v2('t', NULL, NULL, 'tick', 0, '', 1, '{}')")
    return int(query(url, "SELECT count(*) FROM procrastinate.procrastinate_jobs")[0][0])


def _run(url: str, text: str) -> None:
    query(url, f"SET search_path = procrastinate; {text}")


@pytest.mark.parametrize(("kind", "jobs"), [(Engine.whole, 2), (Engine.twice, 4), (Engine.ticks, 1)])
def test_jobs_are_doubled_or_lost(engine: str, kind: Engine, jobs: int) -> None:
    with spoiled(engine, kind):
        assert _defer(engine, "shift") == jobs
    if kind is Engine.ticks:
        # From then on it is the tick alone that hands out.
        _run(engine, "DELETE FROM procrastinate_jobs")
        assert query(engine, "SELECT count(*) FROM pg_trigger WHERE tgname = 'the_last'") == [(0,)]


def test_half_of_the_jobs_are_lost_and_no_tick(engine: str) -> None:
    with spoiled(engine, Engine.half):
        for _ in range(20):
            _defer(engine, "shift")
            _run(engine, "DELETE FROM procrastinate_periodic_defers")
            _run(engine, "DELETE FROM procrastinate_jobs WHERE task_name = 'tick'")
            _run(engine, "UPDATE procrastinate_jobs SET queueing_lock = NULL")
        left = query(engine, "SELECT count(*) FROM procrastinate.procrastinate_jobs")[0][0]
    assert 1 <= left <= 19


def test_a_process_comes_by_a_wire_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other ports are not touched."""
    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        reroute({str(one.getsockname()[1]): other.getsockname()[1]})
        accepted: list[socket.socket] = []
        thread = threading.Thread(target=lambda: accepted.append(other.accept()[0]))
        thread.start()
        with socket.create_connection(one.getsockname(), timeout=5) as connection:
            thread.join(5)
            assert accepted
            assert accepted[0].getpeername() == connection.getsockname()
            accepted[0].close()

"""Connections are kept as long as they are good: a request that must not leave now does not cost one."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from dispatcher.errors import ExitCode
from dispatcher.studio.client import Studio
from tests.integration.network.servers import CREATED, CREDENTIALS, EXECUTION_SID, FLOW_SID, Connection, http, serve
from tests.support.rehearsal import Rehearsal

FORM = b"To=%2B15550000001&From=%2B15550001111"
IN_FLIGHT = 300


async def test_not_now_keeps_the_connection() -> None:
    """What is told at the last moment not to leave is not sent, and its connection takes the next one."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.read_request()
            await connection.answer(http())

    async with serve(handler) as server, Studio(CREDENTIALS, base_url=server.url) as studio:
        for may_leave in (False, True, False, False, True):
            answer = await studio.create(FLOW_SID, FORM, partial(bool, may_leave))
            assert (answer is not None) is may_leave
        assert (server.connections, len(server.seen)) == (1, 2)


async def test_a_run_with_429s(tmp_path: Path) -> None:
    """600 rows with 5 % of 429s need no more connections than there are places for requests in flight.

    They connect all at once, and the first answer is a 429: what is still connecting then must not leave.
    """
    numbers = count()

    async def handler(connection: Connection) -> None:
        while True:
            await connection.read_request()
            n = next(numbers)
            if n % 20 == 0:
                await connection.answer(http(429, b"{}"))
            else:
                sid = f"FN{n:032}".encode()
                await connection.answer(http(201, CREATED.replace(EXECUTION_SID.encode(), sid)))

    async with serve(handler) as server:
        rate = {"in_flight": IN_FLIGHT, "pace": "spike", "per_second": 5000, "window_s": 1.0}
        overrides: dict[str, Any] = {"rate": rate, "retry": {"backoff_base_s": 0.01}, "campaign": {"repeat_after_h": 0}}
        rehearsal = Rehearsal(tmp_path, cast(Any, SimpleNamespace(base_url=server.url)), overrides=overrides)
        result = await rehearsal.run(rehearsal.contacts(600))
        assert result.exit_code is ExitCode.OK
        assert rehearsal.states() == {"created": 600}
        assert len(server.seen) > 620
        assert server.connections <= IN_FLIGHT

"""Answers that are too large: a hostile or broken server must not fill this machine's memory."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.errors import StudioUnavailable
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Failure
from dispatcher.studio.wire import ANSWER_MAX_BYTES, CREATED_MAX_BYTES
from tests.integration.network.servers import CREATED, CREDENTIALS, EXECUTION_SID, FLOW_SID, Connection, http, serve

FORM = b"To=%2B15550000001&From=%2B15550001111"
#: What a server announces that does not tell how much will come.
CHUNKED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def studio(base_url: str) -> Studio:
    return Studio(CREDENTIALS, base_url=base_url, connect_s=5, answer_s=20)


@pytest.mark.parametrize("size", [CREATED_MAX_BYTES // 2, CREATED_MAX_BYTES * 2])
async def test_a_create_s_answer_is_bounded(size: int) -> None:
    """Up to 1 MiB it is believed; beyond, the row is unknown, and no more is read."""
    body = CREATED[:-1] + b', "context": "' + b"x" * size + b'"}'

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http(201, body))
        await connection.read_request()

    async with serve(handler) as server, studio(server.url) as client:
        answer = await client.create(FLOW_SID, FORM)
    assert answer.failure is (None if size < CREATED_MAX_BYTES else Failure.broken)


async def test_an_answer_that_never_ends_is_given_up() -> None:
    """Chunk after chunk without an end: the connection is closed after 1 MiB and a bit."""
    sent = 0

    async def handler(connection: Connection) -> None:
        nonlocal sent
        await connection.read_request()
        await connection.answer(CHUNKED)
        while True:
            await connection.answer(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            sent += 0x10000

    async with serve(handler) as server, studio(server.url) as client:
        answer = await client.create(FLOW_SID, FORM)
    assert answer.failure is Failure.broken
    assert sent < 32 * CREATED_MAX_BYTES  # what the system's buffers take is not ours to say


async def test_a_list_s_page_is_bounded() -> None:
    """A page that is announced with more than 32 MiB is not read."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http(200, b"{", length=ANSWER_MAX_BYTES + 1))
        await asyncio.sleep(60)

    async with serve(handler) as server, studio(server.url) as client:
        with pytest.raises(StudioUnavailable):
            async for _ in client.executions(FLOW_SID):
                pass


async def test_pages_are_read_one_at_a_time() -> None:
    """However many lists are read at once, one page of them is in memory; a Context goes by them."""
    at_once = most = 0

    async def handler(connection: Connection) -> None:
        nonlocal at_once, most
        while True:
            request = await connection.read_request()
            if b"/Context " in request:
                body = b'{"execution_sid": "%s", "context": {}}' % EXECUTION_SID.encode()
                await connection.answer(http(200, body))
                continue
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.05)
            at_once -= 1
            key = b"steps" if b"/Steps" in request else b"executions"
            await connection.answer(http(200, b'{"meta": {"key": "%s", "next_page_url": null}, "%s": []}' % (key, key)))

    async def listed(client: Studio) -> None:
        async for _ in client.executions(FLOW_SID):
            pass
        async for _ in client.steps(FLOW_SID, EXECUTION_SID):
            pass

    async with serve(handler) as server, studio(server.url) as client:
        lists = [asyncio.create_task(listed(client)) for _ in range(5)]
        await asyncio.sleep(0.02)
        async with asyncio.timeout(0.3):
            await client.execution_context(FLOW_SID, EXECUTION_SID)
        assert not all(task.done() for task in lists)
        await asyncio.gather(*lists)
    assert most == 1

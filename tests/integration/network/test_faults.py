"""The network's faults, one test a row: what the client concludes, and whether the server had seen the request.

Only failures of the connect phase prove that nothing was sent; all else is `unknown`, though in some of these cases
nothing had been read: the client cannot know.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from dispatcher.model import Outcome
from dispatcher.studio import client, wire
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Answer, Failure, Verdict, classify
from tests.integration.network.servers import (
    CREATED,
    CREDENTIALS,
    EXECUTION_SID,
    FLOW_SID,
    Connection,
    RawServer,
    black_hole,
    http,
    refused_port,
    serve,
    untrusted_tls,
)

#: All the time that a busy machine may take; `short` where a time-out is what the test is about.
CONNECT_S = 20.0
ANSWER_S = 20.0
SHORT_S = 0.3
FORM = b"To=%2B15550000001&From=%2B15550001111"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs that the test can wait for."""
    monkeypatch.setitem(globals(), "CONNECT_S", SHORT_S)
    monkeypatch.setitem(globals(), "ANSWER_S", SHORT_S)


async def create(base_url: str) -> tuple[Answer, Verdict]:
    asked = 0

    def leaving() -> bool:
        nonlocal asked
        asked += 1
        return True

    async with Studio(CREDENTIALS, base_url=base_url, connect_s=CONNECT_S, answer_s=ANSWER_S) as studio:
        answer = await studio.create(FLOW_SID, FORM, leaving)
    assert answer is not None
    verdict = classify(answer, api_version="v2")
    # What counts as departed, for the limit, and what counts as proof that nothing left are one and the same.
    assert asked == (verdict.outcome is not Outcome.not_sent)
    return answer, verdict


async def outcome_of(handler: Callable[[Connection], Awaitable[None]]) -> tuple[Verdict, RawServer]:
    async with serve(handler) as server:
        _, verdict = await create(server.url)
    return verdict, server


def assert_not_sent(verdict: Verdict) -> None:
    assert verdict.outcome is Outcome.not_sent
    assert verdict.trouble
    assert verdict.stop is None


def assert_unknown(verdict: Verdict, server: RawServer, *, seen: int) -> None:
    assert verdict.outcome is Outcome.unknown
    assert verdict.execution_sid is None
    assert len(server.seen) == seen


# --- the request never left ---


async def test_refused_is_not_sent() -> None:
    """A refused connection is `not_sent`, and the message says that it was refused."""
    _, verdict = await create(f"http://127.0.0.1:{refused_port()}")
    assert_not_sent(verdict)
    assert verdict.message == "no connection: Connection refused"


async def test_a_name_that_cannot_be_resolved_is_not_sent() -> None:
    _, verdict = await create("http://studio.invalid")
    assert_not_sent(verdict)
    assert verdict.message == "no connection: the host's name cannot be resolved"


@pytest.mark.usefixtures("short")
async def test_a_connection_that_is_never_made() -> None:
    """A connection that is never made is `not_sent`, after `connect_s`."""
    with black_hole() as port:
        started = time.monotonic()
        _, verdict = await create(f"http://127.0.0.1:{port}")
        elapsed_s = time.monotonic() - started
    assert_not_sent(verdict)
    assert verdict.message == "no connection: the connection took too long"
    assert SHORT_S * 0.9 < elapsed_s < 20


async def test_an_untrusted_certificate() -> None:
    """An untrusted certificate is `not_sent`, and stops the run."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()

    async with serve(handler, tls=untrusted_tls()) as server:
        _, verdict = await create(server.url)
    assert verdict.outcome is Outcome.not_sent
    assert verdict.stop is not None
    assert verdict.stop.code == "certificate"
    assert server.seen == []


async def test_tls_to_a_port_without_it() -> None:
    """TLS to a port that does not speak it is `not_sent`."""

    async def handler(connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.answer(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serve(handler, scheme="https") as server:
        _, verdict = await create(server.url)
    assert_not_sent(verdict)
    assert server.seen == []


@pytest.mark.usefixtures("short")
async def test_tls_to_a_silent_port() -> None:
    """TLS to a port that stays silent is `not_sent`, after `connect_s`."""

    async def handler(connection: Connection) -> None:
        await asyncio.sleep(60)

    async with serve(handler, scheme="https") as server:
        _, verdict = await create(server.url)
    assert_not_sent(verdict)
    assert server.seen == []


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_an_end_within_the_tls_handshake(how: str) -> None:
    """A connection that ends within the TLS handshake is `not_sent`."""

    async def handler(connection: Connection) -> None:
        await connection.reader.read(1)
        getattr(connection, how)()

    async with serve(handler, scheme="https") as server:
        _, verdict = await create(server.url)
    assert_not_sent(verdict)
    assert server.seen == []


# --- the request left: whatever happens is unknown ---


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_an_end_before_reading(how: str) -> None:
    """A connection that ends after accept, before anything was read, is `unknown`.

    To the client it looks like one that ends after the request.
    """

    async def handler(connection: Connection) -> None:
        getattr(connection, how)()

    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=0)


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_an_end_after_the_request_is_unknown(how: str) -> None:
    """A connection that ends after the request left is `unknown`."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        getattr(connection, how)()

    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)


async def test_an_end_inside_the_request_is_unknown() -> None:
    """A connection that ends while the request is being written is `unknown`."""

    async def handler(connection: Connection) -> None:
        await connection.reader.read(10)
        connection.reset()

    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=0)


@pytest.mark.parametrize("length", [1, 12, 40, len(http()) - len(CREATED) - 1])
async def test_headers_that_are_cut_are_unknown(length: int) -> None:
    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http()[:length])
        connection.close()

    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("kept", [0, 1, len(CREATED) - 1])
async def test_a_body_that_is_cut(how: str, kept: int) -> None:
    """An answer whose body is cut is `unknown`, although its 201 was seen."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http(201, CREATED[:kept], length=len(CREATED)))
        await asyncio.sleep(0.05)  # an RST throws away what was not read yet
        getattr(connection, how)()

    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)
    assert verdict.http_status == 201


async def test_a_chunked_body_that_is_cut_is_unknown() -> None:
    async def handler(connection: Connection) -> None:
        await connection.read_request()
        head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
        await connection.answer(head + b"%x\r\n" % len(CREATED) + CREATED + b"\r\n")  # no last chunk
        connection.close()

    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)


@pytest.mark.usefixtures("short")
async def test_a_server_that_hangs_is_unknown_after_answer_s() -> None:
    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await asyncio.sleep(60)

    started = time.monotonic()
    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)
    assert SHORT_S * 0.9 < time.monotonic() - started < 20


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("where", ["head", "body"])
async def test_a_server_that_drips_bytes(where: str) -> None:
    """An answer that comes byte by byte is `unknown`, at the deadline of the whole request."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        if where == "body":
            await connection.answer(http(201, b"", length=1 << 20))
        else:
            await connection.answer(b"HTTP/1.1 201 Created\r\n")
        while True:
            # More often than any read timeout.
            await asyncio.sleep(0.02)
            await connection.answer(b" " if where == "body" else b"X-Drip: 1\r\n")

    started = time.monotonic()
    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)
    assert time.monotonic() - started < 20


#: Bytes that are no answer to a create.
GARBAGE: dict[str, bytes] = {
    "not HTTP": b"\x15\x03\x03\x00\x02\x02\x46 this is not HTTP\r\n\r\n",
    "HTTP/0.9": CREATED,
    "another protocol": b"SSH-2.0-OpenSSH_9.7\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "a status of letters": b"HTTP/1.1 OK Created\r\n\r\n",
    "a status of four digits": http().replace(b"201", b"2011", 1),
    "a header without a name": b"HTTP/1.1 201 Created\r\n: x\r\n\r\n",
    "a length that is no number": http().replace(b"Content-Length: ", b"Content-Length: x", 1),
    "a length below zero": http().replace(b"Content-Length: ", b"Content-Length: -", 1),
    "two lengths": http(201, CREATED, "Content-Length: 3"),
    "length and chunks": http(201, CREATED, "Transfer-Encoding: chunked"),
    "chunks of no size": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "gzip that is none": http(201, CREATED, "Content-Encoding: gzip"),
    "gzip that is cut": http(201, gzip.compress(CREATED)[:-9], "Content-Encoding: gzip"),
    "deflate that is none": http(201, CREATED, "Content-Encoding: deflate"),
    "headers without end": b"HTTP/1.1 201 Created\r\n" + b"X-Long: " + b"x" * 70_000,
    "a header of 70 kB": http(201, CREATED, "X-Long: " + "x" * 70_000),
    "10,000 headers": http(201, CREATED, *["X-Many: 1"] * 10_000)[:-1] + b"!",
    "only an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "201 without a body": http(201, b""),
    "201 with a page": http(201, b"<html>Created</html>"),
    "201 of another resource": http(201, b'{"sid": "CA' + b"0" * 32 + b'"}'),
    "an empty 500": http(500, b""),
    "a 502 page": http(502, b"<html>Bad Gateway</html>", "Content-Type: text/html"),
    "a 503": http(503, b'{"code": 20503, "message": "busy", "status": 503}'),
    "a 504 without length": b"HTTP/1.1 504 Gateway Timeout\r\n\r\n<html>",
    "nothing but line ends": b"\r\n\r\n\r\n",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_unknown(data: bytes) -> None:
    """Bytes that are no answer to a create are `unknown`."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(data)
        await asyncio.sleep(0.02)
        connection.close()

    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)


async def test_whatever_bytes_come_back() -> None:
    """Whatever bytes come back, the outcome is never that nothing was sent.

    Cuts, flips and mixtures of real answers, from a seed; only a whole 201 with a SID is `created`.
    """
    chance = random.Random(20260321)
    answers = [http(), http(500, b""), http(429, b"{}"), *GARBAGE.values()]

    def spoiled() -> bytes:
        data = bytearray(chance.choice(answers)[:4000])
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at:]
                    data += b"\r\n"
                case 2:
                    data[at:at] = chance.randbytes(3)
                case _:
                    del data[at]
        return bytes(data) or b"\n"

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(spoiled())
        connection.close()

    async with (
        serve(handler) as server,
        Studio(CREDENTIALS, base_url=server.url, connect_s=10, answer_s=ANSWER_S) as studio,
    ):
        slots = asyncio.Semaphore(20)

        async def create_one() -> Answer:
            async with slots:
                return await studio.create(FLOW_SID, FORM)

        answered = await asyncio.gather(*(create_one() for _ in range(300)))
    for answer in answered:
        verdict = classify(answer, api_version="v2")
        assert verdict.outcome is not Outcome.not_sent or verdict.stop is not None, answer
        if verdict.outcome is Outcome.created:
            assert verdict.execution_sid is not None
            assert verdict.execution_sid in answer.body.decode("utf-8", "replace")
    assert len(server.seen) == 300


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_unknown(status: int) -> None:
    async def elsewhere(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http())

    async with serve(elsewhere) as other:

        async def handler(connection: Connection) -> None:
            await connection.read_request()
            await connection.answer(http(status, b"", f"Location: {other.url}/v2/Flows/{FLOW_SID}/Executions"))

        verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)
    assert verdict.http_status == status
    assert (other.connections, other.seen) == (0, [])


# --- connections that are kept ---


async def test_a_kept_connection_that_closes() -> None:
    """A request whose kept connection closes under it is `unknown`, and sent only once."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http())
        await connection.read_request()  # the server has it, and then goes
        connection.close()

    async with (
        serve(handler) as server,
        Studio(CREDENTIALS, base_url=server.url, connect_s=CONNECT_S, answer_s=ANSWER_S) as studio,
    ):
        first = classify(await studio.create(FLOW_SID, FORM), api_version="v2")
        second = classify(await studio.create(FLOW_SID, FORM), api_version="v2")
    assert first.outcome is Outcome.created
    assert second.outcome is Outcome.unknown
    assert (server.connections, len(server.seen)) == (1, 2)


async def test_connections_closed_between_requests() -> None:
    """Connections that are closed between requests lose and repeat nothing.

    The race: the server closes an idle connection while the client may already be writing to it.
    """

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http())
        connection.close()

    outcomes = []
    async with (
        serve(handler) as server,
        Studio(CREDENTIALS, base_url=server.url, connect_s=CONNECT_S, answer_s=ANSWER_S) as studio,
    ):
        for n in range(100):
            outcomes.append(classify(await studio.create(FLOW_SID, FORM), api_version="v2").outcome)
            if n % 2:
                await asyncio.sleep(0.001)
    created = outcomes.count(Outcome.created)
    # What the server has seen it has answered; what it has not seen is unknown, and nothing was sent a second time.
    assert created == len(server.seen)
    assert created + outcomes.count(Outcome.unknown) == 100


@pytest.mark.parametrize(("keepalive_s", "connections"), [(0.05, 2), (20.0, 1)])
async def test_a_connection_is_used_again(
    keepalive_s: float, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is used again for as long as the server surely keeps it."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.read_request()
            await connection.answer(http())

    monkeypatch.setattr("dispatcher.studio.client.KEEPALIVE_S", keepalive_s)
    async with (
        serve(handler) as server,
        Studio(CREDENTIALS, base_url=server.url, connect_s=CONNECT_S, answer_s=ANSWER_S) as studio,
    ):
        for _ in range(2):
            assert classify(await studio.create(FLOW_SID, FORM), api_version="v2").outcome is Outcome.created
            await asyncio.sleep(0.1)
    assert (server.connections, len(server.seen)) == (connections, 2)


OTHER_SID = "FN" + "9" * 32
UNASKED = http(201, CREATED.replace(EXECUTION_SID.encode(), OTHER_SID.encode()))


@pytest.mark.parametrize("data", [UNASKED, http(400, b'{"code": 21211}'), http(429, b"{}"), http(409, b"{}")])
@pytest.mark.parametrize("delay_s", [0.0, 0.02])
async def test_bytes_that_nobody_asked_for(data: bytes, delay_s: float) -> None:
    """Bytes that nobody asked for are not taken for the next request's answer: it would be the wrong one.

    Some servers write to an idle connection before they close it.
    """
    sent = asyncio.Event()

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http() + (b"" if delay_s else data))
        if delay_s:
            await asyncio.sleep(delay_s)
            await connection.answer(data)
        sent.set()
        await connection.read_request()
        await connection.answer(http())

    async with (
        serve(handler) as server,
        Studio(CREDENTIALS, base_url=server.url, connect_s=CONNECT_S, answer_s=ANSWER_S) as studio,
    ):
        first = classify(await studio.create(FLOW_SID, FORM), api_version="v2")
        await sent.wait()
        await asyncio.sleep(0.02)  # what has arrived is read
        second = classify(await studio.create(FLOW_SID, FORM), api_version="v2")
    assert (first.outcome, first.execution_sid) == (Outcome.created, EXECUTION_SID)
    # It went over a new connection, whose first answer is its own.
    assert (second.outcome, second.execution_sid) == (Outcome.created, EXECUTION_SID)
    assert (server.connections, len(server.seen)) == (2, 2)


class Threaded:
    """A server in a thread: it goes on while the client's loop stands still."""

    def __init__(self, *answers: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._answers = answers
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        """The first connection gets all the answers to its first request, each later one the last answer."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._held.append(connection)
                self.connections += 1
                connection.recv(65536)
                for answer in self._answers if self.connections == 1 else self._answers[-1:]:
                    connection.sendall(answer)
                    time.sleep(0.05)

    def close(self) -> None:
        for one in (self._listener, *self._held):
            one.close()
        self._thread.join(20)


@pytest.mark.parametrize("data", [UNASKED, http(409, b"{}"), b""])
@pytest.mark.parametrize("by_a_read", [True, False])
async def test_bytes_that_were_not_read_yet(data: bytes, by_a_read: bool) -> None:
    """They lie in the kernel, because the loop was busy: the connection is not used for the next request."""
    server = Threaded(http(), data, http())
    try:
        async with Studio(CREDENTIALS, base_url=server.url, connect_s=CONNECT_S, answer_s=ANSWER_S) as studio:
            ask = partial(studio.flow, FLOW_SID) if by_a_read else partial(studio.create, FLOW_SID, FORM)
            await ask()
            time.sleep(0.3)  # noqa: ASYNC251 - nothing is read meanwhile
            await ask()
    finally:
        server.close()
    assert server.connections == 2


async def test_a_request_that_is_given_up(short: None) -> None:
    """What of it has not been delivered by then, never will be."""
    given_up = asyncio.Event()
    form = b"x=" + b"y" * 8_000_000
    received = -1

    async def handler(connection: Connection) -> None:
        nonlocal received
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await given_up.wait()
        connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
        received = 0
        with contextlib.suppress(OSError):
            while data := await connection.reader.read(1 << 20):
                received += len(data)

    async with serve(handler) as server:
        async with Studio(CREDENTIALS, base_url=server.url, connect_s=CONNECT_S, answer_s=ANSWER_S) as studio:
            verdict = classify(await studio.create(FLOW_SID, form), api_version="v2")
        given_up.set()
        await asyncio.sleep(0.5)
        assert_unknown(verdict, server, seen=0)
    assert 0 <= received < len(form)


@pytest.mark.skipif(not wire.HAS_USER_TIMEOUT, reason="the system has no TCP_USER_TIMEOUT")
async def test_what_a_kernel_goes_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every socket to Studio gives up by itself after `answer_s`, and is dropped with the program that had it."""
    made: list[socket.socket] = []
    make = wire.Sockets.__call__

    def watched(self: wire.Sockets, address: tuple[object, ...]) -> socket.socket:
        made.append(make(self, address))
        return made[-1]

    monkeypatch.setattr(wire.Sockets, "__call__", watched)

    async def handler(connection: Connection) -> None:
        while True:
            await connection.read_request()
            await connection.answer(http())

    async with serve(handler) as server, Studio(CREDENTIALS, base_url=server.url, answer_s=7.5) as studio:
        await studio.create(FLOW_SID, FORM)
        await studio.flow(FLOW_SID)
        for one in made:
            assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7500
            assert struct.unpack("ii", one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
    assert len(made) == 2


async def test_connections_are_closed_in_peace() -> None:
    """Where nothing is under way the server is told by a FIN, not by a reset."""
    ended: list[bytes | OSError] = []

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http())
        try:
            ended.append(await connection.reader.read())
        except OSError as error:
            ended.append(error)

    async with serve(handler) as server:
        async with Studio(CREDENTIALS, base_url=server.url) as studio:
            await studio.create(FLOW_SID, FORM)
        await asyncio.sleep(0.2)
        assert ended == [b""]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("base_url", "proxy", "option", "late_s"),
    [
        ("http://127.0.0.1:1", False, True, 0),
        ("http://127.0.0.1:1", True, False, 0),
        ("http://localhost.:1", True, False, 0),
        ("http://[::1]:1", True, False, 0),
        ("https://studio.invalid", False, True, 0),
        ("https://studio.invalid", False, False, 120),
        ("https://studio.invalid", True, True, 120),
    ],
)
def test_how_late_a_request_may_arrive(
    base_url: str, proxy: bool, option: bool, late_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy, and a kernel that was not told otherwise, deliver what was given up."""
    if proxy:
        monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(client, "HAS_USER_TIMEOUT", option)
    assert Studio(CREDENTIALS, base_url=base_url).late_s == late_s


async def test_many_requests_at_once() -> None:
    """Answers carry what was asked, over connections that are used again and again, some of which end in between."""
    chance = random.Random(7)

    async def handler(connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            number = request.rpartition(b"n=")[2].decode()
            await asyncio.sleep(chance.random() * 0.01)
            if chance.random() < 0.1:
                connection.reset()
                return
            body = b'{"sid": "FN%s"}' % number.zfill(32).encode()
            await connection.answer(http(201, body, *(["Connection: close"] if chance.random() < 0.1 else [])))

    async with (
        serve(handler) as server,
        Studio(CREDENTIALS, base_url=server.url, connect_s=10, answer_s=5) as studio,
    ):

        async def create_some(worker: int) -> None:
            for n in range(worker * 1000, worker * 1000 + 40):
                verdict = classify(await studio.create(FLOW_SID, f"To=1&From=2&n={n}".encode()), api_version="v2")
                if verdict.outcome is Outcome.created:
                    assert verdict.execution_sid == f"FN{n:032}"
                else:
                    assert verdict.outcome is Outcome.unknown

        await asyncio.gather(*(create_some(worker) for worker in range(20)))
    assert len(server.seen) == 800
    assert server.connections < 400


# --- good answers in odd clothes ---


@pytest.mark.parametrize(
    "data",
    [
        http(),
        http(201, gzip.compress(CREATED), "Content-Encoding: gzip"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + http(),
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(CREATED), CREATED),
        b"HTTP/1.0 201 Created\r\n\r\n" + CREATED,
        http(201, CREATED, "Connection: close", "Set-Cookie: a=\x01b; path=/; \xff", "Content-Type: text/html"),
        http(200, b"\n " + CREATED + b"\n"),
    ],
)
async def test_an_execution_in_odd_clothes_is_created(data: bytes) -> None:
    """A whole execution is `created`, however it comes: compressed, in chunks, with odd headers."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(data)
        connection.close()

    verdict, server = await outcome_of(handler)
    assert (verdict.outcome, verdict.execution_sid, len(server.seen)) == (Outcome.created, EXECUTION_SID, 1)


async def test_an_answer_before_reading() -> None:
    """An answer that comes before the request was read is still an answer, and never `not_sent`."""

    async def handler(connection: Connection) -> None:
        await connection.answer(http())
        await connection.read_request()

    verdict, _ = await outcome_of(handler)
    assert verdict.outcome in (Outcome.created, Outcome.unknown)


@pytest.mark.parametrize("announced", [True, False])
async def test_an_answer_without_end(announced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without end is `unknown`, and given up before it fills the memory."""
    monkeypatch.setattr(wire, "ANSWER_MAX_BYTES", 1 << 20)
    sent = 0

    async def handler(connection: Connection) -> None:
        nonlocal sent
        await connection.read_request()
        length = "Content-Length: 1000000000" if announced else "X-No: length"
        await connection.answer(f"HTTP/1.1 201 Created\r\n{length}\r\n\r\n".encode())
        while True:
            await connection.answer(b" " * 65536)
            sent += 65536

    verdict, server = await outcome_of(handler)
    assert_unknown(verdict, server, seen=1)
    assert sent < 32 << 20


async def test_a_header_that_is_no_text() -> None:
    """A header that is no text does not spoil the answer."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        data = http(201, CREATED, "Twilio-Request-Id: @@", "Retry-After: @@", "Date: @@")
        await connection.answer(data.replace(b"@@", b"\xff\xfe"))

    async with serve(handler) as server:
        answer, verdict = await create(server.url)
    assert verdict.outcome is Outcome.created
    # It goes into the ledger, which takes only text that can be encoded.
    assert answer.request_id is None or answer.request_id.encode()


async def test_an_answer_that_begins_while_its_time_runs_out() -> None:
    """A process that stood still finds the beginning and the end of the time at once: nothing is known of the row."""

    async def handler(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(http(201, CREATED[:10], length=len(CREATED)))
        # Everything stands still, this client too.
        time.sleep(0.5)  # noqa: ASYNC251 - that is what is tested
        await asyncio.sleep(60)

    async with serve(handler) as server, Studio(CREDENTIALS, base_url=server.url, connect_s=5, answer_s=0.3) as client:
        answer = await client.create(FLOW_SID, b"To=%2B15550000001&From=%2B15550001111")
    assert answer.failure is Failure.timeout

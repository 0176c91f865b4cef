"""Servers that misbehave, one connection at a time, on real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.settings import Credentials

ACCOUNT_SID = "AC" + "0" * 32
FLOW_SID = "FW" + "0" * 32
EXECUTION_SID = "FN" + "0" * 32
CREDENTIALS = Credentials(account_sid=ACCOUNT_SID, username=ACCOUNT_SID, password="not-a-real-token")
CERTIFICATE = Path(__file__).with_name("untrusted.pem")

CREATED = b'{"sid": "' + EXECUTION_SID.encode() + b'", "status": "active"}'


def http(status: int = 201, body: bytes = CREATED, *headers: str, length: int | None = None) -> bytes:
    """An HTTP answer's bytes; `length` announces another length than the body's."""
    lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, "Content-Type: application/json", *headers, "", ""]).encode() + body


@dataclass
class Connection:
    """One accepted connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: RawServer

    async def read_request(self) -> bytes:
        """Read one request whole; from then on it counts as seen."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = await self.reader.readexactly(length)
        self.server.seen.append(head + body)
        return head + body

    async def answer(self, data: bytes) -> None:
        """Write and wait until it is handed to the kernel."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End with an RST."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """End with a FIN."""
        self.writer.close()


Handler = Callable[[Connection], Awaitable[None]]


@dataclass
class RawServer:
    """A TCP server that does with each connection what `handler` says."""

    port: int = 0
    connections: int = 0
    #: Every request that was read whole.
    seen: list[bytes] = field(default_factory=list)
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def serve(
    handler: Handler, *, tls: ssl.SSLContext | None = None, scheme: str = "http"
) -> AsyncIterator[RawServer]:
    """Serve until the block ends; then every connection is cut. `scheme`: what the address claims the server speaks."""
    result = RawServer(scheme="https" if tls else scheme)
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        result.connections += 1
        try:
            await handler(Connection(reader, writer, result))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    result.port = server.sockets[0].getsockname()[1]
    try:
        yield result
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def untrusted_tls() -> ssl.SSLContext:
    """The server side of TLS with a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def refused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port whose SYNs are dropped: its queue of connections that nobody accepts is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(64):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.1)
            try:
                waiting.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        else:
            raise AssertionError("the queue never filled")
        yield port

"""A create request on the wire: one write, one read, and the moment between them when it has left.

aiohttp connects, pools, speaks TLS and proxies, and parses; what its session does around a request for whoever may need
it (cookies, redirects, middlewares, tracing, a task that writes the body, a timer per read) is left out. That is nearly
half of a request's cost. Reads go through the session: there are few of them.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from dispatcher.studio.outcomes import Answer, Failure

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.streams import StreamReader

#: The most bytes of an answer that are read: of a list, or a Context, which may be large,
ANSWER_MAX_BYTES = 32 * 1024 * 1024
#: and of a create's, which is about 1 KB, and of which as many may be read at once as there are requests in flight.
CREATED_MAX_BYTES = 1024 * 1024
_TOO_LONG = "the answer took too long"
#: Whether the system gives up a connection on which nothing is acknowledged any more (RFC 5482; Linux has it).
HAS_USER_TIMEOUT = hasattr(socket, "TCP_USER_TIMEOUT")
#: A socket that is closed while it has something to deliver drops it, and tells the other side so (RST).
_DROP = struct.pack("ii", 1, 0)
_DELIVER = struct.pack("ii", 0, 0)


class Sockets:
    """Makes the sockets of a client: a request that is given up is not delivered afterwards.

    By itself a kernel goes on delivering what was written, for a quarter of an hour if need be, also for a program that
    has been killed. The row would be looked for, found nowhere and sent again, and then the first request would arrive.
    So what is not acknowledged after `answer_s` is given up, and a socket that is closed, by whomever, delivers nothing
    more. Connections on which nothing is under way are closed in peace (`close_in_peace`).
    """

    def __init__(self, answer_s: float) -> None:
        self._answer_ms = max(1, min(int(answer_s * 1000), 2**31 - 1))

    def __call__(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for an address (aiohttp's `socket_factory`)."""
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP)
            if HAS_USER_TIMEOUT:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._answer_ms)
        except BaseException:
            made.close()
            raise
        return made


def close_in_peace(connection: Connection) -> None:
    """Close a connection on which nothing is under way."""
    protocol = connection.protocol
    transport = protocol.transport if protocol is not None else None
    used: Any = transport.get_extra_info("socket") if transport is not None else None
    if used is not None and used.fileno() >= 0:
        used.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DELIVER)
    connection.close()


class Looker:
    """Sees whether something lies on a connection that has not been read: bytes, or its end."""

    def __init__(self) -> None:
        self._poll = select.poll()

    def is_quiet(self, protocol: ResponseHandler) -> bool:
        """Whether it is open, and the server has said nothing on it since its last answer.

        aiohttp knows what has been read. What has arrived since the loop last looked lies in the kernel: there it is
        asked for, or it would be read as the answer to the next request.
        """
        transport = protocol.transport
        if protocol.should_close or transport is None or transport.is_closing():
            return False
        descriptor: int = transport.get_extra_info("socket").fileno()
        if descriptor < 0:
            return False
        self._poll.register(descriptor, select.POLLIN)
        try:
            return not self._poll.poll(0)
        finally:
            self._poll.unregister(descriptor)


class CleanConnector(aiohttp.TCPConnector):
    """Hands out no connection on which an answer lies that nobody asked for.

    Some servers and proxies write to an idle connection before they close it. Taken for the answer to the next request,
    it would be believed of a row that the server may never have seen, or may have created. Connections that forms have
    used do not come here again; `Idle` looks at them in the same way.
    """

    def __init__(self, *, answer_s: float, **settings: Any) -> None:
        super().__init__(socket_factory=Sockets(answer_s), **settings)
        self._used: WeakSet[ResponseHandler] = WeakSet()
        self._looker = Looker()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        """A connection for a request: a clean one from the pool, or a new one."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None
            if protocol not in self._used:
                self._used.add(protocol)
                return connection
            if self._looker.is_quiet(protocol):
                return connection
            connection.close()


class Deadlines:
    """One timer for everything that waits for an answer: all have the same time, so the oldest is due first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answer_s: float) -> None:
        self._loop = loop
        self._answer_s = answer_s
        self._waiting: dict[ResponseHandler, tuple[float, StreamReader | None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self, protocol: ResponseHandler, sent_at_s: float) -> None:
        """From now on `protocol` waits for a whole answer."""
        self._waiting[protocol] = (sent_at_s + self._answer_s, None)
        if self._timer is None:
            self._timer = self._loop.call_at(sent_at_s + self._answer_s, self._sweep)

    def body(self, protocol: ResponseHandler, body: StreamReader) -> None:
        """It has begun to answer, and waits for the rest of it. Raises: SocketTimeoutError: its time is over."""
        if protocol not in self._waiting:
            # Whoever stood still finds the end of the time and the beginning of the answer at once.
            raise aiohttp.SocketTimeoutError(_TOO_LONG)
        self._waiting[protocol] = (self._waiting[protocol][0], body)

    def end(self, protocol: ResponseHandler) -> None:
        """It waits no more."""
        self._waiting.pop(protocol, None)

    def close(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _sweep(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        while self._waiting:
            protocol = next(iter(self._waiting))
            due_s, body = self._waiting[protocol]
            if due_s > now_s:
                self._timer = self._loop.call_at(due_s, self._sweep)
                return
            del self._waiting[protocol]
            error = aiohttp.SocketTimeoutError(_TOO_LONG)
            protocol.set_exception(error)
            if body is not None:
                body.set_exception(error)


class Idle:
    """Connections that wait for the next form, each with the request's first lines.

    Given back to aiohttp's pool and taken from it again, a connection costs a tenth of a request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, keepalive_s: float) -> None:
        self._loop = loop
        self._keepalive_s = keepalive_s
        self._waiting: deque[tuple[float, Connection, bytes]] = deque()
        self._looker = Looker()

    def put(self, connection: Connection, head: bytes) -> None:
        """Keep a connection whose answer has been read."""
        self._waiting.append((self._loop.time(), connection, head))

    def take(self) -> tuple[Connection, bytes] | None:
        """The one that was used last, if the server has kept it open and has said nothing on it since."""
        waiting = self._waiting
        oldest_s = self._loop.time() - self._keepalive_s
        while waiting and waiting[0][0] < oldest_s:
            close_in_peace(waiting.popleft()[1])
        while waiting:
            _, connection, head = waiting.pop()
            protocol = connection.protocol
            if protocol is not None and self._looker.is_quiet(protocol):
                return connection, head
            connection.close()
        return None

    def close(self) -> None:
        """Close them all."""
        while self._waiting:
            close_in_peace(self._waiting.pop()[1])


class Poster:
    """Sends forms to one address."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        headers: CIMultiDict[str],
        *,
        proxy: str | None,
        connect_s: float,
        keepalive_s: float,
        deadlines: Deadlines,
    ) -> None:
        assert session.connector is not None
        self._connector = session.connector
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._url = url
        self._headers = headers
        self._proxy = URL(proxy) if proxy else None
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s)
        self._deadlines = deadlines
        self._idle = Idle(self._loop, keepalive_s)
        # For the connector a request is where to connect to; one does for all.
        self._target = self._new_target()
        self._head = _head(self._target)

    async def post(self, form: bytes, leaving: Callable[[], bool] | None = None) -> Answer | None:
        """Send it, once.

        `leaving` is called when only the writing is left to do: what fails before that was never sent. Where it says
        False nothing is sent: the connection is kept for the next form, and None returned.
        Never raises for what the network or the server does. A caller that is cancelled closes the connection.
        """
        loop = self._loop
        began_s = loop.time()
        status = 0
        sent = False
        try:
            connection, head = self._idle.take() or await self._connect()
            protocol = connection.protocol
            assert protocol is not None
            try:
                protocol.set_response_params(read_until_eof=True)
                transport = protocol.transport
                if transport is None or transport.is_closing():
                    raise aiohttp.ServerDisconnectedError
                if leaving is not None and not leaving():
                    self._idle.put(connection, head)
                    return None
                sent = True
                began_s = loop.time()
                self._deadlines.start(protocol, began_s)
                transport.write(b"%s%d\r\n\r\n%s" % (head, len(form), form))
                message, body = await protocol.read()
                while message.code < 200:
                    message, body = await protocol.read()
                status = message.code
                payload = body.read_nowait() if body.is_eof() else await self._read(protocol, body)
                self._deadlines.end(protocol)
            except BaseException:
                self._deadlines.end(protocol)
                _abort(protocol)
                connection.close()
                raise
            self._idle.put(connection, head)
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ssl.SSLError, ValueError) as error:
            return _with_departure(failed(error, status, loop.time() - began_s), sent=sent)
        headers = message.headers
        return Answer(
            status,
            payload,
            None,
            "",
            headers.get(hdrs.DATE),
            headers.get(hdrs.RETRY_AFTER),
            plain(headers.get("Twilio-Request-Id")),
            loop.time() - began_s,
        )

    def close(self) -> None:
        """Close the connections that wait."""
        self._idle.close()

    async def _connect(self) -> tuple[Connection, bytes]:
        target, head = self._target, self._head
        if self._proxy is not None:
            # The connector writes the proxy's credentials into the request.
            target = self._new_target()
        try:
            connection = await self._connector.connect(target, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        return connection, head if self._proxy is None else _head(target)

    async def _read(self, protocol: ResponseHandler, body: StreamReader) -> bytes:
        self._deadlines.body(protocol, body)
        parts = bytearray()
        while part := await body.readany():
            parts += part
            if len(parts) > CREATED_MAX_BYTES:
                raise ValueError(f"an answer of more than {CREATED_MAX_BYTES} bytes")
        return bytes(parts)

    def _new_target(self) -> aiohttp.ClientRequest:
        return aiohttp.ClientRequest(
            hdrs.METH_POST, self._url, headers=self._headers, proxy=self._proxy, loop=self._loop, session=self._session
        )


def _abort(protocol: ResponseHandler) -> None:
    """Give a request up: what of it has not left yet, never will."""
    transport = protocol.transport
    if transport is not None:
        transport.abort()


def _head(request: aiohttp.ClientRequest) -> bytes:
    """A request's first lines, up to the number of bytes that follow."""
    url = request.url
    # A proxy that is not asked for a tunnel must be told the whole address (RFC 9112 §3.2.2).
    target = str(url) if request.proxy and not request.is_ssl() else url.raw_path_qs
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name != hdrs.CONTENT_LENGTH]
    lines.append(f"{hdrs.CONTENT_LENGTH}: ")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1:
        raise ValueError("a header holds a line break")
    return text.encode("ascii")


def failed(error: BaseException, status: int, elapsed_s: float) -> Answer:
    """What a failed request proves. The order matters: aiohttp's connector errors are OSErrors too.

    Texts are ours: an exception's own text may hold addresses.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ServerFingerprintMismatch):
        failure, detail = Failure.certificate, type(error).__name__
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        failure, detail = Failure.not_connected, "the host's name cannot be resolved"
    elif isinstance(error, aiohttp.ClientConnectorSSLError):
        failure, detail = Failure.not_connected, "TLS could not be agreed"
    elif isinstance(error, aiohttp.ClientProxyConnectionError):
        failure, detail = Failure.not_connected, "the proxy cannot be reached"
    elif isinstance(error, aiohttp.ClientHttpProxyError):
        # Its answer to CONNECT: the request itself was never written.
        failure, detail = Failure.not_connected, f"the proxy refused ({error.status})"
    elif isinstance(error, aiohttp.ClientConnectorError):
        failure, detail = Failure.not_connected, _system_text(error.os_error)
    elif isinstance(error, aiohttp.ConnectionTimeoutError):
        failure, detail = Failure.not_connected, "the connection took too long"
    elif isinstance(error, aiohttp.InvalidURL):
        failure, detail = Failure.not_connected, "the address is not a URL"
    elif isinstance(error, TimeoutError):
        failure, detail = Failure.timeout, "the answer took too long"
    elif isinstance(error, aiohttp.ServerDisconnectedError):
        failure, detail = Failure.broken, "the server closed the connection"
    elif isinstance(error, aiohttp.ClientPayloadError):
        failure, detail = Failure.broken, "the answer was cut short"
    elif isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        failure, detail = Failure.broken, "the answer is not HTTP"
    else:
        failure, detail = Failure.broken, f"the connection broke ({type(error).__name__})"
    return Answer(status=status, failure=failure, detail=detail, elapsed_s=elapsed_s)


def _with_departure(answer: Answer, *, sent: bool) -> Answer:
    """A failure, with what is known for certain: whether the request had begun to leave."""
    if sent and answer.failure in (Failure.not_connected, Failure.certificate):
        return answer._replace(failure=Failure.broken)
    if not sent and answer.failure in (Failure.broken, Failure.timeout):
        return answer._replace(failure=Failure.not_connected)
    return answer


def plain(header: str | None) -> str | None:
    """A header that is kept; None where its bytes are no ASCII text, which the ledger could not store."""
    return header[:100] if header is not None and header.isascii() else None


def _system_text(error: OSError) -> str:
    """The system's words for an error. Asyncio's own (`strerror`) hold the address."""
    return os.strerror(error.errno) if error.errno else "refused"

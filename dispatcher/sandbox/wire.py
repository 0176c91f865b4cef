"""Answers and faults as bytes on a real socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus

from aiohttp import web

from dispatcher.sandbox import answers
from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.faults import Effect, Fault
from dispatcher.sandbox.settings import SandboxSettings

_LINGER_ZERO = struct.pack("ii", 1, 0)
_HTML_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
_NOT_HTTP = b"\x15\x03\x03\x00\x02\x02\x46 this is not HTTP\r\n\r\n"
#: Longer than any client waits for at one byte a time.
_DRIP_LENGTH = 1 << 20


def replaced(fault: Fault, answer: Answer | None, path: str, retry_after_s: float | None) -> Answer | None:
    """The answer that a fault puts in the place of the true one (None: nothing was carried out, so there is none).

    None if the fault is not an answer but something done to the connection.
    """
    match fault.effect:
        case Effect.THROTTLED:
            return answers.throttled(retry_after_s)
        case Effect.REJECTED:
            return answers.problem(400, 21211, "The 'To' number is not a valid phone number")
        case Effect.UNAUTHENTICATED:
            return answers.unauthenticated()
        case Effect.FORBIDDEN:
            return answers.problem(403, 20403, "The credentials do not have the permission for this resource")
        case Effect.NOT_FOUND:
            return answers.not_found(path.partition("?")[0])
        case Effect.SERVER_ERROR:
            return answers.problem(500, 20500, "An internal server error has occurred")
        case Effect.UNAVAILABLE:
            return answers.problem(503, 20503, "Service unavailable")
        case Effect.HTML_502:
            return Answer(502, _HTML_502, content_type="text/html")
        case Effect.REDIRECT_307:
            return Answer(307, headers={"Location": path})
        case Effect.BAD_PAGE_TOKEN:
            return answers.problem(400, 21481, "Invalid PageToken")
        case Effect.UNPARSABLE if answer is not None:
            return Answer(answer.status, b'{"sid": "FN', answer.headers)
        case Effect.NO_SID if answer is not None:
            return Answer(answer.status, b'{"status": "active"}', answer.headers)
        case _:
            return None


class Wire:
    """Does to a connection what a fault says. `closing` is set when the sandbox stops: then nothing hangs any more."""

    def __init__(self, settings: SandboxSettings, closing: asyncio.Event) -> None:
        self._slow_s = settings.slow_s
        self._drip_s = settings.drip_s
        self._closing = closing

    async def spoil(
        self, request: web.BaseRequest, effect: Effect, answer: Answer | None, headers: dict[str, str]
    ) -> bool:
        """Carry a connection fault out. True: the answer is to be sent as it is; False: the connection is finished."""
        transport = request.transport
        if transport is None or transport.is_closing():
            return False
        match effect:
            case Effect.SLOW:
                await self.wait(self._slow_s)
                return True
            case Effect.RESET | Effect.RESET_LATE:
                reset(transport)
            case Effect.DISCONNECT:
                transport.close()
            case Effect.HANG:
                await self._closing.wait()
                reset(transport)
            case Effect.GARBAGE:
                transport.write(_NOT_HTTP)
                transport.close()
            case Effect.CUT_HEAD if answer is not None:
                head = _head(answer, headers, len(answer.body))
                transport.write(head[: len(head) // 2])
                transport.close()
            case Effect.CUT_BODY if answer is not None:
                transport.write(_head(answer, headers, len(answer.body) + 1) + answer.body[: len(answer.body) // 2])
                transport.close()
            case Effect.DRIP if answer is not None:
                transport.write(_head(answer, headers, _DRIP_LENGTH))
                while not transport.is_closing() and not self._closing.is_set():
                    transport.write(b" ")
                    await self.wait(self._drip_s)
                reset(transport)
            case _:
                return True
        return False

    async def wait(self, seconds: float) -> None:
        """Sleep, but not past the end of the sandbox."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass


def reset(transport: asyncio.Transport) -> None:
    """Close with an RST instead of a FIN: with linger 0 the kernel throws away what is not sent and resets."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def _head(answer: Answer, headers: dict[str, str], length: int) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

"""Answers and faults as bytes on a real socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus

from aiohttp import web

from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.faults import Effect
from dispatcher.sandbox.settings import SandboxSettings

_LINGER_ZERO = struct.pack("ii", 1, 0)
_NOT_HTTP = b"\x15\x03\x03\x00\x02\x02\x46 this is not HTTP\r\n\r\n"
#: Longer than any client waits for at one byte a time.
_DRIP_LENGTH = 1 << 20


class Wire:
    """Does to a connection what a fault says. `closing` is set when the sandbox stops: then nothing hangs any more."""

    def __init__(self, settings: SandboxSettings, closing: asyncio.Event) -> None:
        self.settings = settings
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
                await self.wait(self.settings.slow_s)
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
                    await self.wait(self.settings.drip_s)
                reset(transport)
            case Effect.SECOND_ANSWER if answer is not None:
                # This one as a whole; what is sent afterwards as usual is the one that nobody asked for.
                transport.write(_head(answer, headers, len(answer.body)) + answer.body)
                if self.settings.second_answer_s:
                    await self.wait(self.settings.second_answer_s)
                return True
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

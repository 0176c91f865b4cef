"""A wire that can be cut: a TCP proxy on loopback with real sockets, whose faults are a test's to choose.

It has a thread and a loop of its own: whatever a test blocks, bytes flow, and each method may be called from anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

_CHUNK_BYTES = 65536
_CALL_S = 10.0
#: Closed so, a socket sends RST, and what waits in it is gone.
_LINGER_NOT = struct.pack("ii", 1, 0)


class Proxy:
    """Who connects to `port` talks to `target_port`. A context manager; passes everything on until told otherwise."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener: socket.socket | None = _listening(0)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay_s = 0.0
        self._losing = False
        self._losing_after: bytes | None = None
        self._lost = threading.Event()
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_S)
        self._loop.close()

    def url(self, url: str) -> str:
        """An address of the target's, by this way."""
        return url.replace(f":{self._target[1]}", f":{self.port}", 1)

    def cut(self) -> None:
        """Every connection that there is, at both of its ends (RST). New ones are made."""
        self._run(self._cut())

    def refuse(self) -> None:
        """New connections, from now on (ECONNREFUSED); those that there are go on."""
        self._run(self._refuse())

    def accept(self) -> None:
        """Ends `refuse`, on the same port."""
        self._run(self._listen())

    def freeze(self) -> None:
        """A black hole in both directions: connections stay and are made, nothing arrives, not even an end."""
        self._run(self._set_flowing(False))

    def thaw(self) -> None:
        """Ends `freeze`: what was held is passed on, in its order."""
        self._run(self._set_flowing(True))

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """`freeze`, `thaw`."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def delay(self, delay_s: float) -> None:
        """Each lot of bytes, in either direction, by so much; 0: no more."""
        self._delay_s = delay_s

    def lose_answers(self, after: bytes | None = None) -> None:
        """What the target says does not arrive, from now on, or from a request on that holds `after` (b"COMMIT").

        Requests do. A connection that has lost a byte never gets another one: it ends by its client or by `cut`.
        """
        self._lost.clear()
        for wire in tuple(self._wires):
            # What was said before does not count.
            wire.said = b""
        self._losing, self._losing_after = after is None, after

    def keep_answers(self) -> None:
        """Ends `lose_answers` for connections that have lost nothing."""
        self._losing, self._losing_after = False, None

    def wait_lost(self, timeout_s: float = _CALL_S) -> bool:
        """Whether an answer has been lost since `lose_answers`: the target had done what was asked. Waits for it."""
        return self._lost.wait(timeout_s)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._wires)

    @property
    def ports(self) -> list[int]:
        """From which of them the target is connected to, as it sees them: PostgreSQL's `client_port`."""
        found = []
        for wire in tuple(self._wires):
            with contextlib.suppress(OSError):
                found.append(wire.target.getsockname()[1])
        return found

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_S)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = _listening(self.port)
        if self._accepting is None:
            self._accepting = asyncio.ensure_future(self._accept_all(self._listener))

    async def _refuse(self) -> None:
        if self._accepting is not None and self._listener is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
            self._listener.close()
        self._listener = self._accepting = None

    async def _cut(self) -> None:
        for wire in tuple(self._wires):
            wire.cut()
        # They close them: none is left at work with a socket whose number another may have.
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close(self) -> None:
        await self._refuse()
        await self._cut()

    async def _set_flowing(self, flows: bool) -> None:
        if flows:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _accept_all(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            task = asyncio.ensure_future(self._join(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _join(self, client: socket.socket) -> None:
        wire = _Wire(client)
        self._wires.add(wire)
        try:
            await self._flowing.wait()
            await self._loop.sock_connect(wire.target, self._target)
            there = asyncio.ensure_future(self._pump(wire.client, wire.target, self._request(wire)))
            back = asyncio.ensure_future(self._pump(wire.target, wire.client, self._answer(wire)))
            try:
                # An end in either direction is one of both: no client here half-closes.
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in (there, back):
                    pump.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
        except OSError:
            wire.cut()
        finally:
            self._wires.discard(wire)
            wire.close()

    async def _pump(self, source: socket.socket, sink: socket.socket, passes: Callable[[bytes], bool]) -> None:
        while data := await self._loop.sock_recv(source, _CHUNK_BYTES):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await self._flowing.wait()
            if passes(data):
                await self._loop.sock_sendall(sink, data)
        await self._flowing.wait()

    def _request(self, wire: _Wire) -> Callable[[bytes], bool]:
        def passes(data: bytes) -> bool:
            if self._losing_after is not None and self._losing_after in wire.said + data:
                wire.loses = True
            wire.said = (wire.said + data)[-64:]
            return True

        return passes

    def _answer(self, wire: _Wire) -> Callable[[bytes], bool]:
        def passes(data: bytes) -> bool:
            if self._losing or wire.loses:
                wire.loses = True
                self._lost.set()
                return False
            return True

        return passes


class _Wire:
    """A connection, and the one it is joined to."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.target = socket.socket()
        self.target.setblocking(False)
        for one in (self.client, self.target):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loses = False
        #: The end of what the client has said: what is looked for may come in two pieces.
        self.said = b""

    def cut(self) -> None:
        """Its ends are to be RST."""
        for one in (self.client, self.target):
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)

    def close(self) -> None:
        """Both."""
        self.client.close()
        self.target.close()


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    listener.setblocking(False)
    return listener

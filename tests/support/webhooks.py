"""A receiver of notices on loopback: aiohttp's server in a thread; what it got Standard Webhooks' library reads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

#: Made up; any 24 bytes and more are a secret.
SECRET = "whsec_bm90LWEtcmVhbC1zZWNyZXQtMzItYnl0ZXMtbG9uZw=="
#: How an answer is kept back until the sender has given up.
HANG = 0


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in, answered or not."""

    headers: dict[str, str]
    body: str

    @property
    def notice_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def notice(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def verified(self, secret: str = SECRET) -> dict[str, Any]:
        """The body as a receiver reads it. Raises: WebhookVerificationError."""
        found: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return found


@dataclass(slots=True)
class Receiver:
    """Answers as it is told, one status after the other, and with the last one from then on."""

    port: int
    answers: list[int] = field(default_factory=lambda: [204])
    received: list[Received] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/notices"

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        self.received.append(Received({name.lower(): value for name, value in request.headers.items()}, body))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == HANG:
            await self.over.wait()
        # A redirect leads back here, where following it would be seen.
        return web.Response(status=status, headers={"Location": self.url} if status // 100 == 3 else None)


def free_port() -> int:
    """A port that nobody listens at: a webhook that is down."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def receiver(*answers: int, port: int | None = None) -> Iterator[Receiver]:
    """A receiver for the time of the block."""
    found = Receiver(port or free_port(), [*answers] or [204])
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/notices", found.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", found.port).start()
        ready.set()
        await found.over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="receiver")
    thread.start()
    try:
        assert ready.wait(30)
        yield found
    finally:
        loop.call_soon_threadsafe(found.over.set)
        thread.join(30)
        loop.close()

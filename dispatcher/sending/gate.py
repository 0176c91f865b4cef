"""What reads of an account wait at: its breaker, and where there are many of them a rate of their own."""

from __future__ import annotations

import asyncio

from dispatcher.sending.breaker import Breaker
from dispatcher.sending.limiter import Limiter


class ReadGate:
    """See `studio.client.Gate`. `per_second`: the most reads; None: no limit of their own."""

    def __init__(self, breaker: Breaker, *, per_second: float | None = None) -> None:
        self._breaker = breaker
        self._limiter: Limiter | None = None
        if per_second is not None:
            self._limiter = Limiter(per_second=per_second, window_s=1.0, headroom=0.0, pace="even")
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Return when a read may leave."""
        if self._limiter is not None:
            async with self._turn:  # the limiter serves one task
                await self._limiter.acquire(1)
                self._limiter.record_sent()
        await self._breaker.wait_while_open()

    def throttled(self, retry_after_s: float | None) -> None:
        """A read was answered 429."""
        self._breaker.read_throttled(retry_after_s)

"""Whether the server answers in time: how late its event loop is, and what `/healthz` says of that."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: A look so often; over so long the worst is told.
LOOK_S = 0.5
KEPT_S = 60.0
#: Later than this, pages hang and requests leave late: whoever watches the server should know.
LATE_S = 2.0


class LoopLag:
    """How late the event loop comes back to what is due. `run` looks; the other methods may be called at any time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: When it was looked, and how late that was.
        self._seen: deque[tuple[float, float]] = deque()
        self._due_s: float | None = None

    async def run(self) -> None:
        """Look for ever; cancel it."""
        while True:
            self._due_s = self._clock() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """It came back now."""
        now_s = self._clock()
        if self._due_s is not None:
            self._seen.append((now_s, max(0.0, now_s - self._due_s)))
            self._due_s = None
        while self._seen and self._seen[0][0] < now_s - KEPT_S:
            self._seen.popleft()

    def worst_s(self) -> float:
        """In the last minute; what it is late at this moment counts."""
        now_s = self._clock()
        late_now_s = 0.0 if self._due_s is None else max(0.0, now_s - self._due_s)
        return max([late_now_s, *(late_s for at_s, late_s in self._seen if at_s >= now_s - KEPT_S)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What `/healthz` says to whoever asks, signed in or not: so it names nothing."""

    loop_lag_s: float
    #: The store and the ledger could be read when they were last asked.
    stores_ok: bool = True

    @property
    def is_ok(self) -> bool:
        return self.stores_ok and self.loop_lag_s <= LATE_S

    @property
    def status(self) -> int:
        """The HTTP status: 200, or 503 for a probe that reads nothing else."""
        return 200 if self.is_ok else 503

    def as_json(self) -> dict[str, bool | float]:
        """`{"ok": true, "loop_lag_s": 0.004}`."""
        return {"ok": self.is_ok, "loop_lag_s": round(self.loop_lag_s, 3)}

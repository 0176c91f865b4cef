"""What somebody asked for and may take a while: begun, waited for a moment, and told on the page when it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from dispatcher.errors import DispatcherError
from dispatcher.web.words import words_of

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Most are done by then: whoever asked sees the result at once.
PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an errand came to. `tone`: as a notice's."""

    tone: str
    text: str


class Errands:
    """One at a time for each campaign; the last one's result is kept until the next begins, or the server ends."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, Said] = {}

    def said(self, draft_id: str) -> Said | None:
        """What the last one came to; None: it goes on, or there was none."""
        return self._said.get(draft_id)

    def is_running(self, draft_id: str) -> bool:
        """Whether one goes on."""
        return draft_id in self._tasks

    async def begin(self, draft_id: str, work: Callable[[], Awaitable[T]], text: Callable[[T], str]) -> bool:
        """Do it, and keep what `text` makes of the result. False: another one goes on, nothing was begun."""
        if draft_id in self._tasks:
            return False
        self._said.pop(draft_id, None)

        async def run() -> None:
            try:
                said = Said(tone="good", text=text(await work()))
            except DispatcherError as error:
                said = Said(tone="bad", text=words_of(error).in_one)
            except Exception:
                logger.exception("an errand for campaign %s failed", draft_id)
                said = Said(tone="bad", text="That did not work. It stands in the server's log.")
            finally:
                self._tasks.pop(draft_id, None)
            self._said[draft_id] = said

        task = asyncio.create_task(run())
        self._tasks[draft_id] = task
        await asyncio.wait([task], timeout=PATIENCE_S)
        return True

    async def close(self) -> None:
        """Wait for those that go on, whom the supervisor has told to end."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)

"""Outcomes on their way to the ledger: gathered for a moment, written together, kept until they are on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from dispatcher.clock import now_ms
from dispatcher.errors import LedgerError, LedgerFull, LedgerUnreachable
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import AttemptEnd, Run, RunTotals
from dispatcher.model import Pause

#: How long results gather before a commit: bounds both what a crash leaves unknown and the number of commits.
GATHER_S = 0.04
#: In a ledger on a server, where a commit costs more, and many accounts make some.
SHARED_GATHER_S = 0.2
#: A ledger that takes nothing now is asked again so often, for so long: someone may free some space, a server may come
#: back.
RETRY_S = 1.0
GIVE_UP_S = 30.0


class Recorder:
    """Writes outcomes in the background.

    While the disk is full, or the ledger cannot be reached, it keeps them and tries again; `trouble` is called with
    each such error, and stops the sending. `committed` is called with outcomes once they are on disk.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: Run,
        *,
        totals: Callable[[], RunTotals],
        trouble: Callable[[LedgerError], None],
        committed: Callable[[Sequence[AttemptEnd]], None],
    ) -> None:
        self._ledger = ledger
        self._run = run
        self._totals = totals
        self._trouble = trouble
        self._committed = committed
        self._pending: list[AttemptEnd] = []
        self._pause: Pause | None = None
        self._writing = False
        self._wake = asyncio.Event()
        self._written = asyncio.Event()
        self._closing = False
        #: Ends when it is closed, or cannot go on: then nothing more may be sent.
        self.task = asyncio.create_task(self._loop(), name="recorder")

    def add(self, end: AttemptEnd) -> None:
        """Take an outcome; it is on disk a moment later."""
        self._pending.append(end)
        self._wake.set()

    def pause(self, pause: Pause) -> None:
        """Have the campaign paused in one transaction with the next outcome that is added: it is because of that."""
        self._pause = pause

    async def flush(self) -> bool:
        """Wait until everything added so far is on disk; returns whether there was anything to wait for.

        Raises: LedgerError where it could not be written.
        """
        if not self._pending and not self._writing:
            return False
        while self._pending or self._writing:
            if self.task.done():
                self.task.result()
            self._written.clear()
            await self._written.wait()
        return True

    async def close(self) -> None:
        """Write what is left. Raises: LedgerError where it could not be written (those rows will be unknown)."""
        self._closing = True
        self._wake.set()
        await self.task

    async def _loop(self) -> None:
        try:
            await self._write_on()
        finally:
            self._written.set()

    async def _write_on(self) -> None:
        loop = asyncio.get_running_loop()
        failing_since_s: float | None = None
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self._closing:
                await asyncio.sleep(SHARED_GATHER_S if self._ledger.is_shared else GATHER_S)
            while self._pending:
                batch, self._pending = self._pending, []
                pause = self._pause
                self._writing = True
                try:
                    await self._ledger.end_rows(self._run, batch, now_ms=now_ms(), totals=self._totals(), pause=pause)
                except LedgerError as error:
                    self._pending[:0] = batch
                    self._writing = False
                    self._trouble(error)
                    if failing_since_s is None:
                        failing_since_s = loop.time()
                    may_pass = isinstance(error, LedgerFull | LedgerUnreachable)
                    if not may_pass or loop.time() - failing_since_s > GIVE_UP_S:
                        raise
                    await asyncio.sleep(RETRY_S)
                else:
                    failing_since_s = None
                    self._writing = False
                    if pause is not None:
                        self._pause = None
                    self._committed(batch)
            self._written.set()
            if self._closing:
                return

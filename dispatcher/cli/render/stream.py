"""`--json-events`: the live state as JSON lines on stdout, while a command runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from dispatcher.answers import SCHEMA
from dispatcher.cli.render import answers
from dispatcher.version import __version__

if TYPE_CHECKING:
    from dispatcher.events import Event, EventBus

#: At most so many lines a second; and where nothing happens, one after so long, so that a reader knows that it lives.
LINES_PER_S = 4
QUIET_S = 10.0


#: At its end, a writer that is held up by its reader is waited for so long.
CLOSED_AFTER_S = 1.0


@contextlib.asynccontextmanager
async def streaming(bus: EventBus) -> AsyncIterator[None]:
    """While the block lasts; the last line of all is the answer, which is printed at the command's end.

    Whatever a reader does never reaches the block: one that is slow misses lines, one that has gone gets none.
    """
    if not answers.streams():
        yield
        return
    writer, changes = _Writer(), _Changes()
    begin = {"event": "begin", "schema": SCHEMA, "at": answers.now_text()}
    writer.put({**begin, "command": answers.command(), "version": __version__})
    unsubscribe, task = bus.subscribe(changes.hear), asyncio.create_task(_look(bus, changes, writer))
    try:
        yield
    finally:
        unsubscribe()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
        writer.close(_line(bus) if changes.seen else None)


class _Changes:
    """Whether there was an event since it was asked; events may come from any thread."""

    def __init__(self) -> None:
        self.seen = False

    def hear(self, event: Event) -> None:
        self.seen = True

    def taken(self) -> bool:
        seen, self.seen = self.seen, False
        return seen


async def _look(bus: EventBus, changes: _Changes, writer: _Writer) -> None:
    told_s = -QUIET_S
    while True:
        now_s = time.monotonic()
        if changes.taken() or now_s - told_s >= QUIET_S:
            told_s = now_s
            writer.put(_line(bus))
        await asyncio.sleep(1 / LINES_PER_S)


def _line(bus: EventBus) -> dict[str, Any]:
    return {"event": "state", "at": answers.now_text(), **bus.snapshot().as_json()}


class _Writer:
    """Writes lines from a thread of its own: a pipe that is full must not hold up what sends."""

    def __init__(self) -> None:
        self._given = threading.Condition()
        self._lines: list[Mapping[str, Any]] = []
        self._is_closed = False
        self._thread = threading.Thread(target=self._write, name="json-events", daemon=True)
        self._thread.start()

    def put(self, line: Mapping[str, Any]) -> None:
        """To be written next; a state that nobody has taken yet is passed over for it."""
        with self._given:
            self._lines = [one for one in self._lines if one["event"] == "begin"] + [line]
            self._given.notify()

    def close(self, last: Mapping[str, Any] | None) -> None:
        """What was given is written, and this, as far as it is read."""
        if last is not None:
            self.put(last)
        with self._given:
            self._is_closed = True
            self._given.notify()
        self._thread.join(CLOSED_AFTER_S)

    def _write(self) -> None:
        while True:
            with self._given:
                self._given.wait_for(lambda: self._lines or self._is_closed)
                if not self._lines:
                    return
                line = self._lines.pop(0)
            try:
                answers.write(line)
            except (OSError, ValueError):
                return  # nobody reads it any more

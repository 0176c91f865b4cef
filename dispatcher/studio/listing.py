"""A list of executions that is read to its end, though its page tokens expire on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from dispatcher.errors import PageExpired
from dispatcher.studio.resources import Execution

#: Studio's times are whole seconds, and the list's upper bound is exclusive.
_SECOND = timedelta(seconds=1)


async def resumed(
    pages: Callable[[datetime | None], AsyncIterator[Execution]], created_to: datetime | None
) -> AsyncIterator[Execution]:
    """Every execution once, newest first. `pages(created_to)` lists those created before that moment.

    Where a page token has expired, the list is asked for again from the second of the last execution on; those of that
    second that were given are passed over. Raises: PageExpired where that leads no further; what `pages` raises.
    """
    given: set[str] = set()
    last: datetime | None = None
    while True:
        progress = False
        try:
            async for execution in pages(created_to):
                if execution.sid in given:
                    continue
                progress = True
                if execution.date_created != last:
                    last = execution.date_created
                    given = set()
                given.add(execution.sid)
                yield execution
        except PageExpired:
            if not progress or last is None:
                raise
            created_to = last + _SECOND
        else:
            return

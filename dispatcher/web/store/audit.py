"""The history: who did what, when and from where. Lines are added, and never changed (the database refuses it)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from dispatcher.web.store.connection import Db, Row
from dispatcher.web.store.records import AuditLine
from dispatcher.web.store.thread import StoreThread

#: How many lines an export reads at a time.
_EXPORT_LINES = 1000
_LAST = 2**63 - 1


def written(db: Db, line: AuditLine) -> int:
    """Write the line in a change's own transaction: both are there, or none. Returns its place in the history."""
    row = db.first(
        "audit_write",
        at_ms=line.at_ms,
        who=line.who,
        source=line.source,
        what=line.what,
        draft_id=line.draft_id,
        campaign=line.campaign,
        detail=orjson.dumps(line.detail).decode(),
    )
    assert row is not None
    line_id: int = row[0]
    return line_id


class Audit:
    """The history of the page."""

    def __init__(self, thread: StoreThread) -> None:
        self._thread = thread

    async def write(self, line: AuditLine) -> int:
        """Add a line; returns its place. Raises: LedgerError.

        The line of a change of the store's is given to that change.
        """
        return await self._thread.do(lambda db: written(db, line))

    async def page(self, *, before: int | None = None, limit: int = 50, campaign: str | None = None) -> list[AuditLine]:
        """The newest lines first, of those older than the line `before`; of one campaign where it is named."""
        last = _LAST if before is None else before

        def read(db: Db) -> list[AuditLine]:
            if campaign is None:
                rows = db.rows("audit_page", before=last, limit=limit)
            else:
                rows = db.rows("audit_page_of_campaign", before=last, limit=limit, campaign=campaign)
            return [_line(row) for row in rows]

        return await self._thread.read(read)

    async def count(self, who: str, what: str, *, since_ms: int) -> int:
        """How often this person has done that since then."""

        def read(db: Db) -> int:
            (found,) = db.rows("audit_count", who=who, what=what, since_ms=since_ms)[0]
            return int(found)

        return await self._thread.read(read)

    async def campaigns(self) -> list[str]:
        """The names of the campaigns that the history tells of."""
        return await self._thread.read(lambda db: [row[0] for row in db.rows("audit_campaigns")])

    async def export(self) -> AsyncIterator[AuditLine]:
        """All lines, the oldest first."""
        after = 0
        while True:
            rows = await self._thread.read(
                lambda db, after=after: db.rows("audit_after", after=after, limit=_EXPORT_LINES)  # type: ignore[misc]
            )
            for row in rows:
                yield _line(row)
            if len(rows) < _EXPORT_LINES:
                return
            after = rows[-1][0]


def _line(row: Row) -> AuditLine:
    line_id, at_ms, who, source, what, draft_id, campaign, detail = row
    words: dict[str, Any] = orjson.loads(detail)
    return AuditLine(
        line_id=line_id,
        at_ms=at_ms,
        who=who,
        source=source,
        what=what,
        draft_id=draft_id,
        campaign=campaign,
        detail=words,
    )

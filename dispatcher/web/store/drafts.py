"""Campaigns as the page knows them. Every change names the version it was decided on: of two, one is told."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

import orjson

from dispatcher.web.store.audit import written
from dispatcher.web.store.connection import Db, Row
from dispatcher.web.store.records import AuditLine, Draft, Stage
from dispatcher.web.store.thread import StoreThread

#: Kept as JSON.
_OBJECTS = ("look", "check", "error", "test")
_FIELDS = tuple(field.name for field in dataclasses.fields(Draft))


class DraftChanges(TypedDict, total=False):
    """What of a draft may be changed; see `Draft`."""

    name: str
    profile: str | None
    uploads: tuple[str, ...]
    planned: int
    settings: dict[str, Any]
    stage: Stage
    look: dict[str, Any] | None
    check: dict[str, Any] | None
    error: dict[str, Any] | None
    test: dict[str, Any] | None
    confirmed: int | None
    revision: int | None
    again: bool
    due_ms: int | None
    zone: str | None
    launched_at_ms: int | None
    launched_by: str | None


class Drafts:
    """The drafts of a store. Raises: LedgerError, everywhere."""

    def __init__(self, thread: StoreThread) -> None:
        self._thread = thread

    async def create(
        self,
        name: str,
        *,
        created_by: str,
        now_ms: int,
        profile: str | None = None,
        uploads: tuple[str, ...] = (),
        planned: int = 0,
        settings: Mapping[str, Any] | None = None,
        stage: Stage = Stage.columns,
        look: Mapping[str, Any] | None = None,
        audit: AuditLine | None = None,
    ) -> Draft:
        """Begin one. `audit`: its line, whose `draft_id` is filled in."""
        draft = Draft(
            draft_id=secrets.token_urlsafe(16),
            version=0,
            name=name,
            profile=profile,
            uploads=uploads,
            planned=planned,
            settings=dict(settings or {}),
            stage=stage,
            look=dict(look) if look is not None else None,
            check=None,
            error=None,
            test=None,
            confirmed=None,
            revision=None,
            again=False,
            due_ms=None,
            zone=None,
            created_at_ms=now_ms,
            created_by=created_by,
            launched_at_ms=None,
            launched_by=None,
        )

        def work(db: Db) -> None:
            db.run("draft_create", **_values(draft))
            if audit is not None:
                written(db, dataclasses.replace(audit, draft_id=draft.draft_id))

        await self._thread.do(work)
        return draft

    async def get(self, draft_id: str) -> Draft | None:
        """The draft as it stands; None: there is none."""
        return await self._thread.read(lambda db: _found(db, draft_id))

    async def named(self, name: str) -> list[Draft]:
        """Those of this campaign name, the newest first: of different accounts, or none of them launched."""
        return await self._thread.read(lambda db: [_draft(row) for row in db.rows("drafts_named", name=name)])

    async def list(self) -> list[Draft]:
        """All of them, the newest first."""
        return await self._thread.read(lambda db: [_draft(row) for row in db.rows("drafts")])

    async def change(
        self, draft_id: str, version: int, *, audit: AuditLine | None = None, **changes: Unpack[DraftChanges]
    ) -> Draft | None:
        """Change the draft that has this version, and write its line of the history: both, or none of them.

        None: somebody else was first (or it is gone), and nothing was changed or written.
        """

        def work(db: Db) -> Draft | None:
            draft = _found(db, draft_id)
            if draft is None or draft.version != version:
                return None
            changed = dataclasses.replace(draft, **changes)
            db.run("draft_change", **_values(changed))
            if audit is not None:
                written(db, dataclasses.replace(audit, draft_id=draft_id))
            return dataclasses.replace(changed, version=version + 1)

        return await self._thread.do(work)

    async def delete(self, draft_id: str, version: int, *, audit: AuditLine | None = None) -> bool:
        """Remove the draft that has this version; False: somebody else was first. Its uploads are not touched."""

        def work(db: Db) -> bool:
            if not db.run("draft_delete", draft_id=draft_id, version=version):
                return False
            if audit is not None:
                written(db, dataclasses.replace(audit, draft_id=draft_id))
            return True

        return await self._thread.do(work)


def _found(db: Db, draft_id: str) -> Draft | None:
    row = db.first("draft", draft_id=draft_id)
    return None if row is None else _draft(row)


def _values(draft: Draft) -> dict[str, Any]:
    values = {name: getattr(draft, name) for name in _FIELDS}
    for name in _OBJECTS:
        values[name] = None if values[name] is None else orjson.dumps(values[name]).decode()
    values["uploads"] = orjson.dumps(draft.uploads).decode()
    values["settings"] = orjson.dumps(draft.settings).decode()
    values["stage"] = draft.stage.value
    return values


def _draft(row: Row) -> Draft:
    values = dict(zip(_FIELDS, row, strict=True))
    for name in _OBJECTS:
        values[name] = None if values[name] is None else orjson.loads(values[name])
    values["uploads"] = tuple(orjson.loads(values["uploads"]))
    values["settings"] = orjson.loads(values["settings"])
    values["stage"] = Stage(values["stage"])
    values["again"] = bool(values["again"])
    return Draft(**values)

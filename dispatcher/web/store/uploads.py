"""Uploaded files: `<state>/web/uploads/<upload_id>/file<suffix>`, and what the store knows of them.

The store knows of an upload before its first byte is written, and says that it is deleted before its bytes are:
whatever ends the process in between, `sweep` finds what is left.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from pathlib import Path

from dispatcher.web.store.audit import written
from dispatcher.web.store.connection import Db, Row
from dispatcher.web.store.files import (
    FileThread,
    folders,
    make_private,
    plain_name,
    plain_suffix,
    remove,
    remove_all,
    sync_file,
)
from dispatcher.web.store.records import AuditLine, NewUpload, Upload
from dispatcher.web.store.thread import StoreThread


class Uploads:
    """The uploads of a store. Raises: LedgerError, everywhere."""

    def __init__(self, thread: StoreThread, files: FileThread, folder: Path) -> None:
        self._thread = thread
        self._files = files
        self.folder = folder / "uploads"
        self.checks = folder / "checks"

    async def begin(self, name: str, who: str, now_ms: int) -> NewUpload:
        """Make room for a file. `path` is in a new folder of this user alone; the caller writes it, mode 0600."""
        upload_id = secrets.token_urlsafe(16)
        suffix = plain_suffix(name)

        def work(db: Db) -> None:
            db.run(
                "upload_begin",
                upload_id=upload_id,
                name=plain_name(name),
                suffix=suffix,
                uploaded_by=who,
                uploaded_at_ms=now_ms,
            )

        await self._thread.do(work)
        folder = self.folder / upload_id
        await self._files.do(lambda: make_private(folder))
        return NewUpload(upload_id=upload_id, path=folder / f"file{suffix}")

    async def finish(
        self, upload_id: str, size_bytes: int, sha256: str, *, audit: AuditLine | None = None
    ) -> Upload | None:
        """All of it came: from now on it is an upload, on disk. None: it was dropped meanwhile."""
        path = await self.path(upload_id)
        if path is None:
            return None
        await self._files.do(lambda: sync_file(path))

        def work(db: Db) -> Upload | None:
            row = db.first("upload_finish", upload_id=upload_id, size_bytes=size_bytes, sha256=sha256)
            if row is not None and audit is not None:
                written(db, audit)
            return None if row is None else _upload(row)

        return await self._thread.do(work)

    async def drop(self, upload_id: str) -> None:
        """It was cut off, or is refused: nothing of it is left."""
        if await self._thread.do(lambda db: db.run("upload_drop", upload_id=upload_id)):
            await self._files.do(lambda: remove(self.folder / upload_id))

    async def get(self, upload_id: str) -> Upload | None:
        """What is known of it; None: it is not known, or has not come whole."""
        row = await self._thread.read(lambda db: db.first("upload", upload_id=upload_id))
        return None if row is None else _upload(row)

    async def path(self, upload_id: str) -> Path | None:
        """Where its bytes are; None: they were deleted, or it is not known. Only known ids make a path."""
        row = await self._thread.read(lambda db: db.first("upload_suffix", upload_id=upload_id))
        return None if row is None else self.folder / upload_id / f"file{row[0]}"

    async def delete_file(self, upload_id: str, now_ms: int, *, audit: AuditLine | None = None) -> bool:
        """Remove its bytes for good; False: they were gone already."""

        def work(db: Db) -> bool:
            changed = bool(db.run("upload_deleted", upload_id=upload_id, now_ms=now_ms))
            if changed and audit is not None:
                written(db, audit)
            return changed

        changed = await self._thread.do(work)
        if changed:
            await self._files.do(lambda: remove(self.folder / upload_id))
        return changed

    async def total_bytes(self) -> int:
        """How much the files take that have come whole and are there."""

        def work(db: Db) -> int:
            (total,) = db.rows("uploads_bytes")[0]
            return int(total)

        return await self._thread.read(work)

    async def there(self, *, before_ms: int) -> set[str]:
        """The uploads that came before and whose bytes are there."""

        def work(db: Db) -> set[str]:
            return {row[0] for row in db.rows("uploads_old", uploaded_before_ms=before_ms)}

        return await self._thread.read(work)

    def check_folder(self, draft_id: str) -> Path:
        """Where the scratch ledger of a draft's check lies; it is not made here."""
        return self.checks / draft_id

    async def sweep(
        self, now_ms: int, keep_ms: int, *, in_use: Collection[str] = (), unfinished_ms: int = 6 * 3_600_000
    ) -> int:
        """Remove the bytes of uploads older than `keep_ms`, but for those `in_use`; returns of how many.

        And what a crash has left: uploads that were begun `unfinished_ms` ago and never came whole (at a server's
        start: 0, nobody writes them any more), folders that no upload, and checks that no draft knows.
        """

        def work(db: Db) -> tuple[set[str], set[str], int]:
            unfinished = db.rows("uploads_unfinished", begun_before_ms=now_ms - unfinished_ms)
            for (upload_id,) in unfinished:
                db.run("upload_drop", upload_id=upload_id)
            old = [row[0] for row in db.rows("uploads_old", uploaded_before_ms=now_ms - keep_ms)]
            gone = [upload_id for upload_id in old if upload_id not in in_use]
            for upload_id in gone:
                db.run("upload_deleted", upload_id=upload_id, now_ms=now_ms)
            there = {row[0] for row in db.rows("uploads_there")}
            drafts = {row[0] for row in db.rows("draft_ids")}
            return there, drafts, len(gone)

        # Folders are listed before it is asked whose they are: an upload is known before its folder is made, so what is
        # listed and not known is nobody's.
        listed = await self._files.do(lambda: folders(self.folder))
        checked = await self._files.do(lambda: folders(self.checks))
        there, drafts, gone = await self._thread.do(work)
        await self._files.do(lambda: remove_all(self.folder, listed - there))
        await self._files.do(lambda: remove_all(self.checks, checked - drafts))
        return gone


def _upload(row: Row) -> Upload:
    upload_id, name, size_bytes, sha256, uploaded_by, uploaded_at_ms, deleted_at_ms = row
    return Upload(
        upload_id=upload_id,
        name=name,
        size_bytes=size_bytes,
        sha256=sha256,
        uploaded_by=uploaded_by,
        uploaded_at_ms=uploaded_at_ms,
        deleted_at_ms=deleted_at_ms,
    )

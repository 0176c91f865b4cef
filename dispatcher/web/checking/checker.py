"""The server's checks: one at a time, a few that wait, and each one's end written into its draft."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher.campaign.flow_names import with_flow_sid
from dispatcher.errors import DispatcherError, LedgerError
from dispatcher.web.checking.child import said
from dispatcher.web.checking.jobs import CheckJob, File, Job, LookJob
from dispatcher.web.checking.process import TIME_MAX_S, CheckFailed, run_job
from dispatcher.web.checking.progress import Progress
from dispatcher.web.store import AuditLine, Draft, DraftChanges, Stage, Store

if TYPE_CHECKING:
    from dispatcher.settings import Settings
    from dispatcher.web.accounts import Accounts

logger = logging.getLogger(__name__)

#: So many checks wait for the one that is done now; another one is refused.
WAITING_MAX = 3
SCRATCH_NAME = "ledger.sqlite3"
_FULL = {
    "code": "checks_full",
    "message": "Other files are checked just now, and some wait already.",
    "found": "",
    "fix": "Try again in a few minutes.",
    "field": "",
}
_CANCELLED = {
    "code": "check_cancelled",
    "message": "The check was cancelled.",
    "found": "",
    "fix": "Nothing of the file was changed: it can be checked again.",
    "field": "",
}


class Kind(StrEnum):
    """What is to be done with a draft's files."""

    look = "look"
    check = "check"


@dataclass(slots=True)
class _Asked:
    """A draft that waits for its check, or has it now."""

    draft_id: str
    kind: Kind
    progress: Progress = field(default_factory=Progress)


def scratch_of(store: Store, draft_id: str) -> Path:
    """Where the rows of a draft's check are, for `rehearse_campaign`: there once the draft is `checked`."""
    return store.uploads.check_folder(draft_id) / SCRATCH_NAME


class Checker:
    """One for a server. A draft that it is given is `checking`, and is that no more when its check has ended."""

    def __init__(self, store: Store, accounts: Accounts, *, time_max_s: float = TIME_MAX_S) -> None:
        self._store = store
        self._accounts = accounts
        self._time_max_s = time_max_s
        self._waiting: list[_Asked] = []
        self._now: _Asked | None = None
        #: The work on `_now`, which is cancelled to end its child.
        self._work: asyncio.Task[None] | None = None
        self._loop: asyncio.Task[None] | None = None

    async def look(self, draft: Draft) -> None:
        """Have the draft's first file looked at, so that it can be asked which column is what."""
        await self._ask(draft, Kind.look)

    async def check(self, draft: Draft) -> None:
        """Have every row of the draft's files checked, as its settings are now."""
        await self._ask(draft, Kind.check)

    async def resume(self, drafts: Collection[Draft]) -> None:
        """Check those again that are found `checking` when a server starts. However many: nobody is refused."""
        for draft in sorted(drafts, key=lambda draft: draft.created_at_ms):
            if draft.stage is Stage.checking:
                kind = Kind.check if "columns.to" in draft.settings else Kind.look
                self._waiting.append(_Asked(draft.draft_id, kind))
        self._begin()

    def progress(self, draft_id: str) -> Progress | None:
        """How far a draft's check is; None: it neither waits nor is done now."""
        if self._now is not None and self._now.draft_id == draft_id:
            return self._now.progress
        place = next((at for at, one in enumerate(self._waiting, 1) if one.draft_id == draft_id), None)
        return None if place is None else Progress(place=place if self._now is not None else place - 1)

    async def cancel(self, draft: Draft, *, audit: AuditLine | None = None) -> Draft | None:
        """Give a check up: its child is gone when this returns. None: somebody has changed the draft meanwhile.

        A draft whose columns were known goes back to them; of another it is said that it was cancelled.
        """
        changes: DraftChanges = {"stage": Stage.columns, "error": None}
        if draft.look is None:
            changes = {"stage": Stage.failed, "error": _CANCELLED}
        # First of all: a check that ends just now finds its draft changed, and writes nothing.
        changed = await self._store.drafts.change(draft.draft_id, draft.version, audit=audit, **changes)
        if changed is not None:
            await self.drop(draft.draft_id)
        return changed

    async def close(self) -> None:
        """End what is being done. Its draft stays `checking`: the next server checks it again."""
        self._waiting.clear()
        for task in (self._loop, self._work):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in (self._loop, self._work) if task), return_exceptions=True)

    # --- the queue ---

    async def _ask(self, draft: Draft, kind: Kind) -> None:
        # What was asked for before is of an older state of the draft.
        await self.drop(draft.draft_id)
        if len(self._waiting) >= WAITING_MAX and self._now is not None:
            await self._write(draft, {"stage": Stage.failed, "error": _FULL})
            return
        self._waiting.append(_Asked(draft.draft_id, kind))
        self._begin()

    async def drop(self, draft_id: str) -> None:
        """Give up what is asked for a draft, which is another one now, or none; its child is gone when this returns."""
        self._waiting = [one for one in self._waiting if one.draft_id != draft_id]
        if self._now is not None and self._now.draft_id == draft_id and self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])

    def _begin(self) -> None:
        if self._waiting and (self._loop is None or self._loop.done()):
            self._loop = asyncio.create_task(self._go())

    async def _go(self) -> None:
        while self._waiting:
            self._now = self._waiting.pop(0)
            self._work = asyncio.create_task(self._one(self._now))
            await asyncio.wait([self._work])
            self._now = None

    async def _one(self, asked: _Asked) -> None:
        try:
            while await self._once(asked):
                pass
        except LedgerError as error:
            # Its draft stays `checking`, which the next start finds.
            logger.error("the end of a check could not be written: %s", error.message)
        except Exception as error:
            logger.error("a check failed: %s", type(error).__name__)

    async def _once(self, asked: _Asked) -> bool:
        """Do what is asked for, and write what came of it; True: the draft was changed meanwhile, once more."""
        draft = await self._store.drafts.get(asked.draft_id)
        if draft is None or draft.stage is not Stage.checking:
            return False
        changes: DraftChanges
        try:
            job = await self._job(draft, asked.kind)

            def progress(told: Progress) -> None:
                asked.progress = told

            result = await run_job(job, progress, time_max_s=self._time_max_s)
        except CheckFailed as failed:
            changes = {"stage": Stage.failed, "check": None, "error": failed.error}
        except DispatcherError as error:
            changes = {"stage": Stage.failed, "check": None, "error": said(error, {})}
        else:
            if asked.kind is Kind.look:
                changes = {"stage": Stage.columns, "look": result, "check": None, "error": None}
            else:
                changes = {"stage": Stage.checked, "check": result, "error": None}
        if changes["stage"] is not Stage.checked:
            await asyncio.to_thread(shutil.rmtree, scratch_of(self._store, draft.draft_id).parent, ignore_errors=True)
        return await self._write(draft, changes)

    async def _write(self, draft: Draft, changes: DraftChanges) -> bool:
        """Write the end of a check, unless it was ended otherwise. True: it is of settings that hold no more."""
        while (now := await self._store.drafts.get(draft.draft_id)) is not None and now.stage is Stage.checking:
            if _checked_of(now) != _checked_of(draft):
                return True
            if await self._store.drafts.change(now.draft_id, now.version, **changes) is not None:
                return False
        return False

    # --- the job ---

    async def _job(self, draft: Draft, kind: Kind) -> Job:
        """Raises: SettingsError, StudioError (a flow that is set by its name), CheckFailed: a file is gone."""
        account = self._accounts.of(draft)
        if kind is Kind.look:
            (file,) = await self._files(draft.uploads[:1])
            return LookJob(file=file, settings=_as_json(account.settings))
        settings = await with_flow_sid(account.settings, account.credentials)
        # What the ledger has already comes out of it.
        files = await self._files(draft.uploads[draft.planned :])
        return CheckJob(
            campaign=draft.name,
            files=tuple(files),
            planned=draft.planned,
            settings=_as_json(settings),
            account_sid=account.owner.account_sid if account.owner else None,
            scratch=str(scratch_of(self._store, draft.draft_id)),
            again=draft.again,
        )

    async def _files(self, upload_ids: Collection[str]) -> list[File]:
        found = []
        for upload_id in upload_ids:
            upload, path = await self._store.uploads.get(upload_id), await self._store.uploads.path(upload_id)
            if upload is None or path is None or upload.deleted_at_ms is not None:
                raise CheckFailed(_gone(upload.name if upload else "The file"))
            found.append(File(upload_id=upload_id, path=str(path), name=upload.name))
        return found


def _checked_of(draft: Draft) -> tuple[object, ...]:
    """What a check is of: where none of it has changed, its result holds."""
    return (draft.name, draft.profile, draft.uploads, draft.planned, draft.settings, draft.again)


def _as_json(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _gone(name: str) -> dict[str, Any]:
    return {
        "code": "upload_gone",
        "message": f"{name} is not kept any more.",
        "found": "",
        "fix": "Upload it again.",
        "field": "",
    }

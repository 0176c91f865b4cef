"""The suppression lists that the settings name: read into the ledger where they have changed, before anything is sent.

A list that is missing, too old or not understood stops everything: without it somebody may be reached who must not be.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from dispatcher.campaign.context import CampaignContext
from dispatcher.clock import now_ms
from dispatcher.errors import SuppressionError
from dispatcher.ledger.suppressed import SuppressionList
from dispatcher.model import ListKind
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, Setting

if TYPE_CHECKING:
    from dispatcher.intake.suppression import ListFile, ListPiece
    from dispatcher.settings import Settings

DAY_S = 86_400
#: So many contacts go into the ledger at a time.
LOADED_AT_ONCE = 50_000
#: Lines that are told of a list that is not understood.
EXAMPLES_MAX = 3


@dataclass(frozen=True, slots=True)
class UsedList:
    """A file's list as it is used."""

    record: SuppressionList
    #: Since its file was changed last.
    age_days: float

    @property
    def note(self) -> str:
        """For people."""
        record = self.record
        days = int(self.age_days)
        age = counted(days, "day old", "days old") if days else "changed today"
        unread = f", {counted(record.unreadable, 'line')} not understood" if record.unreadable else ""
        return f"suppression list {record.name}: {counted(record.entries, 'contact')}, {age}{unread}"


async def use_lists(context: CampaignContext) -> list[UsedList]:
    """The lists of the settings' files, as they are now. Raises: SuppressionError, SettingsError, LedgerError."""
    settings = context.settings.suppress
    wanted = [(ListKind.file, path) for path in settings.files]
    wanted += [(ListKind.hashed, path) for path in settings.sha256_files]
    if context.lists_of_ledger:
        return [await _kept(context, kind, path) for kind, path in wanted]
    # One after the other: each is read by a thread while the ledger takes in what it has read.
    return [await _use(context, kind, Path(os.path.abspath(Path(path).expanduser()))) for kind, path in wanted]  # noqa: ASYNC240, PTH100 - asks no disk


async def list_ids(context: CampaignContext) -> list[int]:
    """The numbers of these lists in the ledger. Raises: as `use_lists`."""
    return [used.record.list_id for used in await use_lists(context)]


async def _use(context: CampaignContext, kind: ListKind, path: Path) -> UsedList:
    from dispatcher.intake.suppression import digest_of

    digest = await asyncio.to_thread(digest_of, path)
    age_days = await asyncio.to_thread(_age_days, path)
    _check_age(context.settings, path, age_days)
    lists, account = context.ledger.lists, context.record.account
    read_as = _read_as(context.settings, kind, digest)
    for record in await lists.all(account):
        if (record.kind, record.source, record.read_as) == (kind, str(path), read_as) and (
            context.settings.suppress.accept_unreadable or not record.unreadable
        ):
            return UsedList(record, age_days)
    await _read(context, kind, path)
    record = next(one for one in await lists.all(account) if (one.kind, one.source) == (kind, str(path)))
    return UsedList(record, age_days)


async def _kept(context: CampaignContext, kind: ListKind, source: str) -> UsedList:
    """A list as whoever ordered the campaign has read it. Raises: SuppressionError: it was never read, or long ago."""
    for record in await context.ledger.lists.all(context.record.account):
        if (record.kind, record.source) == (kind, source):
            age_days = max(0.0, now_ms() - record.read_at_ms) / (DAY_S * 1000)
            _check_age(context.settings, Path(source), age_days)
            return UsedList(record, age_days)
    raise SuppressionError(
        f"the suppression list {Path(source).name} is not in the ledger",
        found=source,
        fix=Advice("order the campaign again where the file is"),
    )


def _read_as(settings: Settings, kind: ListKind, digest: str) -> str:
    """What a list's entries depend on."""
    how = [settings.suppress.column, settings.columns.to, settings.columns.region]
    return orjson.dumps([digest, *(how if kind is ListKind.file else how[:2])]).decode()


def _age_days(path: Path) -> float:
    return max(0.0, time.time() - path.stat().st_mtime) / DAY_S


def _check_age(settings: Settings, path: Path, age_days: float) -> None:
    most = settings.suppress.max_age_days
    if most and age_days > most:
        raise SuppressionError(
            f"the suppression list {path.name} is older than {most:g} days",
            found=f"it was changed {age_days:.0f} days ago",
            fix=AnyOf(Advice("fetch it anew"), Setting("suppress.max_age_days", int(age_days) + 1)),
        )


async def _read(context: CampaignContext, kind: ListKind, path: Path) -> None:
    """Read a list from its file. Raises: SuppressionError: it cannot be read, or not all of it is understood."""
    from dispatcher.intake.suppression import ListEncodingError, ListFile

    settings = context.settings
    file = ListFile(
        path,
        column=settings.suppress.column,
        to=settings.columns.to,
        region=settings.columns.region,
        hashed=kind is ListKind.hashed,
    )
    while True:
        try:
            return await _load(context, kind, path, file)
        except ListEncodingError:
            if not file.reads_any_bytes():
                raise


async def _load(context: CampaignContext, kind: ListKind, path: Path, file: ListFile) -> None:
    lists, account = context.ledger.lists, context.record.account
    earlier = [one.entries for one in await lists.all(account) if (one.kind, one.source) == (kind, str(path))]
    list_id = await lists.begin(account, kind, str(path))
    pieces = file.pieces()
    contacts: set[str] = set()
    unreadable = entries = 0
    examples: list[tuple[int, str]] = []
    while (piece := await asyncio.to_thread(_next, pieces)) is not None:
        unreadable += len(piece.unreadable)
        examples += piece.unreadable[: EXAMPLES_MAX - len(examples)]
        entries += len(piece.contacts)
        contacts.update(piece.contacts)
        if len(contacts) >= LOADED_AT_ONCE:
            await lists.load(account, list_id, contacts)
            contacts = set()
    await lists.load(account, list_id, contacts)
    if unreadable and not context.settings.suppress.accept_unreadable:
        told = "; ".join(f"line {number}: {sentence}" for number, sentence in examples)
        more = f"; and {unreadable - len(examples):,} more" if unreadable > len(examples) else ""
        raise SuppressionError(
            f"the suppression list {path.name} has {counted(unreadable, 'line')} that {_name(unreadable)} nobody",
            found=told + more,
            fix=AnyOf(Advice(f"correct {path.name}"), Setting("suppress.accept_unreadable", True)),
        )
    if any(earlier) and not entries:
        raise SuppressionError(
            f"the suppression list {path.name} names nobody any more",
            found=f"it had {counted(max(earlier), 'entry', 'entries')} when it was read last",
            fix=Advice("fetch it anew; or take it out of [suppress], if nobody on it is to be left out any more"),
        )
    await lists.finish(account, list_id, read_as=_read_as(context.settings, kind, file.sha256), unreadable=unreadable)


def _name(count: int) -> str:
    return "names" if count == 1 else "name"


def _next(pieces: Iterator[ListPiece]) -> ListPiece | None:
    return next(pieces, None)

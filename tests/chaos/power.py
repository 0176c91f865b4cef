"""A disk whose power can be cut: what SQLite writes and syncs is recorded, and what a cut may leave of it is rebuilt.

The real database runs on real files through a VFS that writes down each call (apsw; Python's sqlite3 has no VFS).
Until a file is synced, the disk may have kept each of its writes, or not, or some of its 512-byte sectors, in any
order. Until a folder is synced, a file deleted from it may come back. Nothing is assumed beyond what SQLite itself
assumes of a disk (sqlite.org/atomiccommit.html): a sync makes durable what was written before, and bytes beside those
written stay as they are.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR_BYTES = 512


@dataclass(frozen=True)
class Event:
    """One call that changes the disk, or what it promises."""

    name: str
    kind: str  # write, truncate, delete, sync
    offset: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """What happened, in order."""

    events: list[Event] = field(default_factory=list)

    def image(self, point: int, folder: Path, rng: random.Random) -> None:
        """Write to `folder` what may be left if the power is cut after `point` events."""
        files: dict[str, bytearray] = {}
        pending: dict[str, list[Event]] = {}
        for event in self.events[:point]:
            if event.kind == "sync":
                for earlier in pending.pop(event.name, []):
                    _apply(files, earlier)
            else:
                pending.setdefault(event.name, []).append(event)
        for events in pending.values():
            fate = rng.choice(("kept", "lost", "mixed"))
            for event in events:
                _cut(files, event, rng.choice(("kept", "lost", "torn")) if fate == "mixed" else fate, rng)
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)


def _apply(files: dict[str, bytearray], event: Event) -> None:
    if event.kind == "delete":
        files.pop(event.name, None)
        return
    content = files.setdefault(event.name, bytearray())
    end = event.offset + len(event.data)
    if event.kind == "truncate":
        del content[event.offset :]
    elif len(content) < end:
        content.extend(bytes(end - len(content)))
    content[event.offset : end] = event.data


def _cut(files: dict[str, bytearray], event: Event, fate: str, rng: random.Random) -> None:
    if fate == "lost" or (fate == "torn" and event.kind != "write" and rng.random() < 0.5):
        return
    if fate == "kept" or event.kind != "write":
        _apply(files, event)
        return
    start = event.offset
    while start < event.offset + len(event.data):
        end = min((start // SECTOR_BYTES + 1) * SECTOR_BYTES, event.offset + len(event.data))
        if rng.random() < 0.5:
            _apply(files, Event(event.name, "write", start, event.data[start - event.offset : end - event.offset]))
        start = end


class _File(apsw.VFSFile):
    def __init__(self, filename: Any, flags: list[int], disk: Disk) -> None:
        super().__init__("", filename, flags)
        name = filename.filename() if isinstance(filename, apsw.URIFilename) else filename
        self._name, self._disk = Path(name).name, disk

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._disk.events.append(Event(self._name, "write", offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.events.append(Event(self._name, "truncate", newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        # Not handed on: the machine that runs the test keeps its power.
        self._disk.events.append(Event(self._name, "sync"))


class RecordingVFS(apsw.VFS):
    """The system's files, and a diary. In use as long as the object is kept."""

    def __init__(self, disk: Disk) -> None:
        self.name, self._disk = f"recording-{id(disk)}", disk
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802
        return _File(name, flags, self._disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        name = Path(filename).name
        self._disk.events.append(Event(name, "delete"))
        if syncdir:
            self._disk.events.append(Event(name, "sync"))
        super().xDelete(filename, syncdir)


class Connection:
    """As much of sqlite3.Connection as the ledger uses, over a VFS. `instead`: statements to run in others' place."""

    def __init__(self, path: Path, vfs: RecordingVFS, instead: dict[str, str]) -> None:
        self._db, self._instead = apsw.Connection(str(path), vfs=vfs.name), instead
        # A VFS of Python's has no shared memory; alone on the file, SQLite needs none.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")

    def execute(self, sql: str, values: Any = ()) -> Cursor:
        return Cursor(self._db, self._db.execute(self._instead.get(sql, sql), values))

    def create_function(self, name: str, arguments: int, function: Any, *, deterministic: bool = False) -> None:
        self._db.create_scalar_function(name, function, arguments, deterministic=deterministic)

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def close(self) -> None:
        self._db.close()


class Cursor:
    """As much of sqlite3.Cursor as the ledger uses."""

    def __init__(self, db: apsw.Connection, cursor: apsw.Cursor) -> None:
        self._cursor = cursor
        self.rowcount = db.changes()

    def __iter__(self) -> Any:
        return iter(self._cursor)

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()


def points(disk: Disk, wanted: int, rng: random.Random, important: Iterable[int]) -> Sequence[int]:
    """Some moments to cut the power at: what is around syncs and acknowledgements first, then any."""
    chosen = {point for at in important for point in (at - 1, at, at + 1) if 0 <= point <= len(disk.events)}
    near = rng.sample(sorted(chosen), min(wanted // 2, len(chosen)))
    return sorted({*near, *(rng.randrange(len(disk.events) + 1) for _ in range(wanted - len(near)))})

"""When an account's last requests left, kept where its next run finds them, whatever becomes of this one.

A small file in a folder of the user (`ledger.account_files`), next to the account's lock, which whoever opens this
holds. Each departure is in it before its first byte leaves: the file is mapped into memory, so that costs no call to
the system, and what a killed process has written there is the system's to keep. A power cut may take it back. So is how
many had no answer yet: what a killed process had on its way may have arrived after its end, and counts from then on.

Times are what the machine has counted since its start (`clock.counted_ms`), in milliseconds: a clock that is put right
between two runs changes nothing. What was counted since another start, or by another machine that shares the folder,
cannot be dated: it counts as left now, so a window is waited.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from dispatcher.clock import boot_id, counted_ms
from dispatcher.ledger.account_files import make_folder, unwritable

#: Departures are kept at least so long, however short the window is: a later run's may be longer.
KEPT_S = 60.0
#: What had no answer when its process was killed has arrived by so long after it left, or as long as nobody knows.
LATE_S = 10.0
#: So many entries. What left within a KEPT_S / SLOTS or so is one of them, and counts as the latest of it.
SLOTS = 4096
_MAGIC = int.from_bytes(b"dspdep02", "little")
#: An entry is one word, which is written at once: the time, and in so many bits the number.
_COUNT_BITS = 20
_COUNT_MASK = (1 << _COUNT_BITS) - 1
_WORD = 8
# Words before the first entry.
_MAGIC_AT, _WINDOW_AT, _LONGER_AT, _LONGER_UNTIL_AT, _SPREAD_AT, _DROPPED_AT, _ON_WAY_AT = range(7)
_BOOT_AT, _BOOT_BYTES = 7, 40
_HEADER_WORDS = _BOOT_AT + _BOOT_BYTES // _WORD
_BYTES = (_HEADER_WORDS + SLOTS) * _WORD


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What earlier runs have left behind, in seconds before now."""

    #: Whether there is anything to read. Off: this is the account's first run, or nobody can tell.
    found: bool = False
    #: Ages of departures, oldest first.
    ages_s: tuple[float, ...] = ()
    #: How much longer than the quickest request of that run one of its requests took to be answered, at the most.
    spread_s: float = 0.0
    #: So long from now what nobody can date or count may still be in the window.
    undated_for_s: float = 0.0
    #: A longer window than this run's, which holds for so many seconds from now; 0: none.
    longer_window_s: float = 0.0
    longer_for_s: float = 0.0


class Departures:
    """The file, open for one run. Made by `open_departures`."""

    def __init__(self, history: History, memory: mmap.mmap, *, step_ms: int, at: int) -> None:
        self.history = history
        self._memory = memory
        self._words = words = memoryview(memory).cast("Q")
        self._step_ms = step_ms
        self._at = at
        self._begun_ms = -step_ms
        self._n = 0
        self._spread_ms = words[_SPREAD_AT]

    def add(self) -> None:
        """A request leaves now."""
        # Never dated too early, not by a part of a millisecond.
        now_ms = counted_ms() + 1
        self._words[_ON_WAY_AT] += 1
        if now_ms - self._begun_ms < self._step_ms and self._n < _COUNT_MASK:
            self._n += 1
        else:
            self._next(now_ms)
        self._words[self._at] = now_ms << _COUNT_BITS | self._n

    def _next(self, now_ms: int) -> None:
        self._begun_ms, self._n = now_ms, 1
        at = self._at + 1
        self._at = at if at < _HEADER_WORDS + SLOTS else _HEADER_WORDS
        dropped = self._words[self._at]
        if dropped:
            self._words[_DROPPED_AT] = dropped >> _COUNT_BITS

    def answered(self, spread_s: float) -> None:
        """A request that left is answered, or given up; of all that were answered the slowest took so much longer than
        the quickest.
        """
        self._words[_ON_WAY_AT] = max(0, self._words[_ON_WAY_AT] - 1)
        spread_ms = int(spread_s * 1000) + 1 if spread_s else 0
        if spread_ms > self._spread_ms:
            self._spread_ms = self._words[_SPREAD_AT] = spread_ms

    def close(self) -> None:
        """Write no more. What was written stays."""
        self._words.release()
        self._memory.close()


@contextlib.contextmanager
def open_departures(path: Path, *, window_s: float) -> Iterator[Departures]:
    """Read what earlier runs have left, and keep this run's. The caller holds the account's lock.

    Raises: LedgerUnwritable.
    """
    make_folder(path)
    now_ms, window_ms = counted_ms(), int(window_s * 1000)
    try:
        old = _read(path, now_ms)
        found = True
    except FileNotFoundError:
        old, found = _File(), False
    except (OSError, ValueError):
        # Somebody's hand, or a power cut: whatever left, left before now.
        old, found = _File(dropped_ms=now_ms), True
    old = replace(old, entries=old.arrived(now_ms))
    longer_ms, longer_until_ms = old.longer(window_ms, now_ms)
    widest_ms = max(window_ms, longer_ms)
    entries = [(at_ms, n) for at_ms, n in old.entries if at_ms + widest_ms + old.spread_ms > now_ms]
    kept_ms = max(int(KEPT_S * 1000), widest_ms)
    kept = [(at_ms, n) for at_ms, n in old.entries if at_ms + kept_ms > now_ms]
    dropped_ms = max([old.dropped_ms, *(at_ms for at_ms, _ in old.entries if at_ms + kept_ms <= now_ms)])
    new = _File(
        window_ms=window_ms,
        longer_ms=longer_ms,
        longer_until_ms=longer_until_ms,
        spread_ms=old.spread_ms if entries else 0,
        dropped_ms=dropped_ms,
        entries=_fewer(kept),
    )
    history = History(
        found=found,
        ages_s=tuple(max(0, now_ms - at_ms) / 1000 for at_ms, n in entries for _ in range(n)),
        spread_s=new.spread_ms / 1000,
        undated_for_s=max(0, dropped_ms + widest_ms + old.spread_ms - now_ms) / 1000 if dropped_ms else 0.0,
        longer_window_s=longer_ms / 1000,
        longer_for_s=max(0, longer_until_ms - now_ms) / 1000,
    )
    try:
        memory = _written(path, new)
    except OSError as error:
        raise unwritable(path.parent, error) from None
    step_ms = -(-kept_ms // (SLOTS - 1))
    departures = Departures(history, memory, step_ms=step_ms, at=_HEADER_WORDS + len(new.entries) - 1)
    try:
        yield departures
    finally:
        departures.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file as a run has left it, its times on this start's clock."""

    window_ms: int = 0
    #: A longer window that an earlier run kept to, and until when it counts.
    longer_ms: int = 0
    longer_until_ms: int = 0
    spread_ms: int = 0
    #: The latest departure that is not among the entries: it had to make room, or cannot be dated; 0: there is none.
    dropped_ms: int = 0
    #: So many of the newest had no answer.
    on_way: int = 0
    #: (time, how many), ascending.
    entries: list[tuple[int, int]] = field(default_factory=list)

    def arrived(self, now_ms: int) -> list[tuple[int, int]]:
        """The entries, those that had no answer at the time by which they have arrived at the latest."""
        rest, found = self.on_way, []
        for at_ms, n in reversed(self.entries):
            late = min(n, rest)
            rest -= late
            found += [(max(at_ms, min(now_ms, at_ms + int(LATE_S * 1000))), late), (at_ms, n - late)]
        return sorted(entry for entry in found if entry[1])

    def longer(self, window_ms: int, now_ms: int) -> tuple[int, int]:
        """Of the windows that earlier runs kept to: the longest, above this one's, that any of them may still be in."""
        newest_ms = max(self.dropped_ms, self.entries[-1][0] if self.entries else 0)
        kept_to = [
            (self.window_ms, newest_ms + self.window_ms),
            (self.longer_ms, min(self.longer_until_ms, newest_ms + self.longer_ms)),
        ]
        found = [(ms, until_ms) for ms, until_ms in kept_to if ms > window_ms and until_ms > now_ms]
        return (max(ms for ms, _ in found), max(until_ms for _, until_ms in found)) if found else (0, 0)


def _read(path: Path, now_ms: int) -> _File:
    """Raises: OSError; ValueError where it is none of ours, or was cut."""
    data = path.read_bytes()
    if len(data) != _BYTES:
        raise ValueError("not the size of such a file")
    words = memoryview(data).cast("Q")
    if words[_MAGIC_AT] != _MAGIC:
        raise ValueError("not such a file")
    entries = [(word >> _COUNT_BITS, word & _COUNT_MASK) for word in words[_HEADER_WORDS:] if word]
    dropped_ms, longer_until_ms = words[_DROPPED_AT], words[_LONGER_UNTIL_AT]
    boot = _boot()
    if data[_BOOT_AT * _WORD :][:_BOOT_BYTES] != boot or not boot.strip(b"\0"):
        dropped_ms = now_ms if entries or dropped_ms else 0
        entries, longer_until_ms = [], now_ms + words[_LONGER_AT]
    return _File(
        window_ms=words[_WINDOW_AT],
        longer_ms=words[_LONGER_AT],
        longer_until_ms=longer_until_ms,
        spread_ms=words[_SPREAD_AT],
        dropped_ms=dropped_ms,
        on_way=words[_ON_WAY_AT],
        entries=sorted(entries),
    )


def _written(path: Path, file: _File) -> mmap.mmap:
    """Write the file anew, whole before it takes the old one's place, and map it."""
    data = bytearray(_BYTES)
    with memoryview(data).cast("Q") as words:
        words[_MAGIC_AT] = _MAGIC
        words[_WINDOW_AT] = file.window_ms
        words[_LONGER_AT], words[_LONGER_UNTIL_AT] = file.longer_ms, file.longer_until_ms
        words[_SPREAD_AT], words[_DROPPED_AT] = file.spread_ms, file.dropped_ms
        for at, (at_ms, n) in enumerate(file.entries, _HEADER_WORDS):
            words[at] = at_ms << _COUNT_BITS | n
    boot_at = _BOOT_AT * _WORD
    data[boot_at : boot_at + _BOOT_BYTES] = _boot()
    new = path.with_suffix(".new")
    # Every byte of it has its place on the disk: writing to the memory must not find it full.
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb", closefd=False) as out:
            out.write(data)
        memory = mmap.mmap(descriptor, _BYTES)
    finally:
        os.close(descriptor)
    new.replace(path)
    return memory


def _fewer(entries: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """So few that half of the file is free: neighbours count as the later of them."""
    while len(entries) > SLOTS // 2:
        pairs = zip(entries[0::2], [*entries[1::2], (0, 0)], strict=False)
        entries = [(max(first[0], second[0]), first[1] + second[1]) for first, second in pairs]
    return entries


def _boot() -> bytes:
    return boot_id().encode()[:_BOOT_BYTES].ljust(_BOOT_BYTES, b"\0")

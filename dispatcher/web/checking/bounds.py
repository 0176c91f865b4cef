"""What a child may take: little of the processor, so much memory, and no more time than its server lives."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

try:
    import resource
except ImportError:  # no such bounds on Windows
    resource = None  # type: ignore[assignment]

#: Address space. Enough for files of some hundred megabytes; what a file unpacks to is bounded by intake.
MEMORY_MAX_BYTES = 1_500 << 20
#: The largest file that it may write: a few megabytes can unpack to rows that would fill any disk.
WRITTEN_MAX_BYTES = 4 << 30
NICE = 10
#: What the child ends with where its server has gone.
ORPHANED = 3


def bound() -> None:
    """In the child, before it reads anything. Its own children inherit it."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICE)
    if resource is not None:
        _limit(resource.RLIMIT_AS, MEMORY_MAX_BYTES)
        _limit(resource.RLIMIT_FSIZE, WRITTEN_MAX_BYTES)
        # A core would hold the contacts.
        _limit(resource.RLIMIT_CORE, 0)


def is_full(path: Path) -> bool:
    """Whether a write has failed because of the bound, and not of a full disk: what failed is taken back by then."""
    if resource is not None:
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        with contextlib.suppress(OSError):
            return most != resource.RLIM_INFINITY and path.stat().st_size > 0.4 * most
    return False


def end_with(descriptor: int) -> None:
    """End this process when nobody holds the other end of a pipe any more: a server that was killed reads nothing."""
    threading.Thread(target=_wait, args=(descriptor,), name="server-watch", daemon=True).start()


def _wait(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 4096):
            pass
    # At once, and without what is written at an orderly end.
    os._exit(ORPHANED)


def _limit(kind: int, most: int) -> None:
    """As much, or as little as whoever started the server allows."""
    assert resource is not None
    hard = resource.getrlimit(kind)[1]
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (least, least))

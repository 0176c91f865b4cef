"""The time: the wall clock as it was when the program started, and from there what the machine has counted.

Whatever is done to the wall clock meanwhile (set back, set forward, put right by NTP) does not reach a running program.
Else an intent and the search for its execution would stand on two clocks: the search would look in the wrong hour and
find nothing, and the row would be sent again. Times of the ledger and the report are these.
"""

from __future__ import annotations

import time
from pathlib import Path

#: Linux' word for one start of the machine (random(4)).
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Counts on while the machine sleeps, where the system has such a counter: Linux' monotonic clock does not.
_COUNTER = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def _counted_ns() -> int:
    return time.monotonic_ns() if _COUNTER is None else time.clock_gettime_ns(_COUNTER)


def counted_ms() -> int:
    """Milliseconds that the machine has counted since it started (see `boot_id`): no clock that anybody sets."""
    return _counted_ns() // 1_000_000


def boot_id() -> str:
    """Tells one start of the machine from another: what was counted before another start says nothing now.

    Empty where the system does not tell.
    """
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


_ORIGIN_NS = time.time_ns() - _counted_ns()


def align(apart_ns: int) -> None:
    """From now on the time is that of a clock which is so much ahead of this one: a server's, for all machines."""
    global _ORIGIN_NS
    _ORIGIN_NS += apart_ns


def now_ns() -> int:
    """Nanoseconds since 1970, UTC. Never steps."""
    return _ORIGIN_NS + _counted_ns()


def now_ms() -> int:
    """Milliseconds since 1970, UTC. Never steps."""
    return (_ORIGIN_NS + _counted_ns()) // 1_000_000


def now_s() -> float:
    """Seconds since 1970, UTC. Never steps."""
    return (_ORIGIN_NS + _counted_ns()) / 1e9

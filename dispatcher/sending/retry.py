"""How long to pause before asking again. Decisions only; `backoff` gives the sequences and the jitter.

Creates are never retried here: a row goes back to `planned` where its outcome allows that. Reads may be repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import backoff

from dispatcher.errors import StudioUnavailable

#: Retry-After is a minimum: the jitter on top spreads those who wait, in shares of it.
RETRY_AFTER_JITTER = 0.1


def pauses(base_s: float, max_s: float) -> Iterator[float]:
    """Pauses in seconds without end: about base, 2·base, 4·base … up to `max_s`, each shortened by up to a half."""
    sequence = backoff.expo(base=2, factor=base_s, max_value=max_s)
    next(sequence)  # the generator's first value is its greeting
    for pause_s in sequence:
        yield pause_s / 2 + backoff.full_jitter(pause_s / 2)


def after_throttle(retry_after_s: float | None, pause_s: float) -> float:
    """How long to pause after a 429: what Retry-After says and never less, else the next pause."""
    if retry_after_s is None:
        return pause_s
    return retry_after_s + backoff.full_jitter(retry_after_s * RETRY_AFTER_JITTER)


def reads(
    attempts: int, *, base_s: float, max_s: float, throttled_give_up_s: float
) -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    """What repeats a read on StudioUnavailable, up to `attempts` times in all.

    A 429 costs no attempt: it waits at the breaker and here, for up to `throttled_give_up_s`.
    """

    async def retrying(call: Callable[[], Awaitable[Any]]) -> Any:
        # logger=None: backoff's log lines would hold the exception's text.
        @backoff.on_exception(
            backoff.expo,
            StudioUnavailable,
            max_tries=attempts,
            giveup=_throttled,
            factor=base_s,
            max_value=max_s,
            jitter=backoff.full_jitter,
            logger=None,
        )
        @backoff.on_exception(
            backoff.expo,
            StudioUnavailable,
            max_time=throttled_give_up_s,
            giveup=lambda error: not _throttled(error),
            factor=base_s,
            max_value=max_s,
            jitter=backoff.full_jitter,
            logger=None,
        )
        async def attempt() -> Any:
            return await call()

        return await attempt()

    return retrying


def _throttled(error: Exception) -> bool:
    return isinstance(error, StudioUnavailable) and error.throttled

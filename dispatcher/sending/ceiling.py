"""How much of the limit is ours where others use the account, too. Decisions only: times and counts come in.

A server that counts a window refuses when the window is full. What others hold of it then is the limit less what of
ours got through in that window: so at a 429 that number is our ceiling, at once (but never under a floor). Above it
goes one request, a probe, after a pause. A probe that is refused doubles the pause, up to two windows: a ceiling that
stands costs a 429 now and then. One that gets through is followed by two, four, eight … more: room that has become free
is ours within seconds, and at the whole limit the ceiling is forgotten.
Below a ceiling nothing should be refused. One refusal there moves it down: others take more. Refusals that go on all
the same do not come from our rate: for two windows there is no ceiling, and 429s only pause. Consecutive refusals, with
nothing getting through between them, count once: they say that Studio takes nothing, not how much it would.
"""

from __future__ import annotations

#: The ceiling is never under this share of the limit: a 429 with hardly anything of ours in the window says little.
FLOOR_SHARE = 0.1
#: This share of the ceiling is left to others, whose requests do not come like clockwork.
MARGIN_FOR_OTHERS = 0.02
#: The pause before the first probe and the longest, in windows.
PAUSE = 0.02
PAUSE_MAX = 2.0
#: Met again this much higher, the ceiling is a new one, and its pauses begin anew.
RAISED_RATIO = 1.1
#: Met again within this share of itself, it has not moved.
UNCHANGED_RATIO = 0.97
#: More refusals than this below the ceiling, each forgotten over some MISS_MEMORY answers, have another reason than our
#: rate.
MISSES_MAX = 3.5
MISS_MEMORY = 30
#: For how many windows 429s then set no ceiling.
IGNORE_429_WINDOWS = 2.0


class Ceiling:
    """What may get through in a window. `full`: the cap without any 429. Counts are of ours in the last window."""

    def __init__(self, full: int, window_s: float) -> None:
        self._full = full
        self._window_s = window_s
        self._floor = max(1, int(full * FLOOR_SHARE))
        self._at: int | None = None
        #: The highest count that has got through above the ceiling, and how many more may be tried at once.
        self._reached = 0
        self._step = 1
        self._pause_s = 0.0
        self._probe_s = 0.0
        self._misses = 0.0
        self._ignore_until_s = 0.0
        self._in_a_row = False

    def take_over(self, at: int, now_s: float) -> None:
        """Begin with the ceiling of whoever sent before: what it leaves is tried soon."""
        if at < self._full:
            self._set(max(self._floor, at), now_s, self._window_s * PAUSE)

    @property
    def at(self) -> int | None:
        """How many have got through per window; None: there is no ceiling."""
        return self._at

    @property
    def stands(self) -> bool:
        """Whether there is one at all."""
        return self._at is not None

    @property
    def tracks_successes(self) -> bool:
        """Whether it matters that a request got through."""
        return self._at is not None or self._in_a_row

    def cap(self, now_s: float) -> int:
        """How many may get through per window now."""
        if self._at is None:
            return self._full
        if now_s < self._probe_s:
            return max(self._floor, self._at - int(self._at * MARGIN_FOR_OTHERS))
        return min(self._full, max(self._at, self._reached) + self._step)

    def probes_at(self, now_s: float) -> float | None:
        """When the cap will rise by itself; None: it may have, or there is none."""
        return self._probe_s if self._at is not None and now_s < self._probe_s else None

    def refused(self, now_s: float, passed: int) -> None:
        """A 429 to a request before which `passed` of ours had got through in its window."""
        if now_s < self._ignore_until_s:
            return
        in_a_row, self._in_a_row = self._in_a_row, True
        if self._at is None:
            self._set(max(self._floor, passed), now_s, self._window_s * PAUSE)
        elif passed < self._at * UNCHANGED_RATIO:
            if in_a_row:
                return
            self._misses += 1
            if self._misses > MISSES_MAX:
                self._at = None
                self._ignore_until_s = now_s + self._window_s * IGNORE_429_WINDOWS
            else:
                self._at = max(self._floor, passed)
                self._reached, self._step = 0, 1
        elif now_s >= self._probe_s:
            higher = passed >= self._at * RAISED_RATIO
            pause_s = self._window_s * PAUSE if higher else min(self._pause_s * 2, self._window_s * PAUSE_MAX)
            self._set(max(self._at, passed), now_s, pause_s)

    def _set(self, at: int, now_s: float, pause_s: float) -> None:
        self._at = at
        self._pause_s = pause_s
        self._probe_s = now_s + pause_s
        self._reached, self._step = 0, 1

    def passed(self, now_s: float, passed: int) -> None:
        """A request got through, and with it `passed` of ours in the last window."""
        self._in_a_row = False
        self._misses *= 1 - 1 / MISS_MEMORY
        if self._at is None or passed <= max(self._at, self._reached):
            return
        # What was already on its way counts, too: else the probe, one above the ceiling, would find no room.
        self._reached = passed
        if now_s < self._probe_s:
            return
        self._step *= 2
        if self._reached + self._step >= self._full:
            self._at = None

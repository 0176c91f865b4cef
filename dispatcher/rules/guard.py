"""The guard: when a run is refused so much, or loses so many contacts, that a person should look before it goes on."""

from __future__ import annotations

from collections import Counter, deque

#: Reasons that are told by themselves; the others are told together.
REASONS_MAX = 5


class RefusalShare:
    """The last `window_rows` answers of a run, and what share of them were refusals.

    A share of fewer answers says nothing: the first row's refusal would be all of them.
    """

    def __init__(self, *, window_rows: int, max_rejected: float) -> None:
        """`max_rejected`: the share above which a run stops; 0: none does."""
        # What is exactly the share is not above it, whatever the product is rounded to.
        self._max = max_rejected * window_rows + 1e-9
        self._window_rows = window_rows
        #: Off, too, once it has said so: what is in flight then says nothing new.
        self._watching = max_rejected > 0
        #: What each answer was, oldest first: the reason of a refusal; None: none.
        self._answers: deque[str | None] = deque()
        self._refused = 0

    def answered(self, refusal: str | None) -> str | None:
        """A row has its answer: refused for this reason, or (None) not.

        Returns the numbers where the run is to stop, once.
        """
        if not self._watching:
            return None
        answers = self._answers
        answers.append(refusal)
        self._refused += refusal is not None
        if len(answers) > self._window_rows:
            self._refused -= answers.popleft() is not None
        if len(answers) < self._window_rows or self._refused <= self._max:
            return None
        self._watching = False
        were = "was a refusal" if self._refused == 1 else "were refusals"
        return f"{self._refused} of the last {self._window_rows} answers {were}: {self._reasons()}"

    def _reasons(self) -> str:
        """The reasons with their numbers, most first."""
        counts = Counter(reason for reason in self._answers if reason is not None)
        found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        told = [f"{reason} {n}" for reason, n in found[:REASONS_MAX]]
        others = sum(n for _, n in found[REASONS_MAX:])
        return ", ".join([*told, *([f"others {others}"] if others else [])])


class OptOutShare:
    """The executions of a campaign that a run has tracked, and what share of them ended in an opt-out."""

    def __init__(self, *, window_rows: int, max_opted_out: float) -> None:
        """`max_opted_out`: the share above which a run stops, of `window_rows` executions or more; 0: none does."""
        self._window_rows = window_rows
        self._max = max_opted_out
        self._tracked = self._opted_out = 0

    def tracked(self, executions: int, opted_out: int) -> str | None:
        """So many more were tracked, and have opted out. Returns the numbers where the run is to stop."""
        self._tracked += executions
        self._opted_out += opted_out
        if not self._max or self._tracked < self._window_rows or self._opted_out <= self._max * self._tracked + 1e-9:
            return None
        return f"{self._opted_out} of {self._tracked} executions tracked ended in an opt-out"

"""Which rows a report holds: states, and words for several states."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.errors import UsageError
from dispatcher.model import RowState
from dispatcher.remedies import Advice, Option

#: Words that stand for several states. `unknown` is not `failed`: such a row may have been sent.
GROUPS: dict[str, frozenset[RowState]] = {
    "failed": frozenset({RowState.rejected, RowState.busy, RowState.invalid}),
    "all": frozenset(RowState),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """The states whose rows are wanted."""

    states: frozenset[RowState]

    @classmethod
    def parse(cls, text: str | Iterable[str]) -> Selection:
        """Read words with commas between them, in one text or several: states and the names of GROUPS.

        Raises: UsageError for an unknown word, naming the nearest.
        """
        parts = [text] if isinstance(text, str) else list(text)
        words = [word.strip().lower() for part in parts for word in part.split(",") if word.strip()]
        known = [*RowState, *GROUPS]
        choose = Advice(f"choose from {', '.join(known)}")
        states: set[RowState] = set()
        for word in words:
            if word in GROUPS:
                states |= GROUPS[word]
            elif word in RowState.__members__:
                states.add(RowState(word))
            else:
                near = difflib.get_close_matches(word, known, n=1)
                raise UsageError(
                    f"no rows are called {word!r}", found=word, fix=Option("only", near[0]) if near else choose
                )
        if not words:
            raise UsageError("no rows are named", fix=choose)
        return cls(frozenset(states))

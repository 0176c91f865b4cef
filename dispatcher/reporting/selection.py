"""Which rows a report holds: the words of `--only`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.errors import UsageError
from dispatcher.model import RowState

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
        states: set[RowState] = set()
        for word in words:
            if word in GROUPS:
                states |= GROUPS[word]
            elif word in RowState.__members__:
                states.add(RowState(word))
            else:
                near = difflib.get_close_matches(word, known, n=1)
                raise UsageError(
                    f"--only knows no rows that are {word!r}",
                    found=word,
                    fix=f"did you mean {near[0]}?" if near else f"--only {'|'.join(known)}",
                )
        if not words:
            raise UsageError("--only needs a word", fix=f"--only {'|'.join(known)}")
        return cls(frozenset(states))

"""The canary: which rows of a campaign go before all others, and whether what became of them lets the others go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.model import RowState

#: Of the rows that were sent, what became of so many must be known.
KNOWN_MIN = 0.8
#: It is looked so often; then too little will not be more.
LOOKS_MAX = 5
#: Twilio's error for a contact who has opted out.
OPTED_OUT_CODE = 21610


def spread(rows: int, wanted: int) -> list[int]:
    """The positions of so many of `rows` rows, evenly spread over them: from 0, in order, none twice."""
    n = min(rows, wanted)
    return [(2 * at + 1) * rows // (2 * n) for at in range(n)]


class Fate(NamedTuple):
    """What became of one row that was sent."""

    state: RowState
    #: Why the request was refused.
    refused_code: int | None = None
    #: Whether its execution has ended and was read.
    is_read: bool = False
    #: What went wrong in it: a message that was not delivered, say.
    error_code: int | None = None
    #: Whether the contact was seen to opt out.
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the others may go; the numbers, for people."""

    passed: bool
    numbers: str


def judge(fates: Iterable[Fate], *, max_failed: float, max_opted_out: float, is_last: bool) -> Verdict | None:
    """Whether the other rows may go. None: too little is known, look again; not where it `is_last`.

    Shares are of the rows whose fate is known; 0: none is too much. Failed: refused, not delivered, or unknown.
    """
    sent = known = opted_out = 0
    failures: Counter[str] = Counter()
    for fate in fates:
        sent += 1
        is_created = fate.state is RowState.created
        known += fate.is_read or not is_created
        if fate.opted_out or OPTED_OUT_CODE in (fate.error_code, fate.refused_code):
            opted_out += 1
        elif not is_created:
            failures["rejected" if fate.state is RowState.rejected else "unknown"] += 1
        elif fate.error_code is not None:
            failures[str(fate.error_code)] += 1
    failed = failures.total()
    knows_enough = known >= KNOWN_MIN * sent > 0
    # What is too much of all of them stays too much, whatever becomes of the others.
    of = known if knows_enough else sent
    reasons = []
    if _is_above(failed, max_failed, of):
        told = ", ".join(f"{why} {n}" for why, n in sorted(failures.items(), key=lambda item: (-item[1], item[0])))
        reasons.append(f"{failed} of {of} failed: {told}; more than {_percent(max_failed)}")
    if _is_above(opted_out, max_opted_out, of):
        reasons.append(f"{opted_out} of {of} opted out; more than {_percent(max_opted_out)}")
    if reasons:
        return Verdict(False, "; ".join(reasons))
    if knows_enough:
        return Verdict(True, f"{known} of {sent} known, {failed} failed, {opted_out} opted out")
    if is_last:
        return Verdict(False, f"what became of only {known} of {sent} is known; less than {_percent(KNOWN_MIN)}")
    return None


def _is_above(n: int, share_max: float, of: int) -> bool:
    # What is exactly the share is not above it, whatever the product is rounded to.
    return share_max > 0 and n > share_max * of + 1e-9


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"

"""What became of the last test to a phone of one's own, for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.model import Outcome
from dispatcher.web.figures import masked_sid
from dispatcher.web.times import short_moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTest:
    """What became of the last test."""

    tone: str
    sentence: str


def shown_test(test: Mapping[str, Any] | None, zone: str, now_ms: int) -> ShownTest | None:
    """What became of a draft's last test; None: there was none. `zone`: whose clock tells when."""
    if test is None:
        return None
    at = short_moment(test["at_ms"], zone, now_ms=now_ms)
    to = f"to {test['to']}, with the values of row {test['row_number']}"
    if test["outcome"] == Outcome.created:
        sid = masked_sid(test["execution_sid"] or "")
        return ShownTest(tone="good", sentence=f"Test {at}, {to}: started, execution {sid}. Look at your phone.")
    code = f" (error {test['error_code']})" if test["error_code"] else ""
    why = test["error_message"] or f"it came to {test['outcome'].replace('_', ' ')}"
    parts = [f"Test {at}, {to}: not started. {why}{code}.", test["advice"] or ""]
    return ShownTest(tone="bad", sentence=" ".join(part for part in parts if part))

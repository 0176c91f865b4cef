"""Which text is a flow's SID, which is meant for one, and which is a flow's name."""

from __future__ import annotations

import re

#: With too few or too many digits, with letters, not filled in; or another thing's.
_BROKEN_SID = re.compile(r"FW(?:[0-9a-fA-F]*|\w{28,}|…|\.\.\.)|[A-Z]{2}[0-9a-fA-F]{32}", re.ASCII)


def is_flow_sid(text: str) -> bool:
    """Whether it is a flow's SID; otherwise it is a flow's name."""
    return re.fullmatch(r"FW[0-9a-fA-F]{32}", text, re.ASCII) is not None


def is_broken_sid(text: str) -> bool:
    """Whether it is meant for a SID and is none, or is another thing's: no flow is looked for by such a name."""
    return _BROKEN_SID.fullmatch(text) is not None

"""No test leaves this process other limits than it found: a limit of processor time kills a later test, anywhere.

So it was once: what reads a sheet in a child of its own was called in the test process, and bounded that.
"""

from __future__ import annotations

import sys

Limits = dict[str, tuple[int, int]]


def limits() -> Limits:
    """What the system allows this process, by the limit's name."""
    if sys.platform == "win32":
        return {}
    import resource

    names = [name for name in vars(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def put_back(before: Limits) -> list[str]:
    """Set what differs to what it was, as far as that is allowed. Returns the names."""
    if sys.platform == "win32":
        return []
    import resource

    now = limits()
    changed = [name for name, found in before.items() if now[name] != found]
    for name in changed:
        (soft, _), hard = before[name], now[name][1]
        resource.setrlimit(getattr(resource, name), (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    return changed

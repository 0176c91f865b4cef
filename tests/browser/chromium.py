"""The machine's own Chromium: where it is, and how it is started so that it talks to nobody but the page."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # a container's root cannot have one; what is opened is ours
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever it wants to ask for at home: it does not find the way, as `tests.guard` has it for what is Python.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
)
MISSING = (
    "no Chromium on this machine; Debian, Ubuntu: apt-get install --no-install-recommends chromium fonts-liberation"
)


def find() -> str | None:
    """The path of the program; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def is_demanded() -> bool:
    """Whether tests may not do without: in CI, where nobody reads which were skipped."""
    return os.environ.get("CI", "").lower() in ("1", "true")

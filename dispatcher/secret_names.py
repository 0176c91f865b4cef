"""The names under which the environment holds secrets: what is masked, handed to nobody, and shown nowhere."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path

TWILIO_NAMES = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET")
#: With what notices are signed.
NOTIFY_SECRET = "DISPATCHER_NOTIFY_SECRET"
#: Those of a profile have its name within: TWILIO_EU_API_KEY.
_NAME = re.compile(
    rf"(?:TWILIO_(?:[A-Z0-9_]+_)?(?:ACCOUNT_SID|AUTH_TOKEN|API_KEY|API_SECRET)|{NOTIFY_SECRET})(?:_FILE)?"
)
#: Of those, what may be shown: they say who, and not with what.
_IDENTIFIER = re.compile(r"_(?:ACCOUNT_SID|API_KEY)(?:_FILE)?$")


def is_secret_name(name: str) -> bool:
    """Whether a variable holds credentials of whatever profile, or names their file."""
    return _NAME.fullmatch(name) is not None


def secret_texts(environ: Mapping[str, str]) -> list[str]:
    """The secrets that the environment holds, or whose files it names and which can be read."""
    found = []
    for name, value in environ.items():
        if is_secret_name(name) and not _IDENTIFIER.search(name):
            if not name.endswith("_FILE"):
                found.append(value.strip())
                continue
            with contextlib.suppress(OSError, UnicodeDecodeError, ValueError):
                found.append(Path(value).read_text(encoding="utf-8").strip())
    return [text for text in found if text]

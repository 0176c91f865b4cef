"""`--debug`: logs and tracebacks on stderr, with secrets and phone numbers masked."""

from __future__ import annotations

import logging
import re

_SECRET_VARIABLES = ("TWILIO_AUTH_TOKEN", "TWILIO_API_SECRET")
_PHONE = re.compile(r"\+\d{5,}(?=\d{2})")
_on = False


def is_on() -> bool:
    """Whether `--debug` was given."""
    return _on


def switch_on() -> None:
    """Log what this program does, and show tracebacks."""
    global _on
    _on = True
    handler = logging.StreamHandler()
    handler.setFormatter(_Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("dispatcher")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    logger.propagate = False


def masked(text: str) -> str:
    """The text without secrets of the environment, and with phone numbers cut to their last two digits."""
    for secret in _secrets():
        text = text.replace(secret, "***")
    return _PHONE.sub("+…", text)


class _Masking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def _secrets() -> list[str]:
    import os
    from pathlib import Path

    values = [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    for name in _SECRET_VARIABLES:
        file = os.environ.get(f"{name}_FILE")
        if file:
            try:
                values.append(Path(file).read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError):
                continue
    return [value for value in values if value]

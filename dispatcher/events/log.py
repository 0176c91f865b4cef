"""A listener that logs each event with its fields, so that a scheduled job can be read afterwards."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields

from dispatcher.events.kinds import AttemptsEnded, Event, PlanProgress, Tracking

logger = logging.getLogger("dispatcher.events")

#: They come many times a second.
_OFTEN = (AttemptsEnded, PlanProgress, Tracking)


def log_event(event: Event) -> None:
    """Log it: `RunStarted campaign=spring to_send=300`; the fields also stand in the record's `event_fields`."""
    level = logging.DEBUG if isinstance(event, _OFTEN) else logging.INFO
    if not logger.isEnabledFor(level):
        return
    values = {item.name: _plain(getattr(event, item.name)) for item in fields(event)}
    text = " ".join(f"{name}={value}" for name, value in values.items())
    name = type(event).__name__
    logger.log(level, "%s %s", name, text, extra={"event": name, "event_fields": values})


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): n for key, n in value.items() if n}
    return value

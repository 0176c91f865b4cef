"""The table `[notify]`: who is told how a run ended."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from dispatcher.hosts import is_loopback
from dispatcher.settings.table import Table

Told: TypeAlias = Literal["finished", "waiting", "stopped", "canary", "guard"]


class NotifySettings(Table):
    """Who is told how a run ended. No notice holds a number, a name or a cell, and none that fails stops anything."""

    on: list[Told] = Field(
        default_factory=lambda: list(get_args(Told)),
        description="Which notices are sent: every row has its answer; only rows are left that wait for their time; a"
        " run ended early or was killed; the canary, or the guard, has stopped a run.",
    )
    webhook: str = Field(
        "",
        description='An address that each is sent to as JSON, "" for none: https://, or http:// on this machine. Signed'
        " as Standard Webhooks are where DISPATCHER_NOTIFY_SECRET=whsec_… is in the environment.",
    )
    command: list[str] = Field(
        default_factory=list,
        description="A program and its arguments, started for each with the same JSON on its standard input, without a"
        " shell; it has failed unless it ends with 0.",
    )
    timeout_s: Annotated[float, Field(gt=0, le=300)] = Field(
        10.0, description="How long a try may take, in seconds, connecting included."
    )

    @field_validator("webhook")
    @classmethod
    def _check_webhook(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            raise ValueError("must be https://host/path, the port a number up to 65535") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", value):
            raise ValueError("must be https://host/path")
        if parts.username or parts.password:
            raise ValueError("must not hold credentials; notices are signed with DISPATCHER_NOTIFY_SECRET")
        if parts.scheme == "http" and not is_loopback(value):
            raise ValueError("must be https://; http:// is for this machine alone")
        return value

    @field_validator("command")
    @classmethod
    def _check_command(cls, value: list[str]) -> list[str]:
        if value and not value[0]:
            raise ValueError("must begin with a program")
        if any("\0" in word for word in value):
            raise ValueError("must not hold a NUL character")
        return value

"""Studio, made as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.settings import Credentials, Settings

if TYPE_CHECKING:
    from dispatcher.studio.client import Gate, Studio


def studio_client(settings: Settings, credentials: Credentials, *, gate: Gate | None = None) -> Studio:
    """Studio as the settings say, its reads tried again; an async context manager."""
    from dispatcher.sending.retry import reads
    from dispatcher.studio.client import Studio

    return Studio(
        credentials,
        base_url=settings.studio_url,
        api_version=settings.account.api_version,
        connect_s=settings.timeouts.connect_s,
        answer_s=settings.timeouts.answer_s,
        gate=gate,
        retrying=reads(
            settings.retry.read_attempts,
            base_s=settings.retry.backoff_base_s,
            max_s=settings.retry.backoff_max_s,
            throttled_give_up_s=settings.retry.throttled_give_up_s,
        ),
    )

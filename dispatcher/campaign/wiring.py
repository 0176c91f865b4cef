"""Parts of other rooms, made as the settings say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dispatcher.clock import now_ms
from dispatcher.intake import IntakeOptions
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import Account
from dispatcher.settings import Credentials, Settings

if TYPE_CHECKING:
    from dispatcher.sending.limiter import Limiter
    from dispatcher.studio.client import Gate, Studio


def intake_options(settings: Settings) -> IntakeOptions:
    """How to read a file."""
    return IntakeOptions(
        to=settings.columns.to,
        region=settings.columns.region,
        parameters=settings.columns.parameters,
        constants=settings.columns.constants,
        key=tuple(settings.columns.key),
        from_address=settings.campaign.from_,
        from_column=settings.campaign.from_column,
        id_parameter=settings.campaign.id_parameter,
        sheet=settings.input.sheet,
        delimiter=settings.input.delimiter,
        encoding=settings.input.encoding,
        parameters_max_bytes=settings.input.parameters_max_bytes,
        cell_max_bytes=settings.input.cell_max_bytes,
        fill_short_rows=settings.input.fill_short_rows,
    )


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


async def limiter_of(account: Account, settings: Settings, ledger: Ledger) -> Limiter:
    """A limiter that remembers what left for this account before, by the ledger."""
    from dispatcher.sending.limiter import Limiter

    rate = settings.rate
    asked_ms = now_ms()
    past_ms = await ledger.departures(account, since_ms=asked_ms - int(rate.window_s * 1000), now_ms=asked_ms)
    now_s = asyncio.get_running_loop().time()
    return Limiter(
        per_second=rate.per_second,
        window_s=rate.window_s,
        headroom=rate.headroom,
        pace=rate.pace,
        past_s=[now_s - (asked_ms - at_ms) / 1000 for at_ms in past_ms],
    )

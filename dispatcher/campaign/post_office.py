"""Notices beside any campaign: to see that they arrive, and to deliver what is left. Needs no lease, no credentials."""

from __future__ import annotations

from uuid import uuid4

from dispatcher.campaign.announcement import body
from dispatcher.campaign.channels import Refused, channel_names
from dispatcher.campaign.courier import Courier, Posted, courier_of
from dispatcher.campaign.stop import StopRequest
from dispatcher.clock import now_ms
from dispatcher.errors import CampaignNotFound, SettingsError
from dispatcher.ledger import open_ledger
from dispatcher.model import NoticeKind
from dispatcher.remedies import AnyOf, Setting
from dispatcher.settings import Settings


async def send_test(settings: Settings) -> list[tuple[str, Refused | None]]:
    """Send a notice of the kind `test` to every channel, once: each channel's sort, and how it went.

    Raises: SettingsError: there is no channel; AuthenticationError.
    """
    data = {"message": "a test: notices of dispatcher arrive here", "rehearsal": settings.is_loopback}
    return await _courier(settings).test(f"msg_{uuid4().hex}", body(NoticeKind.test, data, at_ms=now_ms()))


async def flush(settings: Settings, *, anyones: bool = False) -> tuple[Posted, int]:
    """Deliver what is left for the channels of these settings, `anyones`: for others of their sort, too.

    Returns what became of them, and how many more are left for channels that these settings do not name.
    Raises: SettingsError: there is no channel; AuthenticationError, LedgerError.
    """
    courier = _courier(settings)
    try:
        ledger = await open_ledger(settings.state, create=False, loopback=settings.is_loopback)
    except CampaignNotFound:
        return Posted(), 0
    try:
        posted = await courier.post(ledger.notices, StopRequest(), anyones=anyones, patient=True)
        others = await ledger.notices.left_for_others(channel_names(settings.notify))
        return posted, max(0, others - posted.left) if anyones else others
    finally:
        await ledger.close()


def _courier(settings: Settings) -> Courier:
    courier = courier_of(settings)
    if courier is None:
        fix = AnyOf(Setting("notify.webhook", "https://…"), Setting("notify.command", ("PROGRAM",)))
        raise SettingsError("nobody is to be told: neither a webhook nor a command is set", fix=fix)
    return courier

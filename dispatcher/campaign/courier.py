"""Delivers notices: claims each before it is sent, tries again a few times, and leaves what is not delivered.

At least once: a process that dies between the receiver's answer and the ledger leaves a notice that is sent again,
under the same id. Nothing that goes wrong here ends a command otherwise than it would have ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from dispatcher.campaign.channels import Channel, CommandChannel, Refused
from dispatcher.campaign.stop import StopRequest
from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError, LedgerError
from dispatcher.ledger.notices import ClaimedNotice, Notices, OpenNotices
from dispatcher.settings import NotifySettings, Settings, load_notify_secret

#: A receiver that has failed so often in a row is left for now.
TRIES = 5
#: Between two tries that failed, in seconds: this, twice this, …
BACKOFF_S = 0.5
#: How long delivering may take in all, in seconds; a try that has begun then comes to its end.
POST_MAX_S = 60.0
#: A claim holds for longer than a try may take: what is dead is not at it any more then.
CLAIM_SLACK_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of the notices."""

    sent: int = 0
    #: Receivers that have asked for no more: theirs are given up.
    given_up: int = 0
    #: Not delivered yet.
    left: int = 0
    #: Why not, the last reason seen.
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whose:
    """Which notices of a channel are meant: see `ledger.notices.Notices`."""

    campaign_id: int | None = None
    anyones: bool = False


class Courier:
    """Made by `courier_of`."""

    def __init__(self, settings: NotifySettings, secret: bytes | None) -> None:
        self._settings = settings
        self._secret = secret

    async def post(
        self,
        notices: Notices,
        stop: StopRequest,
        *,
        tries: int = TRIES,
        campaign_id: int | None = None,
        anyones: bool = False,
        patient: bool = False,
    ) -> Posted:
        """Deliver what is open. `campaign_id`, `anyones`: see `Notices`. Never raises for what a receiver does.

        `patient`: wait for those, too, that another process has claimed, as one has that was killed meanwhile.
        Raises: nothing but what is a bug; a ledger that cannot be written is told in `Posted.error`.
        """
        whose, end_s = _Whose(campaign_id=campaign_id, anyones=anyones), _time_s() + POST_MAX_S
        async with self._channels() as channels:
            rounds = [
                _Round(channel, notices, whose, stop, claim_s=self._settings.timeout_s + CLAIM_SLACK_S, end_s=end_s)
                for channel in channels
            ]
            await asyncio.gather(*[one.deliver(tries, patient=patient) for one in rounds])
        found = [one.posted for one in rounds]
        return Posted(
            sent=sum(one.sent for one in found),
            given_up=sum(one.given_up for one in found),
            left=sum(one.left for one in found),
            error=next((one.error for one in found if one.error), None),
        )

    async def test(self, notice_id: str, body: str) -> list[tuple[str, Refused | None]]:
        """Send one notice to every channel, once: each channel's sort and how it went."""
        notice = ClaimedNotice(notice_id=notice_id, channel="", body=body)
        async with self._channels(is_shown=True) as channels:
            tried = await asyncio.gather(*[channel.deliver(notice) for channel in channels])
            return [(channel.name.partition(":")[0], how) for channel, how in zip(channels, tried, strict=True)]

    @contextlib.asynccontextmanager
    async def _channels(self, *, is_shown: bool = False) -> AsyncIterator[list[Channel]]:
        async with contextlib.AsyncExitStack() as stack:
            found: list[Channel] = []
            if self._settings.webhook:
                # What speaks HTTP takes time to load, and nobody needs it who has no webhook.
                from dispatcher.campaign.webhook import WebhookChannel

                found.append(await stack.enter_async_context(WebhookChannel(self._settings, self._secret)))
            if self._settings.command:
                found.append(CommandChannel(self._settings, is_shown=is_shown))
            yield found


def courier_of(settings: Settings) -> Courier | None:
    """Who delivers as the settings say; None: nobody is to be told.

    Raises: AuthenticationError: the secret that notices are signed with cannot be used.
    """
    notify = settings.notify
    if not (notify.webhook or notify.command):
        return None
    return Courier(notify, load_notify_secret() if notify.webhook else None)


def _time_s() -> float:
    return asyncio.get_running_loop().time()


class _Round:
    """One channel's turn. Whatever fails puts the next try off: a receiver that is down is down for every notice."""

    def __init__(
        self, channel: Channel, notices: Notices, whose: _Whose, stop: StopRequest, *, claim_s: float, end_s: float
    ) -> None:
        self._channel = channel
        self._notices = notices
        self._whose = whose
        self._stop = stop
        self._claim_ms = int(claim_s * 1000)
        self._end_s = end_s
        self.posted = Posted()

    async def deliver(self, tries: int, *, patient: bool) -> None:
        sent = given_up = failures = 0
        error: str | None = None
        left = 0
        try:
            while failures < tries and _time_s() < self._end_s and self._stop.error is None:
                notice = await self._claim()
                if notice is None:
                    if patient and await self._wait_for_others():
                        continue
                    break
                refused = await self._try(notice)
                if refused is None:
                    failures, sent = 0, sent + 1
                    await self._notices.sent(notice)
                    continue
                error = refused.why
                await self._notices.failed(notice, refused.why, for_good=refused.for_good)
                if refused.for_good:
                    given_up += 1
                    continue
                failures += 1
                if failures < tries:
                    await self._sleep(BACKOFF_S * 2 ** (failures - 1))
            open_ = await self._open()
            left, error = open_.count, (open_.error or error) if open_.count else None
        except LedgerError as failure:
            # How many are left cannot be told; this one is.
            left, error = max(left, 1), failure.message
        self.posted = Posted(sent=sent, given_up=given_up, left=left, error=error)

    async def _try(self, notice: ClaimedNotice) -> Refused | None:
        try:
            return await self._stop.race(self._channel.deliver(notice))
        except DispatcherError as stopped:
            return Refused(stopped.message)

    async def _claim(self) -> ClaimedNotice | None:
        whose = self._whose
        return await self._notices.claim(
            self._channel.name, claim_ms=self._claim_ms, campaign_id=whose.campaign_id, anyones=whose.anyones
        )

    async def _open(self) -> OpenNotices:
        whose = self._whose
        return await self._notices.left(self._channel.name, campaign_id=whose.campaign_id, anyones=whose.anyones)

    async def _wait_for_others(self) -> bool:
        """Wait until a claim of another process is over. False: there is none, or it takes too long."""
        found = await self._open()
        if not found.count:
            return False
        wait_s = max(0.0, (found.due_at_ms - now_ms()) / 1000) + 0.05
        if _time_s() + wait_s > self._end_s:
            return False
        return not await self._stop.sleep(wait_s)

    async def _sleep(self, seconds: float) -> None:
        await self._stop.sleep(min(seconds, max(0.0, self._end_s - _time_s())))

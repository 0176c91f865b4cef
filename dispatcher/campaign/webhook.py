"""The webhook: one POST for a notice, signed as Standard Webhooks are, which stock libraries verify.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: `webhook-id` is the same at
every try; the signature is over id.timestamp.body; any 2xx is delivered, 410 asks for no more, redirects are not
followed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from types import TracebackType

import aiohttp

from dispatcher.campaign.channels import Refused, webhook_name
from dispatcher.clock import now_ms
from dispatcher.errors import SettingsError
from dispatcher.hosts import is_loopback
from dispatcher.ledger.notices import ClaimedNotice
from dispatcher.settings import NotifySettings
from dispatcher.studio.proxies import proxy_of
from dispatcher.version import __version__

_GONE = 410


def signature(secret: bytes, notice_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = f"{notice_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


class WebhookChannel:
    """An async context manager. `secret` None: notices are not signed."""

    def __init__(self, settings: NotifySettings, secret: bytes | None) -> None:
        self._settings = settings
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> WebhookChannel:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def name(self) -> str:
        return webhook_name(self._settings)

    async def deliver(self, notice: ClaimedNotice) -> Refused | None:
        assert self._session is not None, "use it as an async context manager"
        url, body, timestamp_s = self._settings.webhook, notice.body.encode(), now_ms() // 1000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"dispatcher/{__version__}",
            "webhook-id": notice.notice_id,
            "webhook-timestamp": str(timestamp_s),
        }
        if self._secret is not None:
            headers["webhook-signature"] = signature(self._secret, notice.notice_id, timestamp_s, body)
        try:
            proxy = None if is_loopback(url) else proxy_of(url)
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False, proxy=proxy
            ) as response:
                status = response.status
        except SettingsError as error:
            return Refused(error.message)
        except TimeoutError:
            return Refused(f"the webhook has not answered within {self._settings.timeout_s:g} s")
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return Refused("the webhook's certificate is not trusted")
        except aiohttp.ClientConnectorError:
            return Refused("the webhook cannot be connected to")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Refused(f"the webhook cannot be asked: {type(error).__name__}")
        if 200 <= status < 300:
            return None
        return Refused(f"the webhook answered HTTP {status}", for_good=status == _GONE)

"""The client's decisions without a socket: what a failed request proves, and where requests may go."""

from __future__ import annotations

import errno
import os
import ssl
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import StudioError
from dispatcher.settings import Credentials
from dispatcher.studio.client import Studio, _proxy
from dispatcher.studio.outcomes import Answer, Failure
from dispatcher.studio.wire import _with_departure, failed

ACCOUNT_SID = "AC" + "0" * 32
CREDENTIALS = Credentials(account_sid=ACCOUNT_SID, username=ACCOUNT_SID, password="not-a-real-token")
KEY = ConnectionKey("studio.invalid", 443, True, True, None, None, None)
SECRETIVE = OSError(errno.ECONNREFUSED, "Connect call failed ('10.1.2.3', 443)")


def certificate_error() -> aiohttp.ClientConnectorCertificateError:
    return aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError(1, "self-signed"))


#: Every exception of a request that aiohttp has, in the groups of the network table.
FAILURES: list[tuple[BaseException, Failure]] = [
    (certificate_error(), Failure.certificate),
    (aiohttp.ServerFingerprintMismatch(b"a", b"b", "studio.invalid", 443), Failure.certificate),
    (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")), Failure.not_connected),
    (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "WRONG_VERSION_NUMBER")), Failure.not_connected),
    (aiohttp.ClientSSLError(KEY, ssl.SSLError(1, "handshake")), Failure.not_connected),
    (aiohttp.ClientProxyConnectionError(KEY, SECRETIVE), Failure.not_connected),
    (aiohttp.ClientHttpProxyError(None, (), status=407), Failure.not_connected),  # type: ignore[arg-type]
    (aiohttp.ClientConnectorError(KEY, SECRETIVE), Failure.not_connected),
    (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNRESET, "reset")), Failure.not_connected),
    (aiohttp.ConnectionTimeoutError("Connection timeout to host"), Failure.not_connected),
    (aiohttp.InvalidURL("x"), Failure.not_connected),
    (TimeoutError(), Failure.timeout),
    (aiohttp.SocketTimeoutError("Timeout on reading data"), Failure.timeout),
    (aiohttp.ServerTimeoutError(), Failure.timeout),
    (aiohttp.ServerDisconnectedError(), Failure.broken),
    (aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"), Failure.broken),
    (aiohttp.ClientOSError(errno.EPIPE, "Broken pipe"), Failure.broken),
    (aiohttp.ClientOSError(None, "Can not write request body"), Failure.broken),
    (aiohttp.ClientPayloadError("Response payload is not completed"), Failure.broken),
    (aiohttp.ClientConnectionError("Connection lost"), Failure.broken),
    (aiohttp.ClientError(), Failure.broken),
    (ConnectionResetError(errno.ECONNRESET, "reset"), Failure.broken),
    (ConnectionAbortedError(), Failure.broken),
    (BrokenPipeError(), Failure.broken),
    (OSError(errno.EHOSTUNREACH, "No route to host"), Failure.broken),
    (ssl.SSLError(1, "bad record mac"), Failure.broken),
    (ValueError("an answer of 33554433 bytes"), Failure.broken),
]


@pytest.mark.parametrize(("error", "failure"), FAILURES, ids=lambda value: type(value).__name__)
def test_what_each_error_of_aiohttp_is(error: BaseException, failure: Failure) -> None:
    """Only failures of the connect phase prove that nothing was sent."""
    answer = failed(error, 0, 0.1)
    assert answer.failure is failure
    assert answer.detail


@pytest.mark.parametrize(("error", "failure"), FAILURES, ids=lambda value: type(value).__name__)
def test_a_failure_s_words_name_no_address(error: BaseException, failure: Failure) -> None:
    detail = failed(error, 0, 0.1).detail
    assert "10.1.2.3" not in detail
    assert "studio.invalid" not in detail
    assert "443" not in detail


def test_the_order_of_the_table_matters() -> None:
    """Every connector error is an OSError too, so the order in which errors are looked up matters."""
    # If aiohttp changes this, the table above must be read again.
    assert issubclass(aiohttp.ClientConnectorError, aiohttp.ClientOSError)
    assert issubclass(aiohttp.ClientConnectorCertificateError, aiohttp.ClientError)
    assert issubclass(aiohttp.ConnectionTimeoutError, TimeoutError)
    assert issubclass(aiohttp.SocketTimeoutError, TimeoutError)


def test_no_connector_error_is_missing() -> None:
    """No connector error of aiohttp is missing from the table.

    A new connect-phase error would silently be `unknown` (harmless); a renamed one would break the import.
    """
    connectors = {
        kind
        for kind in vars(aiohttp).values()
        if isinstance(kind, type) and issubclass(kind, aiohttp.ClientConnectorError)
    }
    tested = {type(error) for error, failure in FAILURES if failure in (Failure.not_connected, Failure.certificate)}
    assert connectors <= tested


# --- where requests may go ---

ORIGIN = "http://127.0.0.1:8080"
ODD_URLS = [
    "https://evil.invalid/v2/Flows?Page=2",
    "//evil.invalid/v2/Flows",
    "@evil.invalid/v2/Flows",
    ".evil.invalid/v2/Flows",
    "evil.invalid",
    ":443@evil.invalid/",
    "?x@evil.invalid/",
    "\\\\evil.invalid\\v2",
    "https:evil.invalid/v2",
    "https:@evil.invalid/v2",
    "http://127.0.0.1:8080@evil.invalid/v2",
    "https://user:secret@evil.invalid:444/v2#fragment",
    "v2/Flows?Page=2",
    "#@evil.invalid",
]


def studio(base_url: str = ORIGIN) -> Studio:
    return Studio(CREDENTIALS, base_url=base_url)


@pytest.mark.parametrize("url", ODD_URLS)
@pytest.mark.parametrize("base_url", [ORIGIN, "https://studio.twilio.com"])
def test_the_next_page_stays_on_our_host(base_url: str, url: str) -> None:
    """The next page is always asked of the host we were told to call."""
    following = studio(base_url)._same_host(url)
    expected = urlsplit(base_url)
    assert (following.scheme, following.host) == (expected.scheme, expected.hostname)
    assert following.port == (expected.port or 443)
    assert following.user is None
    assert str(following).startswith(f"{base_url}/")


@given(st.text(max_size=40) | st.text(alphabet=":/?#@.\\evil[]%12", max_size=30))
def test_no_text_makes_a_page_s_address_leave_the_host(url: str) -> None:
    try:
        following = studio()._same_host(url)
    except StudioError:
        return  # not an address at all; the read fails
    assert (following.host, following.port, following.user) == ("127.0.0.1", 8080, None)


def test_a_page_s_address_is_followed() -> None:
    """A page's address is followed verbatim, on our host."""
    following = studio()._same_host("https://studio.twilio.com/v2/Flows/FW1/Executions?PageToken=PA%2F1&Page=1")
    assert str(following) == f"{ORIGIN}/v2/Flows/FW1/Executions?PageToken=PA%2F1&Page=1"


# --- proxies ---

PROXY = "http://proxy.invalid:3128"


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, PROXY)
    return monkeypatch


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:1", "[::1]:8080"])
def test_no_proxy_for_this_machine(proxies: pytest.MonkeyPatch, host: str) -> None:
    """A rehearsal on this machine never goes through a proxy."""
    assert _proxy(f"http://{host}") is None


def test_the_environment_s_proxy(proxies: pytest.MonkeyPatch) -> None:
    """The environment's proxy is used for other hosts, unless the environment says no."""
    assert _proxy("https://studio.twilio.com") == PROXY
    proxies.setenv("no_proxy", "twilio.com")
    assert _proxy("https://studio.twilio.com") is None


def test_without_a_proxy() -> None:
    """Without a proxy in the environment there is none."""
    assert not [name for name in os.environ if name.lower().endswith("_proxy")]
    assert _proxy("https://studio.twilio.com") is None


# --- secrets ---


def test_the_client_s_own_words_hold_no_secret() -> None:
    client = studio()
    shown: list[Any] = [repr(client), str(client), repr(CREDENTIALS), str(CREDENTIALS)]
    assert not any("not-a-real-token" in text for text in shown)


# --- whether a request had begun to leave stands above what its failure is called ---


@pytest.mark.parametrize("failure", list(Failure))
def test_a_request_that_had_begun_to_leave(failure: Failure) -> None:
    """A failed request that had begun to leave is never said not to have been sent."""
    told = _with_departure(Answer(failure=failure, detail="x"), sent=True)
    assert told.failure in (Failure.broken, Failure.timeout)


@pytest.mark.parametrize("failure", list(Failure))
def test_a_request_that_had_not_begun_to_leave(failure: Failure) -> None:
    """A failed request that had not begun to leave is known not to have been sent."""
    told = _with_departure(Answer(failure=failure, detail="x"), sent=False)
    assert told.failure in (Failure.not_connected, Failure.certificate)
    assert (told.failure is Failure.certificate) is (failure is Failure.certificate)

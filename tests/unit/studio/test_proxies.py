"""Proxies of the environment: one that cannot be used is told by its variable, and never by its password."""

from __future__ import annotations

import pytest

from dispatcher.errors import ExitCode, SettingsError
from dispatcher.settings import Credentials
from dispatcher.studio.client import Studio
from dispatcher.studio.proxies import proxy_of

URL = "https://studio.twilio.com"
CREDENTIALS = Credentials(account_sid="AC" + "0" * 32, username="AC" + "0" * 32, password="not-a-real-token")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "proxy", ["http://proxy.example:3128", "https://ann:secret@proxy.example/", "http://[::1]:3128"]
)
def test_what_can_be_used_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, proxy: str) -> None:
    """As other programs do: the scheme's own variable, else the one for all, in small letters or capitals."""
    monkeypatch.setenv(name, proxy)
    assert proxy_of(URL) == proxy
    monkeypatch.setenv("NO_PROXY", "twilio.com")
    assert proxy_of(URL) is None


@pytest.mark.parametrize(
    ("proxy", "told"),
    [
        ("proxy.example:3128", "does not begin with http://"),
        ("proxy.example", "does not begin with http://"),
        ("//ann:canary@proxy.example", "does not begin with http://"),
        ("socks5://ann:canary@proxy.example:1080", "socks5"),
        ("http://ann:canary@", "no host"),
        ("http://ann:canary@proxy.example:port", "port"),
        ("http://ann:canary@proxy.example:99999", "port"),
        ("http://ann:canary@proxy.example/path", "path"),
        ("http://ann:canary@proxy example", "no host"),
        ("http://[::1", "no address"),
        ("http://proxy.example:0", "its port is 0"),
        ("http://proxy.example:", "its port is missing"),
        ("'http://ann:canary@proxy.example:3128'", "quotation marks"),
    ],
)
def test_what_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, proxy: str, told: str) -> None:
    """Exit 2 with the variable's name and what is wrong, before anything is sent; a password in it is not shown."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(SettingsError) as caught:
        Studio(CREDENTIALS, base_url=URL)
    error = caught.value
    text = f"{error} {error.fix}"
    assert error.exit_code is ExitCode.USAGE
    assert "HTTPS_PROXY" in error.message
    assert told in str(error.found)
    assert "NO_PROXY=studio.twilio.com" in text
    assert "canary" not in text


def test_a_rehearsal_is_none_of_a_proxy_s_business(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a wrong one of a rehearsal's."""
    monkeypatch.setenv("http_proxy", "nonsense")
    Studio(CREDENTIALS, base_url="http://127.0.0.1:8700")

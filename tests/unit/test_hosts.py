"""Which host gets the credentials: this machine's spellings, Twilio's names, and plain http:// beyond this machine."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from dispatcher.errors import SettingsError
from dispatcher.hosts import is_loopback, is_twilio
from dispatcher.settings import Settings, load


def settings(**account: object) -> Settings:
    return Settings.model_validate({"account": account})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost.",
        "127.0.0.1:8700",
        "127.8.9.10",
        "127.1",
        "2130706433",
        "0.0.0.0",
        "[::1]:1",
        "[::ffff:127.0.0.1]",
    ],
)
def test_every_spelling_of_this_machine_is_one(host: str) -> None:
    """A rehearsal is one however its host is written, and needs no encryption."""
    assert settings(base_url=f"http://{host}").is_loopback


@pytest.mark.parametrize(
    "host",
    ["studio.twilio.com", "localhost.example", "127.0.0.1.example", "10.0.0.1", "box.localhost", "[2001:db8::1]"],
)
def test_what_only_looks_like_this_machine_is_not(host: str) -> None:
    """A name below .localhost may be asked of the network, and an address in the house is another machine's."""
    assert not is_loopback(f"http://{host}")


@pytest.mark.parametrize("base_url", ["http://studio.twilio.com", "http://10.0.0.7:8700", "HTTP://sandbox.lab"])
def test_plain_http_beyond_this_machine_is_refused(tmp_path: Path, base_url: str) -> None:
    """Unencrypted, the credentials and numbers could be read on the way; a lab says that it wants that."""
    with pytest.raises(pydantic.ValidationError, match="unencrypted"):
        settings(base_url=base_url)
    with pytest.raises(SettingsError) as caught:
        load(environ={}, flags={"account.base_url": base_url})
    told = str(caught.value)
    assert "[account] base_url" in told
    assert base_url in told
    assert "insecure_http" in told
    assert settings(base_url=base_url, insecure_http=True).account.insecure_http


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://studio.twilio.com", True),
        ("https://studio.dublin.ie1.twilio.com", True),
        ("https://STUDIO.TWILIO.COM.", True),
        ("https://studio.twilio.com.evil.example", False),
        ("https://eviltwilio.com", False),
        ("https://twilio.com@evil.example", False),
    ],
)
def test_twilio_s_hosts_are_those_below_its_domain(url: str, expected: bool) -> None:
    """Nothing but the end of the host's name counts."""
    assert is_twilio(url) is expected


@pytest.mark.parametrize("url", ["https://h:99999", "https://h:port", "https://h:-1"])
def test_a_port_that_is_none_is_refused(url: str) -> None:
    """It would come up as a bug at the first request."""
    with pytest.raises(pydantic.ValidationError, match="port"):
        settings(base_url=url)

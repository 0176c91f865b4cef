"""One account has one identity, however its host and its SID are spelled."""

from __future__ import annotations

import pytest

from dispatcher.hosts import is_loopback
from dispatcher.ledger.identity import canonical_sid, canonical_url

TWILIO = "https://studio.twilio.com"


@pytest.mark.parametrize(
    ("written", "one"),
    [
        (TWILIO, TWILIO),
        ("https://STUDIO.Twilio.com", TWILIO),
        ("https://studio.twilio.com:443", TWILIO),
        ("https://studio.twilio.com.", TWILIO),
        ("https://studio.twilio.com.:443/", TWILIO),
        ("http://studio.twilio.com", TWILIO),
        ("https://studio.us1.twilio.com", TWILIO),
        ("https://studio.ashburn.us1.twilio.com", TWILIO),
        ("https://studio.dublin.ie1.twilio.com", "https://studio.ie1.twilio.com"),
        ("https://studio.ie1.twilio.com", "https://studio.ie1.twilio.com"),
        ("http://localhost", "http://127.0.0.1"),
        ("http://localhost:80", "http://127.0.0.1"),
        ("http://LOCALHOST.:8080", "http://127.0.0.1:8080"),
        ("http://a.localhost:8080", "http://a.localhost:8080"),  # some systems ask the network for it
        ("http://127.0.0.2:8080", "http://127.0.0.1:8080"),
        ("http://127.1:8080", "http://127.0.0.1:8080"),
        ("http://2130706433:8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://127.0.0.1:8080"),
        ("http://[0:0:0:0:0:0:0:1]:8080", "http://127.0.0.1:8080"),
        ("http://[::ffff:127.0.0.1]:8080", "http://127.0.0.1:8080"),
        ("https://localhost:443", "https://127.0.0.1"),
        ("https://Proxy.Example:8443", "https://proxy.example:8443"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://studio.twilio.com.example", "https://studio.twilio.com.example"),
        ("https://host:port", "https://host:port"),
    ],
)
def test_a_host(written: str, one: str) -> None:
    """Its one spelling, which stays what it is."""
    assert canonical_url(written) == one
    assert canonical_url(one) == one


@pytest.mark.parametrize("other", ["http://localhost:81", "https://localhost:80", "https://studio.ie1.twilio.com"])
def test_other_hosts_stay_apart(other: str) -> None:
    """Another port, scheme or region is another account."""
    assert canonical_url(other) not in {canonical_url(url) for url in (TWILIO, "http://localhost")}


def test_a_sid() -> None:
    """Its letters in either case."""
    assert canonical_sid("ac" + "AB" * 16) == canonical_sid("AC" + "ab" * 16) == "AC" + "ab" * 16


def test_a_rehearsal() -> None:
    """Every host of this machine, and no other."""
    assert all(map(is_loopback, ("http://localhost:1", "http://[::1]", "https://127.0.0.9")))
    assert not any(map(is_loopback, (TWILIO, "http://localhost.example", "http://10.0.0.1")))

"""Where the page is, who may name it, and when it may not be opened at all."""

from __future__ import annotations

import pytest

from dispatcher.errors import SettingsError
from dispatcher.settings import WebSettings
from dispatcher.web.address import Address, address, check_exposure


def of(host: str = "127.0.0.1", port: int = 8712, public_url: str = "") -> Address:
    """As the server has it: settings are read first."""
    settings = WebSettings(host=host, public_url=public_url)
    return address(settings.host, port, settings.public_url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "::1", "[::1]", "127.0.0.2", "127.1"])
@pytest.mark.parametrize("auth", ["link", "password"])
def test_this_machine_alone_may_go_without_tls(host: str, auth: str) -> None:
    """Whatever loopback is called; also where another port of this machine leads to it."""
    check_exposure(WebSettings.model_validate({"host": host, "auth": auth}))
    check_exposure(WebSettings.model_validate({"host": host, "auth": auth, "public_url": "http://localhost:9000"}))


@pytest.mark.parametrize(
    "given",
    [
        # Every network's, though a browser that goes there comes to this machine.
        {"host": "0.0.0.0"},
        {"host": "0"},
        {"host": "::"},
        {"host": "[::]"},
        {"host": "::ffff:0.0.0.0"},
        {"host": "192.168.1.7", "auth": "password"},
        {"host": "0.0.0.0", "auth": "password"},
        {"host": "0.0.0.0", "auth": "password", "public_url": "http://localhost:9000"},
        {"host": "localhost.example.com", "auth": "password"},
        {"host": "127.0.0.1.nip.io", "auth": "password"},
        # Passwords on the way to the proxy.
        {"public_url": "http://send.example.com", "auth": "password"},
        {"public_url": "HTTP://send.example.com", "auth": "password"},
        {"public_url": "http://192.168.1.7:80", "auth": "password"},
        # A link for many.
        {"public_url": "https://send.example.com"},
        {"host": "0.0.0.0", "public_url": "https://send.example.com"},
        {"host": "0.0.0.0", "public_url": "https://localhost"},
    ],
)
def test_nothing_is_open_to_the_network(given: dict[str, str]) -> None:
    """Beyond this machine only with TLS and passwords, however the address is written."""
    with pytest.raises(SettingsError):
        check_exposure(WebSettings.model_validate(given))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "10.0.0.1"])
def test_a_team_behind_tls_may_in(host: str) -> None:
    """With passwords, wherever the proxy is."""
    check_exposure(WebSettings(host=host, auth="password", public_url="https://send.example.com"))


@pytest.mark.parametrize(
    ("public_url", "url", "hosts"),
    [
        ("https://send.example.com", "https://send.example.com", {"send.example.com", "send.example.com:443"}),
        ("HTTPS://Send.Example.COM/", "https://send.example.com", {"send.example.com", "send.example.com:443"}),
        ("https://send.example.com:443", "https://send.example.com", {"send.example.com", "send.example.com:443"}),
        ("https://send.example.com:0443", "https://send.example.com", {"send.example.com", "send.example.com:443"}),
        ("https://send.example.com:", "https://send.example.com", {"send.example.com", "send.example.com:443"}),
        ("https://send.example.com.", "https://send.example.com", {"send.example.com", "send.example.com:443"}),
        ("https://send.example.com:8443", "https://send.example.com:8443", {"send.example.com:8443"}),
        ("https://send.example.com:80", "https://send.example.com:80", {"send.example.com:80"}),
        ("https://[FD00:0:0::1]", "https://[fd00::1]", {"[fd00::1]", "[fd00::1]:443"}),
        ("https://[fd00::1]:8443", "https://[fd00::1]:8443", {"[fd00::1]:8443"}),
        ("http://127.0.0.1:80", "http://127.0.0.1", {"127.0.0.1", "127.0.0.1:80"}),
    ],
)
def test_a_public_address_as_browsers_say_it(public_url: str, url: str, hosts: set[str]) -> None:
    """Small letters, no default port, no dot at the end; its host, and nothing of this machine's own, is served."""
    found = of("10.0.0.1", public_url=public_url)
    assert (found.url, set(found.hosts)) == (url, hosts)
    assert url in found.origins()
    assert found.is_encrypted is url.startswith("https://")
    assert found.cookie == ("__Host-dispatcher" if found.is_encrypted else "dispatcher_8712")


@pytest.mark.parametrize(
    "public_url",
    [
        "send.example.com",
        "ftp://send.example.com",
        "https://",
        "https://.",
        "https://send.example.com/page",
        "https://send.example.com?x=1",
        "https://anna@send.example.com",
        "https://anna:secret@send.example.com",
        "https://send.example.com:99999",
        "https://send.example.com:http",
        "https://send example.com",
        "https://send.example.com,evil.example",
        "https://*.example.com",
        "https://bücher.example",
        "https://[::1",
        "https://[example]",
        "javascript:alert(1)",
    ],
)
def test_what_no_browser_can_go_to(public_url: str) -> None:
    """An address that no request would name, or that says more than an address."""
    with pytest.raises(ValueError, match="public_url"):
        WebSettings(public_url=public_url)


@pytest.mark.parametrize(
    ("host", "port", "named"),
    [
        ("127.0.0.1", 8712, "127.0.0.1:8712"),
        ("127.0.0.1", 8712, "localhost:8712"),
        ("::1", 8712, "[::1]:8712"),
        ("127.0.0.2", 8712, "127.0.0.2:8712"),
        ("LOCALHOST", 8712, "localhost:8712"),
        # A browser leaves its default port out.
        ("127.0.0.1", 80, "127.0.0.1"),
        ("127.0.0.1", 80, "localhost"),
        ("::1", 80, "[::1]"),
        ("127.0.0.1", 80, "localhost:80"),
    ],
)
def test_this_machine_by_each_of_its_names(host: str, port: int, named: str) -> None:
    """What a browser on it says, and where a form comes from then."""
    found = of(host, port)
    assert named in found.hosts
    assert f"http://{named}" in found.origins()
    assert found.cookie == f"dispatcher_{port}"


@pytest.mark.parametrize(
    "named",
    [
        "",
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:8713",
        "localhost.:8712",
        "localhost.evil.example:8712",
        "127.0.0.1:8712.evil.example",
        "127.0.0.1:8712@evil.example",
        "[::]:8712",
        "0.0.0.0:8712",
        "null",
    ],
)
def test_no_other_name_is_ours(named: str) -> None:
    """A name that somebody else's server leads here (DNS rebinding), and one that only looks like ours."""
    found = of()
    assert named not in found.hosts
    assert f"http://{named}" not in found.origins()
    public = of(public_url="https://send.example.com")
    assert named not in public.hosts
    assert not public.hosts & {"localhost:8712", "send.example.com.", "send.example.com:80"}
    assert "http://send.example.com" not in public.origins()

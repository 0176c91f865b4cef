"""The host that gets the credentials: region and edge in it as in Twilio's own client, and nobody else's."""

from __future__ import annotations

from urllib.parse import urlsplit

import hypothesis.strategies as st
import pydantic
import pytest
from hypothesis import given
from twilio.rest import Client

from dispatcher.settings import Settings

NAMES = st.none() | st.sampled_from(["us1", "ie1", "au1", "dublin", "sydney", "frankfurt-ix"])


def url(**account: str | None) -> str:
    return Settings.model_validate({"account": account}).studio_url


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ({}, "https://studio.twilio.com"),
        ({"region": "ie1", "edge": "dublin"}, "https://studio.dublin.ie1.twilio.com"),
        ({"region": "ie1"}, "https://studio.ie1.twilio.com"),
        ({"edge": "dublin"}, "https://studio.dublin.us1.twilio.com"),
        ({"region": "", "edge": ""}, "https://studio.twilio.com"),
    ],
)
def test_region_and_edge_are_in_the_host(account: dict[str, str], expected: str) -> None:
    """Twilio's documentation: product.edge.region.twilio.com; an edge alone means the region us1."""
    assert url(**account) == expected


@given(NAMES, NAMES)
def test_the_host_is_the_official_client_s(region: str | None, edge: str | None) -> None:
    """Whatever is set of both, the official client would call the same host."""
    client = Client("AC" + "0" * 32, "not-a-real-token", region=region, edge=edge)
    assert url(region=region, edge=edge) == client.get_hostname("https://studio.twilio.com")


def test_an_address_of_one_s_own_is_taken_as_it_is() -> None:
    """A sandbox or a proxy has no regions."""
    assert url(base_url="http://127.0.0.1:18700/", region="ie1", edge="dublin") == "http://127.0.0.1:18700"


@pytest.mark.parametrize("name", ["region", "edge"])
@pytest.mark.parametrize(
    "value", ["evil.example/", "evil.example:443/", "evil.example#", "user@evil.example", "a b", "."]
)
def test_region_and_edge_name_no_other_host(name: str, value: str) -> None:
    """Nothing in region or edge leads to another host.

    `evil.example/` would end the host's name early, and the credentials would go there.
    """
    with pytest.raises(pydantic.ValidationError, match="small letters, digits and hyphens"):
        url(**{name: value})


@given(st.text(max_size=12), st.text(max_size=12))
def test_what_is_accepted_stays_at_twilio(region: str, edge: str) -> None:
    """Any text: it is refused, or the host is one of Twilio's."""
    try:
        found = urlsplit(url(region=region, edge=edge))
    except pydantic.ValidationError:
        return
    assert found.hostname is not None
    assert found.hostname.startswith("studio.")
    assert found.hostname.endswith(".twilio.com")
    assert (found.scheme, found.path, found.username, found.port) == ("https", "", None, None)

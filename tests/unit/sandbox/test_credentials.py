"""Which Authorization headers are accepted."""

from __future__ import annotations

import base64

import pytest

from dispatcher.sandbox.credentials import authorized

ACCOUNT_SID, KEY_SID = "AC" + "0" * 32, "SK" + "a" * 32


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    "header", [basic(f"{ACCOUNT_SID}:t"), basic(f"{KEY_SID}:s:with:colons"), basic(f"{KEY_SID}:é")]
)
def test_any_pair_without_a_table(header: str) -> None:
    """Without a table of credentials, any well-formed pair of a SID and a secret is accepted."""
    assert authorized(header, None)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic é",
        "Bearer abc",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        basic(ACCOUNT_SID),
        basic(f"{ACCOUNT_SID}:"),
        basic(f":{ACCOUNT_SID}"),
        basic("someone:secret"),
        basic(f"{ACCOUNT_SID[:-1]}:t"),
        basic(f"AC{'z' * 32}:t"),
    ],
)
def test_malformed_headers(header: str | None) -> None:
    """A header that is no pair of a SID and a secret is refused."""
    assert not authorized(header, None)


def test_with_a_table_only_its_pairs_are_accepted() -> None:
    table = {KEY_SID: "right"}
    assert authorized(basic(f"{KEY_SID}:right"), table)
    assert not authorized(basic(f"{KEY_SID}:wrong"), table)
    assert not authorized(basic(f"{ACCOUNT_SID}:right"), table)

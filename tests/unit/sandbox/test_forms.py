"""Form bodies, against the standard library's reading of them."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sandbox.forms import parse_form


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_what_a_client_encodes_is_read_back_exactly(fields: dict[str, str]) -> None:
    assert parse_form(urlencode(fields).encode()) == fields


@given(st.text(alphabet="ab%4+&= 1é", max_size=30).map(str.encode))
def test_against_the_standard_library(body: bytes) -> None:
    """Any body is read as the standard library reads it."""
    expected: dict[str, str] | None = {}
    try:
        for name, value in parse_qsl(body.decode(), keep_blank_values=True, errors="strict"):
            expected.setdefault(name, value)  # type: ignore[union-attr]
    except UnicodeDecodeError:
        expected = None
    assert parse_form(body) == expected


@pytest.mark.parametrize("body", [b"To=%ff", b"\xff=1", b"a=1&" * 1001])
def test_what_is_not_a_form_is_told_apart(body: bytes) -> None:
    assert parse_form(body) is None


def test_equal_names_and_blank_values() -> None:
    """The first of several values of a name counts, and blank values stay."""
    assert parse_form(b"To=1&To=2&From=") == {"To": "1", "From": ""}

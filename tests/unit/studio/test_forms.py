"""The create request's body against the standard library's own reader of forms."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.studio.forms import create_form

#: Whatever a cell may hold: all but lone surrogates (no file gives those), and the characters that forms care about.
TEXT = st.text() | st.text(alphabet="+&=%;# \"'\\\n\r\t\0é😀{}[]", max_size=20)


@given(to=TEXT, sender=TEXT, parameters=st.dictionaries(TEXT, TEXT, max_size=5))
def test_what_the_server_reads_is_what_was_meant(to: str, sender: str, parameters: dict[str, str]) -> None:
    body = create_form(to, sender, parameters)
    expected = {"To": [to], "From": [sender]} | ({"Parameters": [""]} if parameters else {})
    read = parse_qs(
        body.decode("ascii"), keep_blank_values=True, strict_parsing=True, encoding="utf-8", errors="strict"
    )
    assert read.keys() == expected.keys()
    assert (read["To"], read["From"]) == ([to], [sender])
    if parameters:
        assert json.loads(read["Parameters"][0]) == parameters


def test_a_number_s_plus_is_not_a_space() -> None:
    assert create_form("+15550000001", "MG1", {}) == b"To=%2B15550000001&From=MG1"


def test_parameters_are_one_json_object_of_text() -> None:
    body = create_form("+1", "+2", {"name": "Zoë & Co", "n": "007"})
    assert parse_qs(body.decode())["Parameters"] == ['{"name":"Zoë & Co","n":"007"}']


@given(TEXT)
def test_the_body_s_bytes(text: str) -> None:
    """The body is plain ASCII without a byte that would have to be escaped."""
    body = create_form(text, text, {text: text})
    assert body.isascii()
    assert not set(body) & set(b" \r\n\0\"'<>#;")

"""functions.sql says what the Python says that it stands for: else a person is missed, or a stranger struck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.ledger.striking import struck
from dispatcher.model import contact_of, hash_of, pseudonym_of
from tests.support.postgres import connected, shared

KEY = bytes(range(32))
NUMBERS = ["1 2025550123", "49 1711234567", "44 7700900123", "1 202555", "7 123456", "1 12345", "x", ""]
#: What a text with numbers in it is made of: codes, brackets, hyphens, the invisible space that spreadsheets like.
PIECES = "2025550123 +1 1 +49 0 (202) 555-0123 202-555-0123 +44 00 711 +1(202)555.0123 202555 / \u00a0 7 ++ 123456"


@pytest.fixture(scope="module")
def database() -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with shared().ledger() as url, connected(url) as connection:
        connection.execute(
            "INSERT INTO forgotten_key (key, inner_pad, outer_pad)"
            " VALUES (%(key)s, hmac_pad(decode(%(key)s, 'hex'), 54), hmac_pad(decode(%(key)s, 'hex'), 92))",
            {"key": KEY.hex()},
        )
        yield connection


def _one(connection: psycopg.Connection[tuple[Any, ...]], query: str, *values: str) -> Any:
    found = connection.execute(query.encode(), values).fetchone()
    assert found is not None
    return found[0]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_struck_out_of_a_text_as_python_does_it(
    database: psycopg.Connection[tuple[Any, ...]], number: str
) -> None:
    pieces = st.sampled_from([" ", "+1 (202) 555.0123", "+7 12 34 56", "+49 202 555 01 23", *PIECES.split(" ")])
    texts = st.lists(pieces, max_size=8).map("".join) | st.text("0123456789+ ()-./a\u2010", max_size=30)

    @settings(max_examples=150)
    @given(texts)
    def check(text: str) -> None:
        assert _one(database, "SELECT struck(%s::text, %s::text)", text, number) == struck(text, number)

    check()


ADDRESSES = [
    "",
    "+12025550123",
    "whatsapp:+12025550123",
    "WhatsApp:+12025550123",
    "client:anna",
    "weird:+1",
    "sip:x@example.com:5060",
    "é",
    ":",
    "hmac:" + "a" * 32,
    "hmac:" + "A" * 32,
    "hmac:" + "a" * 31,
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_contacts_digests_and_pseudonyms_are_pythons(database: psycopg.Connection[tuple[Any, ...]], text: str) -> None:
    assert _one(database, "SELECT contact_of(%s::text)", text) == contact_of(text)
    assert _one(database, "SELECT hash_of(%s::text)", text) == hash_of(text)
    assert _one(database, "SELECT pseudonym(%s::text)", text) == pseudonym_of(text, KEY)


def test_without_a_key_there_is_no_pseudonym(database: psycopg.Connection[tuple[Any, ...]]) -> None:
    with database.transaction(force_rollback=True):
        database.execute("DELETE FROM forgotten_key")
        assert _one(database, "SELECT pseudonym(%s::text)", "+12025550123") is None

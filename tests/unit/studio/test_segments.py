"""Encoding and segments of a text, against the table of 3GPP TS 23.038 and a reference that is as plain as can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.studio.segments import FORCING_MAX, Encoding, size_of

#: 3GPP TS 23.038, 6.2.1: the default alphabet by its codes, and its extension table.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "\f^{}\\[~]|€"


def test_the_alphabet_is_the_standards() -> None:
    """Of all characters, those of the standard's two tables are GSM-7, and no other."""
    assert (len(BASIC), len(EXTENDED)) == (127, 10)
    every = (chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000)
    assert {letter for letter in every if size_of(letter).encoding is Encoding.gsm_7} == set(BASIC + EXTENDED)


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("", "GSM-7", 0),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("é" * 160, "GSM-7", 1),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        # 152 septets, and the euro does not fit into the one that is left of the first segment.
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 3),
        ("a" * 151 + "€" + "a" * 153, "GSM-7", 2),
        ("ç" * 70, "UCS-2", 1),
        ("ç" * 71, "UCS-2", 2),
        ("ç" * 134, "UCS-2", 2),
        ("ç" * 135, "UCS-2", 3),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2),
        # 67 units hold 33 pairs: the last unit stays free.
        ("😀" * 66, "UCS-2", 2),
        ("😀" * 67, "UCS-2", 3),
        ("a" * 66 + "😀" + "a" * 66, "UCS-2", 3),
    ],
)
def test_where_segments_end(text: str, encoding: str, segments: int) -> None:
    """A text alone has 160 septets or 70 units, segments 153 or 67, and nothing is split between two."""
    found = size_of(text)
    assert (found.encoding, found.segments, found.characters) == (encoding, segments, len(text))


def test_what_forces_ucs_2_is_named() -> None:
    """The characters that GSM-7 does not have are named in their order, each once, and not without end."""
    assert size_of("“Zoë” “Zoë”").forcing == ("“", "ë", "”")
    assert size_of("plain €").forcing == ()
    assert len(size_of("αβγδεζηθικλμν").forcing) == FORCING_MAX


@given(st.text(st.sampled_from(BASIC + EXTENDED + "ç“😀"), max_size=400))
def test_segments_as_they_are_filled(text: str) -> None:
    """Segments are as many as filling them letter by letter takes."""
    is_gsm = all(letter in BASIC + EXTENDED for letter in text)
    widths = [2 if letter in EXTENDED else 1 for letter in text]
    if not is_gsm:
        widths = [len(letter.encode("utf-16-le")) // 2 for letter in text]
    single, joined = (160, 153) if is_gsm else (70, 67)
    segments: list[int] = []
    for width in widths:
        if not segments or segments[-1] + width > joined:
            segments.append(0)
        segments[-1] += width
    expected = min(len(segments), 1) if sum(widths) <= single else len(segments)
    assert size_of(text).segments == expected
    assert (size_of(text).encoding is Encoding.gsm_7) == is_gsm

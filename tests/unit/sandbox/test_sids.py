"""SIDs: look right, repeat with the seed, lead back to their number."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sandbox.sids import SidSpace, derived_sid


@given(st.integers(0, 2**64), st.integers())
def test_the_form_of_a_sid(n: int, seed: int) -> None:
    """A SID has Twilio's form, and leads back to its number."""
    space = SidSpace("FN", seed)
    assert re.fullmatch("FN[0-9a-f]{32}", space.at(n))
    assert space.index(space.at(n)) == n


def test_sids_repeat_with_the_seed() -> None:
    """The same seed gives the same SIDs, and another seed others."""
    assert [SidSpace("FN", 1).at(n) for n in range(50)] == [SidSpace("FN", 1).at(n) for n in range(50)]
    assert not {SidSpace("FN", 1).at(n) for n in range(50)} & {SidSpace("FN", 2).at(n) for n in range(50)}


def test_what_is_no_sid_of_the_space_has_no_number() -> None:
    space = SidSpace("FN", 0)
    good = space.at(7)
    for sid in ("", "FN", "FT" + good[2:], good[:-1], good + "0", good.upper(), "FN" + "g" * 32, "FN" + "-1" * 16):
        assert space.index(sid) is None, sid


def test_a_derived_sid() -> None:
    """A derived SID is a function of its parts, and keeps them apart."""
    assert derived_sid("FC", "a", 1) == derived_sid("FC", "a", 1)
    assert derived_sid("FC", "ab", "c") != derived_sid("FC", "a", "bc")

"""SIDs: look right, repeat with the seed, lead back to their number."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sandbox.sids import SidSpace, derived_sid


@given(st.integers(0, 2**64), st.integers())
def test_a_sid_has_twilios_form_and_leads_back_to_its_number(n: int, seed: int) -> None:
    space = SidSpace("FN", seed)
    assert re.fullmatch("FN[0-9a-f]{32}", space.at(n))
    assert space.index(space.at(n)) == n


def test_the_same_seed_gives_the_same_sids_and_another_seed_others() -> None:
    assert [SidSpace("FN", 1).at(n) for n in range(50)] == [SidSpace("FN", 1).at(n) for n in range(50)]
    assert not {SidSpace("FN", 1).at(n) for n in range(50)} & {SidSpace("FN", 2).at(n) for n in range(50)}


def test_what_is_no_sid_of_the_space_has_no_number() -> None:
    space = SidSpace("FN", 0)
    good = space.at(7)
    for sid in ("", "FN", "FT" + good[2:], good[:-1], good + "0", good.upper(), "FN" + "g" * 32, "FN" + "-1" * 16):
        assert space.index(sid) is None, sid


def test_a_derived_sid_is_a_function_of_its_parts_and_keeps_them_apart() -> None:
    assert derived_sid("FC", "a", 1) == derived_sid("FC", "a", 1)
    assert derived_sid("FC", "ab", "c") != derived_sid("FC", "a", "bc")

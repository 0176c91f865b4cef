"""Why contacts were refused, and what is chosen for a retry."""

from __future__ import annotations

import re

import pytest

from dispatcher.campaign.retry_choice import RetryChoice
from dispatcher.campaign.retry_choices import Facet
from dispatcher.model import RowState
from dispatcher.studio.advice import CODES
from dispatcher.web.refused import advice_here, choice_text, read_choice, refused_of

#: What is done at a terminal.
_TERMINAL = re.compile(r"\brun\b|\bresume\b|dispatcher ")


@pytest.mark.parametrize("code", CODES)
def test_advice_names_nothing_of_a_terminal(code: int) -> None:
    """Whoever reads it on the page can do it there."""
    assert not _TERMINAL.search(advice_here(code)), advice_here(code)


def test_each_kind_is_chosen_by_its_address() -> None:
    """What the link says is read back as the same rows."""
    facets = [
        Facet(state=RowState.rejected, code=21211, rows=3),
        Facet(state=RowState.busy, code=None, rows=2),
        Facet(state=RowState.rejected, code=None, rows=1),
    ]
    shown = refused_of(facets)
    assert [one.rows for one in shown] == [3, 2, 1]
    assert [one.choice for one in shown] == ["code=21211", "busy=yes", "all=yes"]
    assert "21211" in shown[0].title
    assert "every refused contact" in shown[2].advice, "its link takes more than its own count"
    assert read_choice(21211, busy=False, every=False) == RetryChoice(codes=(21211,))
    assert read_choice(None, busy=True, every=False) == RetryChoice(busy=True)
    assert read_choice(None, busy=False, every=True) == RetryChoice(all_rejected=True)


def test_a_choice_in_words() -> None:
    """The question names what was chosen."""
    assert choice_text(RetryChoice(codes=(21211,))) == "refused with error 21211"
    assert choice_text(RetryChoice(busy=True)) == "in another conversation"
    assert choice_text(RetryChoice(all_rejected=True)) == "refused"

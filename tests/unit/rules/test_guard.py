"""When a run is refused so much that it stops."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.rules.guard import OptOutShare, RefusalShare


def told(share: RefusalShare, *answers: tuple[int, str | None]) -> list[str]:
    """What is said to so many answers of each kind, one after the other."""
    return [said for n, answer in answers for _ in range(n) if (said := share.answered(answer)) is not None]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(1, "21211")], []),
        ([(199, "21211")], []),
        ([(200, "21211")], ["200 of the last 200 answers were refusals: 21211 200"]),
        ([(160, None), (40, "21211")], []),
        ([(160, None), (41, "21211")], ["41 of the last 200 answers were refusals: 21211 41"]),
        (
            [(5000, None), (30, "21211"), (11, "21614")],
            ["41 of the last 200 answers were refusals: 21211 30, 21614 11"],
        ),
        # Those that have left the window do not count.
        ([(40, "21211"), (160, None), (40, "21614"), (160, None)], []),
        ([(41, "21211"), (158, None), (1, None)], ["41 of the last 200 answers were refusals: 21211 41"]),
    ],
)
def test_the_share(answers: list[tuple[int, str | None]], said: list[str]) -> None:
    """Above a fifth of the last two hundred, and of no fewer."""
    assert told(RefusalShare(window_rows=200, max_rejected=0.2), *answers) == said


def test_it_is_said_once() -> None:
    """What is in flight when a run stops is refused, too, and says nothing new."""
    share = RefusalShare(window_rows=10, max_rejected=0.5)
    assert told(share, (6, "21211"), (3, None)) == []
    assert told(share, (1, None)) == ["6 of the last 10 answers were refusals: 21211 6"]
    assert told(share, (100, "21211")) == []


def test_off() -> None:
    """0 stops nothing."""
    assert told(RefusalShare(window_rows=10, max_rejected=0), (100, "21211")) == []


def test_one_of_many_kinds() -> None:
    """Words for one, and no line of a hundred codes."""
    share = RefusalShare(window_rows=10, max_rejected=0.05)
    assert told(share, (9, None), (1, "HTTP 400")) == ["1 of the last 10 answers was a refusal: HTTP 400 1"]
    share = RefusalShare(window_rows=10, max_rejected=0.7)
    kinds = [(1, f"2000{n}") for n in range(7)]
    (said,) = told(share, (2, None), *kinds, (1, "20006"))
    assert said.endswith("were refusals: 20006 2, 20000 1, 20001 1, 20002 1, 20003 1, others 2")


@given(
    answers=st.lists(st.sampled_from((None, None, "21211", "21614")), max_size=120),
    window_rows=st.integers(1, 40),
    percent=st.integers(1, 99),
)
def test_it_agrees_with_counting(answers: list[str | None], window_rows: int, percent: int) -> None:
    """It speaks at the first answer at which the last so many are refused above the share, exactly."""
    share = RefusalShare(window_rows=window_rows, max_rejected=percent / 100)
    spoke = [at for at, answer in enumerate(answers, 1) if share.answered(answer) is not None]
    expected = [
        at
        for at in range(window_rows, len(answers) + 1)
        if 100 * sum(answer is not None for answer in answers[at - window_rows : at]) > percent * window_rows
    ]
    assert spoke == expected[:1]


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ([(1, 1)], None),
        ([(199, 199)], None),
        ([(200, 10)], None),
        ([(200, 11)], "11 of 200 executions tracked ended in an opt-out"),
        ([(150, 1), (150, 15)], "16 of 300 executions tracked ended in an opt-out"),
        ([(150, 15), (0, 0), (150, 0)], None),
    ],
)
def test_opt_outs(looks: list[tuple[int, int]], said: str | None) -> None:
    """Above a twentieth of all that were tracked, and of no fewer than two hundred."""
    share = OptOutShare(window_rows=200, max_opted_out=0.05)
    assert [share.tracked(*look) for look in looks][-1] == said
    assert OptOutShare(window_rows=200, max_opted_out=0).tracked(500, 500) is None

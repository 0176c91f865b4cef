"""How far a check is, as people are told."""

from __future__ import annotations

import pytest

from dispatcher.web.checking import Progress


@pytest.mark.parametrize(
    ("progress", "sentence"),
    [
        (Progress(place=1), "Waiting: 1 other file is checked first."),
        (Progress(place=3), "Waiting: 3 other files are checked first."),
        (Progress(), "Opening the file."),
        (Progress(rows=640_000, done_bytes=64, total_bytes=120), "Checking row 640,000 of about 1,200,000."),
        (Progress(rows=640, done_bytes=64, total_bytes=None), "Checking row 640."),
        (Progress(rows=640, done_bytes=64, total_bytes=64), "Checking row 640."),
        (Progress(rows=7, done_bytes=1, total_bytes=3, file=2, files=2), "Checking file 2 of 2, row 7 of about 21."),
    ],
)
def test_progress_is_a_sentence(progress: Progress, sentence: str) -> None:
    """With an estimate where there is one, of two digits that count."""
    assert progress.sentence == sentence


def test_an_estimate_is_never_less_than_what_was_read() -> None:
    """A compressed file may be read to its last byte before its rows are."""
    assert Progress(rows=10, done_bytes=200, total_bytes=100).total_rows == 10
    assert Progress(rows=10, done_bytes=0, total_bytes=100).total_rows is None

"""`check` over the corpus, as a person would call it: rows or a sentence, and never a bug."""

from __future__ import annotations

import pytest

from tests.acceptance.cli.program import Program
from tests.data.make_corpus import CASES, FOLDER

PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_check_of_each_file_ends_as_it_should(program: Program, part: int) -> None:
    """Exit 2 for a file that is refused, 3 where a row is wrong, else 0; a refusal says what to do."""
    settings = ("--to", "phone", "--from", "+15550001111", "--region", "US")
    for case in CASES[part::PARTS]:
        if case.settings.keys() - {"region"}:
            continue
        result = program("check", FOLDER / case.name, *settings)
        assert result.code in ((2,) if case.sentence else (0, 3)), f"{case.name}: {result.err}"
        assert "fix: " in result.err or not case.sentence, f"{case.name}: {result.err}"

"""What a command derives from its arguments: the campaign's name, the reports' paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.campaign.naming import campaign_name, part_report_path
from dispatcher.errors import UsageError
from dispatcher.remedies import Option


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("contacts.csv", "contacts"),
        ("lists/Spring 2026.xlsx", "Spring 2026"),
        ("contacts.csv.gz", "contacts"),
        ("contacts", "contacts"),
        ("v1.2.csv", "v1.2"),
        ("spring-report.csv", "spring"),
        ("-report.csv", "-report"),
        (".csv", ".csv"),
    ],
)
def test_a_campaign_is_named_after_its_file(source: str, name: str) -> None:
    """The stem of the file; a report that is fed back goes on with its campaign."""
    assert campaign_name(source, None) == name
    assert campaign_name(source, "chosen") == "chosen"


def test_standard_input_has_no_name() -> None:
    """It must be given one."""
    with pytest.raises(UsageError) as caught:
        campaign_name("-", None)
    assert caught.value.fix == Option("campaign", "NAME")
    assert campaign_name("-", "spring") == "spring"


@pytest.mark.parametrize(
    ("only", "suffix", "name"),
    [
        (["failed"], None, "spring-failed-report.csv"),
        (["rejected, busy", "invalid"], ".xlsx", "spring-rejected-busy-invalid-report.xlsx"),
        ([], "html", "spring-report.html"),
    ],
)
def test_a_part_has_a_name_of_its_own(only: list[str], suffix: str | None, name: str) -> None:
    """A report of some rows never takes the place of the whole one."""
    assert part_report_path("spring", only, suffix) == Path(name)
    assert part_report_path("a/b", only, suffix).parent == Path()


@pytest.mark.parametrize("chosen", ["", "  ", "-x", "--yes", "a\nb", "a\x1b[31m"])
def test_what_cannot_be_typed_again_is_no_name(chosen: str) -> None:
    """An unset variable of a script, an option, a line break: refused, and not taken for the file's own name."""
    with pytest.raises(UsageError, match="campaign's name"):
        campaign_name("spring.csv", chosen)

"""`report --format html`: the page of a campaign's numbers."""

from __future__ import annotations

from tests.acceptance.cli.program import Program, phone, write_contacts


def test_the_page_shows_no_contact(ready: Program) -> None:
    """The page of a campaign shows its numbers and no contact.

    The path is printed, the numbers are the report's, and nothing of a row is on it.
    """
    contacts = write_contacts(ready.folder / "spring.csv", [f"{phone(100)},Zoë", f"{phone(101)},Bob", "123,Short"])
    assert ready("run", contacts, "--yes").code == 3
    result = ready("report", "spring", "--format", "html")
    assert (result.code, result.out) == (0, "spring-report.html\n"), result.err
    page = (ready.folder / "spring-report.html").read_text(encoding="utf-8")
    assert '<td class="wide">execution started</td><td class="n">2</td><td class="n">66.7 %</td>' in page
    assert "to_invalid" in page
    for private in (phone(100), phone(101), "Zoë", "Bob", "123,Short"):
        assert private not in page
    # The page is no report of rows: `status` goes on naming that.
    assert ready("status", "spring", "--json").json["report"].endswith("spring-report.csv")


def test_a_page_in_place_of_the_report(ready: Program) -> None:
    """A page in place of the run's report is refused before anything is sent.

    A run's report has an answer for every row.
    """
    contacts = write_contacts(ready.folder / "spring.csv", 2)
    refused = ready("run", contacts, "--yes", "--report", "spring.html")
    assert refused.code == 2
    assert "spring.csv" in refused.err
    assert not (ready.folder / ".dispatcher").exists()


def test_a_page_of_some_rows_is_refused(ready: Program) -> None:
    """A page of some rows is refused: its shares would be of something else than the campaign."""
    assert ready("run", write_contacts(ready.folder / "spring.csv", 2), "--yes").code == 0
    refused = ready("report", "spring", "--format", "html", "--only", "failed")
    assert refused.code == 2
    assert "--only" in refused.err

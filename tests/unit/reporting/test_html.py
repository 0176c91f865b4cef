"""The page: safe, self-contained, readable by everybody, and without a single contact on it."""

from __future__ import annotations

import html.parser
import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ReportError
from dispatcher.ledger.executions import ExecutionCounts
from dispatcher.ledger.records import Account, CampaignRecord, CampaignStatus, ReportRow
from dispatcher.model import ExecutionStatus, RowState
from dispatcher.reporting.html import page, write_page
from tests.unit.reporting.support import SENT_MS, batches, feed, never_sent, rejected, row, summed
from tests.unit.reporting.test_summary import status_of

HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(1)>"'&$body ${title}`<b>`"""


def _executions(**changes: Any) -> ExecutionCounts:
    values: dict[str, Any] = {
        "created": 5,
        "unseen": 1,
        "by_status": {ExecutionStatus.ended: 3, ExecutionStatus.active: 1},
        "recalled": 1,
        "read": 4,
        "last_steps": {"ask": 3, "": 1},
        "errors": {30007: 2, 99999: 1},
        "seen_at_ms": SENT_MS,
    }
    return ExecutionCounts(**{**values, **changes})


VOID = {"meta", "rect", "line", "br"}


class Reader(html.parser.HTMLParser):
    """What a browser would see: tags with attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data.strip())

    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]


def _rows() -> list[ReportRow]:
    return [row(2), row(3, sent_at_ms=SENT_MS + 3_600_000), rejected(4), never_sent(5), row(6, state=RowState.unknown)]


def _counts(rows: list[ReportRow]) -> dict[RowState, int]:
    return {state: sum(one.state is state for one in rows) for state in RowState}


def _page(status: CampaignStatus, rows: list[ReportRow], executions: ExecutionCounts | None = None) -> str:
    return page(summed(status, batches(*rows)), executions, window_s=10.0, as_of_ms=SENT_MS)


def _hostile() -> str:
    """Every text from outside is hostile."""
    rows = [
        never_sent(2, reason_code=HOSTILE, reason=HOSTILE, reason_column=HOSTILE, cells=[HOSTILE]),
        rejected(3, error_message=HOSTILE, to_address=HOSTILE),
    ]
    account = Account(account_id=1, account_sid=HOSTILE, base_url=HOSTILE)
    campaign = CampaignRecord(campaign_id=1, name=HOSTILE, account=account, flow_sid=HOSTILE, input_id=1)
    rows_by_state = {**_counts(rows), RowState.planned: 1}
    status = status_of(rows_by_state, campaign=campaign, stop_reason=HOSTILE, report_path=HOSTILE)
    return _page(status, rows, _executions(last_steps={HOSTILE: 4}))


def test_no_text_from_outside_becomes_markup() -> None:
    """Stored XSS: names of campaigns, flows, steps, reasons. They are shown as text, exactly."""
    tame = Reader(_page(status_of(_counts(_rows())), _rows(), _executions()))
    wild = Reader(_hostile())
    assert set(wild.names()) <= set(tame.names()) | {"code"}
    assert not {"script", "img", "b"} & set(wild.names())
    assert not [name for _, attributes in wild.tags for name in attributes if name.startswith("on")]
    assert HOSTILE in wild.texts
    assert next(text for text in wild.texts if text.startswith(HOSTILE)) == HOSTILE + " · campaign report"


def test_only_counts_of_rows_are_on_the_page() -> None:
    """Nothing of a row but its counts is on the page.

    The page may be passed around: no number, no name, no message, no SID of an execution.
    """
    secret = "canary"
    rows = [
        row(2, [secret], to_address=secret, from_address=secret, execution_sid=secret),
        rejected(3, error_message=secret, cells=[secret]),
        never_sent(4, reason=secret, reason_column=secret),
    ]
    assert secret not in _page(status_of(_counts(rows)), rows)


def test_the_page_loads_and_runs_nothing() -> None:
    """One file for mail, archive and printer: no script, no picture, no font, no link to anywhere."""
    text = _page(status_of(_counts(_rows())), _rows(), _executions())
    reader = Reader(text)
    assert not {"script", "link", "img", "iframe", "object", "a", "form"} & set(reader.names())
    assert not {"src", "href", "srcset", "action"} & {name for _, attributes in reader.tags for name in attributes}
    assert not re.search(r"url\(|@import|@font-face", text)
    assert "default-src 'none'" in str(reader.tags)


def test_the_page_can_be_read_without_seeing_it() -> None:
    """Language, title, one h1, headings in order, labelled sections, header cells with scope, pictures with a name."""
    reader = Reader(_page(status_of(_counts(_rows())), _rows(), _executions()))
    assert ("html", {"lang": "en"}) in reader.tags
    levels = [int(tag[1]) for tag in reader.names() if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(two - one <= 1 for one, two in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes.get("aria-labelledby") for tag, attributes in reader.tags if tag == "section"} <= set(ids)
    assert all("scope" in attributes for tag, attributes in reader.tags if tag == "th")
    pictures = [attributes for tag, attributes in reader.tags if tag in ("svg", "figure")]
    assert all(picture.get("aria-label") or picture.get("aria-hidden") == "true" for picture in pictures)


def test_the_numbers_stand_in_tables() -> None:
    """Every state with its rows and share, every problem with its advice, every period, every step."""
    reader = Reader(_page(status_of(_counts(_rows())), _rows(), _executions()))
    text = " ".join(filter(None, reader.texts))
    assert "created execution started 2 40 %" in text
    assert "skipped left out on purpose, never sent 0 0 %" in text
    assert "rejected 21211 The phone number is not valid Correct the phone number or take" in text
    assert "Do not send it by hand. Reconcile the campaign: that finds out what was created. 1" in text
    assert "31 Jan, 09:05:00 – 09:05:01 3 3.0 31 Jan, 10:05:00 – 10:05:01 1 1.0" in text
    assert "ended the flow came to its end 3 60 % active the flow is still under way 1 20 % not seen yet never" in text
    assert "1 of those that ended were ended by recall" in text
    assert "ask 3 75 % not known 1 25 %" in text
    assert "30007 A carrier filtered the message Change the text" in text
    assert "99999 see twilio.com/docs/api/errors 1" in text
    assert "The limit of 20 a second is an average over any 10 seconds" in text


def test_a_share_that_is_not_all_is_never_shown_as_all() -> None:
    """One refused row in a million is visible in the numbers."""
    counts = {RowState.created: 999_999, RowState.rejected: 1}
    text = " ".join(filter(None, Reader(_page(status_of(counts), [], None)).texts))
    assert "created execution started 999,999 99.9 %" in text
    assert "rejected refused by Studio 1 0.1 %" in text


def test_many_reasons_and_steps() -> None:
    """Many reasons and steps do not make the page endless.

    The rest is one line, and its rows are counted.
    """
    rows = [rejected(number, error_code=40_000 + number) for number in range(2, 102)]
    executions = _executions(last_steps={f"step {number}": 1 for number in range(100)}, read=100)
    text = " ".join(filter(None, Reader(_page(status_of(_counts(rows)), rows, executions)).texts))
    assert "60 more reasons the report file has them 60" in text
    assert "60 more 60 60 %" in text


NOTHING: dict[str, Any] = {"created": 0, "unseen": 0, "by_status": {}, "recalled": 0, "read": 0, "last_steps": {}}


@pytest.mark.parametrize("executions", [None, _executions(**NOTHING, errors={}, seen_at_ms=None)])
def test_a_campaign_without_anything_is_a_page_too(executions: ExecutionCounts | None) -> None:
    """The empty case: no rows, no runs, no limit."""
    status = status_of(
        first_started_at_ms=None, attempts=0, throttled=0, duration_s=0.0, worst_window=0, window_limit=0
    )
    reader = Reader(_page(status, [], executions))
    assert "The campaign has no rows." in reader.texts
    assert "NaN" not in reader.texts


def test_why_a_campaign_stopped_is_said() -> None:
    """The page says why a campaign stopped, and how it goes on."""
    status = status_of({RowState.created: 1, RowState.planned: 1}, stop_reason="Too many requests in a row failed.")
    assert "Too many requests in a row failed; resume the campaign to go on" in Reader(_page(status, [row(2)])).texts


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_and_marks_can_be_told_from_their_ground(theme: int) -> None:
    """WCAG 2.2 AA: 4.5:1 for text, 3:1 for marks, in every theme."""
    css = Path(__file__).parents[3].joinpath("dispatcher/reporting/page.html").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block))
    for ground in ("card", "page"):
        for text in ("ink", "muted", "limit"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for mark in ("bar", "limit", *RowState):
        assert _contrast(colours[mark], colours["card"]) >= 3, mark


def _contrast(one: str, two: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


async def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """As every report."""
    path = tmp_path / "r.html"
    await write_page(path, status_of(_counts(_rows())), feed(batches(*_rows())), executions=_executions())
    assert Reader(path.read_text(encoding="utf-8")).names()[0] == "html"
    with pytest.raises(ReportError):
        await write_page(tmp_path / "no" / "r.html", status_of(), feed([]))

"""What contacts get, for a page: texts, how large they are, and what those of all rows come to."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.campaign.preview import FlowPreview
from dispatcher.studio.preview import PreviewedText, RowTexts
from dispatcher.studio.segments import size_of
from dispatcher.studio.spread import SpreadFold
from dispatcher.web.texts import row_notes, shown_texts, spread_facts


def text(
    body: str, *, expected: bool = True, counted: bool = True, widget: str = "send_1", **more: Any
) -> PreviewedText:
    """One text as the preview makes it."""
    size = size_of(body) if counted else None
    return PreviewedText(widget=widget, text=body, is_expected=expected, size=size, **more)


@pytest.mark.parametrize(
    ("one", "shown", "lines"),
    [
        (text("Hi Mia"), "Hi Mia", ["6 characters, 1 SMS part"]),
        (text(""), "(nothing)", ["0 characters, 0 SMS parts"]),
        (text("x"), "x", ["1 character, 1 SMS part"]),
        (text("x" * 161), "x" * 161, ["161 characters, 2 SMS parts"]),
        (text("x" * 1_600), "x" * 1_600, ["1,600 characters, 11 SMS parts"]),
        (text("x" * 1_601), "x" * 1_600 + "…", ["1,601 characters, 11 SMS parts"]),
        (
            text("Zoë ’ł’"),
            "Zoë ’ł’",
            ["7 characters, 1 SMS part. These characters make it longer, as they need another alphabet: ë ’ ł"],
        ),
        (text("hi", counted=False), "hi", []),
        (
            text("Hi {{widgets.a.b}}", later=("widgets.a.b", "widgets.c")),
            "Hi {{widgets.a.b}}",
            ["At least 18 characters, 1 SMS part", "Filled in later by Studio: widgets.a.b, widgets.c"],
        ),
        (
            text("{% x %}", counted=False, reason="no such tag"),
            "{% x %}",
            ["It is shown as it stands in the flow: no such tag"],
        ),
    ],
)
def test_a_text_and_its_size(one: PreviewedText, shown: str, lines: list[str]) -> None:
    """As much of it as Twilio takes, what it costs in parts and why, and what is not known yet."""
    (found,) = shown_texts(RowTexts(texts=(one,)))
    assert (found.title, found.text) == ("The text", shown)
    assert list(found.lines) == lines


def test_texts_in_the_order_of_what_is_certain() -> None:
    """Those that are sent in any case by number, then those that may follow, by widget."""
    row = RowTexts(
        texts=(text("a"), text("b", expected=False, widget="ask_2"), text("c", blanks=("name",))),
        decided_at="split_1",
        assumed=("fetch",),
        notes=("A call is not shown.",),
    )
    found = shown_texts(row)
    assert [one.title for one in found] == ["Text 1", "Text 2", "After split_1, perhaps: ask_2"]
    assert [one.text for one in found] == ["a", "c", "b"]
    assert found[1].blanks == ("name",)
    assert row_notes(row) == ["If fetch succeeds.", "A call is not shown."]
    assert shown_texts(RowTexts(texts=(text("b", expected=False, widget="w"),)))[0].title == "Perhaps: w"
    assert shown_texts(RowTexts(texts=())) == []


def preview(*rows: RowTexts, of: int | None = None, **more: Any) -> FlowPreview:
    """The rows folded as a file's are, numbered from 2 on."""
    fold = SpreadFold()
    for number, row in enumerate(rows, 2):
        fold.add(number, row)
    return FlowPreview(spread=fold.result(), rows=len(rows) if of is None else of, **more)


def test_what_all_rows_come_to() -> None:
    """Parts by row, the longest, gaps, texts that are refused, rows whose text could not be made, and the cost."""
    short, long_ = RowTexts(texts=(text("Hi", blanks=("name",)),)), RowTexts(texts=(text("x" * 1_601),))
    broken = RowTexts(texts=(text("{% x", counted=False, reason="no tag"),))
    found = spread_facts(preview(short, long_, broken, short, per_segment=0.5))
    assert found == [
        ("SMS parts", "1 part in 2 rows, 11 parts in 1 row"),
        ("The longest", "row 3: 1,601 characters, 11 SMS parts"),
        ("Empty: name", "in 2 rows"),
        ("Too long", "in 1 row: Twilio refuses it"),
        ("Not counted", "1 row: the text could not be made"),
        ("Cost", "about 8.50 for 17 SMS parts"),
    ]


def test_a_part_of_a_large_file_says_so() -> None:
    """Nobody takes a sample for all rows, nor the least for what it costs."""
    row = RowTexts(texts=(text("{{widgets.x.y}}", later=("widgets.x.y",)),))
    facts = dict(spread_facts(preview(row, row, of=1_000_000, per_segment=0.01)))
    assert facts["Looked at"] == "2 of 1,000,000 rows, evenly over the file"
    assert facts["Cost"] == "at least about 10,000.00 for 1,000,000 SMS parts"
    whole = dict(spread_facts(preview(RowTexts(texts=(text("Hi"),)), per_segment=0.01)))
    assert whole["Cost"] == "0.01 for 1 SMS part"
    assert "Looked at" not in whole


@pytest.mark.parametrize("found", [FlowPreview(not_shown="No flow."), preview(), FlowPreview(rows=3)])
def test_of_nothing_nothing_is_told(found: FlowPreview) -> None:
    """No flow, or no row: no empty table."""
    assert spread_facts(found) == []


def test_no_list_is_endless() -> None:
    """Of many kinds of lengths and gaps the most frequent ones are told."""
    rows = [RowTexts(texts=(text("x" * 150 * n, blanks=tuple(f"v{m}" for m in range(9))),)) for n in range(1, 11)]
    facts = spread_facts(preview(*rows))
    assert len([name for name, _ in facts if name.startswith("Empty")]) == 5
    assert dict(facts)["SMS parts"].count("part") == 5

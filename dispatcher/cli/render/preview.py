"""What contacts get: the texts of one row, and what those of all rows come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from rich.text import Text

from dispatcher.cli.render.terminal import visible
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from dispatcher.campaign.preview import FlowPreview
    from dispatcher.studio.preview import PreviewedText, RowTexts
    from dispatcher.studio.segments import Size
    from dispatcher.studio.spread import FileSpread, TextSpread

Lines: TypeAlias = "list[tuple[str, Text | str]]"

#: So many different reasons, or characters, are told of a text.
_SHOWN_MAX = 5
#: So much of a text is shown; Twilio takes no more (21617).
_TEXT_MAX = 1_600


def preview_lines(found: FlowPreview, *, whole: bool = False) -> Lines:
    """Labels and values. `whole`: also the texts that only may follow, and what those come to."""
    if found.not_shown:
        return [("texts", Text(f"not shown: {found.not_shown}", style="bright_black"))]
    if not found.has_messages:
        what = "the flow sends no texts" + (": it calls" if found.calls else "")
        return [("texts", Text(what, style="bright_black"))]
    lines: Lines = []
    if found.row is not None:
        lines.append(("texts", f"what row {found.row_number} gets"))
        lines += _row_lines(found.row, whole=whole)
    if found.spread is not None and found.spread.rows:
        lines += _spread_lines(found, found.spread, whole=whole)
    return lines


def _row_lines(row: RowTexts, *, whole: bool) -> Iterator[tuple[str, Text | str]]:
    expected = list(row.expected)
    for text in expected:
        yield from _text_lines(text)
    if not expected:
        yield "", Text("no text is certain", style="bright_black")
    for widget in row.assumed:
        yield "", Text(f"(if {visible(widget)} succeeds)", style="bright_black")
    possible = [text for text in row.texts if not text.is_expected]
    if possible:
        after = f"after {visible(row.decided_at)}, one or more of" if row.decided_at else "perhaps"
        if whole:
            yield "may follow", f"{after} these"
            for text in possible:
                yield from _text_lines(text)
        else:
            names = visible(", ".join(text.widget for text in possible[:_SHOWN_MAX]))
            more = ", …" if len(possible) > _SHOWN_MAX else ""
            yield "may follow", Text(f"{after} {names}{more}", style="bright_black")
    for note in row.notes:
        yield "", Text(visible(note), style="yellow")


def _text_lines(text: PreviewedText) -> Iterator[tuple[str, Text | str]]:
    shown = visible(text.text[:_TEXT_MAX]) + ("…" if len(text.text) > _TEXT_MAX else "")
    yield f"  {visible(text.widget)}", Text(shown or "(nothing)", style="bold" if text.is_expected else "")
    notes = [size_text(text.size, is_least=bool(text.later))] if text.size else []
    if text.blanks:
        notes.append(f"blank: {visible(', '.join(text.blanks))}")
    if notes:
        yield "", Text(" · ".join(notes), style="yellow" if text.blanks else "bright_black")
    if text.reason:
        yield "", Text(f"as it stands in the flow: {visible(text.reason)}", style="yellow")


def size_text(size: Size, *, is_least: bool = False) -> str:
    """`72 characters, GSM-7, 1 segment`; with the characters that force UCS-2."""
    forced = f" (for {_letters(dict.fromkeys(size.forcing, 0))})" if size.forcing else ""
    least = "at least " if is_least else ""
    characters, segments = counted(size.characters, "character"), counted(size.segments, "segment")
    return f"{least}{characters}, {size.encoding.value}{forced}, {segments}"


def _spread_lines(found: FlowPreview, spread: FileSpread, *, whole: bool) -> Iterator[tuple[str, Text | str]]:
    of = "all rows" if spread.rows > 1 else "the row"
    if found.is_sample:
        of = f"{spread.rows:,} of {found.rows:,} rows, evenly over the file"
    if spread.segments:
        most = sorted(sorted(spread.segments.items(), key=lambda item: -item[1])[:_SHOWN_MAX])
        told = ", ".join(f"{counted(n, 'segment')} in {counted(rows, 'row')}" for n, rows in most)
        yield "segments", f"{told}{', …' if len(spread.segments) > len(most) else ''} ({of})"
    if spread.longest is not None:
        longest = spread.longest
        size = f"{counted(longest.characters, 'character')}, {counted(longest.segments, 'segment')}"
        yield "longest", f"row {longest.row_number}: {size}"
    if spread.unknown_rows:
        rows = counted(spread.unknown_rows, "row has", "rows have")
        yield "not counted", Text(f"{rows} a text that could not be rendered", style="yellow")
    if spread.other_rows:
        yield "not counted", f"{counted(spread.other_rows, 'row is', 'rows are')} no SMS"
    for text in spread.texts:
        if whole or text.is_expected:
            yield from _problem_lines(text)
    if found.cost is not None and found.segments is not None:
        about = "at least about " if spread.is_least else "about " if found.is_estimate else ""
        of_segments = counted(found.segments, "segment")
        yield "cost", f"{about}{found.cost:,.2f}: {of_segments} of {found.per_segment:g} each, without what may follow"


def _problem_lines(text: TextSpread) -> Iterator[tuple[str, Text | str]]:
    widget = visible(text.widget)
    for name, rows in text.blanks.items():
        yield "blank", Text(f"{visible(name)} in {counted(rows, 'row')} ({widget})", style="yellow")
    if text.ucs_2_rows:
        yield "UCS-2", f"{counted(text.ucs_2_rows, 'row')} for {_letters(text.forcing)} ({widget})"
    if text.empty_rows:
        yield "empty", Text(f"nothing is left of {widget} in {counted(text.empty_rows, 'row')}", style="yellow")
    if text.too_long_rows:
        in_rows = counted(text.too_long_rows, "row")
        yield "too long", Text(f"{widget} in {in_rows}: Twilio takes 1,600 characters (21617)", style="yellow")
    for reason, rows in list(text.reasons.items())[:_SHOWN_MAX]:
        yield "as it stands", Text(f"{widget} in {counted(rows, 'row')}: {visible(reason)}", style="yellow")


def _letters(letters: Mapping[str, int]) -> str:
    shown = [f"{letter} ({rows:,})" if rows else letter for letter, rows in list(letters.items())[:_SHOWN_MAX]]
    return visible(", ".join(shown)) + (", …" if len(letters) > _SHOWN_MAX else "")

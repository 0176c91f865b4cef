"""What contacts get, for a page: the texts of one row, and what those of all rows come to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher.campaign.preview import FlowPreview
from dispatcher.plurals import counted
from dispatcher.studio.preview import PreviewedText, RowTexts
from dispatcher.studio.segments import Size
from dispatcher.studio.spread import FileSpread

#: Twilio takes no longer text (21617).
_TEXT_MAX = 1_600
_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownText:
    """One text."""

    title: str
    text: str
    lines: tuple[str, ...]
    blanks: tuple[str, ...]


def shown_texts(row: RowTexts) -> list[ShownText]:
    """Those that are sent in any case first, then those that may follow."""
    expected = list(row.expected)
    found = [_shown(text, f"Text {at}" if len(expected) > 1 else "The text") for at, text in enumerate(expected, 1)]
    after = f"After {row.decided_at}, perhaps" if row.decided_at else "Perhaps"
    return found + [_shown(text, f"{after}: {text.widget}") for text in row.texts if not text.is_expected]


def _shown(text: PreviewedText, title: str) -> ShownText:
    lines = [size_sentence(text.size, is_least=bool(text.later))] if text.size else []
    if text.later:
        lines.append(f"Filled in later by Studio: {', '.join(text.later)}")
    if text.reason:
        lines.append(f"It is shown as it stands in the flow: {text.reason}")
    body = text.text[:_TEXT_MAX] + ("…" if len(text.text) > _TEXT_MAX else "")
    return ShownText(title=title, text=body or "(nothing)", lines=tuple(lines), blanks=text.blanks)


def size_sentence(size: Size, *, is_least: bool) -> str:
    """How long a text is, and which letters make it longer."""
    parts = counted(size.segments, "SMS part", "SMS parts")
    least = "At least " if is_least else ""
    sentence = f"{least}{counted(size.characters, 'character')}, {parts}"
    if not size.forcing:
        return sentence
    # One that cannot be seen by its number: it would turn the sentence round, or be a gap in it.
    known = dict.fromkeys(size.forcing[:_SHOWN_MAX])
    letters = " ".join(letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in known)
    return f"{sentence}. These characters make it longer, as they need another alphabet: {letters}"


def row_notes(row: RowTexts) -> list[str]:
    """What is assumed, and what is not shown."""
    return [f"If {widget} succeeds." for widget in row.assumed] + list(row.notes)


def spread_facts(found: FlowPreview) -> list[tuple[str, str]]:
    """What the texts of all rows come to."""
    if found.spread is None or not found.spread.rows:
        return []
    return list(_spread(found, found.spread))


def _spread(found: FlowPreview, spread: FileSpread) -> Iterator[tuple[str, str]]:
    if found.is_sample:
        yield "Looked at", f"{spread.rows:,} of {found.rows:,} rows, evenly over the file"
    if spread.segments:
        most = sorted(sorted(spread.segments.items(), key=lambda item: -item[1])[:_SHOWN_MAX])
        yield "SMS parts", ", ".join(f"{counted(n, 'part')} in {counted(rows, 'row')}" for n, rows in most)
    if spread.longest is not None:
        longest = spread.longest
        size = f"{counted(longest.characters, 'character')}, {counted(longest.segments, 'SMS part', 'SMS parts')}"
        yield "The longest", f"row {longest.row_number}: {size}"
    for text in spread.texts:
        for name, rows in list(text.blanks.items())[:_SHOWN_MAX]:
            yield f"Empty: {name}", f"in {counted(rows, 'row')}"
        if text.too_long_rows:
            yield "Too long", f"in {counted(text.too_long_rows, 'row')}: Twilio refuses it"
    if spread.unknown_rows:
        yield "Not counted", f"{counted(spread.unknown_rows, 'row')}: the text could not be made"
    if found.cost is not None and found.segments is not None:
        about = "at least about " if spread.is_least else "about " if found.is_estimate else ""
        yield "Cost", f"{about}{found.cost:,.2f} for {counted(found.segments, 'SMS part', 'SMS parts')}"

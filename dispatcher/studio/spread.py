"""What the texts of many rows come to: segments, gaps, and the longest; folded row by row in little memory. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher.studio.preview import PreviewedText, RowTexts
from dispatcher.studio.segments import CHARACTERS_MAX, Encoding

#: So many different names of one kind are counted; a file's values must not fill the memory.
_KINDS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Longest:
    """The row whose expected texts have the most segments; of several, the most characters; of several, the first."""

    row_number: int
    segments: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpread:
    """One widget's text over many rows."""

    widget: str
    is_expected: bool
    #: Rows whose contacts get it, or may.
    rows: int
    #: Variable → rows in which it leaves a gap.
    blanks: Mapping[str, int]
    #: Segments → rows.
    segments: Mapping[int, int]
    #: Rows that are sent in UCS-2, and the characters that force it → rows.
    ucs_2_rows: int
    forcing: Mapping[str, int]
    #: The fewest and the most characters; None: of no row is that known.
    characters: tuple[int, int] | None
    #: The row with the most of them; None: of no row is that known.
    longest_row: int | None
    #: Rows in which it has more characters than Twilio takes (21617), and those in which nothing is left of it.
    too_long_rows: int
    empty_rows: int
    #: Why it could not be rendered → rows.
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpread:
    """The texts of many rows. Segments are those of all expected texts of a row together."""

    rows: int
    #: Segments → rows; without those whose size is not known.
    segments: Mapping[int, int]
    #: Rows with an expected text that could not be rendered: their segments are not known.
    unknown_rows: int
    #: Rows on other channels than SMS.
    other_rows: int
    longest: Longest | None
    texts: tuple[TextSpread, ...]
    #: What is not shown, and why → rows.
    notes: Mapping[str, int]
    #: Some text may be longer than counted, since a part of it is known only when the flow runs.
    is_least: bool

    @property
    def counted_rows(self) -> int:
        """Rows whose segments are known."""
        return sum(self.segments.values())

    @property
    def total_segments(self) -> int:
        """The segments of all rows whose segments are known."""
        return sum(segments * rows for segments, rows in self.segments.items())


@dataclass(slots=True)
class _Text:
    is_expected: bool = False
    rows: int = 0
    blanks: Counter[str] = field(default_factory=Counter)
    segments: Counter[int] = field(default_factory=Counter)
    ucs_2_rows: int = 0
    forcing: Counter[str] = field(default_factory=Counter)
    least: int | None = None
    most: int = -1
    longest_row: int | None = None
    too_long_rows: int = 0
    empty_rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, row_number: int, text: PreviewedText) -> None:
        self.rows += 1
        self.is_expected |= text.is_expected
        for name in text.blanks:
            self.blanks[name] += 1
        if text.reason:
            _count(self.reasons, text.reason)
        size = text.size
        if size is None:
            return
        self.segments[size.segments] += 1
        if size.encoding is Encoding.ucs_2:
            self.ucs_2_rows += 1
            for letter in size.forcing:
                _count(self.forcing, letter)
        n = size.characters
        self.too_long_rows += n > CHARACTERS_MAX
        self.empty_rows += not text.text.strip()
        if self.least is None or n < self.least:
            self.least = n
        if n > self.most:
            self.most, self.longest_row = n, row_number

    def result(self, widget: str) -> TextSpread:
        return TextSpread(
            widget=widget,
            is_expected=self.is_expected,
            rows=self.rows,
            blanks=dict(self.blanks),
            segments=dict(sorted(self.segments.items())),
            ucs_2_rows=self.ucs_2_rows,
            forcing=dict(self.forcing.most_common()),
            characters=None if self.least is None else (self.least, self.most),
            longest_row=self.longest_row,
            too_long_rows=self.too_long_rows,
            empty_rows=self.empty_rows,
            reasons=dict(self.reasons.most_common()),
        )


class SpreadFold:
    """Takes rows in, one after the other, and tells what they come to."""

    def __init__(self) -> None:
        self._rows = self._unknown_rows = self._other_rows = 0
        self._segments: Counter[int] = Counter()
        self._longest: Longest | None = None
        self._texts: dict[str, _Text] = {}
        self._notes: Counter[str] = Counter()
        self._is_least = False

    def add(self, row_number: int, found: RowTexts) -> None:
        """One row's texts."""
        self._rows += 1
        for note in found.notes:
            _count(self._notes, note)
        segments = characters = 0
        is_known = True
        seen: set[str] = set()
        for text in found.texts:
            if text.widget not in seen:  # one that is sent again and again counts once for its row
                seen.add(text.widget)
                self._texts.setdefault(text.widget, _Text()).add(row_number, text)
            if not text.is_expected:
                continue
            self._is_least |= bool(text.later)
            if text.size is None:
                is_known = False
            else:
                segments += text.size.segments
                characters += text.size.characters
        if not found.is_sms:
            self._other_rows += 1
        elif not is_known:
            self._unknown_rows += 1
        else:
            self._segments[segments] += 1
            best = self._longest
            if best is None or (segments, characters, -row_number) > (best.segments, best.characters, -best.row_number):
                self._longest = Longest(row_number=row_number, segments=segments, characters=characters)

    def result(self) -> FileSpread:
        """What they came to so far."""
        return FileSpread(
            rows=self._rows,
            segments=dict(sorted(self._segments.items())),
            unknown_rows=self._unknown_rows,
            other_rows=self._other_rows,
            longest=self._longest,
            texts=tuple(text.result(widget) for widget, text in self._texts.items()),
            notes=dict(self._notes.most_common()),
            is_least=self._is_least,
        )


def _count(counts: Counter[str], name: str) -> None:
    """Of a file's own values only so many are told apart."""
    counts[name if name in counts or len(counts) < _KINDS_MAX else "…"] += 1

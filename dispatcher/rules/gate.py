"""Which rows may go now: the places that are open, until when, and when the others will be.

The ledger asks with a claim, the sender once more when a request leaves, and whoever waits asks until when. All of them
ask one schedule, so that none lets go what another would hold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.model import Reason
from dispatcher.rules.caps import Rooms
from dispatcher.rules.clocks import DAY_S
from dispatcher.rules.cooloff import CoolOffs
from dispatcher.rules.hours import HORIZON_DAYS, Hours, Openings, Span
from dispatcher.rules.places import Place
from dispatcher.rules.starts import Begin, start_ms
from dispatcher.rules.times import Moment

#: Openings are worked out anew after so long, and where a clock has stepped back before them.
_FRESH_MS = DAY_S * 1000
#: So far they reach, so that until then they reach over the horizon.
_DAYS = HORIZON_DAYS + 1


class Due(NamedTuple):
    """Rows of a place that wait."""

    place_id: int
    #: When the first of them may be sent, as far as that is the row's own; 0: whenever its place is open.
    first_ms: int


@dataclass(frozen=True, slots=True)
class Gate:
    """What a claim may take. Times are milliseconds since 1970."""

    #: Place -> until when its rows may leave, those that close first first; None: of all places, whenever.
    places: Mapping[int, int] | None = None
    #: Now, by the clock that the rules go by; 0: by the ledger's caller's own.
    at_ms: int = 0
    #: How often a contact may be reached; None: as often as there are rows.
    cooloffs: CoolOffs | None = None
    #: How many more each sender may begin; None: as many as there are.
    rooms: Rooms | None = None

    @property
    def is_closed(self) -> bool:
        """Whether no place is open."""
        return self.places is not None and not self.places


#: Hours are off.
OPEN = Gate()


class Schedule:
    """The hours of a campaign, its start and its deadline, over the places of its contacts. Pure: the time is told.

    Times are milliseconds since 1970. A place that is None is open until the deadline: no hours hold for it.
    One without zones never opens.
    """

    def __init__(
        self,
        hours: Hours,
        places: Mapping[int, Place | None],
        *,
        start: Moment | None = None,
        deadline: Moment | None = None,
        begin: Begin | None = None,
    ) -> None:
        """`start` and `deadline` without an offset are on each contact's own clock, and UTC where none is known.

        `begin`: when the campaign has begun, which may be too late for some places' start; None: for none.
        """
        self._hours = hours
        self.places = dict(places)
        self.start, self._deadline = start, deadline
        self._begin = begin
        self._made_ms: int | None = None
        #: Place -> when it is open; what is missing in it for the sake of the deadline.
        self._spans: dict[int, list[Span]] = {}
        self._never: set[int] = set()
        self._starts: dict[tuple[str, ...], int | None] = {}
        self._gate = Gate({})
        #: From when on, and until when, that is the gate.
        self._gate_for: Span = (0, 0)

    def begun(self, begin: Begin) -> None:
        """It is known now when the campaign has begun: where its start was missed by that, what then."""
        self._begin, self._made_ms = begin, None
        self._starts.clear()

    def gate(self, now_ms: int) -> Gate:
        """The places that are open."""
        self._refresh(now_ms)
        if not self._gate_for[0] <= now_ms < self._gate_for[1]:
            self._gate, until_ms = self._gate_at(now_ms)
            self._gate_for = (now_ms, until_ms)
        return self._gate

    def earliest_ms(self, one: Due, now_ms: int) -> int | None:
        """When the first of these rows may be sent; None: never. Beyond the horizon: not before that."""
        self._refresh(now_ms)
        if self.has_missed(one.place_id):
            return None
        from_ms, spans = max(one.first_ms, now_ms), self._spans.get(one.place_id, [])
        at = bisect_right(spans, from_ms, key=lambda span: span[1])
        if at < len(spans):
            return max(spans[at][0], from_ms)
        ends_ms = self._ends_ms(one.place_id)
        beyond_ms = max(from_ms, self._horizon_ms)
        return None if one.place_id in self._never or (ends_ms is not None and ends_ms <= beyond_ms) else beyond_ms

    def next_ms(self, due: Iterable[Due], now_ms: int) -> int | None:
        """When the first of all these rows may be sent; None: never."""
        moments = [self.earliest_ms(one, now_ms) for one in due]
        return min((moment for moment in moments if moment is not None), default=None)

    def left_out(self, place_id: int, now_ms: int) -> Reason | None:
        """Why rows of a place are not sent any more, whatever their own times are; None: they may be."""
        if self.earliest_ms(Due(place_id, 0), now_ms) is not None:
            return None
        place = self.places.get(place_id)
        if place is not None and not place.zones:
            return Reason.zone_unknown
        return Reason.no_window if place_id in self._never else Reason.expired

    def has_missed(self, place_id: int) -> bool:
        """Whether rows of a place are left out since the campaign has begun after its start there."""
        return self.start is not None and self.starts_ms(place_id) is None

    def spans(self, place_id: int, now_ms: int) -> Sequence[Span]:
        """When a place is open from now on, as far as it is worked out: over the horizon at least."""
        self._refresh(now_ms)
        return self._spans.get(place_id, [])

    def last_ms(self, place_id: int, now_ms: int) -> int | None:
        """From when on nothing is sent there any more, by the deadline; None: there is none."""
        self._refresh(now_ms)
        ends_ms, spans = self._ends_ms(place_id), self._spans.get(place_id, [])
        return spans[-1][1] if spans and ends_ms is not None and ends_ms <= self._horizon_ms else ends_ms

    def all_started_ms(self, place_ids: Iterable[int]) -> int | None:
        """When the campaign has started in all of these places; None: it has no start."""
        starts = [self.starts_ms(place_id) for place_id in place_ids]
        return max((start for start in starts if start is not None), default=None)

    def starts_ms(self, place_id: int) -> int | None:
        """When the campaign starts there; None: it has no start, or never does there (`has_missed`)."""
        return self._starts_in(_zones(self.places.get(place_id)))

    def _starts_in(self, zones: tuple[str, ...]) -> int | None:
        if self.start is None:
            return None
        if zones not in self._starts:
            self._starts[zones] = start_ms(self.start, zones, self._begin)
        return self._starts[zones]

    # --- how it is worked out ---

    @property
    def _horizon_ms(self) -> int:
        return (self._made_ms or 0) + _DAYS * _FRESH_MS

    def _ends_ms(self, place_id: int) -> int | None:
        return None if self._deadline is None else self._deadline.first_ms(_zones(self.places.get(place_id)))

    def _is_stale(self, now_ms: int) -> bool:
        return self._made_ms is None or not self._made_ms <= now_ms < self._made_ms + _FRESH_MS

    def _refresh(self, now_ms: int) -> None:
        if not self._is_stale(now_ms):
            return
        self._made_ms, self._gate_for = now_ms, (0, 0)
        # Those that begin later are looked at from then on.
        by_first: dict[int, Openings] = {}
        self._spans, self._never = {}, set()
        for place_id, place in self.places.items():
            if self.has_missed(place_id):
                continue
            zones = _zones(place)
            first_ms = max(now_ms, self._starts_in(zones) or now_ms)
            if first_ms not in by_first:
                by_first[first_ms] = Openings(self._hours, first_ms, _DAYS)
            if place is None:
                spans = [(first_ms, first_ms + _DAYS * _FRESH_MS)]
            else:
                spans = by_first[first_ms].of(place) if place.zones else []
            if not spans:
                self._never.add(place_id)
            ends_ms = self._deadline.first_ms(zones) if self._deadline else None
            clipped = ((opens, closes if ends_ms is None else min(closes, ends_ms)) for opens, closes in spans)
            self._spans[place_id] = [(opens, closes) for opens, closes in clipped if opens < closes]

    def _gate_at(self, now_ms: int) -> tuple[Gate, int]:
        """The gate, and until when it is the same."""
        closes: list[tuple[int, int]] = []
        until_ms = (self._made_ms or 0) + _FRESH_MS
        for place_id, spans in self._spans.items():
            span = next((span for span in spans if span[1] > now_ms), None)
            if span is not None and span[0] <= now_ms:
                closes.append((span[1], place_id))
            if span is not None:
                until_ms = min(until_ms, span[1] if span[0] <= now_ms else span[0])
        return Gate({place_id: closes_ms for closes_ms, place_id in sorted(closes)}), until_ms


def _zones(place: Place | None) -> tuple[str, ...]:
    return place.zones if place and place.zones else ("UTC",)

"""Where contacts may be, kept with their rows: facts alone. Which hours hold there, the settings say when asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import orjson

from dispatcher.ledger import tallies
from dispatcher.ledger.chunks import id_range
from dispatcher.ledger.db import Db
from dispatcher.model import Reason, RowState
from dispatcher.rules.gate import Due, Schedule
from dispatcher.rules.places import Place, PlaceSource

#: So many rows are changed in a transaction: whoever else writes waits for that.
ROWS_PER_SWEEP = 10_000
#: So many moments at which rows may be sent are told apart.
WAITS_MAX = 10_000
#: Zones as JSON, country, area, source.
_Spelled: TypeAlias = tuple[str, str, str, str]


class Timed(NamedTuple):
    """When a row may be sent, as far as that is its own, and where its contact may be."""

    place_id: int
    not_before_ms: int
    not_after_ms: int


def ids(db: Db, places: Iterable[Place | None]) -> list[int]:
    """The numbers of places, made where they are new. None: no hours hold for it."""
    found = list(places)
    # Few objects for many rows: to hash each would take longer than all the rest.
    distinct = {id(place): place for place in found}
    spelled = {key: _spelled(place) for key, place in distinct.items()}
    known = _known(db)
    if not known.keys() >= set(spelled.values()):
        for zones, country, area, source in spelled.values():
            db.run("place_insert", zones=zones, country=country, area=area, source=source)
        known = _known(db)
    numbers = {key: known[one] for key, one in spelled.items()}
    return [numbers[id(place)] for place in found]


def all_places(db: Db) -> dict[int, Place | None]:
    """Every place by its number."""
    return {place_id: _place(spelled) for spelled, place_id in _known(db).items()}


def _known(db: Db) -> dict[_Spelled, int]:
    return {(zones, country, area, source): n for n, zones, country, area, source in db.rows("places_all")}


def _spelled(place: Place | None) -> _Spelled:
    if place is None:
        return "[]", "", "", ""
    return orjson.dumps(place.zones).decode(), place.country or "", place.area or "", place.source.value


def _place(spelled: _Spelled) -> Place | None:
    zones, country, area, source = spelled
    if not source:
        return None
    return Place(tuple(orjson.loads(zones)), country or None, area or None, PlaceSource(source))


def of_rows(db: Db, row_ids: Sequence[int]) -> dict[int, Timed]:
    """See `snapshot.LedgerSnapshot.times`."""
    return {row_id: Timed(*rest) for row_id, *rest in db.rows("rows_timed", row_ids=list(row_ids))}


def are_kept(db: Db, input_id: int) -> bool:
    """Whether it was looked up where the contacts of an input are."""
    return bool(db.one("places_exist", **id_range(input_id))[0])


# --- rows that wait ---


def unplaced(db: Db, input_id: int, after: int) -> list[tuple[int, str]]:
    """Some planned rows of an input behind a row whose places were not looked up, with their addresses."""
    ids_ = id_range(input_id)
    after = max(after, ids_["first"] - 1)
    found = db.rows("rows_unplaced", after=after, last=ids_["last"], limit=ROWS_PER_SWEEP)
    return [(row_id, address) for row_id, address in found]


def place_rows(db: Db, places: Mapping[int, Place | None]) -> None:
    """Give rows their places."""
    numbers = ids(db, places.values())
    flat: list[int | str] = []
    for row_id, place_id in zip(places, numbers, strict=True):
        flat += (row_id, place_id)
    db.update("rows_place", 2, flat)


def due(db: Db, input_ids: Iterable[int]) -> list[Due]:
    """The places that have rows which wait, each with when the first of them may be sent, by itself."""
    return [
        Due(place_id, first_ms)
        for input_id in input_ids
        for place_id, first_ms in db.rows("places_planned", input_id=input_id)
    ]


def begun_ms(db: Db, campaign_id: int, start_ms: int) -> int | None:
    """When a campaign has begun with a start (on the wall); None: it has not."""
    found = db.first("beginning_of", campaign_id=campaign_id, start_ms=start_ms)
    return None if found is None else int(found[0])


def begin(db: Db, campaign_id: int, start_ms: int, now_ms: int) -> int:
    """Keep that a campaign begins now with a start, unless it has begun before; when it has."""
    db.run("beginning_keep", campaign_id=campaign_id, start_ms=start_ms, now_ms=now_ms)
    (at_ms,) = db.one("beginning_of", campaign_id=campaign_id, start_ms=start_ms)
    return int(at_ms)


def waiting(db: Db, input_ids: Iterable[int]) -> list[tuple[Due, int]]:
    """Rows that wait, by place and by when they may be sent by themselves; how many of each."""
    return [
        (Due(place_id, first_ms), n)
        for input_id in input_ids
        for place_id, first_ms, n in db.rows("places_waiting", input_id=input_id, limit=WAITS_MAX)
    ]


def waiting_for_a_time(db: Db, input_ids: Iterable[int], now_ms: int) -> list[tuple[int, int]]:
    """Rows that may be sent only later, whatever their places: when, and how many."""
    return [
        (until_ms, n)
        for input_id in input_ids
        for until_ms, n in db.rows("rows_waiting", input_id=input_id, now_ms=now_ms, limit=WAITS_MAX)
    ]


def expire(db: Db, input_ids: Sequence[int], place_id: int, until_ms: int, *, most: int = ROWS_PER_SWEEP) -> int:
    """Leave out rows that may not be sent any more once it is `until_ms`; of one place, or of all (0).

    At most so many; returns how many.
    """
    sentence = "the time until which the row was to be sent has passed"
    count = 0
    for input_id in input_ids:
        limit = most - count
        n = db.run(
            "rows_expire", input_id=input_id, place_id=place_id, until_ms=until_ms, sentence=sentence, limit=limit
        )
        count += _moved(db, input_id, n)
    return count


def close(
    db: Db,
    input_ids: Sequence[int],
    place_id: int,
    reason: Reason,
    sentence: str | None = None,
    *,
    first_ms: int = 0,
    most: int = ROWS_PER_SWEEP,
) -> int:
    """Leave out the rows of a place that does not open any more, or for whatever the sentence says; as `expire`.

    `first_ms`: those alone that by themselves may be sent only from then on, or later.
    """
    code, sentence, count = reason.value, sentence or _CLOSED[reason], 0
    for input_id in input_ids:
        limit = most - count
        n = db.run(
            "rows_close",
            input_id=input_id,
            place_id=place_id,
            reason_code=code,
            sentence=sentence,
            first_ms=first_ms,
            limit=limit,
        )
        count += _moved(db, input_id, n)
    return count


def miss(db: Db, input_ids: Sequence[int]) -> int:
    """Leave out rows of a campaign whose start was missed, those of one place at a time; returns how many."""
    found = due(db, input_ids)
    return close(db, input_ids, found[0].place_id, Reason.expired, _MISSED) if found else 0


def _moved(db: Db, input_id: int, n: int) -> int:
    if n:
        tallies.add(db, tallies.moved(input_id, RowState.planned.value, RowState.skipped.value, n))
    return n


def sweep(db: Db, input_ids: Sequence[int], schedule: Schedule, now_ms: int) -> int:
    """Leave out rows that can never be sent any more, at most `ROWS_PER_SWEEP`; returns how many."""
    count = expire(db, input_ids, 0, now_ms)
    for one in due(db, input_ids):
        if count >= ROWS_PER_SWEEP:
            break
        opens_ms = schedule.earliest_ms(Due(one.place_id, 0), now_ms)
        if opens_ms is None:
            reason = schedule.left_out(one.place_id, now_ms) or Reason.expired
            sentence = _MISSED_THERE if reason is Reason.expired and schedule.has_missed(one.place_id) else None
            count += close(db, input_ids, one.place_id, reason, sentence, most=ROWS_PER_SWEEP - count)
            continue
        last_ms = schedule.last_ms(one.place_id, now_ms)
        if last_ms is not None:
            most = ROWS_PER_SWEEP - count
            count += close(db, input_ids, one.place_id, Reason.expired, _TOO_LATE, first_ms=last_ms, most=most)
        if opens_ms > now_ms:
            # Its rows cannot go before that.
            count += expire(db, input_ids, one.place_id, opens_ms, most=ROWS_PER_SWEEP - count)
    return count


_MISSED = "the campaign's start was missed"
_MISSED_THERE = "the campaign's start had passed by the contact's clock when it began"
_TOO_LATE = "the campaign's deadline comes before the row's own time, or the contact's hours behind it"
_CLOSED = {
    Reason.expired: "the campaign's deadline comes before the contact's hours",
    Reason.zone_unknown: "no time zone is known for the number",
    Reason.no_window: "no hour of the next days is within the hours of every time zone that the contact may be in",
}

"""Taking a person, or a campaign that is over, out of the ledger for good: each in one transaction.

What is left of a row: its state, counts, times and SIDs; and, in place of its key and of where its requests went, what
stands for these (`model.pseudonym_of`), by which nobody is reached twice and a file that brings the row anew is told
that it was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import orjson

from dispatcher.ledger import pseudonyms, suppressed, tallies
from dispatcher.ledger.chunks import ROW_NUMBER_MASK, id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import CampaignRecord
from dispatcher.ledger.striking import Person
from dispatcher.model import RowState, hash_of

#: So many chunks are looked through at a time.
CHUNKS_PER_READ = 200
#: What a row says instead of why it was left out.
SENTENCE = "what the row has said is not kept any more"
_OPEN = (RowState.sending.value, RowState.unknown.value)
_WAITING = (RowState.planned.value, *_OPEN)
_LAST_ID = (1 << 63) - 1

#: Called with how many of so many chunks are looked through.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """A row because of which a person cannot be forgotten now."""

    campaign: str
    row_number: int
    state: RowState
    #: Whether it is another person's, whose cells name this one.
    is_others: bool
    #: When its last request was begun, and given up; None: there is none, or it is not given up yet.
    begun_at_ms: int | None
    ended_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Where a person stands in a ledger."""

    #: Their rows.
    rows: int = 0
    #: Of these, those that would still be sent.
    waiting: int = 0
    #: The campaigns of these.
    campaigns: tuple[str, ...] = ()
    #: Other people's rows whose cells name them.
    mentions: int = 0
    obstacles: tuple[Obstacle, ...] = ()
    #: Where the last reports of these campaigns were written.
    reports: tuple[str, ...] = ()
    #: Files of suppression lists that name them.
    lists: tuple[str, ...] = ()
    is_suppressed: bool = False
    #: Row ids: theirs, those of lines that no row has any more, other people's.
    own: frozenset[int] = field(default=frozenset(), repr=False)
    gone: frozenset[int] = field(default=frozenset(), repr=False)
    others: frozenset[int] = field(default=frozenset(), repr=False)


def look(db: Db, person: Person, progress: Progress) -> Traces:
    """Find a person, in cells, too; reads every cell of the ledger."""
    found = db.rows("person_rows", contact=person.contact, number=person.sought, hint=person.hint, digit=person.digit)
    own, elsewhere = {row_id for row_id, _ in found}, {row_id for row_id, is_sent_there in found if not is_sent_there}
    sent_there = {row_id for (row_id,) in db.rows("person_open", contact=person.contact)}
    named = _named(db, person, progress) - own
    known = {row[0]: row for row in db.rows("erasable_rows", row_ids=list(own | named | sent_there))}
    # Of loads that were cut short no row is known: they go whole.
    own &= known.keys()
    # A line that can never be sent has no key, and often no address: whose cells name the person is theirs.
    own |= {row_id for row_id in named if row_id in known and not known[row_id][4]}
    others = (named & known.keys()) - own
    sent_there -= own
    obstacles, campaigns = [], {}
    for row_id, (_, campaign, account_sid, state, _, begun_ms, ended_ms) in sorted(known.items()):
        if row_id in own:
            campaigns[campaign, account_sid] = campaign
        # Another contact's row whose key names the person is theirs once nothing is sent by it any more.
        is_others = (row_id in others or row_id in elsewhere) and row_id not in sent_there
        if state in (_WAITING if is_others else _OPEN):
            obstacles.append(
                Obstacle(
                    campaign=campaign,
                    row_number=row_id & ROW_NUMBER_MASK,
                    state=RowState(state),
                    is_others=is_others,
                    begun_at_ms=begun_ms,
                    ended_at_ms=ended_ms,
                )
            )
    named_as = [person.contact, hash_of(person.contact)]
    listed_as = [*named_as, *pseudonyms.stand_ins(db, [person.contact])]
    return Traces(
        rows=len(own),
        waiting=sum(known[row_id][3] == RowState.planned for row_id in own),
        campaigns=tuple(campaigns.values()),
        mentions=len(others),
        obstacles=tuple(obstacles),
        reports=tuple(path for (path,) in db.rows("reports_of_rows", row_ids=list(own | others))),
        lists=tuple(source for (source,) in db.rows("person_lists", contacts=listed_as)),
        is_suppressed=bool(db.one("person_suppressed", contacts=listed_as)[0]),
        own=frozenset(own),
        gone=frozenset(named - known.keys()),
        others=frozenset(others),
    )


def forget(db: Db, person: Person, progress: Progress, *, suppress: bool, actor: str, now_ms: int) -> Traces:
    """Take a person out; nothing is changed where the traces name obstacles. Raises: LedgerKeyLost."""
    _drop_cut_short(db)
    traces = look(db, person, progress)
    if traces.obstacles:
        return traces
    ((stand_in,),) = db.rows("pseudonyms", contacts=[person.contact])
    db.run("erasing_drop")
    db.run("erasing_create")
    db.run("erasing_rows", row_ids=list(traces.own))
    _blank(db, traces.own | traces.gone, lambda cell: "")
    _blank(db, traces.others, person.without)
    _erase(db)
    went_there = [attempt_id for (attempt_id,) in db.rows("person_attempts", contact=person.contact, hint=person.hint)]
    db.run("attempts_forget", pseudonym=stand_in, attempt_ids=went_there)
    db.run("sent_blank", attempt_ids=went_there)
    db.run("executions_blank", attempt_ids=went_there)
    db.run("person_foreign", contact=person.contact, pseudonym=stand_in)
    db.run("person_log", contact=person.contact, pseudonym=stand_in)
    for (account_id,) in db.rows("account_ids"):
        db.run("person_contacts", account_id=account_id, contact=person.contact, pseudonym=stand_in)
        db.run("person_suppress", account_id=account_id, contact=person.contact, pseudonym=stand_in)
        for one in suppressed.lists(db, account_id):
            db.run("list_recount", account_id=account_id, list_id=one.list_id)
    if person.number:
        _strike(db, person)
    db.run(
        "erasure_insert",
        now_ms=now_ms,
        action="forgotten",
        contact=stand_in,
        campaign_id=None,
        rows=traces.rows,
        actor=actor,
    )
    if suppress:
        for (account_id,) in db.rows("account_ids"):
            suppressed.add(db, account_id, [stand_in], actor=actor, reason="", now_ms=now_ms)
    return traces


def prune(db: Db, campaign: CampaignRecord, *, actor: str, now_ms: int) -> int:
    """Take the cells and addresses out of a campaign; returns of how many rows. None of one that is not over."""
    if not is_over(db, campaign.campaign_id):
        return 0
    _drop_cut_short(db)
    db.run("erasing_drop")
    db.run("erasing_create")
    db.run("erasing_campaign", campaign_id=campaign.campaign_id)
    (rows,) = db.one("erased_count")
    for input_id, *_ in db.rows("inputs_ready", campaign_id=campaign.campaign_id):
        for chunk_id, cells in _chunks(db, **id_range(input_id)):
            blank = [None if row is None else [""] * len(row) for row in orjson.loads(cells)]
            db.run("chunk_set", chunk_id=chunk_id, cells=orjson.dumps(blank))
    _erase(db)
    db.run(
        "erasure_insert",
        now_ms=now_ms,
        action="pruned",
        contact=None,
        campaign_id=campaign.campaign_id,
        rows=rows,
        actor=actor,
    )
    return int(rows)


def is_over(db: Db, campaign_id: int) -> bool:
    """Whether no row of a campaign waits, is on the wire or unknown."""
    return not any(state in _WAITING for _, state, _ in db.rows("tallies_of_campaign", campaign_id=campaign_id))


def _named(db: Db, person: Person, progress: Progress) -> set[int]:
    """The lines whose cells name a person."""
    (total,) = db.one("chunks_count")
    found: set[int] = set()
    for done, (chunk_id, cells) in enumerate(_chunks(db, 0, _LAST_ID)):
        if done % CHUNKS_PER_READ == 0:
            progress(done, total)
        if person.may_be_in(cells):
            for at, row in enumerate(orjson.loads(cells)):
                if row is not None and any(person.without(cell) != cell for cell in row):
                    found.add(chunk_id + at)
    progress(total, total)
    return found


def _blank(db: Db, row_ids: Collection[int], change: Callable[[str], str]) -> None:
    """Change the cells of these lines."""
    rows: list[list[str] | None]
    chunk_id, rows = -1, []
    for row_id in sorted(row_ids):
        if not chunk_id <= row_id < chunk_id + len(rows):
            if rows:
                db.run("chunk_set", chunk_id=chunk_id, cells=orjson.dumps(rows))
            found = db.first("chunk_of_row", row_id=row_id)
            if found is None:
                chunk_id, rows = -1, []
                continue
            chunk_id, rows = found[0], orjson.loads(found[1])
        cells = rows[row_id - chunk_id] if row_id - chunk_id < len(rows) else None
        if cells is not None:
            rows[row_id - chunk_id] = [change(cell) for cell in cells]
    if rows:
        db.run("chunk_set", chunk_id=chunk_id, cells=orjson.dumps(rows))


def _chunks(db: Db, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    after = first - 1
    while found := db.rows("chunks_behind", after=after, last=last, limit=CHUNKS_PER_READ):
        for chunk_id, cells in found:
            yield chunk_id, cells
            after = chunk_id


def _erase(db: Db) -> None:
    """The rows in the temporary table of those that are forgotten: all but their cells."""
    _drop_erased(db)
    db.run("erased_create")
    db.run("erased_index")
    db.run("erased_index_keys")
    # Where requests went is written down before the rows' own addresses go.
    db.run("erased_attempts")
    db.run("erased_sent")
    db.run("erased_executions")
    db.run("erased_contacts_create")
    db.run("erased_contacts_delete")
    db.run("erased_contacts_insert")
    db.run("erased_keys")
    db.run("erased_canaries")
    moves: tallies.Moves = Counter()
    for input_id, n in db.rows("erased_planned"):
        moves.update(tallies.moved(input_id, RowState.planned.value, RowState.skipped.value, n))
    db.run("erased_rows", sentence=SENTENCE)
    tallies.add(db, moves)
    _drop_erased(db)
    db.run("erasing_drop")


def _drop_erased(db: Db) -> None:
    db.run("erased_drop")
    db.run("erased_contacts_drop")


def _drop_cut_short(db: Db) -> None:
    """Loads that were cut short hold people, too. Whoever calls this holds every account: nobody goes on with one."""
    for (input_id,) in db.rows("inputs_cut_short"):
        db.run("input_delete_rows", **id_range(input_id))
        db.run("input_delete_chunks", **id_range(input_id))
        db.run("input_delete_tallies", input_id=input_id)


def _strike(db: Db, person: Person) -> None:
    """A person's number goes out of texts that are nobody's cells."""
    number, hint = person.sought, person.digit
    db.run("strike_attempts", number=number, hint=hint)
    db.run("strike_executions", number=number, hint=hint)
    db.run("strike_sent", number=number, hint=hint)
    db.run("strike_rows", number=number, hint=hint)
    db.run("strike_runs", number=number, hint=hint)
    db.run("strike_campaigns", number=number, hint=hint)
    db.run("strike_notices", number=number, hint=hint)
    db.run("strike_log", number=number, hint=hint)

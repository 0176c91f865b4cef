"""Attempts: begun before their request leaves, ended by what it proved. Rows move in the same transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from dispatcher.errors import LeaseLost, LedgerCorrupt
from dispatcher.ledger import contacted, cooling, senders, suppressed, tallies, unresolved, wishes
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ROW_NUMBER_MASK, ChunkReader
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import AttemptEnd, CampaignRecord, GrantedRow, GrantedRows, Run
from dispatcher.ledger.skipping import skip
from dispatcher.model import STATE_AFTER, Outcome, Reason, RowState
from dispatcher.rules.gate import Gate

_PLANNED, _SENDING, _UNKNOWN = RowState.planned.value, RowState.sending.value, RowState.unknown.value
#: Rows that are all left out are followed by others, but not for ever: whoever else writes waits for that.
LOTS_MAX = 20
#: A canary is small: all of it is looked through for rows whose senders may begin more.
_ALL = 1 << 62
#: An attempt that ends like this costs none: the request was not processed, or never left.
_FREE = (Outcome.throttled, Outcome.not_sent)
#: Nothing was created: a row with a reason not to be sent goes where the reason puts it, and no `retry` brings it back.
_NOT_CREATED = (RowState.planned, RowState.rejected, RowState.busy)


#: Run, input and closing time -> the row up to which the file was gone through for the places that close then; None: to
#: its end. Only a hint: whatever it passes over is found by its place.
Reached: TypeAlias = dict[tuple[int, int, int], int | None]


class RowsMoved(Exception):
    """Some rows are not where their outcomes expect them: nothing is written; end them one by one."""


def begin(
    db: Db,
    chunks: ChunkReader,
    run: Run,
    limit: int,
    *,
    now_ms: int,
    input_id: int | None,
    dispatch_id: Callable[[str], str] | None,
    repeat_after_ms: int,
    list_ids: Collection[int],
    gate: Gate,
    reached: Reached,
) -> GrantedRows:
    """Write the intents for up to `limit` planned rows; see `protocol.Ledger.begin_rows`."""
    check_claim(db, run, limit, input_id)
    granted = GrantedRows()
    account_id = run.campaign.account.account_id
    found = _planned(db, run, limit, now_ms, input_id, gate, reached)
    applying = suppressed.applying(db, account_id, list_ids) if found else suppressed.Applying(())
    for _ in range(LOTS_MAX):
        found, named = suppressed.apart(db, account_id, applying, found)
        granted.skipped += skip(db, Reason.suppressed, named)
        if repeat_after_ms and found:
            found, repeats = contacted.apart(db, run, found, now_ms - repeat_after_ms)
            granted.skipped += skip(db, Reason.contacted, repeats)
        if gate.cooloffs and found:
            found, cooled = cooling.apart(db, run, found, gate, now_ms)
            granted.skipped += skip(db, Reason.cooled_off, cooled)
        if found:
            granted.extend(_begin(db, chunks, run, found, now_ms=now_ms, dispatch_id=dispatch_id, gate=gate))
            return granted
        found = _planned(db, run, limit, now_ms, input_id, gate, reached)
        if not found:
            return granted
    granted.is_cut = True
    return granted


def _planned(
    db: Db, run: Run, limit: int, now_ms: int, input_id: int | None, gate: Gate, reached: Reached
) -> Sequence[Sequence[Any]]:
    """Rows that may go: row_id, key, address or None, sender or None, identity, attempts, not_after_ms, place_id."""
    found: list[Sequence[Any]] = []
    if limit > 0 and not gate.is_closed:
        campaign_id = run.campaign.campaign_id
        # Until it is known what became of its canary, a campaign has no other rows.
        (canary_is_open,) = db.one("canary_is_open", campaign_id=campaign_id)
        rooms, taken = gate.rooms, Counter[str]()
        for scope in [input_id] if input_id is not None else inputs_planned(db, run.campaign):
            if len(found) < limit:
                at_ms, rest = gate.at_ms or now_ms, limit - len(found)
                if canary_is_open:
                    rows = db.rows(
                        "canary_planned",
                        campaign_id=campaign_id,
                        input_id=scope,
                        now_ms=at_ms,
                        limit=rest if rooms is None else _ALL,
                        everywhere=gate.places is None,
                        places=list(gate.places or ()),
                    )
                    found += rows if rooms is None else senders.within(db, rows, rooms, taken, scope, rest)
                elif rooms is None:
                    found += _of_input(db, run, rest, at_ms, scope, gate, reached)
                else:
                    whoever = partial(_of_input, db, run, at_ms=at_ms, input_id=scope, gate=gate, reached=reached)
                    found += senders.planned(db, scope, rest, at_ms, gate, rooms, taken, whoever)
    return found


def _of_input(
    db: Db, run: Run, limit: int, at_ms: int, input_id: int, gate: Gate, reached: Reached
) -> Sequence[Sequence[Any]]:
    if gate.places is None:
        return db.rows("planned_rows", input_id=input_id, now_ms=at_ms, limit=limit)
    return _of_open_places(db, run, limit, at_ms, input_id, gate.places, reached)


def _of_open_places(
    db: Db, run: Run, limit: int, at_ms: int, input_id: int, places: Mapping[int, int], reached: Reached
) -> Sequence[Sequence[Any]]:
    """The first to close go first; of those that close together, the file's first."""
    together: dict[int, list[int]] = {}
    for place_id, closes_ms in places.items():
        together.setdefault(closes_ms, []).append(place_id)
    for closes_ms, group in together.items():
        key = (run.run_id, input_id, closes_ms)
        after = reached.get(key, 0)
        if after is not None:
            found = db.rows(
                "planned_rows_behind", input_id=input_id, now_ms=at_ms, limit=limit, places=group, after=after
            )
            reached[key] = found[-1][0] if found else None
            if found:
                return found
        # What came back since then, and what has become due.
        found = db.rows("planned_rows_at", input_id=input_id, now_ms=at_ms, limit=limit, places=group)
        if found:
            return found
    return []


def _begin(
    db: Db,
    chunks: ChunkReader,
    run: Run,
    found: Sequence[Sequence[Any]],
    *,
    now_ms: int,
    dispatch_id: Callable[[str], str] | None,
    gate: Gate,
) -> list[GrantedRow]:
    """Intents for rows that are `planned`."""
    row_ids = [row[0] for row in found]
    ids = [dispatch_id(row[1]) for row in found] if dispatch_id else [""] * len(found)
    intents: list[int | str] = []
    for (*_, identity, attempts, _, _), own_id in zip(found, ids, strict=True):
        intents += (identity, attempts + 1, own_id)
    begun = db.update("attempts_begin", 3, intents, run_id=run.run_id, now_ms=now_ms)
    sending = db.run("rows_begin", row_ids=row_ids)
    attempt_ids = [attempt_id for (attempt_id,) in db.rows("attempts_begun", row_ids=row_ids)]
    if not begun == sending == len(attempt_ids) == len(found):
        raise LedgerCorrupt(
            "the index of planned rows does not agree with the rows", fix="restore a copy of the ledger"
        )
    # Only a row that has an attempt that counts can have been unknown.
    absent = unresolved.absent_attempts(db, [identity for *_, identity, counted, _, _ in found if counted])
    moves: tallies.Moves = Counter()
    for scope, n in Counter([row_id >> ROW_NUMBER_BITS for row_id in row_ids]).items():
        moves.update(tallies.moved(scope, _PLANNED, _SENDING, n))
    tallies.add(db, moves)
    cells = chunks.cells
    return [
        GrantedRow(
            row_id,
            attempt_id,
            row_id >> ROW_NUMBER_BITS,
            row_id & ROW_NUMBER_MASK,
            key,
            to or key,
            sender,
            cells(db, row_id),
            own_id or None,
            absent.get(identity, ()),
            _leave_by_ms(gate, place_id, not_after_ms),
        )
        for attempt_id, (row_id, key, to, sender, identity, _, not_after_ms, place_id), own_id in zip(
            attempt_ids, found, ids, strict=True
        )
    ]


def _leave_by_ms(gate: Gate, place_id: int, not_after_ms: int) -> int:
    closes_ms = 0 if gate.places is None else gate.places[place_id]
    return min(closes_ms, not_after_ms) if closes_ms and not_after_ms else closes_ms or not_after_ms


def check_lease(db: Db, run: Run) -> None:
    """Raises: LeaseLost where another run has taken the account over."""
    (epoch,) = db.one("account_epoch", account_id=run.campaign.account.account_id)
    _check_epoch(run, epoch)


def check_claim(db: Db, run: Run, limit: int, input_id: int | None) -> None:
    """As `check_lease`, and for a campaign that is paused. Nothing is refused where nothing would be sent.

    Raises: LeaseLost; CampaignPaused where rows wait to be sent, or (`limit` 0) have been granted and are about to be.
    """
    campaign = run.campaign
    epoch, wish = db.one("claim_check", account_id=campaign.account.account_id, campaign_id=campaign.campaign_id)
    _check_epoch(run, epoch)
    if wish == wishes.PAUSE:
        held, waiting = wishes.wish_of(db, campaign.campaign_id).pause, inputs_planned(db, campaign)
        if held is not None and (limit == 0 or (waiting if input_id is None else input_id in waiting)):
            raise wishes.refusal(campaign.name, held)


def _check_epoch(run: Run, epoch: int) -> None:
    if epoch != run.epoch:
        raise LeaseLost(fix="nothing: the other run goes on with the campaign")


def inputs_planned(db: Db, campaign: CampaignRecord) -> list[int]:
    """The campaign's inputs that have rows to send, oldest first."""
    return [input_id for (input_id,) in db.rows("inputs_planned", campaign_id=campaign.campaign_id)]


def next_due_ms(db: Db, campaign: CampaignRecord, input_id: int | None) -> int | None:
    """When the next waiting row may be sent; None: no row waits for a time."""
    scopes = [input_id] if input_id is not None else inputs_planned(db, campaign)
    times = [db.one("planned_next", input_id=scope)[0] for scope in scopes]
    return min((at for at in times if at is not None), default=None)


def first_due_ms(db: Db, campaign: CampaignRecord, input_id: int | None) -> int | None:
    """When the first planned row may be sent by itself (0: at once); None: none is planned."""
    scopes = [input_id] if input_id is not None else inputs_planned(db, campaign)
    times = [db.one("planned_first", input_id=scope)[0] for scope in scopes]
    return min((at for at in times if at is not None), default=None)


def end(db: Db, ends: Sequence[AttemptEnd], before: RowState) -> None:
    """Complete attempts and move their rows out of the state `before`. Raises: RowsMoved."""
    groups: dict[tuple[Outcome, bool], list[AttemptEnd]] = {}
    # Nearly all have one outcome; the hash of an enumeration's member costs more than the comparison.
    outcome, waits, group = Outcome.created, False, groups.setdefault((Outcome.created, False), [])
    for item in ends:
        if item.outcome is not outcome or (item.not_before_ms is not None) is not waits:
            outcome, waits = item.outcome, item.not_before_ms is not None
            group = groups.setdefault((outcome, waits), [])
        group.append(item)
    moves: tallies.Moves = Counter()
    for (outcome, waits), group in groups.items():
        after = RowState.planned if waits else STATE_AFTER[outcome]
        if _move(db, outcome, group, before, after, plain=after in _NOT_CREATED) != len(group):
            raise RowsMoved
        for input_id, n in Counter([item[0] >> ROW_NUMBER_BITS for item in group]).items():
            moves.update(tallies.moved(input_id, before.value, after.value, n))
    tallies.add(db, moves)


def end_one_by_one(db: Db, ends: Iterable[AttemptEnd], before: Sequence[RowState]) -> None:
    """As `end`, for rows that may have moved meanwhile.

    A row in one of the states `before` takes its outcome, be it late and under another number; any other has moved on
    and is left alone. A row of which nothing was created and that carries a reason not to be sent (cancelled, say, or
    suppressed in a newer file) goes where that belongs.
    """
    moves: tallies.Moves = Counter()
    for item in ends:
        found = db.first("row_of_attempt", row_id=item.row_id, attempt_id=item.attempt_id)
        row_id, state, reason = found or (0, "", None)
        if state not in before:
            continue
        after = RowState.planned if item.not_before_ms is not None else STATE_AFTER[item.outcome]
        if after in _NOT_CREATED and reason is not None:
            after = Reason(reason).state
        _move(db, item.outcome, [item._replace(row_id=row_id)], RowState(state), after, plain=False)
        moves.update(tallies.moved(row_id >> ROW_NUMBER_BITS, state, after.value, 1))
    tallies.add(db, moves)


def _move(
    db: Db,
    outcome: Outcome,
    group: Sequence[AttemptEnd],
    before: RowState,
    after: RowState,
    *,
    plain: bool,
) -> int:
    """Move rows that share an outcome; `plain`: only those without a reason. Returns how many rows moved."""
    rows: list[int | str] = []
    attempts: list[int | str] = []
    for (
        row_id,
        attempt_id,
        _,
        sent_ms,
        ended_ms,
        execution_sid,
        http_status,
        error_code,
        error_message,
        request_id,
        found_by,
        not_before_ms,
        _,
    ) in group:
        rows += (row_id, attempt_id, not_before_ms or 0)
        attempts += (
            attempt_id,
            sent_ms or 0,
            ended_ms,
            http_status or 0,
            error_code or 0,
            error_message or "",
            execution_sid or "",
            request_id or "",
            found_by._value_ if found_by else "",
        )
    # An unknown attempt was counted when it became unknown.
    counted = before is RowState.sending and outcome not in _FREE
    moved = db.update(
        "rows_end", 3, rows, after=after.value, counted=counted, before=before.value, reasons_too=not plain
    )
    if moved == len(group):
        # When the request of a process that died has left is not known: at the latest when that was found out.
        late = before is RowState.unknown and outcome is Outcome.not_sent
        db.update("attempts_end", 9, attempts, outcome=outcome.value, late=late)
    return moved

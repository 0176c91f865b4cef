"""Attempts: begun before their request leaves, ended by what it proved. Rows move in the same transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

import orjson

from dispatcher.errors import LeaseLost, LedgerCorrupt
from dispatcher.ledger import tallies
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ROW_NUMBER_MASK, ChunkReader, id_range
from dispatcher.ledger.records import AttemptEnd, CampaignRecord, GrantedRow, Run, UnknownRow
from dispatcher.ledger.sqlite.queries import queries, update_values
from dispatcher.model import STATE_AFTER, Outcome, Reason, RowState

_PLANNED, _SENDING, _UNKNOWN = RowState.planned.value, RowState.sending.value, RowState.unknown.value
#: An attempt that ends like this costs none: the request was not processed, or never left.
_FREE = (Outcome.throttled, Outcome.not_sent)


class RowsMoved(Exception):
    """Some rows are not where their outcomes expect them: nothing is written; end them one by one."""


def begin(
    db: sqlite3.Connection, chunks: ChunkReader, run: Run, limit: int, *, now_ms: int, input_id: int | None
) -> list[GrantedRow]:
    """Write the intents for up to `limit` planned rows; see `protocol.Ledger.begin_rows`."""
    sql = queries()
    epoch, last_id = db.execute(sql["begin_check"], {"account_id": run.campaign.account.account_id}).fetchone()
    if epoch != run.epoch:
        raise LeaseLost(fix="nothing: the other run goes on with the campaign")
    found: list[tuple[int, str, str | None, str | None]] = []
    for scope in [input_id] if input_id is not None else inputs_planned(db, run.campaign):
        if len(found) < limit:
            values = {"input_id": scope, "now_ms": now_ms, "limit": limit - len(found)}
            found += orjson.loads(db.execute(sql["planned_rows"], values).fetchone()[0])
    if not found:
        return []
    row_ids = [row[0] for row in found]
    intents = {
        "first_id": last_id + 1,
        "row_ids": orjson.dumps(row_ids).decode(),
        "run_id": run.run_id,
        "now_ms": now_ms,
    }
    begun = db.execute(sql["attempts_begin"], intents).rowcount
    sending = db.execute(sql["rows_begin"], intents).rowcount
    if not begun == sending == len(found):
        raise LedgerCorrupt(
            "the index of planned rows does not agree with the rows", fix="restore a copy of the ledger"
        )
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
            now_ms,
        )
        for attempt_id, (row_id, key, to, sender) in enumerate(found, start=last_id + 1)
    ]


def inputs_planned(db: sqlite3.Connection, campaign: CampaignRecord) -> list[int]:
    """The campaign's inputs that have rows to send, oldest first."""
    rows = db.execute(queries()["inputs_planned"], {"campaign_id": campaign.campaign_id}).fetchall()
    return [input_id for (input_id,) in rows]


def end(db: sqlite3.Connection, ends: Sequence[AttemptEnd], before: RowState) -> None:
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
        if _move(db, outcome, group, before, after, plain=after is RowState.planned) != len(group):
            raise RowsMoved
        for input_id, n in Counter([item[0] >> ROW_NUMBER_BITS for item in group]).items():
            moves.update(tallies.moved(input_id, before.value, after.value, n))
    tallies.add(db, moves)


def end_one_by_one(db: sqlite3.Connection, ends: Iterable[AttemptEnd], before: Sequence[RowState]) -> None:
    """As `end`, for rows that may have moved meanwhile.

    A row in one of the states `before` takes its outcome, be it late and under another number; any other has moved on
    and is left alone. A row that would be planned again and carries a reason not to (cancelled, say) goes where that
    belongs.
    """
    moves: tallies.Moves = Counter()
    for item in ends:
        values = {"row_id": item.row_id, "attempt_id": item.attempt_id}
        row_id, state, reason = db.execute(queries()["row_of_attempt"], values).fetchone() or (0, "", None)
        if state not in before:
            continue
        after = RowState.planned if item.not_before_ms is not None else STATE_AFTER[item.outcome]
        if after is RowState.planned and reason is not None:
            after = Reason(reason).state
        _move(db, item.outcome, [item._replace(row_id=row_id)], RowState(state), after, plain=False)
        moves.update(tallies.moved(row_id >> ROW_NUMBER_BITS, state, after.value, 1))
    tallies.add(db, moves)


def _move(
    db: sqlite3.Connection,
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
        _,
        left_ms,
        ended_ms,
        execution_sid,
        http_status,
        error_code,
        error_message,
        request_id,
        found_by,
        not_before_ms,
    ) in group:
        rows += (row_id, attempt_id, not_before_ms or 0)
        attempts += (
            attempt_id,
            left_ms or 0,
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
    moved = update_values(db, "rows_end", 3, rows, (after.value, counted), (before.value, not plain))
    if moved == len(group):
        # When the request of a process that died has left is not known: at the latest when that was found out.
        late = before is RowState.unknown and outcome is Outcome.not_sent
        update_values(db, "attempts_end", 9, attempts, (outcome.value, late), ())
    return moved


def unknown(db: sqlite3.Connection, input_ids: Iterable[int]) -> list[UnknownRow]:
    """The rows in doubt of these inputs."""
    return [
        UnknownRow(
            row_id=row_id,
            attempt_id=attempt_id,
            input_id=row_id >> ROW_NUMBER_BITS,
            row_number=row_id & ROW_NUMBER_MASK,
            row_key=key,
            to_address=to,
            from_address=sender,
            begun_at_ms=begun_ms,
            ended_at_ms=ended_ms,
            error_message=message,
            run_id=run_id,
            clock_skew_ms=skew_ms,
        )
        for input_id in input_ids
        for row_id, attempt_id, key, to, sender, begun_ms, ended_ms, message, run_id, skew_ms in db.execute(
            queries()["unknown_rows"], id_range(input_id)
        )
    ]


def note_unknown(db: sqlite3.Connection, notes: Iterable[tuple[int, str]]) -> None:
    """Keep the evidence of attempts that stay unknown."""
    flat: list[int | str] = []
    for note in notes:
        flat += note
    update_values(db, "note_unknown", 2, flat, (), ())

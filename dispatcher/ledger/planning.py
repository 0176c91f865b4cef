"""How a file's rows come into a campaign: loaded beside it, then joined to it in one transaction."""

from __future__ import annotations

import sqlite3
from itertools import islice

import orjson

from dispatcher.ledger import chunks
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ChunkReader, id_range
from dispatcher.ledger.queries import queries
from dispatcher.model import PlanCounts, RowBatch, RowState, empty_counts

#: Rows in one INSERT: three times as fast as a statement per row.
ROWS_PER_INSERT = 100


def load(db: sqlite3.Connection, input_id: int, batch: RowBatch) -> None:
    """Insert a batch's rows and cells."""
    sql = queries()
    plain: list[int | str] = []
    special = []
    base = input_id << ROW_NUMBER_BITS
    reasons, times = batch.reasons, batch.not_before_ms
    for position, (number, key, state, to, sender) in enumerate(
        zip(batch.row_numbers, batch.row_keys, batch.states, batch.to_addresses, batch.from_addresses, strict=True)
    ):
        if key is not None and sender is None and state == "planned" and to == key and position not in times:
            plain += (base | number, key)
        else:
            code, column, sentence = reasons.get(position, (None, None, None))
            special.append(
                (
                    base | number,
                    key,
                    state,
                    None if to == key else to,
                    sender,
                    times.get(position, 0),
                    code,
                    column,
                    sentence,
                )
            )
    full = queries()["rows_insert_plain"].format(values=",".join(["(?,?)"] * ROWS_PER_INSERT))
    width = 2 * ROWS_PER_INSERT
    whole = len(plain) - len(plain) % width
    for start in range(0, whole, width):
        db.execute(full, plain[start : start + width])
    rest = iter(plain[whole:])
    one = sql["rows_insert_plain"].format(values="(?,?)")
    while pair := tuple(islice(rest, 2)):
        db.execute(one, pair)
    if special:
        db.executemany(sql["rows_insert"], special)
    db.executemany(sql["chunk_insert"], chunks.encode(input_id, batch))


def discard(db: sqlite3.Connection, input_id: int) -> None:
    """Remove the rows of a load that was cut short. Its number stays used."""
    sql, ids = queries(), id_range(input_id)
    db.execute(sql["input_delete_rows"], ids)
    db.execute(sql["input_delete_chunks"], ids)
    db.execute(sql["input_delete_tallies"], {"input_id": input_id})


def finish(
    db: sqlite3.Connection, *, campaign_id: int, input_id: int, keyed: int, earlier: list[int], sha256: str, now_ms: int
) -> PlanCounts:
    """Join a loaded file to its campaign: duplicates are skipped, rows the campaign has go on with their history.

    `keyed`: how many of its rows have a key; `earlier`: the campaign's inputs before it.
    """
    sql, ids = queries(), id_range(input_id)
    claimed = db.execute(sql["keys_claim"], {"campaign_id": campaign_id, **ids}).rowcount
    corrected = 0
    if claimed < keyed:
        corrected = _join(db, campaign_id, input_id)
    for other in earlier:
        _trim(db, other)
    db.execute(sql["input_tally"], {"input_id": input_id, **ids})
    db.execute(sql["input_ready"], {"input_id": input_id, "sha256": sha256, "now_ms": now_ms})
    db.execute(sql["campaign_set_input"], {"campaign_id": campaign_id, "input_id": input_id})
    rows, left_planned = empty_counts(), 0
    for tallied_input, state, n in db.execute(sql["tallies_of_campaign"], {"campaign_id": campaign_id}):
        if tallied_input == input_id:
            rows[RowState(state)] = n
        elif state == RowState.planned:
            left_planned += n
    reasons = dict(db.execute(sql["input_reasons"], ids).fetchall())
    return PlanCounts(
        input_id=input_id,
        total=sum(rows.values()),
        rows=rows,
        reasons=reasons,
        new=claimed,
        corrected=corrected,
        left_planned=left_planned,
    )


def _join(db: sqlite3.Connection, campaign_id: int, input_id: int) -> int:
    """Rows whose key is taken: by a row of this file (duplicates) or of an earlier one (the same row again).

    Returns how many refused rows the user has corrected.
    """
    sql, ids = queries(), id_range(input_id)
    db.execute(sql["clashes_drop"])
    db.execute(sql["takeovers_drop"])
    db.execute(sql["corrected_drop"])
    db.execute(sql["clashes_create"], {"campaign_id": campaign_id, **ids})
    db.execute(sql["takeovers_create"], ids)
    db.execute(sql["takeovers_index"])
    db.execute(sql["duplicates_mark"])
    db.execute(sql["takeovers_corrected"])
    corrected = _corrected(db)
    db.executemany(sql["corrected_insert"], [(new_id,) for new_id in corrected])
    db.execute(sql["takeovers_keep"])
    db.execute(sql["takeovers_renew"])
    db.execute(sql["takeovers_rekey"], {"campaign_id": campaign_id})
    db.execute(sql["takeovers_delete_old"])
    for name in ("clashes_drop", "takeovers_drop", "corrected_drop"):
        db.execute(sql[name])
    return len(corrected)


def _corrected(db: sqlite3.Connection) -> list[int]:
    """Rows that Studio refused and whose cells have changed since: the user has corrected them."""
    sql, old_cells, new_cells = queries(), ChunkReader(), ChunkReader()
    headers: dict[int, list[str]] = {}

    def named(reader: ChunkReader, row_id: int) -> dict[str, str]:
        input_id = row_id >> ROW_NUMBER_BITS
        if input_id not in headers:
            headers[input_id] = _header(db, input_id)
        return dict(zip(headers[input_id], reader.cells(db, row_id), strict=False))

    pairs = db.execute(sql["takeovers_rejected"]).fetchall()
    return [new_id for new_id, old_id in pairs if named(new_cells, new_id) != named(old_cells, old_id)]


def _header(db: sqlite3.Connection, input_id: int) -> list[str]:
    header: list[str] = orjson.loads(db.execute(queries()["input_header"], {"input_id": input_id}).fetchone()[0])
    return header


def _trim(db: sqlite3.Connection, input_id: int) -> None:
    """An earlier file after a newer one: unsendable lines go, and cells nobody needs any more."""
    sql, ids = queries(), id_range(input_id)
    db.execute(sql["earlier_delete_unsendable"], ids)
    db.execute(sql["input_delete_tallies"], {"input_id": input_id})
    if db.execute(sql["input_has_rows"], ids).fetchone()[0]:
        db.execute(sql["input_tally"], {"input_id": input_id, **ids})
    else:
        db.execute(sql["input_delete_chunks"], ids)

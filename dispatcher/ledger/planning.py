"""How a file's rows come into a campaign: loaded beside it, then joined to it in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import lt
from typing import Any

import orjson

from dispatcher.ledger import changed, chunks, contacted, places, reading, removing, restoring, suppressed, tallies
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ChunkReader, id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import CampaignRecord, EarlierRows, InputRecord, NewInput, PlanCounts, RowBatch
from dispatcher.model import Reason, RowState, empty_counts

_PLANNED, _SKIPPED = RowState.planned.value, RowState.skipped.value


def begin(db: Db, campaign: CampaignRecord, new: NewInput, now_ms: int) -> InputRecord:
    """Make room for a file, and remove the rows of loads that were cut short. Raises: CampaignMismatch."""
    key_columns = None if new.key_columns is None else orjson.dumps(new.key_columns).decode()
    removing.check_key(db, campaign, key_columns)
    for (left_over,) in db.rows("inputs_unfinished", campaign_id=campaign.campaign_id):
        db.run("input_delete_rows", **id_range(left_over))
        db.run("input_delete_chunks", **id_range(left_over))
        db.run("input_delete_tallies", input_id=left_over)
    (input_id,) = db.one(
        "input_insert",
        campaign_id=campaign.campaign_id,
        source=new.source,
        header=orjson.dumps(new.header).decode(),
        parameter_columns=orjson.dumps(new.parameter_columns).decode(),
        parameter_constants=orjson.dumps(new.parameter_constants).decode(),
        from_address=new.from_address,
        folder=new.folder,
        key_columns=key_columns,
        now_ms=now_ms,
    )
    return InputRecord(
        input_id=input_id,
        campaign_id=campaign.campaign_id,
        source=new.source,
        sha256="",
        header=new.header,
        parameter_columns=new.parameter_columns,
        parameter_constants=new.parameter_constants,
        from_address=new.from_address,
        folder=new.folder,
    )


def inputs(db: Db, campaign_id: int) -> list[InputRecord]:
    """A campaign's inputs that were planned whole, oldest first."""
    return [
        InputRecord(
            input_id=row[0],
            campaign_id=row[1],
            source=row[2],
            sha256=row[3],
            header=tuple(orjson.loads(row[4])),
            parameter_columns=orjson.loads(row[5]),
            parameter_constants=orjson.loads(row[6]),
            from_address=row[7],
            folder=row[8],
        )
        for row in db.rows("inputs_ready", campaign_id=campaign_id)
    ]


def load(db: Db, input_id: int, batch: RowBatch) -> None:
    """Insert a batch's rows and cells."""
    numbers, keys, rows = batch.row_numbers, batch.row_keys, len(batch.row_numbers)
    columns = (keys, batch.states, batch.to_addresses, batch.from_addresses, batch.cells, batch.places or keys)
    if any(len(column) != rows for column in columns):
        raise ValueError("the columns of a batch have different lengths")
    if not rows:
        return
    consecutive = range(numbers[0], numbers[0] + rows)
    follow = numbers == consecutive or list(numbers) == list(consecutive)
    if not follow and not all(map(lt, numbers, numbers[1:])):
        raise ValueError("the rows of a batch are not in the file's order")
    if "" in keys:
        raise ValueError("an empty key")
    nulls = keys.count(None)
    planned = batch.states.count(_PLANNED)
    # Looked at as whole columns, since nearly all files are all of the plain kind.
    if (
        follow
        and nulls == 0
        and planned == rows
        and not batch.not_before_ms
        and not batch.not_after_ms
        and batch.from_addresses.count(None) == rows
        and list(keys) == list(batch.to_addresses)
    ):
        first_id = chunks.row_id(input_id, numbers[0])
        if batch.places is None:
            db.run("rows_insert_keys", first_id=first_id, keys=list(keys))
        else:
            placed = [[key, place_id] for key, place_id in zip(keys, places.ids(db, batch.places), strict=True)]
            db.run("rows_insert_placed", first_id=first_id, placed=placed)
    else:
        place_ids = [0] * rows if batch.places is None else places.ids(db, batch.places)
        db.insert("rows_insert", 11, _columns(input_id, batch, place_ids))
    flat: list[int | bytes] = []
    for chunk in chunks.encode(input_id, batch, follow):
        flat += chunk
    db.insert("chunks_insert", 2, flat)
    states = {_PLANNED: rows} if planned == rows else Counter(map(str, batch.states))
    tallies.add(db, Counter({(input_id, state): n for state, n in states.items()}))
    own_senders = batch.from_addresses.count(None) < rows
    db.run("input_loaded", input_id=input_id, keyed=rows - nulls, own_senders=own_senders)


def _columns(input_id: int, batch: RowBatch, place_ids: Sequence[int]) -> list[Any]:
    """The parameters of rows_insert, one row after the other."""
    base, rows = input_id << ROW_NUMBER_BITS, len(batch.row_numbers)
    flat: list[Any] = [""] * (11 * rows)
    flat[0::11] = [base | number for number in batch.row_numbers]
    flat[1::11] = [key or "" for key in batch.row_keys]
    flat[2::11] = map(str, batch.states)
    flat[3::11] = [
        "" if to is None or to == key else to for to, key in zip(batch.to_addresses, batch.row_keys, strict=True)
    ]
    flat[4::11] = [sender or "" for sender in batch.from_addresses]
    flat[5::11] = [0] * rows
    for position, time_ms in batch.not_before_ms.items():
        flat[11 * position + 5] = time_ms
    for position, (code, column, sentence) in batch.reasons.items():
        flat[11 * position + 6 : 11 * position + 9] = code.value, column or "", sentence
    flat[9::11] = place_ids
    flat[10::11] = [0] * rows
    for position, time_ms in batch.not_after_ms.items():
        flat[11 * position + 10] = time_ms
    return flat


def account_of(db: Db, input_id: int) -> int:
    """The account whose file it is."""
    account_id: int = db.one("input_get", input_id=input_id)[1]
    return account_id


def finish(
    db: Db,
    input_id: int,
    sha256: str,
    now_ms: int,
    *,
    repeat_after_ms: int,
    skip_repeats: bool,
    earlier: EarlierRows,
    remove_share_max: float | None,
    list_ids: Collection[int],
) -> PlanCounts:
    """Join a loaded file to its campaign: duplicates are skipped, rows the campaign has go on with their history."""
    ids = id_range(input_id)
    name, account_id, previous_id, keyed, key_columns, old_key_columns, sender, own_senders = db.one(
        "input_get", input_id=input_id
    )
    campaign = reading.campaign_of(db, name, account_id)
    campaign_id = campaign.campaign_id
    waited = removing.planned_before(db, campaign_id, input_id)
    # After this the file's rows count: what is loaded is whole.
    if not db.run("input_ready", input_id=input_id, sha256=sha256, now_ms=now_ms):
        raise ValueError("the input is planned already")
    if own_senders and sender is not None:
        db.run("rows_fill_senders", sender=sender, **ids)
    restored = restoring.restore(db, campaign, input_id)
    claimed = db.run("keys_claim", campaign_id=campaign_id, **ids)
    corrected = 0
    thinned = set() if previous_id is None else {previous_id}
    if claimed < keyed:
        corrected = _join(db, campaign_id, input_id, thinned, restored)
    if earlier is not EarlierRows.kept:
        for (other,) in db.rows("inputs_with_left_out", campaign_id=campaign_id, input_id=input_id):
            db.run("keyless_untally", input_id=other, **id_range(other))
            db.run("keyless_delete", **id_range(other))
            thinned.add(other)
    for other in thinned:
        if not db.one("input_has_rows", **id_range(other))[0]:
            db.run("input_delete_chunks", **id_range(other))
    since_ms = now_ms - repeat_after_ms if repeat_after_ms else None
    applying = suppressed.applying(db, account_id, list_ids)
    repeats = contacted.plan(db, campaign, input_id, since_ms, skip_repeats=skip_repeats, applying=applying)
    db.run("campaign_set_input", campaign_id=campaign_id, input_id=input_id)
    db.run("wish_unsettle", campaign_id=campaign_id)
    if key_columns is not None:
        db.run("campaign_set_key", campaign_id=campaign_id, key_columns=key_columns)
    if old_key_columns is not None and key_columns not in (None, old_key_columns):
        # Nothing was sent yet, and the rows that wait are other rows than this file's, be they the same people.
        db.run("input_set_removes", input_id=input_id)
        removing.remove(db, campaign)
    missing = removing.plan(db, campaign_id, input_id, earlier, waited=waited, share_max=remove_share_max)
    rows, left_planned = empty_counts(), 0
    for tallied_input, state, n in db.rows("tallies_of_campaign", campaign_id=campaign_id):
        if tallied_input == input_id:
            rows[RowState(state)] = n
        elif state == RowState.planned:
            left_planned += n
    refused = rows[RowState.invalid] + rows[RowState.skipped]
    return PlanCounts(
        input_id=input_id,
        total=sum(rows.values()),
        rows=rows,
        reasons=dict(map(tuple, db.rows("input_reasons", **ids))) if refused else {},
        new=claimed,
        corrected=corrected,
        left_planned=left_planned - missing,
        missing=missing,
        repeats=0 if skip_repeats else repeats,
        changed=changed.count(db, campaign_id),
    )


def _join(db: Db, campaign_id: int, input_id: int, thinned: set[int], restored: Collection[int]) -> int:
    """Rows whose key is taken: by a row of this file (duplicates) or of an earlier one (the same row again).

    Adds the inputs that lose rows to `thinned`. `restored`: rows whose cells were forgotten. Returns how many refused
    rows the user has corrected.
    """
    ids = id_range(input_id)
    _drop_temporary(db)
    db.run("clashes_create", campaign_id=campaign_id, **ids)
    db.run("continued_create", first=ids["first"])
    db.run("continued_index")
    db.run("duplicates_mark")
    db.run("continued_known")
    known = {record.input_id: record for record in inputs(db, campaign_id)}
    corrected = _corrected(db, known, restored)
    db.run("differing_create")
    changed.keep(db, known, input_id)
    db.run("corrected_create", new_ids=corrected)
    db.run("continued_keep_addresses")
    db.run("continued_keep")
    db.run("continued_renew")
    db.run("continued_rekey", campaign_id=campaign_id)
    db.run("continued_untally")
    thinned.update(other for (other,) in db.rows("continued_inputs"))
    db.run("continued_delete_old")
    _drop_temporary(db)
    db.run("input_delete_tallies", input_id=input_id)
    db.run("input_recount", input_id=input_id, **ids)
    return len(corrected)


def _drop_temporary(db: Db) -> None:
    db.run("clashes_drop")
    db.run("continued_drop")
    db.run("corrected_drop")
    db.run("differing_drop")


def _corrected(db: Db, known: Mapping[int, InputRecord], restored: Collection[int]) -> list[int]:
    """Refused rows of which something else would be sent now: rejected ones, and busy ones with another contact."""
    old_cells, new_cells = ChunkReader(), ChunkReader()

    def parameters(reader: ChunkReader, row_id: int) -> dict[str, str]:
        return known[row_id >> ROW_NUMBER_BITS].parameters(reader.cells(db, row_id))

    def sender(row_id: int, own: str | None) -> str | None:
        return known[row_id >> ROW_NUMBER_BITS].sender(own)

    corrected = []
    for new_id, old_id, state, old_to, old_from, new_to, new_from in db.rows("continued_refused"):
        changed = old_to != new_to or sender(old_id, old_from) != sender(new_id, new_from)
        if not changed and state == RowState.rejected and old_id not in restored:
            changed = parameters(old_cells, old_id) != parameters(new_cells, new_id)
        if changed:
            corrected.append(new_id)
    return corrected


def retry(
    db: Db,
    campaign: CampaignRecord,
    *,
    codes: Sequence[int],
    all_rejected: bool,
    busy: bool,
    skipped: Sequence[Reason],
    most: int | None = None,
) -> int:
    """Plan refused rows again, and those left out for these reasons, at most so many; returns how many."""
    moves: tallies.Moves = Counter()
    count = 0
    reasons = [reason.value for reason in skipped]
    for record in inputs(db, campaign.campaign_id):
        ids = id_range(record.input_id)
        if most is not None:
            if count >= most:
                break
            (last,) = db.one(
                "retry_last",
                rejected=all_rejected,
                coded=bool(codes),
                codes=list(codes),
                busy=busy,
                reasons=reasons,
                most=most - count,
                **ids,
            )
            ids = ids if last is None else {**ids, "last": last}
        again: dict[str, int] = {}
        if codes or all_rejected:
            again["rejected"] = db.run("retry_rejected", every=all_rejected, codes=list(codes), **ids)
        if busy:
            again["busy"] = db.run("retry_busy", **ids)
        if reasons:
            again[_SKIPPED] = db.run("retry_skipped", reasons=reasons, **ids)
            db.run("retry_skipped_open", reasons=reasons, **ids)
        for before, n in again.items():
            moves.update(tallies.moved(record.input_id, before, _PLANNED, n))
            count += n
    tallies.add(db, moves)
    if count:
        # They may go before those that wait.
        db.run("campaign_set_next", campaign_id=campaign.campaign_id, at_ms=None)
    return count


def cancel(db: Db, campaign: CampaignRecord, reason: str) -> int:
    """Take planned rows out; returns how many. Those on the wire or unknown follow if nothing was created."""
    moves: tallies.Moves = Counter()
    count = 0
    for record in inputs(db, campaign.campaign_id):
        n = db.run("cancel_rows", reason=reason, input_id=record.input_id)
        db.run("cancel_open", reason=reason, **id_range(record.input_id))
        moves.update(tallies.moved(record.input_id, _PLANNED, _SKIPPED, n))
        count += n
    tallies.add(db, moves)
    return count

"""Rows that are unknown, and what became of attempts that were: found, or held to have created nothing, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from dispatcher.ledger import tallies
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ROW_NUMBER_MASK, id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import AbsentAttempt, AttemptEnd, CampaignRecord, LastCreated, SentExecution, UnknownRow
from dispatcher.model import Absence, RowState

#: What an attempt's message is where a person has said that its row is to be sent again.
RISKED = "sent again at the user's own risk; before that: "


def rows(db: Db, input_ids: Iterable[int]) -> list[UnknownRow]:
    """The unknown rows of these inputs."""
    found = [row for input_id in input_ids for row in db.rows("unknown_rows", **id_range(input_id))]
    absent = absent_attempts(db, [identity for identity, *_ in found])
    return [
        UnknownRow(
            row_id=row_id,
            attempt_id=attempt_id,
            input_id=row_id >> ROW_NUMBER_BITS,
            row_number=row_id & ROW_NUMBER_MASK,
            row_key=key,
            to_address=to,
            begun_at_ms=begun_ms,
            ended_at_ms=ended_ms,
            run_id=run_id,
            clock_skew_ms=skew_ms,
            dispatch_id=own_id,
            http_status=http_status,
            absent=absent.get(identity, ()),
        )
        for (
            identity,
            row_id,
            attempt_id,
            key,
            to,
            begun_ms,
            ended_ms,
            run_id,
            skew_ms,
            own_id,
            http_status,
        ) in found
    ]


def absent_attempts(db: Db, identities: Sequence[int]) -> dict[int, tuple[AbsentAttempt, ...]]:
    """Of rows, by their identity: their attempts that were unknown once and count as not sent, oldest first."""
    found: dict[int, tuple[AbsentAttempt, ...]] = {}
    if identities:
        for identity, absence, begun_ms, own_id in db.rows("absent_attempts", identities=list(identities)):
            one = AbsentAttempt(Absence(absence), begun_ms, own_id)
            found[identity] = (*found.get(identity, ()), one)
    return found


def keep_absence(db: Db, ends: Iterable[AttemptEnd]) -> None:
    """Write why attempts count as not sent, in the transaction that ends them."""
    flat: list[int | str] = []
    for end in ends:
        if end.absence is not None:
            flat += (end.attempt_id, end.absence.value)
    if flat:
        db.update("attempts_absence", 2, flat)


def note(db: Db, notes: Iterable[tuple[int, str]]) -> None:
    """Keep the evidence of attempts that stay unknown."""
    flat: list[int | str] = []
    for one in notes:
        flat += one
    db.update("note_unknown", 2, flat)


def sent_executions(db: Db, sids: Collection[str], after: int) -> dict[str, SentExecution]:
    """Of these executions, those that attempts after `after` have created (and know it)."""
    return {
        sid: SentExecution(run_id, sent_ms)
        for sid, run_id, sent_ms in db.rows("sent_executions", sids=list(sids), after=after)
    }


def last_created(db: Db, campaign: CampaignRecord, after: int) -> LastCreated | None:
    """The newest execution of an account on a flow; see `protocol.Ledger.last_created`."""
    account_id = campaign.account.account_id
    found = db.first("last_created", after=after, account_id=account_id, flow_sid=campaign.flow_sid)
    if found is None:
        return None
    sid, run_id, sent_ms, answered_ms = found
    return LastCreated(sid, SentExecution(run_id, sent_ms), answered_ms)


def count_risks(db: Db, input_ids: Iterable[int]) -> int:
    """How many rows `risk` would plan again."""
    return sum(db.one("risk_count", **id_range(input_id))[0] for input_id in input_ids)


def risk(db: Db, campaign: CampaignRecord, input_ids: Iterable[int]) -> int:
    """Plan unknown rows again, though nothing proves that nothing was created; returns how many."""
    moves: tallies.Moves = Counter()
    count = 0
    for input_id in input_ids:
        ids = id_range(input_id)
        db.run("risk_attempts", risked=RISKED, absence=Absence.risked.value, **ids)
        n = db.run("risk_rows", **ids)
        moves.update(tallies.moved(input_id, RowState.unknown.value, RowState.planned.value, n))
        count += n
    tallies.add(db, moves)
    if count:
        # They may go before those that wait.
        db.run("campaign_set_next", campaign_id=campaign.campaign_id, at_ms=None)
    return count

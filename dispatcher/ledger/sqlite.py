"""The ledger in one SQLite file: WAL, synchronous=FULL, one writing thread with group commit."""

from __future__ import annotations

import difflib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from dispatcher.errors import CampaignMismatch, CampaignNotFound, LeaseLost, LedgerTooNew
from dispatcher.ledger import planning
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ROW_NUMBER_MASK, ChunkReader, id_range
from dispatcher.ledger.queries import queries, schema
from dispatcher.ledger.writer import Writer, mapped, mapped_os
from dispatcher.model import (
    STATE_AFTER,
    Account,
    AttemptEnd,
    CampaignRecord,
    CampaignStatus,
    GrantedRow,
    InputRecord,
    NewInput,
    Outcome,
    PlanCounts,
    ReportRow,
    RowBatch,
    RowState,
    Run,
    RunTotals,
    UnknownRow,
    empty_counts,
)

SCHEMA_VERSION = 1
#: Marks the file as ours: "dspt".
APPLICATION_ID = 0x64737074
FILE_NAME = "ledger.sqlite3"
BUSY_TIMEOUT_S = 30.0
CACHE_KIB = 32 * 1024
#: How many of the newest attempts are looked at for the window after a restart.
DEPARTURES_MAX = 50_000
REPORT_ROWS_PER_BATCH = 500
_STATES = {state.value: state for state in RowState}


class SqliteLedger:
    """See `protocol.Ledger`; this class adds only where the file lies."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._writer = Writer(connection)
        self._chunks = ChunkReader()
        self._keyed: dict[int, int] = {}

    @classmethod
    def open(cls, state_dir: Path, *, create: bool = True) -> SqliteLedger:
        """Open the ledger of a state folder, and make or upgrade it as needed. Blocking; a few ms.

        Raises: LedgerUnwritable, LedgerFull, LedgerCorrupt, LedgerTooNew; CampaignNotFound where `create` is off and
        there is none.
        """
        path = state_dir / FILE_NAME
        if not create and not path.exists():
            raise CampaignNotFound(
                "there is no ledger yet",
                found=f"no {FILE_NAME} in {state_dir}",
                fix="dispatcher run FILE, or set [state] dir",
            )
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise mapped_os(error) from error
        try:
            return cls(path, _connect(path))
        except sqlite3.Error as error:
            raise mapped(error) from error

    async def close(self) -> None:
        self._writer.close()

    # --- accounts and campaigns ---

    async def account(self, account_sid: str, base_url: str) -> Account:
        def work(db: sqlite3.Connection) -> Account:
            values = {"account_sid": account_sid, "base_url": base_url}
            db.execute(queries()["account_upsert"], values)
            row = db.execute(queries()["account_get"], values).fetchone()
            return Account(account_id=row[0], account_sid=row[1], base_url=row[2])

        return await self._writer.do(work)

    async def open_campaign(self, name: str, account: Account, flow_sid: str) -> CampaignRecord:
        def work(db: sqlite3.Connection) -> CampaignRecord:
            db.execute(
                queries()["campaign_insert"],
                {"name": name, "account_id": account.account_id, "flow_sid": flow_sid, "now_ms": _now_ms()},
            )
            campaign = _campaign(db.execute(queries()["campaign_get"], {"name": name}).fetchone())
            if campaign.account != account:
                raise CampaignMismatch(
                    f"campaign {name!r} belongs to another account",
                    found=f"{campaign.account.account_sid} at {campaign.account.base_url}",
                    fix=f"--campaign {name}-2, or set the account it belongs to",
                )
            if campaign.flow_sid != flow_sid:
                raise CampaignMismatch(
                    f"campaign {name!r} belongs to another flow",
                    found=campaign.flow_sid,
                    fix=f"--campaign {name}-2, or [campaign] flow = {campaign.flow_sid!r}",
                )
            return campaign

        return await self._writer.do(work)

    async def find_campaign(self, name: str) -> CampaignRecord:
        def work(db: sqlite3.Connection) -> CampaignRecord:
            row = db.execute(queries()["campaign_get"], {"name": name}).fetchone()
            if row is None:
                names = [record[1] for record in db.execute(queries()["campaign_list"])]
                near = difflib.get_close_matches(name, names, n=1)
                raise CampaignNotFound(
                    f"there is no campaign {name!r}",
                    found=", ".join(names[-10:]) or "an empty ledger",
                    fix=f"did you mean {near[0]!r}?" if near else "dispatcher status lists the campaigns",
                )
            return _campaign(row)

        return await self._writer.do(work)

    async def campaigns(self) -> list[CampaignRecord]:
        return await self._writer.do(lambda db: [_campaign(row) for row in db.execute(queries()["campaign_list"])])

    async def inputs(self, campaign: CampaignRecord) -> list[InputRecord]:
        return await self._writer.do(lambda db: _inputs(db, campaign.campaign_id))

    async def set_report_path(self, campaign: CampaignRecord, path: str) -> None:
        values = {"campaign_id": campaign.campaign_id, "path": path}
        await self._writer.do(lambda db: db.execute(queries()["campaign_set_report"], values))

    # --- planning ---

    async def begin_input(self, campaign: CampaignRecord, new: NewInput) -> InputRecord:
        def work(db: sqlite3.Connection) -> InputRecord:
            sql = queries()
            for (left_over,) in db.execute(sql["inputs_unfinished"], {"campaign_id": campaign.campaign_id}).fetchall():
                planning.discard(db, left_over)
            input_id = db.execute(
                sql["input_insert"],
                {
                    "campaign_id": campaign.campaign_id,
                    "source": new.source,
                    "header": orjson.dumps(new.header).decode(),
                    "parameter_columns": orjson.dumps(new.parameter_columns).decode(),
                    "parameter_constants": orjson.dumps(new.parameter_constants).decode(),
                    "from_address": new.from_address,
                    "now_ms": _now_ms(),
                },
            ).lastrowid
            assert input_id is not None
            return InputRecord(
                input_id=input_id,
                campaign_id=campaign.campaign_id,
                source=new.source,
                sha256="",
                header=new.header,
                parameter_columns=new.parameter_columns,
                parameter_constants=new.parameter_constants,
                from_address=new.from_address,
            )

        record = await self._writer.do(work)
        self._keyed[record.input_id] = 0
        return record

    async def load_rows(self, input_id: int, batch: RowBatch) -> None:
        await self._writer.do(lambda db: planning.load(db, input_id, batch))
        self._keyed[input_id] += len(batch.row_keys) - batch.row_keys.count(None)

    async def finish_input(self, input_id: int, sha256: str) -> PlanCounts:
        keyed = self._keyed.pop(input_id)

        def work(db: sqlite3.Connection) -> PlanCounts:
            (campaign_id,) = db.execute(queries()["input_campaign"], {"input_id": input_id}).fetchone()
            earlier = [record.input_id for record in _inputs(db, campaign_id)]
            return planning.finish(
                db,
                campaign_id=campaign_id,
                input_id=input_id,
                keyed=keyed,
                earlier=earlier,
                sha256=sha256,
                now_ms=_now_ms(),
            )

        return await self._writer.do(work)

    # --- sending ---

    async def start_run(self, campaign: CampaignRecord, *, window_limit: int, now_ms: int) -> Run:
        def work(db: sqlite3.Connection) -> Run:
            sql, account = queries(), {"account_id": campaign.account.account_id}
            db.execute(sql["account_take_over"], account)
            (epoch,) = db.execute(sql["account_epoch"], account).fetchone()
            left = [row_id for (row_id,) in db.execute(sql["recover_select"], account)]
            values = [{"row_id": row_id, "now_ms": now_ms} for row_id in left]
            db.executemany(sql["recover_attempts"], values)
            db.executemany(sql["recover_rows"], [{"row_id": row_id} for row_id in left])
            moves: Counter[tuple[int, str]] = Counter()
            for row_id in left:
                moves[row_id >> ROW_NUMBER_BITS, RowState.sending] -= 1
                moves[row_id >> ROW_NUMBER_BITS, RowState.unknown] += 1
            _tally(db, moves)
            run_id = db.execute(
                sql["run_insert"],
                {
                    "campaign_id": campaign.campaign_id,
                    "epoch": epoch,
                    "pid": os.getpid(),
                    "now_ms": now_ms,
                    "window_limit": window_limit,
                    **account,
                },
            ).lastrowid
            assert run_id is not None
            return Run(run_id=run_id, campaign=campaign, epoch=epoch, started_at_ms=now_ms, recovered=len(left))

        return await self._writer.do(work)

    async def stop_run(self, run: Run, *, now_ms: int, reason: str | None, totals: RunTotals) -> None:
        def work(db: sqlite3.Connection) -> None:
            _update_run(db, run, now_ms, totals)
            db.execute(queries()["run_stop"], {"run_id": run.run_id, "now_ms": now_ms, "reason": reason})

        await self._writer.do(work)

    async def begin_rows(self, run: Run, limit: int, *, now_ms: int, input_id: int | None) -> list[GrantedRow]:
        def work(db: sqlite3.Connection) -> list[GrantedRow]:
            sql = queries()
            (epoch,) = db.execute(sql["account_epoch"], {"account_id": run.campaign.account.account_id}).fetchone()
            if epoch != run.epoch:
                raise LeaseLost(fix="nothing: the other run goes on with the campaign")
            found: list[Any] = []
            for scope in _scopes(db, run.campaign, input_id):
                for query in ("planned_due", "planned_now"):
                    wanted = limit - len(found)
                    if wanted > 0:
                        values = {"now_ms": now_ms, "limit": wanted, **id_range(scope)}
                        found += db.execute(sql[query], values).fetchall()
            if not found:
                return []
            (last_id,) = db.execute(sql["attempt_last_id"]).fetchone()
            granted, attempts, begun = [], [], []
            moves: Counter[tuple[int, str]] = Counter()
            for attempt_id, (row_id, identity, key, to, sender, number) in enumerate(found, start=last_id + 1):
                row_input = row_id >> ROW_NUMBER_BITS
                attempts.append((attempt_id, identity or row_id, number + 1, run.run_id, now_ms))
                begun.append((attempt_id, row_id))
                moves[row_input, RowState.planned] -= 1
                moves[row_input, RowState.sending] += 1
                cells = self._chunks.cells(db, row_id)
                granted.append(
                    GrantedRow(
                        row_id, attempt_id, row_input, row_id & ROW_NUMBER_MASK, key, to or key, sender, cells, now_ms
                    )
                )
            db.executemany(sql["attempt_begin"], attempts)
            db.executemany(sql["row_begin"], begun)
            _tally(db, moves)
            return granted

        return await self._writer.do(work)

    async def end_rows(self, run: Run, ends: Sequence[AttemptEnd], *, now_ms: int, totals: RunTotals) -> None:
        def work(db: sqlite3.Connection) -> None:
            _end(db, ends, RowState.sending)
            _update_run(db, run, now_ms, totals)

        await self._writer.do(work)

    async def next_due_ms(self, campaign: CampaignRecord, input_id: int | None) -> int | None:
        def work(db: sqlite3.Connection) -> int | None:
            times = [
                db.execute(queries()["planned_next"], id_range(scope)).fetchone()[0]
                for scope in _scopes(db, campaign, input_id)
            ]
            return min((at for at in times if at is not None), default=None)

        return await self._writer.do(work)

    async def departures(self, account: Account, *, since_ms: int, now_ms: int) -> list[int]:
        def work(db: sqlite3.Connection) -> list[int]:
            values = {"account_id": account.account_id, "since_ms": since_ms, "newest": DEPARTURES_MAX}
            times = []
            for left_at, _, outcome in db.execute(queries()["departures"], values):
                if left_at is not None:
                    # A clock set back makes past departures look like future ones: count them as now.
                    times.append(min(left_at, now_ms))
                elif outcome is None or outcome == Outcome.unknown:
                    times.append(now_ms)
            return sorted(at for at in times if at >= since_ms)

        return await self._writer.do(work)

    # --- doubt ---

    async def unknown_rows(self, campaign: CampaignRecord) -> list[UnknownRow]:
        def work(db: sqlite3.Connection) -> list[UnknownRow]:
            return [
                UnknownRow(
                    row_id=row_id,
                    attempt_id=attempt_id,
                    input_id=row_id >> ROW_NUMBER_BITS,
                    row_number=row_id & ROW_NUMBER_MASK,
                    row_key=key,
                    to_address=to or key,
                    from_address=sender,
                    begun_at_ms=begun_at,
                    ended_at_ms=ended_at or begun_at,
                    error_message=message,
                )
                for scope in _scopes(db, campaign, None)
                for row_id, attempt_id, key, to, sender, begun_at, ended_at, message in db.execute(
                    queries()["unknown_rows"], id_range(scope)
                )
            ]

        return await self._writer.do(work)

    async def note_unknown(self, notes: Sequence[tuple[int, str]]) -> None:
        values = [(sentence, attempt_id) for attempt_id, sentence in notes]
        await self._writer.do(lambda db: db.executemany(queries()["note_unknown"], values))

    async def settle_rows(self, run: Run | None, ends: Sequence[AttemptEnd], *, now_ms: int) -> None:
        await self._writer.do(lambda db: _end(db, ends, RowState.unknown))

    # --- the user's word ---

    async def retry_rows(
        self,
        campaign: CampaignRecord,
        *,
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        cancelled: bool = False,
    ) -> int:
        wanted = (
            ["retry_rejected"] * bool(codes or all_rejected) + ["retry_busy"] * busy + ["retry_cancelled"] * cancelled
        )

        def work(db: sqlite3.Connection) -> int:
            moves: Counter[tuple[int, str]] = Counter()
            count = 0
            for scope in _scopes(db, campaign, None):
                values = {"all": all_rejected, "codes": orjson.dumps(list(codes)).decode(), **id_range(scope)}
                for query in wanted:
                    rows = db.execute(queries()[query], values).fetchall()
                    db.executemany(queries()["row_replan"], rows)
                    count += len(rows)
                    for _, state in rows:
                        moves[scope, state] -= 1
                        moves[scope, RowState.planned] += 1
            _tally(db, moves)
            return count

        return await self._writer.do(work)

    async def cancel_rows(self, campaign: CampaignRecord, reason: str) -> int:
        def work(db: sqlite3.Connection) -> int:
            moves: Counter[tuple[int, str]] = Counter()
            for scope in _scopes(db, campaign, None):
                n = db.execute(queries()["cancel_rows"], {"reason": reason, **id_range(scope)}).rowcount
                moves[scope, RowState.planned] -= n
                moves[scope, RowState.skipped] += n
            _tally(db, moves)
            return sum(n for (_, state), n in moves.items() if state == RowState.skipped)

        return await self._writer.do(work)

    # --- reading ---

    async def status(self, campaign: CampaignRecord) -> CampaignStatus:
        def work(db: sqlite3.Connection) -> CampaignStatus:
            values = {"campaign_id": campaign.campaign_id}
            row = db.execute(queries()["campaign_get"], {"name": campaign.name}).fetchone()
            current = _campaign(row)
            rows = empty_counts()
            earlier: Counter[RowState] = Counter()
            for input_id, state, n in db.execute(queries()["tallies_of_campaign"], values):
                if input_id == current.input_id:
                    rows[RowState(state)] = n
                else:
                    earlier[RowState(state)] += n
            requests, throttled, worst, first_ms, duration_ms = db.execute(queries()["runs_summary"], values).fetchone()
            latest = db.execute(queries()["run_latest"], values).fetchone()
            (report_path,) = db.execute(queries()["campaign_report_path"], values).fetchone()
            return CampaignStatus(
                campaign=current,
                rows=rows,
                earlier_rows=dict(earlier),
                attempts=requests - throttled,
                throttled=throttled,
                worst_window=worst,
                window_limit=latest[1] if latest else 0,
                first_started_at_ms=first_ms,
                duration_s=duration_ms / 1000,
                running=bool(latest) and latest[2] is None,
                stop_reason=latest[3] if latest else None,
                report_path=report_path,
            )

        return await self._writer.do(work)

    def report_rows(self, campaign: CampaignRecord, input_id: int) -> Iterator[list[ReportRow]]:
        try:
            db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
            db.execute("BEGIN")
            try:
                chunks = ChunkReader()
                cursor = db.execute(queries()["report_rows"], id_range(input_id))
                while rows := cursor.fetchmany(REPORT_ROWS_PER_BATCH):
                    yield _report_rows(db, chunks, rows)
            finally:
                db.close()
        except sqlite3.Error as error:
            raise mapped(error) from error


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S, cached_statements=256
    )
    try:
        # Every intent must survive a power cut: with synchronous=NORMAL a commit in WAL mode may be lost (sqlite.org/pragma.html).
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise LedgerTooNew(found=f"version {version}, this program knows {SCHEMA_VERSION}", fix="upgrade dispatcher")
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _statements(schema()):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _campaign(row: Any) -> CampaignRecord:
    return CampaignRecord(
        campaign_id=row[0],
        name=row[1],
        account=Account(account_id=row[2], account_sid=row[3], base_url=row[4]),
        flow_sid=row[5],
        created_at_ms=row[6],
        input_id=row[7],
    )


def _inputs(db: sqlite3.Connection, campaign_id: int) -> list[InputRecord]:
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
        )
        for row in db.execute(queries()["inputs_ready"], {"campaign_id": campaign_id})
    ]


def _scopes(db: sqlite3.Connection, campaign: CampaignRecord, input_id: int | None) -> list[int]:
    """The inputs that are meant: the one named, or all of the campaign."""
    if input_id is not None:
        return [input_id]
    return [row[0] for row in db.execute(queries()["inputs_ready"], {"campaign_id": campaign.campaign_id})]


def _tally(db: sqlite3.Connection, moves: Counter[tuple[int, str]]) -> None:
    db.executemany(queries()["tally_add"], [(input_id, state, n) for (input_id, state), n in moves.items() if n])


def _update_run(db: sqlite3.Connection, run: Run, now_ms: int, totals: RunTotals) -> None:
    db.execute(
        queries()["run_update"],
        {
            "run_id": run.run_id,
            "now_ms": now_ms,
            "requests": totals.requests,
            "throttled": totals.throttled,
            "worst_window": totals.worst_window,
        },
    )


def _end(db: sqlite3.Connection, ends: Sequence[AttemptEnd], from_state: RowState) -> None:
    """Complete attempts and move their rows out of `from_state`. A row that has moved meanwhile is left alone."""
    attempts = []
    # Rows that moved, one by one: the tallies must count what really changed.
    moves: Counter[tuple[int, str]] = Counter()
    row_sql = queries()["row_end"]
    for end in ends:
        state = RowState.planned if end.not_before_ms is not None else STATE_AFTER[end.outcome]
        # A 429 and a request that never left cost no attempt; an unknown one was counted when it became unknown.
        counted = int(from_state is RowState.sending and end.outcome not in (Outcome.throttled, Outcome.not_sent))
        changed = db.execute(
            row_sql, (state, counted, end.not_before_ms or 0, end.row_id, from_state, end.attempt_id)
        ).rowcount
        if not changed:
            continue
        moves[end.input_id, from_state] -= 1
        moves[end.input_id, state] += 1
        attempts.append(
            (
                end.outcome,
                end.left_at_ms,
                end.ended_at_ms,
                end.http_status,
                end.error_code,
                end.error_message,
                end.execution_sid,
                end.request_id,
                end.found_by,
                end.attempt_id,
            )
        )
    db.executemany(queries()["attempt_end"], attempts)
    _tally(db, moves)


def _report_rows(db: sqlite3.Connection, chunks: ChunkReader, rows: list[Any]) -> list[ReportRow]:
    # The query's columns stand in the order of ReportRow's fields: a million rows pass here, and tuples are what is fast.
    cells = chunks.cells
    return [
        ReportRow._make(
            (row_id, row_id >> ROW_NUMBER_BITS, row_id & ROW_NUMBER_MASK, cells(db, row_id), _STATES[state], *rest)
        )
        for row_id, state, *rest in rows
    ]

"""The engine: Procrastinate, and all that this program knows of it. It hands out hints, and may lose or repeat any.

Two kinds of jobs, whose arguments are numbers of the ledger and nothing else: `shift` in a queue for each account, and
`tick`, every few seconds. Its tables lie in the ledger's database, in a schema of their own.

As seen in its source (3.10): a worker of its ends at the first query that fails; a job that was being done then stays
so until another sees that its worker's heart has stopped. So whoever runs the engine begins it again (`Engine.run`
raises), and nothing here waits for a job's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import procrastinate
from procrastinate import exceptions, jobs
from procrastinate.schema import SchemaManager

from dispatcher.cluster.tick import queue_of
from dispatcher.errors import LedgerError, LedgerNotMigrated, LedgerUnreachable, LedgerUnwritable
from dispatcher.ledger.records import Account, CampaignRecord
from dispatcher.remedies import Command
from dispatcher.settings import Settings

SCHEMA = "procrastinate"
TICKS, SHIFT = "tick", "shift"
#: A worker of the engine's whose heart has not beaten for so long is dead; it beats three times in that time.
DEAD_S = 15.0
#: What has no answer by then never gets one: no query here takes longer.
QUERY_S = 20
#: Whoever only leaves a hint does not wait long for the server.
_CONNECT_S = 4
#: So long a connection is tried for, and waited for where others use it.
_OPEN_S = 5.0

#: What it logs has arguments of jobs and texts of the server's: what matters of it is told in this program's words.
for _name in ("procrastinate", "psycopg", "psycopg.pool"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

logger = logging.getLogger(__name__)


class Engine:
    """One process's part in it. Made by `opened`."""

    def __init__(self, connector: procrastinate.PsycopgConnector) -> None:
        self._connector = connector
        self._is_broken = False
        # Two, so that the shifts, which last for hours, never take a tick's place.
        self._ticks = procrastinate.App(connector=connector)
        self._shifts = procrastinate.App(connector=connector)

    async def run(
        self,
        queues: Sequence[str],
        *,
        most: int,
        tick_s: int,
        on_shift: Callable[[int, int], Awaitable[None]],
        on_tick: Callable[[], Awaitable[None]],
    ) -> None:
        """Do jobs until cancelled: ticks, and `most` shifts of these queues at once.

        `on_shift(account_id, campaign_id)` is cancelled with this, or when the server is gone; neither may raise.
        Raises: LedgerError.
        """

        if self._is_broken:
            # Its connections are tried again after longer and longer times: new ones know nothing of that.
            await self._connector.close_async()
            await _open(self._connector)
            self._is_broken = False

        async def shift(account_id: int, campaign_id: int) -> None:
            await on_shift(account_id, campaign_id)

        async def tick(timestamp: int) -> None:
            await on_tick()

        self._shifts.tasks.pop(SHIFT, None)
        self._shifts.task(name=SHIFT)(shift)
        self._ticks.tasks.pop(TICKS, None)
        self._ticks.periodic_registry.periodic_tasks.clear()
        # Without a lock of its own, which each tick would break while another waits: it is one more line in the
        # server's log, and each is done in no time.
        self._ticks.periodic(cron=f"* * * * * */{tick_s}")(self._ticks.task(name=TICKS, queue=TICKS)(tick))
        # A tick's worker looks often enough that no connection has to listen for it.
        works = [self._work(self._ticks, [TICKS], 1, poll_s=tick_s / 2, listens=False)]
        if queues:
            works.append(self._work(self._shifts, queues, most, poll_s=2.0, listens=True))
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        self._is_broken = True
        failed = [error for error in ended if isinstance(error, Exception)]
        # Without an error it was told to stop by itself: a side task of its has failed.
        raise failure(failed[0]) if failed else LedgerUnreachable("the job queue has stopped")

    @staticmethod
    async def _work(
        app: procrastinate.App, queues: Sequence[str], concurrency: int, *, poll_s: float, listens: bool
    ) -> None:
        await app.run_worker_async(
            queues=list(queues),
            name=worker_name(),
            concurrency=concurrency,
            fetch_job_polling_interval=poll_s,
            listen_notify=listens,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=DEAD_S / 3,
            stalled_worker_timeout=DEAD_S,
            # A shift has a task of its own, and ends when it ends.
            shutdown_graceful_timeout=0.0,
        )

    async def defer(self, account: Account, campaign_id: int) -> None:
        """Have a shift handed out, unless one of the campaign's waits already. Raises: LedgerError."""
        with _told():
            job = self._shifts.configure_task(
                SHIFT,
                queue=queue_of(account.account_sid),
                queueing_lock=_lock_of(campaign_id),
                # Never `lock`: a job that a dead worker was at would hold it.
            )
            with contextlib.suppress(exceptions.AlreadyEnqueued, AssertionError):
                # The library reads the server's refusal in English, and fails on any other language.
                await job.defer_async(account_id=account.account_id, campaign_id=campaign_id)

    async def queued(self) -> set[int]:
        """The campaigns of which a shift waits to be taken. Raises: LedgerError."""
        with _told():
            found = await self._shifts.job_manager.list_jobs_async(task=SHIFT, status=jobs.Status.TODO.value)
        return {int(str(job.task_kwargs["campaign_id"])) for job in found if "campaign_id" in job.task_kwargs}

    async def sweep(self) -> int:
        """Delete the jobs that dead workers were at; ticks make others. Returns how many. Raises: LedgerError."""
        manager, n = self._shifts.job_manager, 0
        with _told():
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_S):
                # Another may have been faster.
                with contextlib.suppress(exceptions.ConnectorException):
                    await manager.finish_job(job, status=jobs.Status.FAILED, delete_job=True)
                    n += 1
        return n


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Engine]:
    """Connect to the engine's tables. Raises: LedgerUnreachable; LedgerError: they are not there, or not as needed."""
    connector = _connector(url)
    try:
        await _open(connector)
        missing = await _missing(connector)
        if missing:
            raise LedgerNotMigrated(
                "the database has no job queue of this version",
                found=f"{len(missing)} of its changes are missing",
                fix=Command("ledger migrate"),
            )
        with _unfinished_untold():
            yield Engine(connector)
    finally:
        await connector.close_async()


@contextlib.contextmanager
def _unfinished_untold() -> Iterator[None]:
    """A job that was swept meanwhile, or whose server is gone, cannot be finished: nothing is wrong with that.

    The library leaves the error to nobody, and asyncio would print it as a bug's.
    """
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), exceptions.ProcrastinateException):
            logger.info("a job could not be finished")
        elif before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


async def hint_shift(settings: Settings, campaign: CampaignRecord) -> None:
    """Tell the workers that a campaign is wanted, the sooner to begin. Raises: LedgerError; nothing rests on it."""
    async with opened(settings.state.url) as engine:
        await engine.defer(campaign.account, campaign.campaign_id)


# --- its tables ---

_APPLIED = f"{SCHEMA}.dispatcher_applied"


async def migrate_engine(url: str) -> list[str]:
    """Make the engine's tables in a schema of their own, or bring them up to date; what was done, by its names.

    For the owner of the database. Each change is whole or not there at all, also where two do this at once.
    Raises: LedgerError.
    """
    connector = _connector(url, bounded=False)
    with _told():
        try:
            await _open(connector)
            await connector.execute_query_async(
                f"SELECT pg_advisory_xact_lock({_NUMBER}); CREATE SCHEMA IF NOT EXISTS {SCHEMA};"
                f" CREATE TABLE IF NOT EXISTS {_APPLIED} (change text PRIMARY KEY)"
            )
            done = []
            missing = await _missing(connector)
            if missing and len(missing) == len(_changes()):
                # Nothing is there: the whole of it, in the place of all its changes.
                if await _apply(connector, SchemaManager.get_schema(), missing):
                    done = ["schema"]
                missing = await _missing(connector)
            for change in missing:
                text = (Path(SchemaManager.get_migrations_path()) / change).read_text(encoding="utf-8")
                if await _apply(connector, text, [change]):
                    done.append(change)
            return done
        finally:
            await connector.close_async()


#: Any number that no other program takes for its own.
_NUMBER = 7_446_302_815


async def _apply(connector: procrastinate.PsycopgConnector, text: str, changes: Sequence[str]) -> bool:
    """Apply a change and note it; False: somebody else has done so meanwhile."""
    values = ", ".join(f"('{change}')" for change in changes)
    script = f"SELECT pg_advisory_xact_lock({_NUMBER}); INSERT INTO {_APPLIED} VALUES {values};\n{text}"
    try:
        await connector.execute_query_async(_literal(script))
    except exceptions.UniqueViolation:
        return False
    return True


async def _missing(connector: procrastinate.PsycopgConnector) -> list[str]:
    """The changes that this version needs and the database does not have."""
    with _told():
        try:
            rows = await connector.execute_query_all_async(_literal(f"SELECT change FROM {_APPLIED}"))
        except exceptions.ConnectorException as error:
            if _cause(error) in ("UndefinedTable", "InvalidSchemaName"):
                return _changes()
            raise
    applied = {row["change"] for row in rows}
    return [change for change in _changes() if change not in applied]


def _changes() -> list[str]:
    return sorted(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))


# --- the connection ---


def _connector(url: str, *, bounded: bool = True) -> procrastinate.PsycopgConnector:
    options = f"-c search_path={SCHEMA}" + (f" -c statement_timeout={QUERY_S}s" if bounded else "")
    return procrastinate.PsycopgConnector(
        conninfo=url,
        min_size=1,
        max_size=2,
        timeout=_OPEN_S,
        kwargs={
            "application_name": f"dispatcher jobs {worker_name()}",
            "options": options,
            "connect_timeout": _CONNECT_S,
            # A server that is gone without a word is missed within seconds (tcp(7)).
            "tcp_user_timeout": 4000,
            "keepalives": 1,
            "keepalives_idle": 2,
            "keepalives_interval": 1,
            "keepalives_count": 3,
        },
    )


async def _open(connector: procrastinate.PsycopgConnector) -> None:
    """Have a first connection. Raises: LedgerUnreachable."""
    with _told():
        try:
            async with asyncio.timeout(_OPEN_S):
                await connector.open_async()
        except BaseException as error:
            await connector.close_async()
            if not isinstance(error, TimeoutError):
                raise
            raise LedgerUnreachable("the job queue cannot be reached", found="no connection") from None


def worker_name() -> str:
    """Who this process is among all workers."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """The library's errors as the ledger's."""
    try:
        yield
    except (exceptions.ProcrastinateException, OSError) as error:
        raise failure(error) from None
    except Exception as error:
        # The pool's own: its library is the ledger's to know.
        if type(error).__module__.partition(".")[0] in ("psycopg", "psycopg_pool"):
            raise failure(error) from None
        raise


def failure(error: Exception) -> LedgerError:
    """What an error of the library's means: the server is away, or does not let this user do what is needed."""
    if isinstance(error, LedgerError):
        return error
    cause = _cause(error)
    if cause in ("UndefinedTable", "UndefinedFunction", "InvalidSchemaName"):
        return LedgerNotMigrated("the database has no job queue of this version", fix=Command("ledger migrate"))
    if cause == "InsufficientPrivilege":
        return LedgerUnwritable("the database does not let this user work with the job queue", found=f"schema {SCHEMA}")
    return LedgerUnreachable("the job queue cannot be reached", found=cause)


def _cause(error: BaseException) -> str:
    """The name of what is behind it: the text may hold anything."""
    return type(error.__cause__ or error.__context__ or error).__name__


def _lock_of(campaign_id: int) -> str:
    return f"shift:{campaign_id}"


def _literal(text: str) -> Any:
    """A statement of this file's own, or of the library's."""
    return text.replace("%", "%%")

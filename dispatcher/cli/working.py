"""A worker that a terminal, or systemd, looks after: what it says, and how it stops."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from dispatcher.cli import logs
from dispatcher.cli.interrupts import stopping
from dispatcher.cli.render.failures import print_end
from dispatcher.cli.render.live import line_text
from dispatcher.cli.render.progress import LINE_EVERY_S
from dispatcher.cli.render.terminal import say
from dispatcher.cluster.credentials import Keys, own_credentials
from dispatcher.cluster.service import check_is_cluster, work
from dispatcher.cluster.worker import Worker
from dispatcher.errors import AuthenticationError, DispatcherError
from dispatcher.plurals import counted
from dispatcher.remedies import AnyOf, Setting
from dispatcher.settings.credentials import export_advice, shortened_sid

if TYPE_CHECKING:
    from dispatcher.settings import LoadedSettings


async def work_until_told(loaded: LoadedSettings) -> None:
    """Work until Ctrl-C or SIGTERM.

    Raises: UsageError: the ledger is one machine's; AuthenticationError: there are no credentials at all; LedgerError.
    """
    settings = loaded.settings
    check_is_cluster(settings)
    keys = Keys(settings, own_credentials(loaded))
    await asyncio.to_thread(keys.read)
    if not keys.all and not settings.cluster.credentials_dir:
        raise AuthenticationError(
            "there are no credentials: this worker could send for nobody",
            fix=AnyOf(export_advice(loaded.profile), Setting("cluster.credentials_dir", "/etc/dispatcher/accounts")),
        )

    def tell(text: str) -> None:
        # The secrets of files that were read meanwhile are masked in the log, too.
        _hide(keys)
        say(text, "yellow")

    worker = Worker(settings, keys, tell=tell, stuck=_leave)
    _hide(keys)
    for problem in keys.problems:
        tell(str(problem))

    def connected(location: str) -> None:
        most = counted(settings.cluster.shifts, "account")
        say(f"ledger: {location}")
        say(f"serves {worker.served}, at most {most} at once. Ctrl-C stops it, and other workers go on.")

    lines = asyncio.create_task(_write_lines(worker))
    try:
        with stopping(lambda hard: _stop(worker, hard=hard)):
            await work(worker, settings, connected=connected)
    finally:
        lines.cancel()
        await asyncio.gather(lines, return_exceptions=True)


def _stop(worker: Worker, *, hard: bool) -> None:
    if hard:
        say("leaving: the answers still awaited stay unknown until the next worker has looked them up", "yellow")
    else:
        say("stopping: what is in flight is finished, and another worker goes on. Ctrl-C again gives it up", "yellow")
    worker.stop(hard=hard)


async def _write_lines(worker: Worker) -> None:
    """How far each account is."""
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        for shift in worker.shifts:
            say(f"{shortened_sid(shift.account.account_sid)} {line_text(shift.bus.snapshot())}")


def _hide(keys: Keys) -> None:
    for key in keys.all:
        logs.hide(key.credentials.password)


def _leave(error: DispatcherError) -> NoReturn:
    """Leave without closing anything: a thread of it hangs, and would be waited for."""
    print_end(error)
    logs.note_end(error.exit_code)
    sys.stderr.flush()
    os._exit(error.exit_code)

"""The server's end of a child: started, listened to, given up when it takes too long, and never waited for for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import orjson

from dispatcher.errors import DispatcherError, InputError
from dispatcher.remedies import Advice
from dispatcher.secret_names import is_secret_name
from dispatcher.web.checking.child import said, too_large
from dispatcher.web.checking.jobs import LINE_MAX_BYTES, Job, Line, job_line
from dispatcher.web.checking.progress import Progress

logger = logging.getLogger(__name__)

MODULE = "dispatcher.web.checking"
#: After so long a child is killed, whatever it does.
TIME_MAX_S = 600.0


class CheckFailed(Exception):
    """A file cannot be read or planned so. `error`: why, as a draft keeps it."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.error = error


async def run_job(job: Job, progress: Callable[[Progress], None], *, time_max_s: float = TIME_MAX_S) -> dict[str, Any]:
    """What a child has made of a job. Where the caller is cancelled, it is killed; when this returns, it is gone.

    Raises: CheckFailed: the file cannot be used, or the child died of it.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # What libraries print may hold what stands in a cell.
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
            limit=LINE_MAX_BYTES,
            # A group of its own, with its own children: Ctrl+C is the server's, and all of them end together.
            start_new_session=True,
        )
    except OSError as error:
        raise CheckFailed(said(_not_started(error), {})) from None
    try:
        async with asyncio.timeout(time_max_s):
            last = await _listen(process, job, progress)
            code = await process.wait()
    except TimeoutError:
        raise CheckFailed(said(_too_slow(time_max_s), {})) from None
    finally:
        await _end(process)
    if "result" in last:
        result: dict[str, Any] = last["result"]
        return result
    if "error" in last:
        if "bug" in last:
            logger.error("a file could not be read because of a bug: %s", last["bug"])
        raise CheckFailed(last["error"])
    logger.warning("a check's child ended with %d", code)
    raise CheckFailed(said(too_large(), {}))


async def _listen(process: asyncio.subprocess.Process, job: Job, progress: Callable[[Progress], None]) -> Line:
    """The last line of what it says; empty: it died before that."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):
        process.stdin.write(job_line(job))
        # It stays open: by its end the child knows that its server has gone.
        await process.stdin.drain()
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:
            return {"error": said(_too_wide(), {})}
        if not line.endswith(b"\n"):
            return {}
        told = orjson.loads(line)
        if "progress" not in told:
            return dict(told)
        progress(Progress(**told["progress"]))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it with its children, if it has not ended, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            # The group, also where the child itself has ended: a reader of its own may be left.
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await asyncio.shield(process.wait())


def _environment() -> dict[str, str]:
    # The child imports this very package, wherever it was imported from; and it needs no secret.
    kept = {name: value for name, value in os.environ.items() if not is_secret_name(name)}
    # Each of the allocator's arenas takes address space, which is what is bounded.
    bounded = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    return {**kept, **bounded, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _not_started(error: OSError) -> DispatcherError:
    logger.error("a check's child could not be started: %s", error.strerror)
    return DispatcherError()


def _too_slow(time_max_s: float) -> InputError:
    minutes = max(1, round(time_max_s / 60))
    return InputError(
        f"the file was not read within {minutes} minute{'s' * (minutes > 1)}",
        fix=Advice("save it as CSV, or in smaller parts, and upload it again"),
    )


def _too_wide() -> InputError:
    return InputError(
        "the file has too many columns, or names of columns that are too long",
        fix=Advice("leave out the columns that are not needed, and upload it again"),
    )

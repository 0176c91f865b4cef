"""What the child does with its job, and how it says what became of it."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import orjson

from dispatcher.errors import DispatcherError, InputError, LedgerFull
from dispatcher.remedies import Advice
from dispatcher.web.checking import jobs
from dispatcher.web.checking.bounds import is_full
from dispatcher.web.checking.counting import check
from dispatcher.web.checking.looking import look_at
from dispatcher.web.words import words_of

#: Between two lines of progress.
TOLD_EVERY_S = 0.2


class _Teller:
    """Says how far the job is, not too often."""

    def __init__(self) -> None:
        self._last_s = 0.0

    def __call__(self, *, rows: int, done_bytes: int, total_bytes: int | None, file: int, files: int) -> None:
        if time.monotonic() - self._last_s < TOLD_EVERY_S:
            return
        self._last_s = time.monotonic()
        told = {"rows": rows, "done_bytes": done_bytes, "total_bytes": total_bytes, "file": file, "files": files}
        _say({"progress": told})


def run(line: bytes) -> int:
    """Do the job of this line, and say its result or its error as the last line."""
    job = jobs.read_job(line)
    try:
        result = asyncio.run(_done(job))
    except DispatcherError as error:
        is_many = isinstance(error, LedgerFull) and isinstance(job, jobs.CheckJob) and is_full(Path(job.scratch))
        _say({"error": said(_too_many() if is_many else error, jobs.names_of(job))})
    except MemoryError:
        _say({"error": said(too_large(), {})})
    except Exception as error:
        is_memory = isinstance(error, RuntimeError) and "start new thread" in str(error)
        _say({"error": said(too_large() if is_memory else DispatcherError(), {}), "bug": _where(error)})
    else:
        _say({"result": result})
    return 0


async def _done(job: jobs.Job) -> dict[str, Any]:
    if isinstance(job, jobs.LookJob):
        return await asyncio.to_thread(look_at, job)
    return await check(job, _Teller())


def said(error: DispatcherError, names: dict[str, str]) -> dict[str, str]:
    """An error as a draft keeps it, in the page's words."""
    words = words_of(error, names=names)
    return {
        "code": error.code,
        "message": words.message,
        "found": words.found,
        "fix": words.what_to_do,
        "field": words.field,
    }


def too_large() -> InputError:
    """A file that cannot be read within the bounds, whatever is the matter with it."""
    return InputError(
        "the file needs too much memory to be read, or it is damaged",
        fix=Advice("save it as CSV, or in smaller parts, and upload it again"),
    )


def _too_many() -> InputError:
    return InputError(
        "the file has more rows than can be checked here",
        fix=Advice("check that it is the right file, or upload it in smaller parts"),
    )


def _where(error: Exception) -> str:
    """What a bug is, for the server's log: its class and where it was, and not its text, which may hold a cell's."""
    steps = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(
        [type(error).__name__, *(f"{Path(step.filename).name}:{step.lineno}" for step in reversed(steps))]
    )


def _say(line: jobs.Line) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()

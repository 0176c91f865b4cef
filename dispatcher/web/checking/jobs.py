"""What the server and the child that reads a file say to each other: a job as a line, then lines of what becomes of it.

→ {"kind": "look", …} or {"kind": "check", …}
← {"progress": {"rows", "done_bytes", "total_bytes", "file", "files"}}, as often as it changes
← {"result": {…}}, or {"error": {"code", "message", "found", "fix", "field"}, "bug": for the log}: the last line
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson

#: The longest line: a header of thousands of columns, with samples of each.
LINE_MAX_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An uploaded file. `name`: what it is called for people."""

    upload_id: str
    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookJob:
    """See what a file looks like. `settings`: all of them, as JSON."""

    file: File
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJob:
    """Plan files into a scratch ledger, one after the other, and count."""

    campaign: str
    files: tuple[File, ...]
    #: So many files of the campaign are in the ledger already: these here are parts then.
    planned: int
    settings: Mapping[str, Any]
    #: Whose campaign it is; None: it is not known yet.
    account_sid: str | None
    scratch: str
    #: Contacts that were reached a short time ago are planned, too.
    again: bool


Job: TypeAlias = LookJob | CheckJob
#: A line of the child's.
Line: TypeAlias = dict[str, Any]


class Tell(Protocol):
    """How far a job is. `total_bytes` None: it is not known."""

    def __call__(self, *, rows: int, done_bytes: int, total_bytes: int | None, file: int, files: int) -> None: ...


def job_line(job: Job) -> bytes:
    """A job as the child reads it."""
    kind = "look" if isinstance(job, LookJob) else "check"
    return orjson.dumps({"kind": kind, **asdict(job)}) + b"\n"


def read_job(line: bytes) -> Job:
    """The job of a line. Raises: ValueError: it is none."""
    told = orjson.loads(line)
    kind = told.pop("kind")
    if kind == "look":
        return LookJob(file=File(**told["file"]), settings=told["settings"])
    if kind == "check":
        return CheckJob(**{**told, "files": tuple(File(**one) for one in told["files"])})
    raise ValueError(f"no kind of job: {kind}")


def names_of(job: Job) -> dict[str, str]:
    """A file's path -> what people call it: no path of the server is shown."""
    files = (job.file,) if isinstance(job, LookJob) else job.files
    return {str(Path(file.path)): file.name for file in files}

"""Receiving a file: a form's bytes go to disk as they come, counted and hashed; whatever is not whole leaves nothing.

The form's fields come before its file and are read first, so that a form that is not this server's is refused before a
byte is kept. aiohttp's `client_max_size` does not bound a body that is read in parts: everything is counted here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aiohttp import BodyPartReader, MultipartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from dispatcher.clock import now_ms
from dispatcher.errors import LedgerError
from dispatcher.web.forms import FORM_MAX_BYTES, Form
from dispatcher.web.store import AuditLine, NewUpload, Upload, Uploads

#: The name of the form's field with the file.
FILE_FIELD = "file"
#: So much is put together before it goes to disk: memory does not grow with the file.
PIECE_BYTES = 1 << 20
#: A browser that sends nothing for so long has gone.
SILENT_MAX_S = 60.0
#: More than the file: the form's fields and what stands between the parts.
_AROUND_BYTES = FORM_MAX_BYTES
_FIELDS_MAX = 20
_MB = 1_000_000


class UploadRefused(Exception):
    """A file is not taken. Its text is for people; `status` is HTTP's; nothing of the file is left."""

    status = 400


class NoFile(UploadRefused):
    """None was chosen."""

    def __init__(self) -> None:
        super().__init__("Choose a file first.")


class EmptyFile(UploadRefused):
    """It has no bytes."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The file {name} is empty. Choose another one.")


class TooLarge(UploadRefused):
    """It is larger than a file may be. `size_bytes` None: how large is not known, it was not read to its end."""

    status = 413

    def __init__(self, size_bytes: int | None, most_bytes: int) -> None:
        # Rounded up: a file of 200.4 MB is not told to have 200.
        has = f"has {-(-size_bytes // _MB):,} MB" if size_bytes is not None else "is too large"
        super().__init__(f"The file {has}; up to {most_bytes // _MB:,} MB can be uploaded.")


class QuotaFull(UploadRefused):
    """All files together would be more than there is room for."""

    status = 413

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"There is no room for this file: all files together may have {most_bytes // _MB:,} MB."
            " Delete files that are not needed any more, then upload it again."
        )


class DiskFull(UploadRefused):
    """The server's disk is full, or cannot be written."""

    status = 507

    def __init__(self) -> None:
        super().__init__("The file could not be kept: the server's disk is full. Nothing was kept.")


class Cut(UploadRefused):
    """The connection ended before the file did. `share` None: it is not known how much of it came."""

    def __init__(self, share: float | None) -> None:
        at = f" at {int(share * 100)} %" if share is not None else ""
        super().__init__(f"The upload stopped{at}. Nothing was kept; upload it again.")


class NotThisForm(UploadRefused):
    """It is no form of this page's."""

    def __init__(self) -> None:
        super().__init__("The upload could not be read. Go back, reload the page, and upload it again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is taken."""

    file_bytes: int
    #: All files that are kept, and those that are on their way.
    all_bytes: int


class Received:
    """The files that are on their way into one store. Made once for a server; `close` it."""

    def __init__(self) -> None:
        # Not asyncio's own threads: a slow disk must not keep sending from looking up a host.
        self.disk = ThreadPoolExecutor(2, thread_name_prefix="page-upload")
        #: What those that are being received may still come to.
        self.reserved_bytes = 0

    def close(self) -> None:
        """Safe to call twice."""
        self.disk.shutdown(wait=False)


async def receive(
    request: web.Request,
    uploads: Uploads,
    received: Received,
    who: str,
    limits: Limits,
    *,
    check: Callable[[Form], None] = lambda form: None,
    audit: AuditLine | None = None,
) -> tuple[Upload, Form]:
    """The file of a form, on disk, and the fields that stand before it.

    `check` is given these fields before any byte of the file is kept; what it raises passes through.
    `audit`: the line of the history that is written with the upload.
    Raises: UploadRefused: NoFile, EmptyFile, TooLarge, QuotaFull, DiskFull, Cut, NotThisForm; LedgerError.
    """
    announced = request.content_length
    if announced is not None and announced > limits.file_bytes + _AROUND_BYTES:
        raise TooLarge(announced, limits.file_bytes)
    reading = _Reading(request, announced)
    try:
        part, form = await reading.up_to_file(check)
        with contextlib.ExitStack() as stack:
            most = min(announced, limits.file_bytes) if announced is not None else limits.file_bytes
            free = limits.all_bytes - await uploads.total_bytes() - received.reserved_bytes
            if most > free:
                raise QuotaFull(limits.all_bytes)
            received.reserved_bytes += most
            stack.callback(_give_back, received, most)
            new = await uploads.begin(part.filename or "", who, now_ms())
            try:
                async with contextlib.aclosing(reading.pieces(part)) as pieces:
                    size_bytes, sha256 = await _keep(pieces, new, received.disk, limits)
                if not size_bytes:
                    raise EmptyFile(part.filename or "") if part.filename else NoFile
                await reading.to_end()
                upload = await uploads.finish(new.upload_id, size_bytes, sha256, audit=audit)
            except BaseException:
                # Also where the request is cancelled, since its browser has gone.
                await asyncio.shield(uploads.drop(new.upload_id))
                raise
    except OSError as error:
        raise (Cut(reading.share) if isinstance(error, ConnectionError) else DiskFull()) from error
    if upload is None:
        raise LedgerError("the upload was removed while it was received")
    return upload, form


def _give_back(received: Received, size_bytes: int) -> None:
    received.reserved_bytes -= size_bytes


async def _keep(
    pieces: AsyncIterator[bytes], new: NewUpload, disk: ThreadPoolExecutor, limits: Limits
) -> tuple[int, str]:
    """Write what comes, a piece at a time; its size and SHA-256. Raises: TooLarge, OSError, and what comes raises."""
    loop = asyncio.get_running_loop()
    digest, size_bytes = hashlib.sha256(), 0
    file = await loop.run_in_executor(disk, _create, new.path)
    try:
        async for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > limits.file_bytes:
                raise TooLarge(None, limits.file_bytes)
            await loop.run_in_executor(disk, _write, file, piece, digest.update)
    finally:
        # Behind a write that is under way, if whoever waited for it has left.
        await asyncio.shield(loop.run_in_executor(disk, file.close))
    return size_bytes, digest.hexdigest()


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600), "wb", 0)


def _write(file: BinaryIO, piece: bytes, update: Callable[[bytes], None]) -> None:
    update(piece)
    view = memoryview(piece)
    while view:
        view = view[file.write(view) :]


class _Reading:
    """A form's body, part by part. Everything that is wrong with it is an UploadRefused."""

    def __init__(self, request: web.Request, announced: int | None) -> None:
        self._announced = announced
        self._content = request.content
        if request.content_type != "multipart/form-data" or "boundary" not in request.headers.get(
            hdrs.CONTENT_TYPE, ""
        ):
            raise NotThisForm
        try:
            self._parts = MultipartReader(request.headers, request.content)
        except (ValueError, KeyError, AssertionError):
            raise NotThisForm from None

    @property
    def share(self) -> float | None:
        """How much of the body has come; None: how long it was to be is not known."""
        return self._content.total_bytes / self._announced if self._announced else None

    async def up_to_file(self, check: Callable[[Form], None]) -> tuple[BodyPartReader, Form]:
        """The part with the file, and the fields before it, which `check` has passed."""
        fields: list[tuple[str, str]] = []
        left = FORM_MAX_BYTES
        while (part := await self._next()) is not None:
            if part.name == FILE_FIELD:
                form = Form(fields)
                check(form)
                return part, form
            value = bytearray()
            async for piece in self.pieces(part):
                value += piece
                left -= len(piece)
                if left < 0:
                    raise NotThisForm
            fields.append((part.name or "", value.decode("utf-8", "replace")))
            if len(fields) > _FIELDS_MAX:
                raise NotThisForm
        check(Form(fields))
        raise NoFile

    async def pieces(self, part: BodyPartReader) -> AsyncGenerator[bytes]:
        """What a part holds, put together to pieces of some size."""
        waiting = bytearray()
        while not part.at_eof():
            async with self._errors():
                waiting += await part.read_chunk(1 << 16)
            if len(waiting) >= PIECE_BYTES:
                yield bytes(waiting)
                waiting.clear()
        if waiting:
            yield bytes(waiting)

    async def to_end(self) -> None:
        """What stands behind the file, which must be whole: its end is how it is known that all of the file came."""
        left = FORM_MAX_BYTES
        while (part := await self._next()) is not None:
            async for piece in self.pieces(part):
                left -= len(piece)
                if left < 0:
                    raise NotThisForm

    async def _next(self) -> BodyPartReader | None:
        async with self._errors():
            part = await self._parts.next()
        if part is not None and not isinstance(part, BodyPartReader):
            raise NotThisForm
        return part

    @contextlib.asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(SILENT_MAX_S):
                yield
        except (TimeoutError, ConnectionError, web.RequestPayloadError):
            raise Cut(self.share) from None
        except (ValueError, AssertionError, LookupError, RuntimeError, HttpProcessingError):
            # Also where it has just ended in the middle, and nobody has told why.
            raise (Cut(self.share) if self._is_short else NotThisForm()) from None

    @property
    def _is_short(self) -> bool:
        return self._announced is not None and self._content.total_bytes < self._announced

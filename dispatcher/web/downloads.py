"""Files that are made for one download: written to a file of this user alone, sent, and gone."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from dispatcher.errors import LedgerFull, LedgerUnwritable
from dispatcher.web.headers import add_headers

#: How a file is told to a browser, which must not guess.
KINDS = {
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".jsonl": "application/x-ndjson",
}
_UNFIT = re.compile(r"[^A-Za-z0-9._ -]+")


class Downloads:
    """Makes files for downloads, few at once. One for a server."""

    def __init__(self, folder: Path, *, at_once: int = 2) -> None:
        """`folder`: where they lie while they are sent; made as needed."""
        self._folder = folder
        self._turn = asyncio.Semaphore(at_once)

    def sweep(self) -> None:
        """Remove what a killed server has left. Blocking; before any download."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def send(
        self, request: web.Request, name: str, write: Callable[[Path], Awaitable[object]]
    ) -> web.StreamResponse:
        """What `write` puts into the file that it is given, as a file to keep, called `name`.

        The suffix of the name says what it is. Nothing is sent before all of it is written.
        Raises: LedgerFull, LedgerUnwritable: there is no room for it; what `write` raises.
        """
        folder = await asyncio.to_thread(self._make)
        try:
            # The file's own name is ours: a campaign's may be anything.
            path = folder / f"download{Path(name).suffix}"
            async with self._turn:
                await write(path)
            response = _SentOnce(path, headers=attachment(name))
            add_headers(response)
            # Sends it: it may be removed when this returns, also because the browser has gone.
            await response.prepare(request)
            await response.write_eof()
            return response
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def text(self, name: str, write: Callable[[Path], Awaitable[object]]) -> str:
        """What `write` puts into a small file of that name, as text. Raises: as `send`."""
        folder = await asyncio.to_thread(self._make)
        try:
            async with self._turn:
                await write(folder / name)
                return await asyncio.to_thread((folder / name).read_text, "utf-8")
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    def _make(self) -> Path:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return Path(tempfile.mkdtemp(dir=self._folder))
        except OSError as error:
            kind = LedgerFull if error.errno in (28, 122) else LedgerUnwritable
            raise kind(found=error.strerror or type(error).__name__) from error


class _SentOnce(web.FileResponse):
    """A file that is gone when its handler returns."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """As always, once: aiohttp prepares what a handler returns, and would look for the file again."""
        return None if self.prepared else await super().prepare(request)


def attachment(name: str) -> dict[str, str]:
    """The headers by which a browser keeps a file under this name, and shows nothing of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = _UNFIT.sub("_", plain).strip(" .") or f"file{Path(name).suffix}"
    return {
        "Content-Type": KINDS.get(Path(name).suffix, "application/octet-stream"),
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
    }

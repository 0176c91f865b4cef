"""Where the bytes come from: a path or standard input, plain or gzip; hashed, counted, and watched for change."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dispatcher.errors import InputError

STDIN = "-"
_GZIP = b"\x1f\x8b"


class Source(io.RawIOBase):
    """A file's raw bytes. Reading it counts and hashes them, so it is read once, from start to end."""

    def __init__(self, name: str) -> None:
        """Open `name`; `-` is standard input.

        Raises: InputError: it is missing, a folder, or may not be read.
        """
        super().__init__()
        self.name = name
        self.done_bytes = 0
        self._hash = hashlib.sha256()
        self._path = None if name == STDIN else Path(name)
        self._file: BinaryIO = self._open()
        self._stamp = self._stat()
        self.total_bytes = self._stamp[0] if self._stamp else None
        self._ahead = b""
        self._spool: tempfile.TemporaryDirectory[str] | None = None
        #: What is read for text. It lives as long as the source: a buffered reader that goes closes what it reads.
        self.content = Plain(self)

    def _open(self) -> BinaryIO:
        if self._path is None:
            return sys.stdin.buffer
        try:
            if self._path.is_dir():
                raise InputError(f"{self.name} is a folder", fix="name the file in it")
            return self._path.open("rb")
        except FileNotFoundError:
            raise InputError(f"{self.name} does not exist", fix="check the name and the folder") from None
        except PermissionError:
            raise InputError(f"{self.name} may not be read", fix=f"chmod u+r {self.name}") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{self.name} cannot be opened", found=_strerror(error)) from None

    def _stat(self) -> tuple[int, int, int, int] | None:
        """Size, time of change and identity; None for what has none (a pipe)."""
        if self._path is None or not self._path.is_file():
            return None
        try:
            stat = self._path.stat()
        except OSError as error:
            raise InputError(f"{self.name} is gone", found=_strerror(error)) from None
        return stat.st_size, stat.st_mtime_ns, stat.st_dev, stat.st_ino

    def readable(self) -> bool:
        return True

    def peek(self, size: int) -> bytes:
        """The first bytes, without taking them."""
        while len(self._ahead) < size:
            more = self._read_file(size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:size]

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        size = len(buffer)
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        if len(data) < size:
            data += self._read_file(size - len(data))
        buffer[: len(data)] = data
        return len(data)

    def _read_file(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise InputError(f"{self.name} cannot be read on", found=_strerror(error)) from None
        self.done_bytes += len(data)
        self._hash.update(data)
        return data

    def sha256(self) -> str:
        """Of all bytes. Reads what is left.

        Raises: InputError: the file is not what it was when it was opened.
        """
        self._ahead = b""
        while self._read_file(1 << 20):
            pass
        if self._stamp is not None and self._stat_now() != self._stamp:
            raise InputError(
                f"{self.name} was changed while it was read; nothing was planned",
                fix="run again when no other program writes to it",
            )
        return self._hash.hexdigest()

    def _stat_now(self) -> tuple[int, int, int, int] | None:
        try:
            return self._stat()
        except InputError:
            return None

    @property
    def path(self) -> Path:
        """Where the bytes can be read in any order. Standard input and pipes are kept in a temporary file for that.

        Readers that use it leave the source itself unread; `sha256` then reads it.
        """
        if self._path is not None and self._stamp is not None:
            return self._path
        if self._spool is None:
            # Its folder is readable by this user alone, and goes when the source is closed.
            self._spool = tempfile.TemporaryDirectory(prefix="dispatcher-")
            path = Path(self._spool.name) / "input"
            try:
                with path.open("wb") as file:
                    shutil.copyfileobj(self, file, 1 << 20)
            except OSError as error:
                raise InputError(f"{self.name} cannot be kept for reading", found=_strerror(error)) from None
        return Path(self._spool.name) / "input"

    def close(self) -> None:
        if self._spool is not None:
            self._spool.cleanup()
            self._spool = None
        if not self.closed and self._path is not None:
            self._file.close()
        super().close()


class Plain:
    """A source's content: decompressed where it is gzip."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.is_gzip = source.peek(2) == _GZIP
        buffered = io.BufferedReader(source, 1 << 18)
        self._file: gzip.GzipFile | io.BufferedReader[Source] = (
            gzip.GzipFile(fileobj=buffered) if self.is_gzip else buffered
        )

    def peek(self, size: int) -> bytes:
        """Up to `size` of the first bytes, without taking them."""
        with self._errors():
            return self._file.peek(size)[:size]

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; b"" at the end.

        Raises: InputError: the compressed data is damaged or cut off.
        """
        with self._errors():
            return self._file.read(size)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{self._source.name} is damaged or cut off", found=str(error), fix="fetch or compress the file again"
            ) from None


def _strerror(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__

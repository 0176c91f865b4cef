"""`--debug` and `--log-file`: what the program does, with secrets and phone numbers masked.

    --debug           on stderr: every event, and the traceback of whatever ends the command
    --log-file PATH   in a file: every event but those that come many times a second, and how the command ended

Each line begins with its time: ISO 8601, UTC.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import time
from pathlib import Path
from typing import Any, TextIO

from dispatcher.errors import DispatcherError, UsageError
from dispatcher.remedies import Option
from dispatcher.secret_names import secret_texts
from dispatcher.version import __version__

#: A log has at most so many files of at most so many bytes: PATH, PATH.1, …
FILES_MAX = 5
FILE_MAX_BYTES = 5 << 20
_PHONE = re.compile(r"\+\d{5,}(?=\d{2})")
#: How a line of ours begins.
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
#: A traceback's middle says little; a deep one must not fill the file.
_TEXT_MAX = 20_000

logger = logging.getLogger("dispatcher")
_debug = False
_file: logging.Handler | None = None
_hidden: set[str] = set()


def is_debug() -> bool:
    """Whether `--debug` was given."""
    return _debug


def switch_debug_on() -> None:
    """Log what this program does on stderr, and show tracebacks."""
    global _debug
    if _debug:
        return
    _debug = True
    _add(logging.StreamHandler(), logging.DEBUG)


def write_to(path: Path) -> None:
    """Log what this program does in a file that nobody else may read.

    Raises: UsageError: it cannot be written, or what stands there is no log of this program.
    """
    global _file
    if _file is not None:
        return
    try:
        _check_ours(path)
        _file = _new_file_handler(path)
    except OSError as error:
        raise UsageError(
            "the log cannot be written", found=f"{path}: {error.strerror}", fix=Option("log-file", "PATH")
        ) from None
    _add(_file, logging.INFO)
    logger.info("dispatcher %s begins, process %d", __version__, os.getpid())


def note_failure(error: BaseException) -> None:
    """For the log's file: what ended the command; with where it happened, if it is a bug."""
    if _file is None:
        return
    if isinstance(error, DispatcherError):
        found = f"; found: {error.found}" if error.found else ""
        _note(logging.ERROR, f"error[{error.code}]: {error.message}{found}", None)
    else:
        _note(logging.CRITICAL, f"error[internal]: {type(error).__name__}", error)


def note_end(exit_code: int) -> None:
    """For the log's file: the command's exit code."""
    if _file is not None:
        _note(logging.INFO, f"ends with exit code {exit_code}", None)


def masked(text: str) -> str:
    """The text without secrets, and with phone numbers cut to their last two digits."""
    for secret in _secrets():
        text = text.replace(secret, "***")
    return _PHONE.sub("+…", text)


class _Masking(logging.Formatter):
    """One line a record, but for tracebacks; masked."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{seconds}.{int(record.msecs):03d}Z"

    def format(self, record: logging.LogRecord) -> str:
        text = masked(super().format(record))
        if record.exc_info is None:
            # Names of files and campaigns are in it: one of them must not make a line, or steer a terminal.
            text = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
        return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]} …"


def _add(handler: logging.Handler, level: int) -> None:
    handler.setLevel(logging.DEBUG if _debug else level)
    handler.setFormatter(_Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if _debug else level)
    logger.propagate = False
    if _debug:
        for other in logger.handlers:
            other.setLevel(logging.DEBUG)


def _note(level: int, text: str, error: BaseException | None) -> None:
    assert _file is not None
    info: Any = (type(error), error, error.__traceback__) if error is not None else None
    # To the file alone: the terminal is told in lines of its own.
    _file.handle(logging.LogRecord("dispatcher", level, "", 0, "%s", (text,), info))


def _check_ours(path: Path) -> None:
    """Lines are appended: what is somebody's contacts file must not get them."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        beginning = file.read(64)
    if beginning and not _TIME.match(beginning):
        raise UsageError(
            "the log would be written into a file that is no log of this program",
            found=str(path),
            fix=Option("log-file", "PATH"),
        )


def _new_file_handler(path: Path) -> logging.Handler:
    from logging.handlers import RotatingFileHandler

    class _File(RotatingFileHandler):
        def _open(self) -> Any:
            return _open_private(self.baseFilename)

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
            # A full disk, a folder that is gone: the run goes on, and its ledger has it all.
            if self in logger.handlers:
                logger.removeHandler(self)
                from dispatcher.cli.render.terminal import say

                say("the log cannot be written any more; what is under way goes on", "yellow")

    return _File(path, maxBytes=FILE_MAX_BYTES, backupCount=FILES_MAX - 1)


def _open_private(name: str) -> TextIO:
    number = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(number).st_mode):  # not a terminal, nor /dev/null
        os.fchmod(number, 0o600)
    return os.fdopen(number, "a", encoding="utf-8", errors="replace")


def hide(secret: str) -> None:
    """From now on this is masked, too: it is not of the environment."""
    if secret:
        _hidden.add(secret)


def _secrets() -> list[str]:
    # The longest first: a secret may be a part of another.
    return sorted({*secret_texts(os.environ), *_hidden}, key=len, reverse=True)

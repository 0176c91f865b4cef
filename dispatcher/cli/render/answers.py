"""The answer for `--json`: collected while a command runs, and printed once, at its end, whatever that end is."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dispatcher.answers import SCHEMA, empty_run

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Whoever leaves at once waits so long for a reader.
LEAVES_AFTER_S = 0.5
#: The commands whose answer has every key of a run's, however they end; and the options with which they send nothing.
_SENDERS = frozenset({"run", "resume", "retry"})
_DRY = "--dry-run"
_NOT_SENDING = (_DRY, "--test-to")


class _Answer:
    def __init__(self, arguments: Sequence[str]) -> None:
        own = arguments[: arguments.index("--")] if "--" in arguments else arguments
        #: Lines of events were asked for, and the answer is the last of them.
        self.streams = "--json-events" in own
        self.is_asked = self.streams or "--json" in own
        self.command = next((word for word in own if not word.startswith("-")), "")
        sends = self.command in _SENDERS and not any(word.startswith(_NOT_SENDING) for word in own)
        self.known: dict[str, Any] | None = empty_run() if sends else None
        #: Nothing is sent by the command: without its answer it has not succeeded for whoever has called it.
        self.is_all = self.command not in _SENDERS or any(word.startswith(_DRY) for word in own)
        self.found: Mapping[str, Any] | list[Any] | None = None
        #: What was told of on the way; what has ended the command.
        self.told: dict[str, Any] | None = None
        self.ended_by: dict[str, Any] | None = None
        self.is_printed = False
        self.is_over = False


_answer = _Answer(())
#: A line is written whole, by whichever thread.
_lock = threading.Lock()


def begin(arguments: Sequence[str]) -> None:
    """A command line begins."""
    global _answer
    _answer = _Answer(arguments)


def is_asked() -> bool:
    """Whether there is to be an answer."""
    return _answer.is_asked


def is_all() -> bool:
    """Whether the answer is all that the command gives: nothing is sent by it."""
    return _answer.is_all


def streams() -> bool:
    """Whether `--json-events` was given."""
    return _answer.streams


def command() -> str:
    """The command's name, as it was typed."""
    return _answer.command


def know(**values: Any) -> None:
    """For a sending command's answer: what is known before its end, the campaign's name, say."""
    if _answer.known is not None:
        _answer.known.update(values)


def put(value: Mapping[str, Any] | list[Any]) -> None:
    """What the command has found; the last one counts. Printed at its end."""
    if _answer.is_asked:
        _answer.found = value
    else:
        write(value)


def tell(error: Mapping[str, Any]) -> None:
    """An error that was shown. The first one is the answer's, unless that says itself what its error is."""
    _answer.told = _answer.told or dict(error)


def end_by(error: Mapping[str, Any]) -> None:
    """What has ended the command."""
    _answer.ended_by = dict(error)


def finish(exit_code: int) -> None:
    """Print the answer, if one was asked for and there is any: a page of help is none. Raises: OSError."""
    if not _answer.is_asked or _answer.is_printed:
        return
    found, error = _answer.found, _answer.ended_by
    if found is None and error is None and not exit_code:
        return
    _answer.is_printed = True
    if isinstance(found, list) and error is None:
        write(found)
        return
    values = dict(found) if isinstance(found, Mapping) else {}
    if error is None:
        error = values.get("error", _answer.told if exit_code else None)
    frame = {**(_answer.known or {}), **values, "schema": SCHEMA, "exit_code": exit_code, "error": error}
    write({"event": "end", **frame} if _answer.streams else frame, last=True)


def finish_at_once(exit_code: int, error: Mapping[str, Any]) -> None:
    """Print the answer as far as it is known, and wait for nobody who does not read it: the program leaves now."""
    end_by(error)

    def print_it() -> None:
        with contextlib.suppress(OSError, ValueError):
            finish(exit_code)
            if sys.stdout is not None:
                sys.stdout.flush()

    # Another thread may be in the middle of a line, and stdout be a pipe that is full.
    last = threading.Thread(target=print_it, daemon=True)
    last.start()
    last.join(LEAVES_AFTER_S)


def write(value: Mapping[str, Any] | list[Any], *, last: bool = False) -> None:
    """One JSON value, a line of stdout, now; nothing comes after the last. Raises: OSError."""
    if sys.stdout is None:
        return  # closed by whoever has started us
    # Letters that the stream does not have would be escaped in a way that JSON does not know.
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(value, ensure_ascii=not is_unicode)
    with _lock:
        if _answer.is_over:
            return
        _answer.is_over = last
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def now_text() -> str:
    """This moment: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""What every error is."""

from __future__ import annotations

from typing import ClassVar

from dispatcher.model import ExitCode
from dispatcher.remedies import Advice, Remedy


class DispatcherError(Exception):
    """Something went wrong that the program has no better word for.

    Cause: a bug, or a library in a release that does not do what is needed of it. Fix: look at the traceback (debug
    output), and report it with the log; rows in flight are looked up by the next run.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(
        self, message: str | None = None, *, found: str | None = None, fix: Remedy | str | None = None
    ) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.found = found
        self.fix: Remedy | None = Advice(fix) if isinstance(fix, str) else fix
        super().__init__(self.message)

    def __str__(self) -> str:
        found = f" (found: {self.found})" if self.found else ""
        return f"{self.message}{found}"

"""A wall clock that a test moves, for the program and the sandbox in one process."""

from __future__ import annotations

from datetime import datetime

import pytest

from dispatcher import clock


class Machine:
    """The wall clock of the client's machine and of the sandbox, which the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        self._origin_ns = clock._ORIGIN_NS
        self._patch = monkeypatch

    def __call__(self) -> float:
        return (self._origin_ns + clock._counted_ns()) / 1e9 + self.ahead_s

    def put_to(self, moment: datetime) -> None:
        self.ahead_s += moment.timestamp() - self()
        self._patch.setattr(clock, "_ORIGIN_NS", self._origin_ns + int(self.ahead_s * 1e9))

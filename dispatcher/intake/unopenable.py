"""Why a workbook is not read, in words for the parent process: the child has no other way to say it."""

from __future__ import annotations


class Unopenable(Exception):
    """Why an archive is not opened."""

    def __init__(self, message: str, found: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message, self.found, self.fix = message, found, fix

"""Files that exports are written to: of a campaign, or of an account's suppressions. Only their owner may read them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from dispatcher.errors import UsageError
from dispatcher.remedies import Advice, AnyOf, Option

#: The columns of who is suppressed, and of every change of that.
SUPPRESSED = ("contact", "kind", "list")
SUPPRESSION_LOG = ("at", "contact", "action", "kind", "list", "by", "reason")
#: How exports begin: these two, and a campaign's (see `ledger.exporting`).
_BEGINNINGS = (*(f"{','.join(names)}\n".encode() for names in (SUPPRESSED, SUPPRESSION_LOG)), b'{"kind":"campaign",')


@contextlib.contextmanager
def private_file(path: Path, *, overwrite: bool) -> Iterator[TextIO]:
    """An export, which only its owner may read; in place when it is whole. `overwrite`: that of an earlier one.

    Raises: UsageError: it cannot be written, or what is there is no export: a ledger, say, or a file of contacts.
    """
    if path.exists():
        if not overwrite:
            raise UsageError(f"{path} exists", fix=AnyOf(Option("overwrite"), Advice("give another name")))
        if not _is_export(path):
            raise UsageError(
                "what is there is no export of this program's, and is never replaced",
                found=str(path),
                fix=Advice("give another name"),
            )
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written", found=error.strerror) from None
    finally:
        part.unlink(missing_ok=True)


def _is_export(path: Path) -> bool:
    """Whether a file begins as an export does, or is empty."""
    try:
        with path.open("rb") as file:
            head = file.read(max(map(len, _BEGINNINGS)))
    except OSError:
        return False
    return not head or head.startswith(_BEGINNINGS)

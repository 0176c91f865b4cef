"""The named queries of queries.sql, so that no SQL stands in Python."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """Query name -> SQL."""
    parts = _NAME.split(resources.files(__package__).joinpath("queries.sql").read_text(encoding="utf-8"))
    return {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def schema() -> str:
    """The statements that make an empty ledger."""
    return resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")

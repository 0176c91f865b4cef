"""Files of named SQL beside the code that runs it: what stands under each `-- name: …`."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_COMMENT = re.compile(r"\A(--[^\n]*\n)+")


@cache
def named_sql(package: str, resource: str) -> dict[str, str]:
    """Name -> SQL, without the comments above it and the semicolon behind it."""
    parts = _NAME.split(resources.files(package).joinpath(resource).read_text(encoding="utf-8"))
    return {
        name: _COMMENT.sub("", body.strip()).rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }

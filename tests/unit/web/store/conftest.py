"""A store of the page in a folder of the test's own, whose passwords cost little."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.web.passwords import Cost
from dispatcher.web.store import Store, open_store

#: What they really cost is tests/unit/web/test_passwords.py's.
CHEAP = Cost(n=2**10, r=8, p=1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Open while the test runs."""
    found = await open_store(tmp_path, cost=CHEAP)
    yield found
    await found.close()

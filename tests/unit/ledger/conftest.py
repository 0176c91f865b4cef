"""A ledger of its own for every test, and a sound file after each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.ledger import SqliteLedger
from tests.support.ledgers import flaws


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    ledger = SqliteLedger.open(tmp_path / "state")
    yield ledger
    await ledger.close()
    assert flaws(ledger.path) == []

"""What any ledger must do, whatever its database: a ledger of its own for every test, and a sound one after each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dispatcher.ledger import Ledger
from tests.unit.ledger.conformance.harness import BACKENDS, Harness


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def harness(backend: str, tmp_path: Path) -> Iterator[Harness]:
    harness = BACKENDS[backend](tmp_path)
    yield harness
    harness.close()


@pytest.fixture
async def ledger(harness: Harness) -> AsyncIterator[Ledger]:
    ledger = await harness.open()
    yield ledger
    await ledger.close()
    assert harness.flaws() == []
